"""Runs pipelines as Fluent Bit processes of this machine."""

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nectary import clock, log
from nectary.core.runtimes import Deployment, Observed, RuntimeUnavailableError, Trial, Verdict
from nectary.core.runtimes.process import children, fluent_bit, procfs, trial
from nectary.core.runtimes.process.children import private_folder
from nectary.core.runtimes.process.front.caller import Front
from nectary.core.runtimes.process.pipeline import Home, Pipeline
from nectary.core.runtimes.process.tasks import end
from nectary.core.runtimes.process.watching import EVERY, Watch

_log = log.logger(__name__)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_REMOVED = "removed"
_JUMP = 30.0


class ProcessRuntime:
    """The `Runtime` of a laptop or a virtual machine: a Fluent Bit process for each replica, and one process that holds the
    ports open. All of them run on when we end; the next start finds them.

    folder: everything is kept there, for us alone. program: path of fluent-bit, None to look for it. listen: the address where
    ports open, None for where each configuration says. advertise: the host reported as theirs.
    """

    def __init__(
        self, folder: Path, *, program: str | None = None, listen: str | None = None, advertise: str = "127.0.0.1"
    ) -> None:
        self._folder, self._program, self._listen, self._advertise = folder, program, listen, advertise
        self.leaving = _nobody_asks
        self._home: Home | None = None
        self._front: Front | None = None
        self._pipelines: dict[str, Pipeline] = {}
        self._watches: dict[str, Watch] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._held: int | None = None

    async def start(self) -> None:
        """Find the program and what an earlier run left. Raises RuntimeUnavailableError."""
        if self._home is not None:
            return
        if not procfs.is_there():
            raise RuntimeUnavailableError("pipelines as processes need Linux 5.3 or newer; use the Kubernetes runtime here")
        program = await fluent_bit.find(self._program)
        try:
            private_folder(self._folder)
            self._held = children.lock(self._folder / "lock")
        except OSError as error:
            raise RuntimeUnavailableError(f"{self._folder} cannot be used to keep pipelines in: {error.strerror}") from error
        if self._held is None:
            raise RuntimeUnavailableError(f"another core instance keeps its pipelines in {self._folder}; give each a folder")
        self._folder = self._folder.resolve()
        self._front = Front(self._folder)
        await self._front.find()
        self._home = Home(program, self._folder, self._front, self._listen, self._advertise, {}, self._leaving)
        for folder in (self._folder / "trials").glob("*"):
            trial.clear_away(folder)
        for folder in sorted((self._folder / "pipelines").glob("*")):
            if folder.is_dir():
                await self._recall(self._home, folder)
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._front_lost(self._front))]

    async def _recall(self, home: Home, folder: Path) -> None:
        pipeline = Pipeline(home, folder.name, folder)
        await pipeline.recall()
        if (folder / _REMOVED).exists():
            await pipeline.stop()
            shutil.rmtree(folder, ignore_errors=True)
            return
        self._take_in(pipeline)

    def _take_in(self, pipeline: Pipeline) -> None:
        self._pipelines[pipeline.id] = pipeline
        self._watches[pipeline.id] = Watch(pipeline)
        pipeline.begin()

    def _ready(self) -> Home:
        if self._home is None:
            raise RuntimeUnavailableError("the runtime was not started")
        return self._home

    async def apply(self, deployment: Deployment) -> None:
        """Make it run like this. Raises ValueError for an id that cannot be a folder's name."""
        home = self._ready()
        if not _ID.fullmatch(deployment.pipeline_id):
            raise ValueError(f"{deployment.pipeline_id!r} cannot be the id of a pipeline")
        async with self._lock(deployment.pipeline_id):
            pipeline = self._pipelines.get(deployment.pipeline_id)
            if pipeline is None:
                pipeline = Pipeline(home, deployment.pipeline_id, self._folder / "pipelines" / deployment.pipeline_id)
                self._take_in(pipeline)
            try:
                pipeline.ask_for(deployment)
            except OSError as error:
                pipeline.events.add("DiskFull" if error.errno == 28 else "FolderUnusable", f"{pipeline.folder}: {error}")

    def _lock(self, pipeline_id: str) -> asyncio.Lock:
        return self._locks.setdefault(pipeline_id, asyncio.Lock())

    async def remove(self, pipeline_id: str) -> None:
        self._ready()
        async with self._lock(pipeline_id):
            pipeline = self._pipelines.get(pipeline_id)
            if pipeline is None:
                return
            with contextlib.suppress(OSError):
                (pipeline.folder / _REMOVED).touch(mode=0o600)  # should we die before it is over
            await pipeline.stop()
            shutil.rmtree(pipeline.folder, ignore_errors=True)
            self._pipelines.pop(pipeline_id, None)
            self._watches.pop(pipeline_id, None)

    async def observe(self) -> Mapping[str, Observed]:
        self._ready()
        return {id: pipeline.observed() for id, pipeline in self._pipelines.items()}

    async def _leaving(self, pipeline_id: str, address: str) -> None:
        try:
            await self.leaving(pipeline_id, address)
        except Exception:
            _log.exception("what a Fluent Bit had counted could not be read", pipeline=pipeline_id)

    async def logs(self, pipeline_id: str, lines: int) -> str:
        pipeline = self._pipelines.get(pipeline_id)
        return "" if pipeline is None or lines <= 0 else await asyncio.to_thread(pipeline.logs, min(lines, 10_000))

    async def http(self, pipeline_id: str) -> Sequence[str]:
        pipeline = self._pipelines.get(pipeline_id)
        return [] if pipeline is None else [one.address for one in pipeline.running if one.ready]

    async def try_out(self, trial: Trial) -> Verdict:
        home = self._ready()
        if not _ID.fullmatch(trial.id):
            raise ValueError(f"{trial.id!r} cannot be the id of a trial")
        return await _run_trial(home, self._folder / "trials" / trial.id, trial)

    async def surroundings(self) -> Mapping[str, Sequence[str]]:
        """Nothing here is like a cluster's namespaces."""
        return {}

    async def close(self, *, stop: bool) -> None:
        for task in self._tasks:
            await end(task)
        self._tasks = []
        for pipeline in self._pipelines.values():
            await pipeline.rest()
        if stop:
            await asyncio.gather(*(pipeline.stop() for pipeline in self._pipelines.values()))
        for pipeline in self._pipelines.values():
            pipeline.let_go()
        self._pipelines.clear()
        self._watches.clear()
        if self._front is not None:
            await self._front.close(stop=stop)
        if self._held is not None:
            os.close(self._held)
        self._held = self._front = self._home = None

    async def _watch(self) -> None:
        wall, steady = clock.seconds(), time.monotonic()
        while True:
            await asyncio.sleep(EVERY)
            # Whoever sets the clock moves one of the two only; nothing here goes by the clock on the wall.
            now_wall, now_steady = clock.seconds(), time.monotonic()
            moved = (now_wall - wall) - (now_steady - steady)
            wall, steady = now_wall, now_steady
            for id, watch in list(self._watches.items()):
                if abs(moved) > _JUMP:
                    said = f"this machine's clock was moved by {moved:+.0f} s; records get the new time from here on"
                    watch.pipeline.events.add("ClockMoved", said, silence=0)
                try:
                    await watch.look(now_steady)
                except Exception:
                    _log.exception("looking after a pipeline failed", pipeline=id)

    async def _front_lost(self, front: Front) -> None:
        while True:
            await front.lost.wait()
            front.lost.clear()
            for pipeline in list(self._pipelines.values()):
                pipeline.events.add(
                    "FrontRestarted", "the process that holds the ports ended and was started again", silence=60
                )
                pipeline.front_was_lost()


async def _nobody_asks(pipeline_id: str, address: str) -> None:
    """The counts of what leaves are nobody's business."""


async def _run_trial(home: Home, folder: Path, wanted: Trial) -> Verdict:
    try:
        return await trial.run(home.program, folder, wanted)
    except OSError as error:
        return Verdict("failed", f"it could not be tried out: {folder}: {error}")
