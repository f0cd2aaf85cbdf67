"""Fleet configs in memory: agents poll every fifteen seconds, and nearly always get what the last one got."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from nectary.edge.credentials import TRUSTED_FOR
from nectary.resources.fleet_configs import FleetConfig


class FleetConfigs:
    """A bounded memory of fleet -> its config, the least recently asked for going first.

    A change in this process is forgotten here at once; one in another when loops/credentials.py next reads what changed.
    Until then agents get the old config with its old date, which they have. When that reading fails, nothing here is believed.
    """

    def __init__(self, size: int) -> None:
        """`size`: bytes of text and files, as given; each format they were written in counts again."""
        self._size = size
        self._known: OrderedDict[UUID, FleetConfig] = OrderedDict()
        self._weights: dict[UUID, int] = {}
        self._confirmed = float("-inf")

    def find(self, fleet_id: UUID) -> FleetConfig | None:
        found = self._known.get(fleet_id)
        if found is None or time.monotonic() - self._confirmed > TRUSTED_FOR:
            return None
        self._known.move_to_end(fleet_id)
        return found

    def remember(self, fleet_id: UUID, config: FleetConfig) -> None:
        self.forget([fleet_id])
        self._known[fleet_id] = config
        self._weights[fleet_id] = config.weight
        while sum(self._weights.values()) > self._size:
            self.forget([next(iter(self._known))])

    def forget(self, subjects: Iterable[UUID]) -> None:
        for subject in subjects:
            self._known.pop(subject, None)
            self._weights.pop(subject, None)

    def confirm(self) -> None:
        """Other processes' changes have just been read."""
        self._confirmed = time.monotonic()

    def __len__(self) -> int:
        return len(self._known)
