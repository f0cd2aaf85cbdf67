"""Runs nothing, and behaves as if: for demonstrations, and for tests of all that is not a runtime.

How a pipeline behaves is in its own configuration, as variables (`env` in YAML, `@SET` in classic):

    FAKE_START_SECONDS   how long it is STARTING
    FAKE_FAIL            it never starts; the text is its event's message
    FAKE_LOGS            what its Fluent Bits wrote, lines divided by `|`
    FAKE_TRIAL           what an ingest check of it says: `ok`, or why it failed

Pipelines that want the same port fail as they would on a machine. What runs is in a `Machine`, which outlives the runtime as
processes outlive a core instance: give a new runtime the old machine to see it resume.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nectary import clock
from nectary.core.runtimes import Deployment, Event, Observed, RuntimeUnavailableError, Trial, Verdict
from nectary.fluentbit import yaml
from nectary.fluentbit.document import ConfigError


@dataclass
class Running:
    """One pipeline as it would run. `since`: of the monotonic clock."""

    deployment: Deployment
    since: float
    settings: Mapping[str, str]
    starts: int = 1
    event: Event | None = None


@dataclass
class Machine:
    """What runs. `unavailable`: why nothing can, if so; `namespaces`: what a cluster would have."""

    running: dict[str, Running] = field(default_factory=dict)
    unavailable: str = ""
    namespaces: list[str] = field(default_factory=list)
    http: list[str] = field(default_factory=list)
    applied: int = 0


class FakeRuntime:
    """See the module. Everything is in memory; `close` leaves it there unless told to stop."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()

    async def start(self) -> None:
        self._require()

    async def apply(self, deployment: Deployment) -> None:
        self._require()
        self.machine.applied += 1
        known = self.machine.running.get(deployment.pipeline_id)
        if known is not None and known.deployment.version == deployment.version:
            return
        settings = _settings(deployment.config)
        event = self._refusal(deployment, settings)
        starts = known.starts + 1 if known else 1
        reloaded = known is not None and deployment.strategy == "hotReload" and event is None
        since = known.since if reloaded and known else time.monotonic()
        self.machine.running[deployment.pipeline_id] = Running(deployment, since, settings, starts, event)

    async def remove(self, pipeline_id: str) -> None:
        self.machine.running.pop(pipeline_id, None)

    async def observe(self) -> Mapping[str, Observed]:
        self._require()
        return {id: _observed(one) for id, one in self.machine.running.items()}

    async def logs(self, pipeline_id: str, lines: int) -> str:
        one = self.machine.running.get(pipeline_id)
        if one is None:
            return ""
        written = one.settings.get("FAKE_LOGS", "nothing runs here: this is the fake runtime").split("|")
        return "".join(f"{line}\n" for line in written[-lines:])

    async def http(self, pipeline_id: str) -> Sequence[str]:
        return list(self.machine.http) if pipeline_id in self.machine.running else []

    async def try_out(self, trial: Trial) -> Verdict:
        said = _settings(trial.config).get("FAKE_TRIAL", "ok")
        return Verdict("ok", "records went through\n") if said == "ok" else Verdict("failed", f"{said}\n")

    async def surroundings(self) -> Mapping[str, Sequence[str]]:
        return {"namespace": list(self.machine.namespaces)} if self.machine.namespaces else {}

    async def close(self, *, stop: bool) -> None:
        if stop:
            self.machine.running.clear()

    def _require(self) -> None:
        if self.machine.unavailable:
            raise RuntimeUnavailableError(self.machine.unavailable)

    def _refusal(self, deployment: Deployment, settings: Mapping[str, str]) -> Event | None:
        for other in self.machine.running.values():
            if other.deployment.pipeline_id == deployment.pipeline_id or other.event is not None:
                continue
            taken = {(port.protocol, port.front) for port in other.deployment.ports}
            for port in deployment.ports:
                if (port.protocol, port.front) in taken:
                    what = f"port {port.front}/{port.protocol} is taken by pipeline {other.deployment.name}"
                    return Event("process", "PortInUse", f"{what}; give one of them another port", clock.now())
        said = settings.get("FAKE_FAIL")
        return Event("process", "Failed", said, clock.now()) if said else None


def _observed(one: Running) -> Observed:
    deployment = one.deployment
    wanted = max(deployment.scaling.replicas, deployment.scaling.minimum)
    if one.event is not None:
        return Observed("FAILED", deployment.version, wanted, 0, events=[one.event])
    if time.monotonic() - one.since < float(one.settings.get("FAKE_START_SECONDS", "0")):
        return Observed("STARTING", deployment.version, wanted, 0)
    endpoints = {port.id: f"127.0.0.1:{port.front}" for port in deployment.ports}
    started = Observed("STARTED", deployment.version, wanted, wanted, endpoints)
    return replace(started, state="SCALING") if wanted == 0 else started


def _settings(config: str) -> Mapping[str, str]:
    try:
        return {name: variable.value for name, variable in yaml.parse(config).environment.items()}
    except ConfigError:
        return {"FAKE_FAIL": "its configuration cannot be read"}
