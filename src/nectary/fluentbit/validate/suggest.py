"""The name somebody most likely meant, by counting the letters to change."""

from collections.abc import Iterable

LONGEST = 48


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name nearest to `word` without regard to case, or None when none is near enough.

    Near is one change (a letter more, fewer, other, or two swapped) up to four letters, two up to eight, three beyond.
    """
    lowered = word.lower()
    if not 2 <= len(lowered) <= LONGEST:
        return None
    allowed = 1 if len(lowered) <= 4 else 2 if len(lowered) <= 8 else 3
    best: tuple[int, str] | None = None  # the least name among equals, so that a set gives the same answer every time
    for name in names:
        if abs(len(name) - len(lowered)) > allowed:
            continue
        changes = distance(lowered, name.lower(), allowed)
        if changes <= allowed and (best is None or (changes, name) < best):
            best = changes, name
    return best[1] if best else None


def distance(one: str, other: str, limit: int) -> int:
    """How many changes make `one` into `other`; `limit` + 1 when it is more than `limit`."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, wanted in enumerate(other, 1):
            cost = min(last[column] + 1, line[column - 1] + 1, last[column - 1] + (letter != wanted))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        if min(line) > limit:
            return limit + 1
        before, last = last, line
    return last[-1]
