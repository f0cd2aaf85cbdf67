"""What time it is. Everything asks here, so that tests can move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_moved = timedelta()


def now() -> datetime:
    return datetime.now(UTC) + _moved


def seconds() -> float:
    """Seconds since the epoch."""
    return now().timestamp()


def moment(seconds: float) -> datetime:
    """The moment so many seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Let the given time pass at once, inside the block."""
    global _moved  # noqa: PLW0603 - one clock a process
    before = _moved
    _moved = before + by
    try:
        yield
    finally:
        _moved = before
