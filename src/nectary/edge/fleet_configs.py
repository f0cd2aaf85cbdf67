"""Fleet configs in memory: agents poll every fifteen seconds, and nearly always get what the last one got."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakValueDictionary

from nectary.edge import fleet_answers
from nectary.edge.credentials import TRUSTED_FOR
from nectary.edge.fleet_answers import Answer
from nectary.fluentbit.document import Format
from nectary.resources.fleet_configs import FleetConfig, Published
from nectary.resources.fleet_serving import Served


@dataclass(frozen=True)
class Remembered:
    """What is published of a fleet, and the answers that were made of it, head and body."""

    published: Published
    _configs: dict[tuple[Served, Format], Answer] = field(default_factory=dict, repr=False)
    _files: dict[int, Answer] = field(default_factory=dict, repr=False)

    def config(self, given: Served, config: FleetConfig, to: Format) -> Answer:
        """Raises Invalid when the config cannot be said in that format."""
        answer = self._configs.get((given, to))
        if answer is None:
            answer = self._configs[given, to] = fleet_answers.config(config, given.version, to)
        return answer

    def files(self, given: Served, config: FleetConfig) -> Answer:
        answer = self._files.get(given.revision)
        if answer is None:
            answer = self._files[given.revision] = fleet_answers.files(config, self.published.fleet_id)
        return answer


class FleetConfigs:
    """A bounded memory of fleet -> what is published of it, the least recently asked for going first.

    A change in this process is forgotten here at once; one in another when loops/credentials.py next reads what changed.
    Until then agents get the old config with its old date, which they have. When that reading fails, nothing here is believed.
    """

    def __init__(self, size: int) -> None:
        """`size`: bytes of text and files, as given; each format they were written in counts again."""
        self._size = size
        self._known: OrderedDict[UUID, Remembered] = OrderedDict()
        self._weights: dict[UUID, int] = {}
        self._confirmed = float("-inf")
        self._changes = 0  # how often something was to be forgotten
        self._reading: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    def find(self, fleet_id: UUID) -> Remembered | None:
        found = self._known.get(fleet_id)
        if found is None or time.monotonic() - self._confirmed > TRUSTED_FOR:
            return None
        self._known.move_to_end(fleet_id)
        return found

    async def get(self, fleet_id: UUID, load: Callable[[], Awaitable[Published | None]]) -> Remembered | None:
        """What is remembered, or what `load` reads now: once, however many ask at the same time. None: no such fleet."""
        lock = self._reading.setdefault(fleet_id, asyncio.Lock())
        async with lock:
            if found := self.find(fleet_id):
                return found
            changes = self._changes
            published = await load()
            if published is None:
                return None
            remembered = Remembered(published)
            if changes == self._changes:  # else what was read may be what was to be forgotten meanwhile
                self._remember(fleet_id, remembered)
            return remembered

    def _remember(self, fleet_id: UUID, remembered: Remembered) -> None:
        self._drop(fleet_id)
        self._known[fleet_id] = remembered
        self._weights[fleet_id] = remembered.published.weight
        while sum(self._weights.values()) > self._size:
            self._drop(next(iter(self._known)))

    def forget(self, subjects: Iterable[UUID]) -> None:
        for subject in subjects:
            self._changes += 1
            self._drop(subject)

    def confirm(self) -> None:
        """Other processes' changes have just been read."""
        self._confirmed = time.monotonic()

    def __len__(self) -> int:
        return len(self._known)

    def _drop(self, fleet_id: UUID) -> None:
        self._known.pop(fleet_id, None)
        self._weights.pop(fleet_id, None)
