"""One pipeline on this machine: turns its Fluent Bits into what they should be, a step at a time, from wherever they are."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nectary import log
from nectary.core.runtimes import Deployment, Observed, RuntimeUnavailableError, State
from nectary.core.runtimes.events import Events, hide
from nectary.core.runtimes.process import fluent_bit, remembered, trial
from nectary.core.runtimes.process.backoff import Backoff
from nectary.core.runtimes.process.children import private_folder
from nectary.core.runtimes.process.endpoints import fronts, reached, why_closed
from nectary.core.runtimes.process.front.caller import Front
from nectary.core.runtimes.process.replica import START, Replica, StartFailedError, print_of
from nectary.core.runtimes.process.scaling import clamp
from nectary.core.runtimes.process.tasks import end

_log = log.logger(__name__)
_DRAIN = 10.0
"""Seconds that connections get to come to the end of a message before a Fluent Bit changes."""
_DESIRED, _CURRENT = "desired.json", "current.json"


@dataclass(frozen=True, slots=True)
class Home:
    """What all pipelines of a runtime share. listen: where ports open, None for where each configuration says; advertise:
    the host that is reported as theirs. names: pipeline id -> name, for sentences. leaving: as `Parting` says."""

    program: fluent_bit.Program
    folder: Path
    front: Front
    listen: str | None
    advertise: str
    names: dict[str, str]
    leaving: Callable[[str, str], Awaitable[None]]


class Pipeline:
    """A pipeline with its Fluent Bits. `desired` is what was asked for last; `current` the last that worked."""

    def __init__(self, home: Home, id: str, folder: Path) -> None:
        self.home, self.id, self.folder = home, id, folder
        self.desired: Deployment | None = None
        self.current: Deployment | None = None
        self.replicas: dict[int, Replica] = {}
        self.events = Events("process")
        self.count = 1
        self._refused: tuple[str, Backoff] | None = None
        self._closed: dict[str, Any] = {}  # ports that could not be opened
        self._routed: list[dict[str, Any]] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._scaled = False
        self._prints: dict[str, str] = {}

    # What others ask.

    async def recall(self) -> None:
        """Find what an earlier run left."""
        self.desired = remembered.recall(self.folder / _DESIRED)
        self.current = remembered.recall(self.folder / _CURRENT)
        trial.clear_away(self.folder / "rehearsal")
        for folder in sorted((self.folder / "replicas").glob("[0-9]*")):
            replica = self._replica(int(folder.name))
            await replica.inherit()
        running = [number for number, one in self.replicas.items() if one.child is not None]
        self.count = max(running, default=0) + 1
        if self.desired is not None:
            self.count = _allowed(self.desired, self.count)
            self._learn(self.desired)

    def ask_for(self, deployment: Deployment) -> None:
        """Make it run like this from now on. Raises OSError when that cannot be written down."""
        if deployment == self.desired:
            return
        private_folder(self.folder)
        remembered.keep(self.folder / _DESIRED, deployment)
        if self.desired is None or deployment.version != self.desired.version:
            for one in self.replicas.values():
                one.backoff.forget()  # what failed was another configuration
        self.desired = deployment
        self._learn(deployment)
        self.wake()

    def _learn(self, deployment: Deployment) -> None:
        self.home.names[self.id] = deployment.name
        self.events.secrets = tuple(deployment.environment.values())
        count = _allowed(deployment, self.count)
        if self.current is not None:
            self.scale_to(count)
        self.count = count
        if deployment.sidecars:
            self.events.add("SidecarsLeftOut", "sidecars run on Kubernetes only; this pipeline runs without them here")

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    def wake(self) -> None:
        self._wake.set()

    def scale_to(self, count: int) -> None:
        if count != self.count:
            self.events.add("Scaled", f"from {_many(self.count)} to {_many(count)}", silence=0)
            self.count, self._scaled = count, True
            self.wake()

    @property
    def running(self) -> list[Replica]:
        return [one for one in self.replicas.values() if one.child is not None]

    def observed(self) -> Observed:
        ready = sum(1 for one in self.replicas.values() if one.ready and one.number < self.count)
        version = "" if self.current is None else self.current.version
        endpoints = (
            {}
            if self.desired is None or not ready
            else reached(self.desired, self._routed or [], self._closed, self.home.advertise)
        )
        return Observed(self._state(ready), version, self.count, ready, endpoints, self.events.all())

    def _state(self, ready: int) -> State:
        if self.desired is None:
            return "FAILED" if self.events.all() else "STARTING"
        if self._refused is not None and self._refused[0] == self.desired.version:
            return "FAILED"
        if self._closed or (ready == 0 and any(one.backoff.failures for one in self.replicas.values()) and self.count):
            return "FAILED"
        settled = all(one.runs == self._print(self.desired) for one in self.running)
        if ready < self.count or not settled or len(self.running) > self.count:
            return "SCALING" if self._scaled and ready and settled else "STARTING"
        # Only a turn that went through to its end says so: then the ports are open, too.
        whole = self.current == self.desired and (self._routed is not None or not self.count)
        return "STARTED" if whole else "STARTING"

    def logs(self, lines: int) -> str:
        """The newest lines of all replicas, each marked with its number when there are several."""
        said = []
        for number, replica in sorted(self.replicas.items()):
            mark = f"[{number}] " if len(self.replicas) > 1 else ""
            said += [(line[:26], mark + line) for line in replica.said(lines * 400 + 4096).splitlines() if line.strip()]
        if len(self.replicas) > 1:
            said.sort(key=lambda one: one[0])
        return hide("\n".join(line for _, line in said[-lines:]), self.events.secrets)

    # Working at it.

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._turn()
            except RuntimeUnavailableError as error:
                self.events.add("PortsUnavailable", str(error))
            except Exception as error:
                _log.exception("a pipeline's turn failed", pipeline=self.id)
                self.events.add("RuntimeFault", f"unexpected fault of the runtime: {error!r}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._wake.wait()

    def _until_due(self) -> float:
        now = time.monotonic()
        due = [one.backoff.due - now for one in self.replicas.values() if one.child is None and one.number < self.count]
        if self._refused is not None:
            due.append(self._refused[1].due - now)
        return max(0.2, min([15.0, *(5.0 for _ in self._closed), *due]))

    async def _turn(self) -> None:
        self._bury()
        target, count = self._target(), self.count
        if target is not None and self._is_change(target) and not await self._rehearsed(target):
            target = self._target()
        if target is None:
            return
        for number in range(count):
            await self._settle(self._replica(number), target)
            if self._target() != target:
                self.wake()  # this replica refused it, or somebody wants something else: spare the others
                return
        await self._remove_extra(count)
        await self._route(target)
        here = [self.replicas[number] for number in range(count)]
        if count == self.count and all(one.ready and one.runs == self._print(target) for one in here):
            self._scaled = False
            self._keep_as_current(target)

    def _keep_as_current(self, target: Deployment) -> None:
        if target == self.current:
            return
        news = self.current is None or self._print(self.current) != self._print(target)
        if news and not self._closed:  # else the last word is that nobody reaches it
            said = f"Fluent Bit {self.home.program.version} runs it, {_many(self.count)}"
            self.events.add("Started", said, silence=0)
        try:
            remembered.keep(self.folder / _CURRENT, target)
        except OSError as error:
            self.events.add("FolderUnusable", f"{self.folder}: {error}")
        self.current = target
        for one in self.replicas.values():
            one.tidy()

    def _print(self, deployment: Deployment) -> str:
        if deployment.version not in self._prints:
            self._prints = {deployment.version: print_of(deployment), **dict(list(self._prints.items())[:3])}
        return self._prints[deployment.version]

    def _target(self) -> Deployment | None:
        """What it should become: what is desired, or what worked before while that is refused."""
        if self.desired is None or self._refused is None or self._refused[0] != self.desired.version:
            return self.desired
        return self.desired if self._refused[1].is_due(time.monotonic()) else self.current

    def _is_change(self, target: Deployment) -> bool:
        """Whether something that works would be replaced by something new; going back needs no rehearsal."""
        return target == self.desired and any(one.runs != self._print(target) for one in self.running)

    async def _rehearsed(self, target: Deployment) -> bool:
        failure = await trial.rehearse(self.home.program, self.folder / "rehearsal", target)
        if failure is not None:
            self._refuse(target, *failure, wait=30.0)
        return failure is None

    def _refuse(self, target: Deployment, reason: str, message: str, *, wait: float) -> None:
        """Do not try this version again for a while; what worked before goes on."""
        if self._refused is None or self._refused[0] != target.version:
            self._refused = (target.version, Backoff(first=wait, longest=3600.0))
        wait = self._refused[1].failed(time.monotonic())
        kept = "; the previous configuration keeps running" if self.current is not None or self.running else ""
        self.events.add(
            reason, f"the new configuration does not start: {message}{kept}; tried again in {wait:g} s", about=message
        )

    async def _settle(self, replica: Replica, target: Deployment) -> None:
        if replica.child is None:
            if replica.backoff.is_due(time.monotonic()):
                await self._start(replica, target)
        elif replica.runs != self._print(target):
            await self._change(replica, target)
        elif not replica.ready:
            replica.ready = await fluent_bit.answers(replica.http_port)
            if not replica.ready and time.monotonic() - replica.started_at > START:
                replica.give_up("NoAnswer", f"it does not answer within {START:g} s")

    async def _start(self, replica: Replica, target: Deployment) -> None:
        now = time.monotonic()
        try:
            await replica.start(target)
        except StartFailedError as error:
            rolling = self.current is not None and self._print(self.current) != self._print(target)
            if rolling:
                # It passed its rehearsal, and each try takes what works away for a moment.
                self._refuse(target, error.reason, str(error), wait=600.0)
            else:
                wait = replica.backoff.failed(now)
                self.events.add(error.reason, f"{error}; tried again in {wait:g} s", about=str(error))
            return
        replica.backoff.worked(time.monotonic())
        if self._refused is not None and self._refused[0] == target.version:
            self._refused = None
        await self._route(target)

    async def _change(self, replica: Replica, target: Deployment) -> None:
        """Replace what a Fluent Bit runs, once nothing is under way to it; clients wait meanwhile, or go to its siblings."""
        replica.ready = False
        cut = await self.home.front.drain(self.id, replica.number, _DRAIN)
        if cut:
            self.events.add(
                "ConnectionsCut", f"{cut} connections were in the middle of a message for {_DRAIN:g} s and were cut", silence=0
            )
        self._routed = None
        await fluent_bit.still(replica.http_port)
        await self.home.leaving(self.id, replica.address)
        if target.strategy == "hotReload" and replica.can_reload(target):
            why = await replica.reload(target)
            if not why:
                self._refused = None
                self.events.add(
                    "Reloaded", f"replica {replica.number} runs the new configuration, without a restart", silence=0
                )
                return await self._route(target)
            self.events.add(
                "ReloadFailed", f"replica {replica.number} is restarted, since its hot reload failed: {why}", silence=0
            )
        elif target.strategy == "hotReload":
            self.events.add(
                "Restarted", "a secret or variable changed, which takes a restart instead of a hot reload", silence=0
            )
        await self._stop(replica)
        replica.backoff.forget()
        return await self._start(replica, target)

    async def _stop(self, replica: Replica) -> None:
        grace = replica.grace
        if not await replica.stop():
            lost = (
                f"replica {replica.number} did not flush within {grace:g} s and was ended; what it had in memory only is lost"
            )
            self.events.add("NotFlushed", lost, silence=0)

    async def _remove_extra(self, count: int) -> None:
        for number in sorted((one for one in self.replicas if one >= count), reverse=True):
            replica = self.replicas[number]
            if replica.child is not None:
                await self.home.front.drain(self.id, number, _DRAIN)
                await fluent_bit.still(replica.http_port)
                await self.home.leaving(self.id, replica.address)
                await self._stop(replica)
            left = replica.unsent()
            if left:
                self.events.add(
                    "DataLeft", f"replica {number} left {left} buffered chunks on disk; they go out when it is back"
                )
            else:
                shutil.rmtree(replica.folder, ignore_errors=True)
            del self.replicas[number]

    def _bury(self) -> None:
        for replica in self.replicas.values():
            ended = replica.bury()
            if ended is not None:
                wait = replica.backoff.failed(time.monotonic())
                reason, message = ended
                self.events.add(reason, f"replica {replica.number}: {message}; started again in {wait:g} s", silence=0)

    async def _route(self, target: Deployment) -> None:
        ports, missing = fronts(target, self.running, self.home.listen)
        for sentence in missing:
            self.events.add("PortNotListened", sentence)
        if self.count and not self.running and not self._is_lost():
            ports = [{**port, "backs": {}} for port in self._routed or []]  # clients wait a moment rather than be refused
        if ports == self._routed and not self._closed:
            return
        errors = await self.home.front.route(self.id, ports)
        self._routed = ports
        for id in set(self._closed) - set(errors):
            self.events.over("PortInUse", id)
            self.events.add("PortOpened", "a port that could not be opened is open now", about=id)
        self._closed = errors
        for id, error in errors.items():
            self.events.add(
                "PortInUse" if error["errno"] == 98 else "PortUnavailable",
                why_closed(target, id, error, self.home.names),
                about=id,
            )

    def _is_lost(self) -> bool:
        """It has failed so often that it will not be back soon."""
        return all(one.backoff.failures > 4 for one in self.replicas.values())

    def front_was_lost(self) -> None:
        self._routed = None
        self.wake()

    def _replica(self, number: int) -> Replica:
        if number not in self.replicas:
            self.replicas[number] = Replica(self.home.program, self.folder / "replicas" / str(number), number, self.wake)
        return self.replicas[number]

    # The end.

    async def rest(self) -> None:
        """Work at it no longer."""
        await end(self._task)
        self._task = None

    async def stop(self) -> None:
        """End all its Fluent Bits, flushing."""
        await self.rest()
        without_front = contextlib.suppress(RuntimeUnavailableError, OSError, TimeoutError)  # it must not keep them running
        with without_front:
            await asyncio.gather(*(self.home.front.drain(self.id, one.number, _DRAIN) for one in self.running))
        await asyncio.gather(*(self.home.leaving(self.id, one.address) for one in self.running))
        await asyncio.gather(*(self._stop(one) for one in self.running))
        with without_front:
            await self.home.front.forget(self.id)

    def let_go(self) -> None:
        for one in self.replicas.values():
            one.let_go()


def _allowed(deployment: Deployment, count: int) -> int:
    # A DaemonSet has one for each machine, and this is one.
    return 1 if deployment.kind == "daemonSet" else clamp(deployment.scaling, count)


def _many(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"
