"""What time it is. Everything asks here, so that tests can move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_moved = timedelta()
_stopped: datetime | None = None


def now() -> datetime:
    return (_stopped or datetime.now(UTC)) + _moved


def seconds() -> float:
    """Seconds since the epoch."""
    return now().timestamp()


def moment(seconds: float) -> datetime:
    """The moment so many seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@contextmanager
def stopped() -> Iterator[None]:
    """Let no time pass by itself inside the block, however long it takes."""
    global _stopped  # noqa: PLW0603 - one clock a process
    before = _stopped
    _stopped = before or datetime.now(UTC)
    try:
        yield
    finally:
        _stopped = before


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
