"""Posts that agents were thanked for and that are not written yet: a second's worth, at most so many."""

from dataclasses import dataclass
from uuid import UUID

from nectary.errors import Unavailable
from nectary.metrics.cmetrics import Snapshot


@dataclass(frozen=True, slots=True)
class Post:
    """One agent's counters at one moment, in seconds since the epoch."""

    agent_id: UUID
    project_id: UUID
    received_at: float
    snapshot: Snapshot


class Buffer:
    """What loops/metrics.py writes every second.

    A post in here is lost when the process is killed, never when it stops: at most one second of metrics, and because
    counters only grow, the next post of the same agent carries what the lost one said.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._posts: list[Post] = []

    @property
    def full(self) -> bool:
        return len(self._posts) >= self._limit

    def __len__(self) -> int:
        return len(self._posts)

    def put(self, posts: list[Post]) -> None:
        """Raises Unavailable when full: Fluent Bit tries once more in some seconds."""
        if len(self._posts) + len(posts) > self._limit:
            raise Unavailable("unavailable", "metrics come in faster than they can be written", retry_after=5)
        self._posts += posts

    def take(self) -> list[Post]:
        posts, self._posts = self._posts, []
        return posts

    def put_back(self, posts: list[Post]) -> None:
        """After a failed write; whatever came since stays behind them."""
        self._posts = posts + self._posts
