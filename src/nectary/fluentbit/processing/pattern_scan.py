"""Reading one regular expression: where the scan stands, which flags hold, and the tree's smallest nodes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from nectary.fluentbit.processing import charsets
from nectary.fluentbit.processing.charsets import Ranges
from nectary.fluentbit.processing.lua_text import LuaValue

Dialect: TypeAlias = Literal["pcre", "posix"]
Node: TypeAlias = tuple[LuaValue, ...]

DEPTH_LIMIT: Final = 40
REPEAT_LIMIT: Final = 65535
BEHIND_LIMIT: Final = 255


class PatternError(ValueError):
    """A regular expression that is wrong or goes beyond what the matcher knows; `position` counts characters from 1."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} at character {position}")
        self.reason, self.position = reason, position


@dataclass(frozen=True)
class Flags:
    """What (?imsx) switches on, for the rest of a group."""

    fold: bool = False
    multiline: bool = False
    dotall: bool = False
    extended: bool = False


@dataclass
class Scan:
    """Where the reading of one pattern stands."""

    text: str
    dialect: Dialect
    at: int = 0
    groups: int = 0
    depth: int = 0
    names: dict[str, list[int]] = field(default_factory=dict)
    references: list[tuple[int | str, int]] = field(default_factory=list)

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.text[place] if place < len(self.text) else ""

    def take(self, wanted: str) -> bool:
        if wanted and self.text.startswith(wanted, self.at):
            self.at += len(wanted)
            return True
        return False

    def until(self, mark: str, what: str, start: int) -> str:
        end = self.text.find(mark, self.at)
        if end < 0:
            raise self.error(f"{what} is not closed", start)
        found = self.text[self.at : end]
        self.at = end + len(mark)
        return found

    def error(self, reason: str, at: int | None = None) -> PatternError:
        return PatternError(reason, (self.at if at is None else at) + 1)


def text_node(char: str, flags: Flags) -> Node:
    """One character: itself, or a set of its cases."""
    codes = charsets.cases(ord(char)) if flags.fold else {ord(char)}
    return ("text", char) if len(codes) == 1 else set_node(charsets.merged((code, code) for code in codes))


def set_node(ranges: Ranges, *, negated: bool = False) -> Node:
    """A character in (or, negated, not in) a set. A byte that is not UTF-8 is in no set, and so in every negated one."""
    return ("set", negated, [code for pair in ranges for code in pair])


def joined(nodes: list[Node]) -> Node:
    """The sequence of nodes, neighbouring texts made one."""
    parts: list[Node] = []
    for node in nodes:
        last = parts[-1] if parts else None
        if last and last[0] == node[0] == "text" and isinstance(last[1], str) and isinstance(node[1], str):
            parts[-1] = ("text", last[1] + node[1])
        else:
            parts.append(node)
    return parts[0] if len(parts) == 1 else ("sequence", *parts)


def with_flags(flags: Flags, letters: str, scan: Scan, at: int) -> Flags:
    """Flags changed as (?im-sx) says."""
    value = True
    for letter in letters:
        if letter == "-" and value:
            value = False
        elif letter == "i":
            flags = replace(flags, fold=value)
        elif letter == "m":
            flags = replace(flags, multiline=value)
        elif letter == "s":
            flags = replace(flags, dotall=value)
        elif letter == "x":
            flags = replace(flags, extended=value)
        else:
            raise scan.error(f"(?{letters}...) is not supported", at)
    return flags
