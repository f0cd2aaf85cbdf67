"""Reads Fluent Bit configurations written as JSON: the names of the YAML format in JSON's spelling.

Python's own reader keeps no places, forgets repeated keys and the spelling of numbers, and recurses; this one does none of
that. Repeated keys and numbers keep what was written, as Fluent Bit does when it reads the same text as YAML.
"""

import posixpath
import re

from nectary.fluentbit import yaml
from nectary.fluentbit.document import (
    LIMITS,
    Document,
    Format,
    Limits,
    ListNode,
    MapNode,
    Node,
    Place,
    Scalar,
)
from nectary.fluentbit.reading import Glob, Read, Reading
from nectary.fluentbit.structure import Tree

_NUMBER_OR_WORD = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.+-])|(?:true|false|null)(?!\w)"
_TEXTS = r'[ \n]*+"[^"\\\x00-\x1f]*+"(?:,[ \n]*+"[^"\\\x00-\x1f]*+")*+[ \n]*+'
_TOKEN = re.compile(
    rf"""[ \t\r]*(?:
        (?P<string>"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+")
      | (?P<mark>[{{}}\[\]:,])
      | (?P<line>\n)
      | (?P<word>{_NUMBER_OR_WORD})
    )""",
    re.VERBOSE,
)
# The common key and value in one step: with the comma and the line end behind it, and all on one line but for a list of texts.
_PAIR = re.compile(
    rf"""[ ]*+"(?P<key>[^"\\\x00-\x1f]*+)"(?P<gap>:[ ]*+)
        (?:"(?P<string>[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)"|(?P<word>{_NUMBER_OR_WORD})|\[(?P<texts>{_TEXTS})\])
        (?P<comma>,?)(?P<line>\n?)""",
    re.VERBOSE,
)
_TEXT_OR_LINE = re.compile(r'"([^"]*)"|\n')
# The end of a map and the beginning of the next one in its list.
_NEXT = re.compile(r"[ ]*+(?P<close>\}),\n(?P<open>[ ]*+\{)\n")
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt])|(.?))', re.DOTALL)
_PLAIN_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HALF = re.compile("[\ud800-\udfff]")


def parse(
    data: str | bytes,
    file: str = "fluent-bit.json",
    read: Read | None = None,
    glob: Glob | None = None,
    limits: Limits = LIMITS,
) -> Document:
    """Read a JSON configuration, with its includes (which are YAML, or JSON by their name) when `read` is given.

    Raises ConfigError with every problem of structure, or the first of syntax.
    """
    reading = Reading(file, Format.JSON, read, glob, limits)
    _read_file(reading, file, data)
    return reading.finish()


def _read_file(reading: Reading, file: str, data: str | bytes) -> None:
    text = reading.open(data, file, Format.JSON)
    if text is None:
        return

    def follow(path: str, at: Place, seen_from: str) -> None:
        reading.include(path, at, posixpath.dirname(seen_from), include)

    def include(name: str, found: bytes) -> None:
        (_read_file if name.lower().endswith(".json") else yaml.read_file)(reading, name, found)

    try:
        root = tree(text, file, reading.limits)
    except JsonError as error:
        if error.kind == "bad_json":
            reading.problem(error.kind, error.place, f"not JSON: {error}", "write JSON, or choose the YAML format")
        else:
            reading.problem(error.kind, error.place, str(error), "split it, or raise the limit")
        return
    Tree(reading, file, follow).read(root)


class JsonError(Exception):
    """The text is not JSON, or (by its kind) goes beyond a limit."""

    def __init__(self, what: str, place: Place, kind: str = "bad_json") -> None:
        self.place = place
        self.kind = kind
        super().__init__(what)


class _Open:
    """A list or map whose end has not been read yet."""

    __slots__ = ("is_map", "items", "keys", "place")

    def __init__(self, is_map: bool, place: tuple[int, int, int]) -> None:
        self.is_map = is_map
        self.place = place
        self.items: list[Node] = []
        self.keys: list[Scalar] = []


def tree(text: str, file: str, limits: Limits) -> Node:
    """The tree of one JSON text; raises JsonError with the place. Numbers keep their text. Linear, without recursion."""
    return _TreeReader(text, file, limits).read()


