"""What changed between two looks at the whole database, and how a walk tells what it found."""

from typing import Any

Rows = dict[str, list[tuple[Any, ...]]]


def changed(before: Rows, after: Rows) -> list[str]:
    """The rows that came or went, as text."""
    return [
        f"{sign} {name} {row}"
        for name in before
        for sign, here, there in (("-", before, after), ("+", after, before))
        for row in here[name]
        if row not in there[name]
    ]


def report(found: list[str]) -> str:
    """The first findings of a walk, one a line, each cut to a readable length."""
    lines = [line[:400] for line in found[:40]]
    return "\n".join([f"{len(found)} found:", *lines])
