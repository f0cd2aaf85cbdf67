"""Failed sign-ins, counted in memory: enough to make guessing slow, forgotten on restart."""

import time
from collections import OrderedDict

from nectary.errors import Busy

WINDOW = 15 * 60.0
_MOST_KEYS = 50_000


class Attempts:
    """How often each key (an address and an e-mail) failed within the last quarter of an hour."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def require_few(self, key: str) -> None:
        """Raises Busy when the key failed too often."""
        recent = [moment for moment in self._failed.get(key, ()) if time.monotonic() - moment < WINDOW]
        if len(recent) >= self._allowed:
            wait = int(WINDOW - (time.monotonic() - recent[0])) + 1
            raise Busy("too many failed sign-ins", f"try again in {wait} s", retry_after=wait)

    def failed(self, key: str) -> None:
        recent = [moment for moment in self._failed.pop(key, ()) if time.monotonic() - moment < WINDOW]
        self._failed[key] = [*recent, time.monotonic()]
        if len(self._failed) > _MOST_KEYS:
            self._failed.popitem(last=False)

    def succeeded(self, key: str) -> None:
        self._failed.pop(key, None)