class _TreeReader:
    """One JSON text being read; `wanted` says what may come next, a key of _EXPECTED."""

    def __init__(self, text: str, file: str, limits: Limits) -> None:
        self.text = text
        self.file = file
        self.limits = limits
        self.count = 0
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.wanted = "value"
        self.line = 1
        self.line_start = 0

    def read(self) -> Node:
        text, position, size = self.text, 1 if self.text.startswith("\ufeff") else 0, len(self.text)
        match = _TOKEN.match
        while position < size:
            if self.wanted in _KEYS:
                position = self._pairs(position)
            found = match(text, position)
            if found is None:
                rest = len(text) - len(text[position:].lstrip(" \t\r"))
                if rest >= size:
                    break
                raise self._error("this is no JSON value", rest)
            position = found.end()
            kind = found.lastgroup
            if kind == "line":
                self.line += 1
                self.line_start = position
            elif kind == "mark":
                self._mark(found.group("mark"), position - 1)
            else:
                assert kind is not None
                self._scalar(kind, found.group(kind), found.start(kind), position)
        if self.root is None or self.open:
            raise self._error("the text ends too early", size)
        return self.root

    def _pairs(self, position: int) -> int:
        """Read plain pairs as long as they come one after another, over the maps of a list; where they end."""
        # Many thousands in a large file: a named tuple's own constructor is a Python function around this one, and costs
        # twice as much; and names of this function are found sooner than those of `self`.
        text, match, opened, made = self.text, _PAIR.match, self.open[-1], tuple.__new__
        line, before = self.line, self.line_start - 1
        comma: str | None = None
        while found := match(text, position):
            key, gap, string, word, texts, comma, ended = found.groups()
            begin = found.start(1) - 1
            end = begin + len(key) + 2
            opened.keys.append(made(Scalar, (key, False, line, begin - before, begin, end)))
            at = end + len(gap)
            if string is not None:
                size = len(string) + 2
                if "\\" in string:
                    self.line, self.line_start = line, before + 1
                    string = self._unescaped(string, at)
                opened.items.append(made(Scalar, (string, False, line, at - before, at, at + size)))
            elif texts is None:
                opened.items.append(made(Scalar, (word, True, line, at - before, at, at + len(word))))
            else:
                self.line, self.line_start = line, before + 1
                opened.items.append(self._texts(at, found.end("texts")))
                line, before = self.line, self.line_start - 1
            position = found.end()
            if ended:
                line += 1
                before = position - 1
            if not comma:
                following = _NEXT.match(text, position)
                if following is None or len(self.open) < 2 or self.open[-2].is_map:
                    break
                self._close(following.end(1))
                at = following.end(2) - 1
                self.open.append(opened := _Open(True, (line + 1, at - following.start(2) + 1, at)))
                line += 2
                position = following.end()
                before = position - 1
                self.wanted, comma = "first key", None
        self.line, self.line_start = line, before + 1
        if comma is not None:
            self.wanted = "key" if comma else "comma"
        return position

    def _texts(self, at: int, end: int) -> ListNode:
        """The list of plain texts that begins at `at` and ends before `end`."""
        if len(self.open) >= self.limits.depth:
            raise self._error(f"values nested more than {self.limits.depth} deep", at, "too_deep")
        place, texts = (self.line, at - self.line_start + 1, at), []
        for found in _TEXT_OR_LINE.finditer(self.text, at, end):
            start, after = found.span()
            if found[1] is None:
                self.line += 1
                self.line_start = after
            else:
                texts.append(Scalar(found[1], False, self.line, start - self.line_start + 1, start, after))
        self._more(len(texts), end)
        return ListNode(tuple(texts), *place, end + 1)

    def _more(self, values: int, at: int) -> None:
        """Count so many more. Raises JsonError when they are too many."""
        self.count += values
        if self.count > self.limits.values:
            raise self._error(f"more than {self.limits.values} values in one file", at, "too_large")

    def _error(self, what: str, at: int, kind: str = "bad_json") -> JsonError:
        return JsonError(what, Place(self.file, self.line, at - self.line_start + 1), kind)

    def _mark(self, mark: str, at: int) -> None:
        wanted = self.wanted
        if mark in "{[" and wanted in ("value", "first value"):
            if len(self.open) >= self.limits.depth:
                raise self._error(f"values nested more than {self.limits.depth} deep", at, "too_deep")
            self.open.append(_Open(mark == "{", (self.line, at - self.line_start + 1, at)))
            self.wanted = "first key" if mark == "{" else "first value"
        elif (mark == "}" and self.open and self.open[-1].is_map and wanted in ("first key", "comma")) or (
            mark == "]" and self.open and not self.open[-1].is_map and wanted in ("first value", "comma")
        ):
            self._close(at + 1)
        elif mark == "," and wanted == "comma" and self.open:
            self.wanted = "key" if self.open[-1].is_map else "value"
        elif mark == ":" and wanted == "colon":
            self.wanted = "value"
        else:
            raise self._error(f"`{mark}` where {_EXPECTED[wanted]} should be", at)

    def _close(self, end: int) -> None:
        done = self.open.pop()
        if done.is_map:
            self._value(MapNode(tuple(zip(done.keys, done.items, strict=True)), *done.place, end))
        else:
            self._value(ListNode(tuple(done.items), *done.place, end))

    def _value(self, node: Node) -> None:
        if not self.open:
            self.root = node
            self.wanted = "end"
            return
        self.open[-1].items.append(node)
        self.wanted = "comma"

    def _scalar(self, kind: str, written: str, start: int, end: int) -> None:
        self._more(1, start)  # plain pairs need no count: they are never so many within the limit of bytes
        plain = kind == "word"
        value = written
        if not plain:
            value = written[1:-1]
            if "\\" in value:
                value = self._unescaped(value, start)
        node = Scalar(value, plain, self.line, start - self.line_start + 1, start, end)
        if self.wanted in ("key", "first key") and not plain:
            self.open[-1].keys.append(node)
            self.wanted = "colon"
        elif self.wanted in ("value", "first value"):
            self._value(node)
        else:
            raise self._error(f"{written[:40]} where {_EXPECTED[self.wanted]} should be", start)

    def _unescaped(self, value: str, start: int) -> str:
        simple = value.replace('\\"', '"')
        if "\\" not in simple:  # what most strings with escapes are
            return simple

        def one(found: re.Match[str]) -> str:
            digits, letter, wrong = found.groups()
            if digits is not None:
                return chr(int(digits, 16))
            if letter is not None:
                return _PLAIN_ESCAPES[letter]
            raise self._error(f"`\\{wrong}` is no escape", start)

        text = _ESCAPE.sub(one, value)
        if _HALF.search(text):
            # Two halves written as \ud83d\ude42 are one character; a half alone is none.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if "\0" in text or ("\ufffd" in text and "\ufffd" not in value):
            raise self._error("a NUL or half a character in a value: Fluent Bit would cut it here", start)
        return text


_KEYS = ("key", "first key")
_EXPECTED = {
    "value": "a value",
    "first value": "a value or `]`",
    "key": "a key in quotes",
    "first key": "a key in quotes or `}`",
    "colon": "`:`",
    "comma": "`,` or an end",
    "end": "the end",
}
