"""The grammar of regular expressions: alternatives, repeats, groups, classes and escapes."""

from __future__ import annotations

import re
from typing import Final

from nectary.fluentbit.processing import charsets
from nectary.fluentbit.processing.charsets import Ranges
from nectary.fluentbit.processing.pattern_scan import (
    BEHIND_LIMIT,
    DEPTH_LIMIT,
    REPEAT_LIMIT,
    Flags,
    Node,
    Scan,
    joined,
    set_node,
    text_node,
    with_flags,
)

_COUNT: Final = re.compile(r"\{(\d{1,6})(?:(,)(\d{1,6})?)?\}")
_OPEN_COUNT: Final = re.compile(r"\{,\d+\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}\Z")
_CONTROL: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_SETS: Final[dict[str, Ranges]] = {"d": charsets.DIGIT, "w": charsets.WORD, "s": charsets.SPACE, "h": charsets.BLANK}
_PLACES: Final = {
    "b": "word_edge", "B": "not_word_edge", "A": "start", "Z": "last_line_end", "z": "finish", "`": "start", "'": "finish",
}  # fmt: skip
_NO_WIDTH: Final = frozenset({"start", "line_start", "finish", "line_end", "last_line_end", "word_edge", "not_word_edge"})


def alternatives(scan: Scan, flags: Flags) -> tuple[Node, Flags]:
    """What stands between two parentheses, and the flags that hold at its end."""
    scan.depth += 1
    if scan.depth > DEPTH_LIMIT:
        raise scan.error(f"groups are nested deeper than {DEPTH_LIMIT}")
    branches: list[Node] = []
    while True:
        node, flags = _sequence(scan, flags)
        branches.append(node)
        if not scan.take("|"):
            break
    scan.depth -= 1
    return (branches[0] if len(branches) == 1 else ("choice", *branches)), flags


def _sequence(scan: Scan, flags: Flags) -> tuple[Node, Flags]:
    nodes: list[Node] = []
    while scan.at < len(scan.text) and scan.peek() not in "|)":
        if flags.extended and _skipped(scan):
            continue
        if scan.dialect == "pcre" and scan.take("(?#"):
            scan.until(")", "the comment", scan.at - 3)
            continue
        switched = _flag_switch(scan, flags)
        if switched:
            flags = switched
            continue
        if scan.dialect == "pcre" and scan.take("\\Q"):
            nodes.extend(_quoted(scan, flags))
            continue
        nodes.append(_repeated(scan, _atom(scan, flags, first=not nodes), flags))
    return joined(nodes), flags


def _quoted(scan: Scan, flags: Flags) -> list[Node]:
    end = scan.text.find("\\E", scan.at)
    nodes = [text_node(char, flags) for char in scan.text[scan.at : end if end >= 0 else len(scan.text)]]
    scan.at = end + 2 if end >= 0 else len(scan.text)
    # A repeat after \\E is of the last character.
    return [*nodes[:-1], _repeated(scan, nodes[-1], flags)] if nodes else []


def _skipped(scan: Scan) -> bool:
    if scan.peek().isspace():
        scan.at += 1
        return True
    if scan.peek() == "#":
        end = scan.text.find("\n", scan.at)
        scan.at = len(scan.text) if end < 0 else end + 1
        return True
    return False


def _flag_switch(scan: Scan, flags: Flags) -> Flags | None:
    found = re.compile(r"\(\?([a-zA-Z-]+)\)").match(scan.text, scan.at) if scan.dialect == "pcre" else None
    if not found:
        return None
    at, scan.at = scan.at, found.end()
    return with_flags(flags, found[1], scan, at)


def _atom(scan: Scan, flags: Flags, *, first: bool) -> Node:
    char = scan.peek()
    if char == "(":
        return _group(scan, flags)
    if char == "[":
        return _class(scan, flags)
    if char == "\\":
        return _escape(scan, flags)
    counted = _COUNT.match(scan.text, scan.at) is not None
    if (char in "*+?" or counted) and not (first and char == "*" and scan.dialect == "posix"):
        raise scan.error(f"{char} has nothing to repeat")
    if _OPEN_COUNT.match(scan.text, scan.at):
        raise scan.error("{,n} means different things to different engines; write {0,n}")
    scan.at += 1
    if char == ".":
        return ("any",) if flags.dotall or scan.dialect == "posix" else ("dot",)
    if char == "^":
        return ("line_start",) if flags.multiline else ("start",)
    if char == "$":
        if scan.dialect == "posix":
            return ("finish",)
        return ("line_end",) if flags.multiline else ("last_line_end",)
    return text_node(char, flags)


