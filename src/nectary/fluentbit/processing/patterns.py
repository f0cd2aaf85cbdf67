"""Regular expressions of processing rules, read into the trees that the Lua matcher runs; what it cannot run is refused here.

Two dialects: `pcre` for the engines pcre2 and onig, `posix` (extended, leftmost-longest) for posix, tre and gnu.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nectary.fluentbit.processing.lua_text import Code, LuaValue
from nectary.fluentbit.processing.pattern_parts import alternatives
from nectary.fluentbit.processing.pattern_scan import Dialect, Flags, Node, PatternError, Scan

__all__ = ["LENGTH_LIMIT", "Dialect", "Pattern", "PatternError", "parse"]

LENGTH_LIMIT: Final = 4096


@dataclass(frozen=True)
class Pattern:
    """A parsed regular expression: its tree, number of groups, and the groups of each name."""

    source: str
    node: Node
    groups: int
    names: Mapping[str, tuple[int, ...]]
    longest: bool

    def lua(self) -> Code:
        """The call that makes the matcher."""
        first = self.node[1] if self.node[0] == "sequence" and len(self.node) > 1 else self.node
        assert isinstance(first, tuple)
        # The source is there for people who read the script.
        value: dict[str, LuaValue] = {"source": self.source, "node": self.node, "groups": self.groups}
        if self.names:
            value["names"] = {name: list(groups) for name, groups in self.names.items()}
        if first[0] == "text":
            value["prefix"] = first[1]
        if first[0] == "start":
            value["anchored"] = True
        if self.longest:
            value["longest"] = True
        return Code("regex.compile", value)


def parse(source: str, *, dialect: Dialect = "pcre", match_case: bool = True) -> Pattern:
    """Read a regular expression. Raises PatternError with the place and the reason."""
    if len(source) > LENGTH_LIMIT:
        raise PatternError(f"the pattern is longer than {LENGTH_LIMIT} characters", LENGTH_LIMIT + 1)
    scan = Scan(source, dialect)
    node, _ = alternatives(scan, Flags(fold=not match_case))
    if scan.at < len(source):
        raise scan.error("unmatched )")
    for reference, at in scan.references:
        known = reference in scan.names if isinstance(reference, str) else reference <= scan.groups
        if not known:
            raise scan.error(f"there is no group {reference}", at)
    node = _resolved(node, scan.names)
    names = {name: tuple(groups) for name, groups in scan.names.items()}
    return Pattern(source, node, scan.groups, names, longest=dialect == "posix")


def _resolved(node: Node, names: Mapping[str, list[int]]) -> Node:
    """The tree with references by name replaced by the group's number."""
    if node[0] == "same" and isinstance(node[1], str):
        return (node[0], names[node[1]][0], *node[2:])
    return tuple(_resolved(part, names) if isinstance(part, tuple) and part and part[0] != "set" else part for part in node)
