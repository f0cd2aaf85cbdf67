"""A core instance at work: what the server wants is made so, and what became of it is told back, turn after turn.

Every turn looks at what there is and never at what was done before, so that one that was missed or cut off costs nothing. While
the server is away everything runs on as it was last wanted; nothing is ever stopped for want of an answer. All intervals are by
the monotonic clock: a clock that is set moves nothing here.
"""

import asyncio
import contextlib
import random
import time

from nectary import clock, log
from nectary.client import Refused, Unreachable
from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.core import identity as identities
from nectary.core.desired import Desired, Known, Problem, Shared
from nectary.core.errands import Errands
from nectary.core.identity import Identity, NotOursError, Wanted
from nectary.core.metrics import Meter
from nectary.core.pace import Pace, Trouble, for_ever
from nectary.core.reports import CORE, tell, tell_endpoints
from nectary.core.runtimes import (
    Event,
    HeldElsewhereError,
    Keep,
    Observed,
    Parting,
    Runtime,
    RuntimeUnavailableError,
)
from nectary.core.secrets import Opener
from nectary.core.server import Server
from nectary.core.taps import Taps

_FAULT = "RuntimeFault"
_DENIED = (401, 403, 410)  # the token is wrong, may not, or was deleted
_LAST_WORDS = 5.0  # seconds that the server gets to take what pipelines had counted when they were ended
_log = log.logger("nectary.core")


