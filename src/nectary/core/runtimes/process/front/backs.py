"""The Fluent Bits behind a port."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nectary.core.runtimes.process.front.tcp import Conversation

_RETRY_AFTER = 0.2


@dataclass(eq=False, slots=True)
class Back:
    """One Fluent Bit's port on the loopback. Closed ones (`is_open` false) get nothing new; `failed_at`: monotonic seconds."""

    replica: int
    port: int
    is_open: bool = True
    failed_at: float = float("-inf")
    conversations: "set[Conversation]" = field(default_factory=set)


@dataclass(slots=True)
class Counts:
    """What went through a port since the front started."""

    connections: int = 0
    moved: int = 0
    cut: int = 0
    refused: int = 0
    bytes_in: int = 0
    datagrams: int = 0
    dropped: int = 0


def choose(backs: dict[int, Back], now: float) -> Back | None:
    """The one with the least to do among those that take something; None when nobody does."""
    able = [back for back in backs.values() if back.is_open and now - back.failed_at >= _RETRY_AFTER]
    return min(able, key=lambda back: (len(back.conversations), back.replica), default=None)


def excess(backs: dict[int, Back]) -> "list[Conversation]":
    """The conversations that should move for all backs to have alike many."""
    able = [back for back in backs.values() if back.is_open]
    if len(able) < 2:
        return []
    most = -(-sum(len(back.conversations) for back in able) // len(able))
    return [one for back in able for one in list(back.conversations)[most:]]


def update(backs: dict[int, Back], ports: dict[int, int]) -> list[Back]:
    """Make the backs those of `ports` (replica -> port), all open; returns the ones that are no longer there."""
    left = [back for replica, back in backs.items() if ports.get(replica) != back.port]
    for back in left:
        back.is_open = False
        del backs[back.replica]
    for replica, port in ports.items():
        back = backs.setdefault(replica, Back(replica, port))
        back.is_open, back.failed_at = True, float("-inf")
    return left