def _repeated(scan: Scan, node: Node, flags: Flags) -> Node:
    while True:
        while flags.extended and _skipped(scan):
            pass
        at = scan.at
        counts = _quantifier(scan)
        if counts is None:
            return node
        least, most = counts
        if most >= 0 and most < least:
            raise scan.error("the counts of a repeat are the wrong way round", at)
        if max(least, most) > REPEAT_LIMIT:
            raise scan.error(f"a repeat counts to {REPEAT_LIMIT} at most", at)
        lazy = possessive = False
        if scan.dialect == "pcre":
            lazy = scan.take("?")
            possessive = not lazy and scan.take("+")
        if node[0] == "text" and isinstance(node[1], str) and len(node[1]) == 1:
            node = set_node(((ord(node[1]), ord(node[1])),))
        node = ("repeat", node, least, most, lazy)
        if possessive:
            node = ("atomic", node)
        if scan.dialect == "pcre" and (scan.peek() in ("*", "+", "?") or _COUNT.match(scan.text, scan.at)):
            raise scan.error("a repeat of a repeat needs a group")


def _quantifier(scan: Scan) -> tuple[int, int] | None:
    for mark, counts in (("*", (0, -1)), ("+", (1, -1)), ("?", (0, 1))):
        if scan.take(mark):
            return counts
    found = _COUNT.match(scan.text, scan.at)
    if not found:
        if _OPEN_COUNT.match(scan.text, scan.at):
            raise scan.error("{,n} means different things to different engines; write {0,n}")
        return None
    scan.at = found.end()
    least = int(found[1])
    return least, int(found[3]) if found[3] else (-1 if found[2] else least)


def _group(scan: Scan, flags: Flags) -> Node:
    at = scan.at
    scan.take("(")
    if scan.peek() != "?" and not (scan.peek() == "*" and scan.dialect == "pcre"):
        return _captured(scan, flags, None, at)
    if scan.dialect == "posix":
        raise scan.error("groups with (?...) are not part of POSIX regular expressions", at)
    for mark, name_end in (("?P<", ">"), ("?<", ">"), ("?'", "'")):
        if scan.text.startswith(mark, scan.at) and scan.peek(2) not in ("=", "!"):
            scan.at += len(mark)
            return _captured(scan, flags, scan.until(name_end, "the name of a group", at), at)
    for mark, kind, negated in (
        ("?=", "ahead", False),
        ("?!", "ahead", True),
        ("?<=", "behind", False),
        ("?<!", "behind", True),
    ):
        if scan.take(mark):
            return _look(scan, flags, kind, negated=negated, at=at)
    if scan.take("?>"):
        return ("atomic", _inside(scan, flags, at))
    found = re.compile(r"\?([a-zA-Z-]*):").match(scan.text, scan.at)
    if not found:
        raise scan.error(f"{scan.text[at : at + 4]} is not supported", at)
    scan.at = found.end()
    return _inside(scan, with_flags(flags, found[1], scan, at), at)


def _inside(scan: Scan, flags: Flags, at: int) -> Node:
    node, _ = alternatives(scan, flags)
    if not scan.take(")"):
        raise scan.error("the group is not closed", at)
    return node


def _captured(scan: Scan, flags: Flags, name: str | None, at: int) -> Node:
    scan.groups += 1
    number = scan.groups
    if name is not None:
        if not _NAME.match(name):
            raise scan.error(f"{name!r} is no name for a group", at)
        scan.names.setdefault(name, []).append(number)
    return ("group", number, _inside(scan, flags, at))


def _look(scan: Scan, flags: Flags, kind: str, *, negated: bool, at: int) -> Node:
    node = _inside(scan, flags, at)
    if kind == "ahead":
        return ("ahead", negated, node)
    widest = _widest(node)
    if widest is None or widest > BEHIND_LIMIT:
        raise scan.error(f"a look behind must be at most {BEHIND_LIMIT} characters wide", at)
    return ("behind", negated, node, widest)


