"""What happened to a pipeline, in sentences, the same thing not said again and again."""

import time
from collections import deque
from collections.abc import Iterable

from nectary import clock
from nectary.core.runtimes import Event

_KEPT = 50
_SILENCE = 600.0
_SHOWN_SECRET = 4
"""Shorter values than this stand everywhere by chance."""


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets in it."""
    for secret in sorted({value for value in secrets if len(value) >= _SHOWN_SECRET}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


class Events:
    """The newest events of one pipeline, oldest first."""

    def __init__(self, source: str) -> None:
        self._source, self._events = source, deque[Event](maxlen=_KEPT)
        self._said: dict[str, float] = {}
        self.secrets: tuple[str, ...] = ()

    def add(self, reason: str, message: str, *, about: str | None = None, silence: float = _SILENCE) -> bool:
        """Note something, unless the same (`about`, else the message) was noted within `silence` seconds."""
        key, now = f"{reason}\0{message if about is None else about}", time.monotonic()
        if now - self._said.get(key, float("-inf")) < silence:
            return False
        self._said = {one: at for one, at in self._said.items() if now - at < _SILENCE} | {key: now}
        self._events.append(Event(self._source, reason, hide(message, self.secrets)[:2000], clock.now()))
        return True

    def is_news(self, reason: str, about: str, *, silence: float = _SILENCE) -> bool:
        """Whether `add` would take it."""
        return time.monotonic() - self._said.get(f"{reason}\0{about}", float("-inf")) >= silence

    def over(self, reason: str, about: str) -> None:
        """It is over: when it comes again, that is news."""
        self._said.pop(f"{reason}\0{about}", None)

    def all(self) -> tuple[Event, ...]:
        return tuple(self._events)
