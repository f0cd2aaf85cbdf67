"""Verified tokens, remembered for a while, forgotten within five seconds of being revoked anywhere."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from nectary.caller import Caller, Person

Who = TypeVar("Who", Caller, Person)

# loops/credentials.py reads the revocations every two seconds; when it could not for this long, nothing here is believed.
TRUSTED_FOR = 4.5


class Credentials:
    """A bounded memory of token -> who it speaks for; the least recently used goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[str, tuple[Caller | Person, float]] = OrderedDict()
        self._tokens_of: defaultdict[UUID, set[str]] = defaultdict(set)
        self._confirmed = float("-inf")
        self._used: dict[UUID, float] = {}

    def find(self, token: str, kind: type[Who]) -> Who | None:
        known = self._known.get(token)
        if known is None or time.monotonic() - self._confirmed > TRUSTED_FOR:
            return None
        who, expires = known
        if time.time() >= expires or not isinstance(who, kind):
            return None
        self._known.move_to_end(token)
        return who

    def remember(self, token: str, who: Caller | Person, *, expires: float = float("inf")) -> None:
        self._known[token] = (who, expires)
        for subject in _subjects(who):
            self._tokens_of[subject].add(token)
        if len(self._known) > self._size:
            self._drop(next(iter(self._known)))

    def forget(self, subjects: Iterable[UUID]) -> None:
        """Forget every token of these sessions, project tokens, agents or projects."""
        for subject in subjects:
            for token in tuple(self._tokens_of.get(subject, ())):
                self._drop(token)

    def confirm(self) -> None:
        """The revocations have just been read."""
        self._confirmed = time.monotonic()

    def use(self, session: UUID) -> None:
        """Note that a session was used; loops/credentials.py writes it down now and then."""
        self._used[session] = time.time()

    def used_since(self) -> dict[UUID, float]:
        """Sessions used since this was last asked, with the moment in seconds since the epoch."""
        used, self._used = self._used, {}
        return used

    def __len__(self) -> int:
        return len(self._known)

    def _drop(self, token: str) -> None:
        who, _ = self._known.pop(token)
        for subject in _subjects(who):
            self._tokens_of[subject].discard(token)
            if not self._tokens_of[subject]:
                del self._tokens_of[subject]


def _subjects(who: Caller | Person) -> tuple[UUID, ...]:
    return (who.session_id,) if isinstance(who, Person) else (who.id, who.project_id)
