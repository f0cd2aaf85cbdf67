"""What people ask of a core instance besides running pipelines: checks, ingest checks, logs, taps, and what is around it."""

import asyncio
import time

from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.core import logs
from nectary.core.checks import Checker
from nectary.core.desired import Desired, Shared
from nectary.core.runtimes import Runtime
from nectary.core.secrets import Opener
from nectary.core.surroundings import Surroundings
from nectary.core.taps import Taps
from nectary.core.trials import Trials


class Errands:
    """Runs them, turn by turn; `done` is set when something ended whose outcome may change what should run."""

    def __init__(self, runtime: Runtime, taps: Taps, done: asyncio.Event, *, logs_every: float) -> None:
        self._runtime = runtime
        self.taps = taps
        self._checker = Checker(done)
        self._trials = Trials(runtime)
        self._surroundings = Surroundings()
        self._logs_every = logs_every
        self._logs_at = float("-inf")

    async def run(
        self, own: Asking, me: str, desired: Desired, shared: Shared, opener: Opener, *, changed: bool, runs: bool
    ) -> bool:
        """Look for all that is asked. `changed`: somebody did something on the server, so requests for logs may be there.
        Gives whether something new was found around, that pipelines may be limited to."""
        for id, known in desired.known.items():
            known.has_failed_checks = False
            if known.pipeline.checks_ok < known.pipeline.checks_total:
                checks = await calls.pipeline_checks(own, id)
                known.has_failed_checks = any(check.status == "failed" for check in checks)
                self._checker.take(own, checks, own=False)
        self._checker.take(own, await calls.own_checks(own, me), own=True)
        if not runs:
            return False
        self._trials.take(own, await calls.ingest_checks(own, me), shared, opener)
        if changed or time.monotonic() - self._logs_at >= self._logs_every:
            self._logs_at = time.monotonic()
            for id in desired.known:
                await logs.answer(own, self._runtime, id)
        await self.tapped(own, desired, only_on=False)
        return await self._surroundings.follow(own, me, self._runtime)

    async def tapped(self, own: Asking, desired: Desired, *, only_on: bool) -> None:
        await self.taps.end_overdue()
        for id, known in desired.known.items():
            if not only_on or self.taps.is_tapped(id):
                await self.taps.follow(own, known.pipeline, known.deployment)

    def begin_anew(self) -> None:
        """The core instance is another one now, and its server knows of nothing around it."""
        self._surroundings = Surroundings()

    async def close(self) -> None:
        await self._checker.close()
        await self._trials.close()
        await self.taps.close()
