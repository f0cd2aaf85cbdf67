"""Sets of characters for regular expressions: ranges of code points, their complements, and both cases of a letter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]

# Past every code point, so that the matcher's marks for bytes that are not UTF-8 (0x110000 + byte) fall outside.
LAST = 0x10FFFF

DIGIT: Ranges = ((48, 57),)
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
# PCRE2's \s: tab to carriage return, the vertical tab among them, and space.
SPACE: Ranges = ((9, 13), (32, 32))
BLANK: Ranges = ((9, 9), (32, 32))

POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": BLANK,
    "cntrl": ((0, 31), (127, 127)),
    "digit": DIGIT,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": SPACE,
    "upper": ((65, 90),),
    "word": WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same set, sorted, with overlapping and neighbouring ranges joined."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Ranges) -> Ranges:
    """Every code point that is not in the set."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in merged(ranges):
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def cases(code: int) -> set[int]:
    """A character and its other case, where that is one character too."""
    char = chr(code)
    return {ord(form) for form in (char, char.lower(), char.upper()) if len(form) == 1}


def folded(ranges: Ranges) -> Ranges:
    """The set with both cases of its letters; ranges of more than 2,000 characters beyond ASCII are left as they are."""
    extra: list[tuple[int, int]] = []
    for low, high in ranges:
        end = high if high - low <= 2000 else min(high, 127)
        for code in range(low, end + 1):
            extra.extend((other, other) for other in cases(code))
    return merged((*ranges, *extra))
