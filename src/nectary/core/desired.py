"""What should run, as the server last said: each pipeline read and assembled once, and again only when it changed."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from nectary import clock
from nectary.client.core_things import ConfigId, KnownCoreInstance, KnownFile, KnownSecret, Pipeline, Status
from nectary.core.assemble import Belongings, assemble
from nectary.core.reports import CORE, Told, told_by
from nectary.core.runtimes import Deployment, Event
from nectary.core.secrets import Opener
from nectary.core.templates import Unassemblable


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a pipeline cannot run as it is."""

    reason: str
    message: str
    at: datetime

    def event(self) -> Event:
        return Event(CORE, self.reason, self.message, self.at)


@dataclass
class Known:
    """One pipeline. `deployment` is the newest that could be assembled; with a problem, an older one may run on."""

    pipeline: Pipeline
    told: Told
    raw: bytes = b""
    essence: bytes = b""
    deployment: Deployment | None = None
    problem: Problem | None = None
    sidecars: Sequence[dict[str, Any]] = ()
    namespaces: Sequence[str] | None = None
    has_failed_checks: bool = False

    @property
    def is_gated(self) -> bool:
        """Whether it may run only once its checks are well."""
        return self.pipeline.wait_for_checks_before_deploying and self.pipeline.checks_total > 0

    @property
    def is_held_back(self) -> bool:
        """Whether it waits for its checks."""
        return self.is_gated and self.pipeline.checks_ok < self.pipeline.checks_total


@dataclass(frozen=True, slots=True)
class Shared:
    """What all pipelines of a core instance may use."""

    itself: KnownCoreInstance
    secrets: Sequence[KnownSecret] = ()
    files: Sequence[KnownFile] = ()


_NOTHING = Status(status="", config=ConfigId(id=""))


class Desired:
    """The pipelines by id, in the server's order."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}

    def read(self, raws: Sequence[msgspec.Raw]) -> None:
        """Take the server's list for what there is; most of it is as it was."""
        by_raw = {one.raw: one for one in self.known.values()}
        found: dict[str, Known] = {}
        for raw in raws:
            raw_digest = hashlib.sha256(raw).digest()
            known = by_raw.get(raw_digest)
            if known is None:
                pipeline = msgspec.json.decode(raw, type=Pipeline)
                known = self.known.get(pipeline.id) or Known(pipeline, told_by(pipeline))
                known.pipeline, known.raw = pipeline, raw_digest
                known.told.follow(pipeline)
            found[known.pipeline.id] = known
        self.known = found

    async def assemble(self, shared: Shared, opener: Opener) -> None:
        """Make deployments of what changed. What cannot be made has a problem, and touches nothing else."""
        common = hashlib.sha256(msgspec.json.encode([shared.itself.image, shared.secrets, shared.files])).digest()
        secrets, files = opener.secrets(shared.secrets), opener.files(shared.files)
        for known in list(self.known.values()):
            essence = _essence(known, common)
            if essence == known.essence:
                opener.note(known.pipeline.secrets or (), known.pipeline.files or ())
                continue
            belongings = Belongings(
                secrets={**secrets, **opener.secrets(known.pipeline.secrets or ())},
                files={**files, **opener.files(known.pipeline.files or ())},
                sidecars=known.sidecars,
                namespaces=known.namespaces,
                image=shared.itself.image,
                skip_service_creation=shared.itself.skip_service_creation,
            )
            known.essence = essence
            try:
                known.deployment, known.problem = assemble(known.pipeline, belongings), None
            except Unassemblable as error:
                known.problem = _problem(known.problem, error.reason, str(error))
            await asyncio.sleep(0)  # two hundred of them must not stop everything else
        opener.forget_unused()


def _problem(before: Problem | None, reason: str, message: str) -> Problem:
    if before is not None and (before.reason, before.message) == (reason, message):
        return before
    return Problem(reason, message, clock.now())


def _essence(known: Known, common: bytes) -> bytes:
    """Of all that decides what runs: not what was reported of it."""
    pipeline = known.pipeline
    ports = [msgspec.structs.replace(port, endpoint="") for port in pipeline.ports or ()]
    plain = msgspec.structs.replace(
        pipeline, status=_NOTHING, ports=ports, checks_total=0, checks_ok=0, checks_running=0, tracing_enabled=False
    )
    content = msgspec.json.encode([plain, list(known.sidecars), known.namespaces])
    return hashlib.sha256(common + content).digest()
