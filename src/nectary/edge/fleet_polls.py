"""What was served to whom, held until loops/fleets.py writes it down: a row only when what a key is served changes."""

from collections import defaultdict
from uuid import UUID

from nectary.resources.fleet_polls import Poll


class FleetPolls:
    """The versions last served to each key by this process, and those not yet written down."""

    def __init__(self, size: int) -> None:
        """`size`: keys remembered. Beyond it all are forgotten, and noted again as they come: writing twice is harmless."""
        self._size = size
        self._served: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
        self._count = 0
        self._new: dict[tuple[UUID, str], Poll] = {}

    def knows(self, fleet_id: UUID, key: str, version: int) -> bool:
        """Whether this was noted already; nearly always so."""
        return self._served[fleet_id].get(key) == version

    def note(self, poll: Poll) -> None:
        if self._count >= self._size:
            self._served.clear()
            self._count = 0
        known = self._served[poll.fleet_id]
        self._count += poll.key not in known
        known[poll.key] = poll.version
        self._new[poll.fleet_id, poll.key] = poll

    def take(self) -> list[Poll]:
        """Those not yet written down; they are the caller's now."""
        taken, self._new = list(self._new.values()), {}
        return taken

    def put_back(self, polls: list[Poll]) -> None:
        """They could not be written. What was noted since is newer."""
        self._new = {(poll.fleet_id, poll.key): poll for poll in polls} | self._new
