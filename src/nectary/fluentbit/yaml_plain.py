"""Reads the plain block style that most YAML configurations are written in, line by line: faster than libyaml's events.

What is not surely read the same by libyaml is not read here at all: `root_of` then answers None and the caller asks libyaml.
That the two agree wherever this one answers is a property test (tests/fluentbit/test_yaml_plain.py).
"""

import re

from nectary.fluentbit.document import ListNode, MapNode, Node, Scalar

# A plain value starts with a sign that means nothing in YAML and holds no `: ` and no ` #`. All repeats are possessive, so that
# a line that does not fit is left in linear time.
_PLAIN = r"[A-Za-z0-9_./$^(\\~+=;<](?:[^ :#]++|:(?=[^ ])|(?<! )\#|[ ](?!\#))*+"
_QUOTED = r"""'[^']*+'|"[^"\\]*+\""""
_REST = r"(?:[ ]++\#.*|[ ]*+)$"
# One line: a comment or nothing; or an optional `- ` and then `key:`, `key: value` or a value alone. Keys are short because
# libyaml looks for the colon in 1024 characters only.
_LINE = re.compile(
    rf"""(?P<indent>[ ]*+)(?:
        (?:\#.*)?$
      | (?P<dash>-[ ]++)?(?:
            (?P<key>[A-Za-z_][A-Za-z0-9_.-]{{0,100}}+):(?:
                (?P<gap>[ ]++)(?!\#)(?:(?P<plain>{_PLAIN})|(?P<quoted>{_QUOTED})){_REST}
              | {_REST}
            )
          | (?P<item>{_PLAIN}|{_QUOTED}){_REST}
        )
    )""",
    re.VERBOSE,
)
_DEEPEST = 24


class _Open:
    """A list or map that more lines may belong to. `waiting`: its last key, when that has no value yet."""

    __slots__ = ("column", "is_list", "items", "line", "pairs", "start", "waiting")

    def __init__(self, is_list: bool, column: int, line: int, start: int) -> None:
        self.is_list = is_list
        self.column = column
        self.line = line
        self.start = start
        self.items: list[Node] = []
        self.pairs: list[tuple[Scalar, Node]] = []
        self.waiting: Scalar | None = None


def root_of(text: str, shift: int = 0) -> MapNode | None:
    """The tree of a YAML text in plain block style, or None when it is not surely that. Offsets count from `shift`."""
    # Printable also leaves out tabs, CR and the line ends that only Unicode knows.
    if not text.replace("\n", "").isprintable():
        return None
    return _Lines(shift).read(text)


class _Lines:
    """One text being read; `top` is the innermost open list or map."""

    def __init__(self, shift: int) -> None:
        self.offset = shift
        self.stack: list[_Open] = []
        self.top: _Open | None = None

    def read(self, text: str) -> MapNode | None:
        # A named tuple's own constructor is a Python function around this one, and costs twice as much.
        match, offset, made = _LINE.match, self.offset, tuple.__new__
        for number, line in enumerate(text.split("\n"), 1):
            found = match(line)
            if found is None:
                return None
            indent, dash, key, gap, plain, quoted, item = found.groups()
            if key is not None:
                column = len(indent) + 1
                if dash is not None:
                    if not self._entry(column, number, offset):
                        return None
                    column += len(dash)
                    self._push(_Open(False, column, number, offset + column - 1))
                top = self.top
                if top is None or top.column != column or top.is_list or top.waiting is not None:
                    top = self._map_at(column, number, offset)
                    if top is None:
                        return None
                start = offset + column - 1
                end = start + len(key)
                name = made(Scalar, (key, True, number, column, start, end))
                if gap is None:
                    top.waiting = name
                else:
                    end += 1 + len(gap)
                    at = column + 1 + len(key) + len(gap)
                    if plain is not None:
                        plain = plain.rstrip(" ")
                        value = made(Scalar, (plain, True, number, at, end, end + len(plain)))
                    else:
                        value = made(Scalar, (quoted[1:-1], False, number, at, end, end + len(quoted)))
                    top.pairs.append((name, value))
            elif item is not None and (dash is None or not self._item(len(indent) + 1, number, offset, item, len(dash))):
                return None
            offset += len(line) + 1
        return self._root()

    def _item(self, column: int, number: int, offset: int, item: str, dash: int) -> bool:
        if not self._entry(column, number, offset):
            return False
        assert self.top is not None
        at, start = column + dash, offset + column - 1 + dash
        if item[0] in "'\"":
            self.top.items.append(Scalar(item[1:-1], False, number, at, start, start + len(item)))
        else:
            item = item.rstrip(" ")
            self.top.items.append(Scalar(item, True, number, at, start, start + len(item)))
        return True

    def _push(self, opened: _Open) -> None:
        self.stack.append(opened)
        self.top = opened

    def _close(self) -> None:
        """End the innermost list or map and give it to the one around it."""
        done = self.stack.pop()
        self.top = self.stack[-1] if self.stack else None
        node: Node
        if done.is_list:
            node = ListNode(tuple(done.items), done.line, done.column, done.start, done.items[-1].end)
        else:
            self._settle(done)
            node = MapNode(tuple(done.pairs), done.line, done.column, done.start, done.pairs[-1][1].end)
        if self.top is None:
            self.stack.append(done)  # the root stays, for _root
        elif self.top.is_list:
            self.top.items.append(node)
        else:
            assert self.top.waiting is not None
            self.top.pairs.append((self.top.waiting, node))
            self.top.waiting = None

    @staticmethod
    def _settle(opened: _Open) -> None:
        """A key that no value followed has an empty one, right after its colon."""
        key = opened.waiting
        if key is not None:
            after = key.end + 1
            opened.pairs.append((key, Scalar("", True, key.line, key.column + len(key.text) + 1, after, after)))
            opened.waiting = None

    def _map_at(self, column: int, number: int, offset: int) -> _Open | None:
        """The open map whose keys stand at this column, opening it if a key waits for it; None if the indent is wrong."""
        while self.top is not None and (self.top.column > column or (self.top.is_list and self.top.column == column)):
            if len(self.stack) == 1:
                return None
            self._close()
        top = self.top
        if top is not None and top.column == column:
            self._settle(top)
            return top
        if (top is None and not self.stack) or (top is not None and top.waiting is not None and not top.is_list):
            if len(self.stack) >= _DEEPEST:
                return None
            self._push(_Open(False, column, number, offset + column - 1))
            return self.top
        return None

    def _entry(self, column: int, number: int, offset: int) -> bool:
        """Make the list whose dashes stand at this column the innermost open one, opening it if a key waits for its value."""
        stack = self.stack
        if (
            len(stack) > 1
            and (last := stack[-1]).pairs
            and (around := stack[-2]).is_list
            and last.waiting is None
            and (around.column == column)
        ):
            # The common case in one step: the map of the last entry ends and the next entry follows.
            stack.pop()
            around.items.append(MapNode(tuple(last.pairs), last.line, last.column, last.start, last.pairs[-1][1].end))
            self.top = around
            return True
        while self.top is not None and self.top.column > column:
            if len(self.stack) == 1:
                return False
            self._close()
        top = self.top
        if top is None:
            return False
        if top.is_list:
            return top.column == column
        if top.waiting is None or len(self.stack) >= _DEEPEST:
            return False
        self._push(_Open(True, column, number, offset + column - 1))
        return True

    def _root(self) -> MapNode | None:
        if not self.stack:
            return None
        while len(self.stack) > 1:
            self._close()
        root = self.stack[0]
        self._settle(root)
        return MapNode(tuple(root.pairs), root.line, root.column, root.start, root.pairs[-1][1].end)
