"""Runs the loops: for ever, backing off on failure, stopping cleanly."""

import asyncio
from collections.abc import Iterable

from nectary import log
from nectary.edge.context import Context
from nectary.errors import Refusal
from nectary.loops import Loop

_log = log.logger("nectary.loops")
_LONGEST_PAUSE = 60.0


class Supervisor:
    """The running loops of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    def start(self, loops: Iterable[Loop]) -> None:
        self._tasks = [asyncio.create_task(self._run(loop), name=loop.name) for loop in loops]

    async def stop(self) -> None:
        """Let each loop finish the turn it is in."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _run(self, loop: Loop) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await loop.turn(self._context)
                failures = 0
            except Refusal as refusal:
                failures += 1
                _log.warning("a loop could not take its turn", loop=loop.name, reason=refusal.detail or refusal.error)
            except Exception as error:
                failures += 1
                _log.error("a loop failed", loop=loop.name, exc_info=error)
            pause = min(loop.period * 2 ** min(failures, 10), max(loop.period, _LONGEST_PAUSE))
            await self._pause(pause if failures else loop.period)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
