"""What an example is, and the short ways to write one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

START = 1_700_000_000.0

Log = tuple[float, dict[str, Any]]


@dataclass(frozen=True)
class Example:
    """A rule list, what goes in, what comes out, and what is still held back at the end."""

    title: str
    rules: list[dict[str, Any]]
    given: list[Log]
    expected: list[Log]
    held: list[Log] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [rule["type"] for rule in self.rules]


def timed(records: Sequence[Any]) -> list[Log]:
    """Records one second apart, except those that come with their own time (seconds after the start)."""
    logs: list[Log] = []
    for place, record in enumerate(records):
        seconds, body = record if isinstance(record, tuple) else (float(place), record)
        logs.append((START + seconds, body))
    return logs


def one(title: str, kind: str, opts: dict[str, Any], given: Any, expected: Any) -> Example:
    """One record in; one record, a list of them, or None out, at the same time."""
    out = [] if expected is None else expected if isinstance(expected, list) else [expected]
    rules = [{"type": kind, "opts": opts}]
    return Example(title, rules, timed([given]), [(START, record) for record in out])


def many(title: str, kind: str, opts: dict[str, Any], given: Any, expected: Any, *, held: Any = ()) -> Example:
    return Example(title, [{"type": kind, "opts": opts}], timed(given), timed(expected), timed(held))


def same(title: str, kind: str, opts: dict[str, Any], given: dict[str, Any]) -> Example:
    return one(f"{title}: untouched", kind, opts, given, given)