class CoreInstance:
    """One core instance over one runtime. `run` until told to stop; `turn` by hand in tests and benchmarks."""

    def __init__(
        self, server: Server, wanted: Wanted, runtime: Runtime, keep: Keep, *, pace: Pace | None = None, sidecars: bool = False
    ) -> None:
        self.server, self.wanted, self.runtime, self.keep = server, wanted, runtime, keep
        self.pace = pace or Pace()
        self.identity: Identity | None = None
        self.desired = Desired()
        self.trouble = Trouble()
        self.turns = 0
        self._sidecars = sidecars
        self._project = server.asking("X-Project-Token", server.token)
        self._own: Asking | None = None
        self._wake = asyncio.Event()
        self._opener = Opener("")
        self._shared: Shared | None = None
        self._look_due = True
        self._looked_at = float("-inf")
        self._hears = False  # whether the server says by itself when something changed
        self._runs = False  # whether the runtime has started
        self._unavailable: Problem | None = None
        self._settled, self._failing = False, False
        self.meter = Meter(self._project, runtime.http)
        if isinstance(runtime, Parting):
            runtime.leaving = self.meter.last
        taps = Taps(runtime, server.url, self._tap_token, verify=server.verify)
        self.errands = Errands(runtime, taps, self._wake, logs_every=self.pace.logs)

    # -- All the time ------------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event, *, stop_pipelines: bool = False) -> None:
        """Work until `stop` is set. Pipelines run on afterwards, unless told otherwise."""
        works = (self._turning, self._pinging, self._listening, self._counting, self.errands.taps.watch)
        loops = [asyncio.create_task(for_ever(work)) for work in works]
        try:
            await stop.wait()
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self.close(stop_pipelines=stop_pipelines)

    async def close(self, *, stop_pipelines: bool = False) -> None:
        await self.errands.close()
        if self._runs:
            await self.runtime.close(stop=stop_pipelines)
            if stop_pipelines and isinstance(self.runtime, Parting):
                with contextlib.suppress(Refused, Unreachable, TimeoutError):
                    async with asyncio.timeout(_LAST_WORDS):
                        await self.count()
        await self.meter.close()
        for asking in {self._project, self._own} - {None}:
            assert asking is not None
            await asking.close()

    def wake(self) -> None:
        """Take the next turn now, and look at the server's list in it."""
        self._look_due = True
        self._wake.set()

    async def _turning(self) -> None:
        while True:
            pause = await self._turn_taken()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            if self._wake.is_set():
                self._wake.clear()
                self._look_due = True
                await asyncio.sleep(0.05)  # what comes in a burst is one change

    async def _turn_taken(self) -> float:
        """Take a turn; gives for how long to rest. Nothing that goes wrong in it ends the core instance."""
        try:
            await self.turn()
        except (Unreachable, Refused, NotOursError, RuntimeUnavailableError) as error:
            self.trouble.note(_sentence(error))
            await self._hold()
            return self._back_off(error)
        except Exception as error:
            _log.exception("a turn of the core instance failed")
            self.trouble.note(f"{type(error).__name__}: {error}")
            return self.pace.turn
        self.trouble.over()
        if not self._settled or self.errands.taps.any_on:
            return self.pace.soon
        return min(self.pace.turn, self.pace.failing) if self._failing else self.pace.turn

    def _back_off(self, error: Exception) -> float:
        if isinstance(error, Refused) and error.status in _DENIED:
            return self.pace.refused
        if isinstance(error, Unreachable) or (isinstance(error, Refused) and error.status >= 429):
            longest = min(self.pace.most_back_off, 2.0 ** min(self.trouble.times - 1, 6))
            return longest * random.uniform(0.5, 1.0)  # noqa: S311 - so that many do not ask at once
        return self.pace.turn

    async def _hold(self) -> None:
        """Without the server: keep what was last wanted as it was wanted, and end taps that are over."""
        try:
            await self.errands.taps.end_overdue()
            if self._runs:
                await self._apply()
        except Exception as error:
            _log.warning("pipelines cannot be kept", reason=str(error))

    async def _pinging(self) -> None:
        while True:
            pause = 5.0
            if self._own is not None and self.identity is not None:
                with contextlib.suppress(Refused, Unreachable):
                    pause = max(await calls.ping(self._own, self.identity.id), 1.0)
            await asyncio.sleep(pause if self.identity else 0.2)

    async def _listening(self) -> None:
        """The server's long poll: whoever waits for it hears of a change at once, and asks for the list only then."""
        cursor: str | None = None
        while True:
            if self._own is None or self.identity is None:
                cursor = None
                await asyncio.sleep(0.2)
                continue
            try:
                said = await calls.changes(
                    self._own, self.identity.id, cursor, self.pace.long_poll if cursor is not None else 0
                )
            except Refused as refused:
                self._hears, cursor = False, None
                await asyncio.sleep(self.pace.refused if refused.status in (404, 405) else self.pace.turn)
                continue
            except Unreachable:
                self._hears, cursor = False, None
                await asyncio.sleep(self.pace.soon * 2)
                continue
            self._hears, cursor = True, said.cursor
            if said.changed:
                self.wake()
            await asyncio.sleep(self.pace.soon)  # a server that is ending answers at once, again and again

    async def _counting(self) -> None:
        await asyncio.sleep(min(self.pace.counters, 5.0))  # what runs already is heard of soon
        while True:
            with contextlib.suppress(Refused, Unreachable):
                await self.count()
            await asyncio.sleep(self.pace.counters)

    # -- One turn ----------------------------------------------------------------------------------------------------------

    async def turn(self) -> None:
        """Look if need be, apply, observe, report. Raises what keeps it from that; the next one begins anew."""
        self.turns += 1
        await self._begin()
        own, me = await self._myself()
        changed = self._look_due or not self._hears
        age = time.monotonic() - self._looked_at
        look = self._look_due or age >= (self.pace.look if self._hears else self.pace.turn)
        try:
            if look:
                self._look_due = False
                await self._look(own, me)
            await self._applied(own)
            await self._report(own)
            if look and self._shared is not None:
                given = (self.desired, self._shared, self._opener)
                if await self.errands.run(own, me.id, *given, changed=changed, runs=self._runs):
                    self.wake()
            elif self.errands.taps.any_on:
                await self.errands.tapped(own, self.desired, only_on=True)
        except Refused as refused:
            self._look_due = True
            if refused.status not in (404, 410) or not await self._is_gone(me):
                raise
            await self._vanished(me)
        except BaseException:
            self._look_due = self._look_due or look
            raise

    async def count(self) -> None:
        """Post the counters of all that runs."""
        if self._runs and self.identity is not None:
            await self.meter.round({id: known.pipeline for id, known in self.desired.known.items()})

    async def _begin(self) -> None:
        """Start the runtime. Where it cannot, the server is told why, pipeline by pipeline."""
        if self._runs:
            return
        try:
            await self.runtime.start()
        except HeldElsewhereError:
            raise  # the other one speaks for the pipelines
        except RuntimeUnavailableError as error:
            if self._unavailable is None or self._unavailable.message != str(error):
                self._unavailable = Problem("RuntimeUnavailable", str(error), clock.now())
        else:
            self._runs, self._unavailable = True, None

    async def _myself(self) -> tuple[Asking, Identity]:
        if self._own is not None and self.identity is not None:
            return self._own, self.identity
        me = await identities.recall(self.keep, self._project.project_id)
        if me is None:
            me = await identities.establish(self._project, self.wanted, self.keep)
            _log.info("this is the core instance", name=me.name, id=me.id)
        if not me.private_key:
            why = "it was found on the server, and its private key was told to whoever made it"
            _log.warning("what is sealed for this core instance cannot be opened", name=me.name, reason=why)
        self._opener = Opener(me.private_key)
        self._own = self.server.asking("X-Aggregator-Token", me.token) if me.token else self._project
        self.identity = me
        self._look_due = True
        return self._own, me

    async def _look(self, own: Asking, me: Identity) -> None:
        itself = await calls.itself(own, me.id)
        if self.wanted.version and itself.version != self.wanted.version:
            await calls.describe(own, me.id, {"version": self.wanted.version})
        self.desired.read(await calls.pipelines(own, me.id))
        if itself.environment_name not in ("", "default") and not self.meter.environment_id:
            known = {one.name: one.id for one in await calls.environments(self._project)}
            self.meter.environment_id = known.get(itself.environment_name, "")
        self._shared = Shared(itself, await calls.secrets(own, me.id), await calls.files(own, me.id))
        for one in self.desired.known.values():
            if one.pipeline.kind == "daemonSet":
                names, limited = await calls.narrowed_to(own, one.pipeline.id)
                one.namespaces = sorted(names) if limited else None
            if self._sidecars:
                one.sidecars = await calls.sidecars(own, one.pipeline.id)
        await self.desired.assemble(self._shared, self._opener)
        self._looked_at = time.monotonic()

    async def _applied(self, own: Asking) -> None:
        if not self._runs:
            return
        here = await self.runtime.observe()
        await asyncio.gather(*(self._removed(id) for id in here.keys() - self.desired.known.keys()))
        for id, known in self.desired.known.items():
            running = here.get(id)
            if known.deployment is None or known.is_held_back:
                continue
            if known.is_gated and known.told.status in ("NEW", "CHECKS_FAILED") and known.problem is None:
                await tell(own, known.pipeline, known.told, "CHECKS_OK", (), current=True)
            if running and running.version != known.deployment.version:
                # The counters of those that are to be replaced begin at nought again: the last ones are read before.
                with contextlib.suppress(Refused, Unreachable):
                    await self.meter.of_pipeline(known.pipeline)
        await self._apply()

    async def _apply(self) -> None:
        for known in self.desired.known.values():
            if known.deployment is not None and not known.is_held_back:
                try:
                    await self.runtime.apply(known.deployment)
                    if known.problem is not None and known.problem.reason == _FAULT:
                        known.problem = None
                except RuntimeUnavailableError:
                    raise
                except Exception as error:
                    # One pipeline that a runtime stumbles over must not keep it from the others.
                    _log.exception("a pipeline could not be applied", pipeline=known.pipeline.name)
                    known.problem = Problem(_FAULT, f"{type(error).__name__}: {error}", clock.now())

    async def _removed(self, id: str) -> None:
        self.errands.taps.forget(id)
        await self.runtime.remove(id)
        for agent_id in self.meter.forget(id):
            with contextlib.suppress(Refused, Unreachable):
                await calls.remove_agent(self._project, agent_id)

    async def _report(self, own: Asking) -> None:
        here = await self.runtime.observe() if self._runs else {}
        self._settled, self._failing = self._runs, False
        for id, known in self.desired.known.items():
            observed = here.get(id)
            self._settled = self._settled and _is_settled(known, observed)
            self._failing = self._failing or (observed is not None and observed.state == "FAILED")
            try:
                await self._report_one(own, known, observed)
            except Refused as refused:
                if refused.status in (401, 403, 410, 429) or refused.status >= 500:
                    raise
                # Deleted a moment ago, or something in it that the server does not take: others are not to wait for it.
                _log.warning("a report was refused", pipeline=known.pipeline.name, reason=str(refused))

    async def _report_one(self, own: Asking, known: Known, observed: Observed | None) -> None:
        events = list(observed.events) if observed else []
        word: str | None = observed.state if observed else None
        problem = self._unavailable or known.problem
        current = bool(observed and known.deployment and observed.version == known.deployment.version) or word == "FAILED"
        if problem is not None:
            runs_on = observed is not None and observed.ready > 0
            text = f"{problem.message} (what ran before runs on)" if runs_on else problem.message
            events.append(Event(CORE, problem.reason, text, problem.at))
            word, current = "FAILED", True
        elif known.is_held_back and observed is None:
            word, current = ("CHECKS_FAILED", True) if known.has_failed_checks else (None, False)
        await tell(own, known.pipeline, known.told, word, events, current=current)
        if observed is not None:
            await tell_endpoints(own, known.told, observed)

    # -- What else is asked ------------------------------------------------------------------------------------------------

    def _tap_token(self, pipeline_id: str, address: str) -> tuple[str, str]:
        agent = self.meter.agent(pipeline_id, address)
        return ("X-Agent-Token", agent.token) if agent else ("X-Project-Token", self.server.token)

    # -- No longer there ---------------------------------------------------------------------------------------------------

    async def _is_gone(self, me: Identity) -> bool:
        """Whether the server knows no such core instance, by its project's own word; anything less is a doubt."""
        try:
            await calls.itself(self._project, me.id)
        except Refused as refused:
            return refused.status == 404 and me.project_id == self._project.project_id
        return False

    async def _vanished(self, me: Identity) -> None:
        """It was deleted, and all its pipelines with it: end them, and begin anew."""
        _log.warning("the core instance was deleted on the server: its pipelines end, and it begins anew", name=me.name)
        if self._runs:
            for id in await self.runtime.observe():
                await self._removed(id)
        if self._own is not None and self._own is not self._project:
            await self._own.close()
        self._own, self.identity, self._shared = None, None, None
        self.desired = Desired()
        self.errands.begin_anew()
        self._look_due = True
        await identities.establish(self._project, self.wanted, self.keep)  # the next turn takes it up from there
        self._wake.set()


def _is_settled(known: Known, observed: Observed | None) -> bool:
    if known.problem is not None or known.is_held_back or known.deployment is None:
        return True
    if observed is None:
        return False
    return observed.state in ("STARTED", "FAILED") and observed.version == known.deployment.version


def _sentence(error: Exception) -> str:
    if isinstance(error, Refused) and error.status in _DENIED:
        return f"the server refused this core instance's token: {error}; give it a token that is good"
    return str(error)