def _widest(node: Node) -> int | None:
    """How many characters a node takes at most; None when there is no limit."""
    kind = str(node[0])
    if kind in ("set", "any", "dot"):
        return 1
    if kind == "text":
        return len(str(node[1]))
    if kind in _NO_WIDTH or kind in ("ahead", "behind"):
        return 0
    if kind == "same":
        return None
    parts = [_widest(part) for part in node if isinstance(part, tuple)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if kind == "repeat":
        most = node[3]
        assert isinstance(most, int)
        return known[0] * most if most >= 0 else (0 if known[0] == 0 else None)
    return max(known) if kind == "choice" else sum(known)


def _escape(scan: Scan, flags: Flags) -> Node:
    at = scan.at
    scan.take("\\")
    char = scan.peek()
    if not char:
        raise scan.error("the pattern ends in \\", at)
    scan.at += 1
    if char in _PLACES and (scan.dialect == "pcre" or char in "bB`'") and not (scan.dialect == "pcre" and char in "`'"):
        return (_PLACES[char],)
    if char.lower() in _SETS:
        return set_node(_SETS[char.lower()], negated=char.isupper())
    if char == "N" and scan.dialect == "pcre":
        return ("dot",)
    if char in "123456789":
        while scan.peek().isascii() and scan.peek().isdigit() and scan.dialect == "pcre":
            char, scan.at = char + scan.peek(), scan.at + 1
        scan.references.append((int(char), at))
        return ("same", int(char), flags.fold)
    if char in "kg" and scan.dialect == "pcre":
        return _reference(scan, flags, at)
    return text_node(_escaped_char(scan, char, at), flags)


def _reference(scan: Scan, flags: Flags, at: int) -> Node:
    for opening, closing in (("{", "}"), ("<", ">"), ("'", "'")):
        if scan.text[scan.at - 1] == "g" and opening != "{":
            break
        if scan.take(opening):
            name = scan.until(closing, "the reference", at)
            reference: int | str = int(name) if name.isascii() and name.isdigit() else name
            if (isinstance(reference, str) and not _NAME.match(reference)) or reference == 0:
                break
            scan.references.append((reference, at))
            return ("same", reference, flags.fold)
    raise scan.error("this reference is not supported", at)


def _escaped_char(scan: Scan, char: str, at: int) -> str:
    if char in _CONTROL:
        return _CONTROL[char]
    if char == "x" and scan.dialect == "pcre":
        return _hexadecimal(scan, at)
    if char == "0":
        return "\0"
    if (char.isascii() and char.isalnum() and scan.dialect == "pcre") or char in "<>":
        raise scan.error(f"\\{char} is not supported", at)
    return char


def _hexadecimal(scan: Scan, at: int) -> str:
    if scan.take("{"):
        digits = scan.until("}", "\\x{", at)
    else:
        found = re.compile(r"[0-9A-Fa-f]{1,2}").match(scan.text, scan.at)
        digits = found[0] if found else ""
        scan.at += len(digits)
    if not re.match(r"[0-9A-Fa-f]{1,6}\Z", digits) or int(digits, 16) > charsets.LAST:
        raise scan.error("\\x needs the hexadecimal number of a character", at)
    return chr(int(digits, 16))


def _class(scan: Scan, flags: Flags) -> Node:
    at = scan.at
    scan.take("[")
    negated = scan.take("^")
    ranges: list[tuple[int, int]] = []
    first = True
    while first or scan.peek() != "]":
        if scan.at >= len(scan.text):
            raise scan.error("the class is not closed", at)
        if scan.take("[:"):
            ranges.extend(_named_class(scan, at))
        elif scan.text.startswith(("[.", "[=", "&&"), scan.at):
            raise scan.error(f"{scan.text[scan.at : scan.at + 2]} in a class is not supported")
        else:
            ranges.extend(_class_item(scan))
        first = False
    scan.take("]")
    members = charsets.merged(ranges)
    return set_node(charsets.folded(members) if flags.fold else members, negated=negated)


def _named_class(scan: Scan, at: int) -> Ranges:
    name = scan.until(":]", "the named class", at)
    members = charsets.POSIX.get(name.removeprefix("^"))
    if members is None:
        raise scan.error(f"there is no class [:{name}:]", at)
    return charsets.complement(members) if name.startswith("^") else members


def _class_item(scan: Scan) -> Ranges:
    at = scan.at
    low = _class_char(scan)
    if not isinstance(low, int):
        return low
    if scan.peek() != "-" or scan.peek(1) in ("]", ""):
        return ((low, low),)
    scan.at += 1
    high = _class_char(scan)
    if not isinstance(high, int) or high < low:
        raise scan.error("the ends of a range in a class are the wrong way round", at)
    return ((low, high),)


def _class_char(scan: Scan) -> int | Ranges:
    at, char = scan.at, scan.peek()
    scan.at += 1
    if char != "\\" or scan.dialect == "posix":
        return ord(char)
    escaped = scan.peek()
    if not escaped:
        raise scan.error("the class is not closed", at)
    scan.at += 1
    if escaped.lower() in _SETS:
        members = _SETS[escaped.lower()]
        return charsets.complement(members) if escaped.isupper() else members
    return 8 if escaped == "b" else ord(_escaped_char(scan, escaped, at))
