"""Since when this process has been there to hear what agents say: what could not be heard is held against nobody."""

from nectary import clock

_LONGEST_GAP = 20.0  # seconds; some turns of loops/credentials.py, which come every two


class Attention:
    """Without a gap since it started, or since the database could be read again, or since the host it sleeps on woke up."""

    def __init__(self) -> None:
        self._since = self._last = clock.seconds()

    def confirm(self) -> None:
        """It is there now: requests are served, and the database answers."""
        self._since, self._last = self.since(), clock.seconds()

    def since(self) -> float:
        """In seconds since the epoch; now, after a gap."""
        now = clock.seconds()
        return self._since if now - self._last <= _LONGEST_GAP else now
