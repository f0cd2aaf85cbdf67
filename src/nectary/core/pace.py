"""How often a core instance does what, and how it goes on when something goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nectary import log

_log = log.logger("nectary.core")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between one thing and the next."""

    turn: float = 15.0
    look: float = 60.0  # at the server's whole list, when its long poll says that nothing changed
    soon: float = 1.0  # while something starts, stops or is tapped
    failing: float = 5.0  # at what runs, while some of it fails: it may be well again soon
    logs: float = 300.0  # at requests for logs, when the long poll says that nothing changed
    counters: float = 15.0
    refused: float = 60.0  # after a token was refused: nothing changes that but people
    most_back_off: float = 15.0
    long_poll: int = 45


@dataclass
class Trouble:
    """What keeps a turn from ending well, said once."""

    text: str = ""
    times: int = 0

    def note(self, text: str) -> None:
        self.times += 1
        if text != self.text:
            _log.warning("the core instance cannot go on as it should; pipelines run on", reason=text)
        self.text = text

    def over(self) -> None:
        if self.text:
            _log.info("the core instance goes on", after=self.text)
        self.text, self.times = "", 0


async def for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """Nothing that goes wrong in one of the works may end the others."""
    while True:
        try:
            await work()
        except Exception:
            _log.exception("a part of the core instance failed, and begins again")
            await asyncio.sleep(5)
