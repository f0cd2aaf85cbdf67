"""Simulated agents of a fleet, who poll, reload and report as stock ones do, in time that a test lets pass."""

import itertools
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

import msgspec

from nectary import clock
from nectary.loops import credentials, fleets, metrics, rollouts
from tests.harness.world import Http, World

GOOD = "[INPUT]\n    name dummy\n    tag a\n\n[OUTPUT]\n    name null\n    match a\n"
_SECTION = re.compile(r"^\[(INPUT|FILTER|OUTPUT)\]\n((?:[ \t]+.*\n?)*)", re.MULTILINE)
_HIDDEN_INPUT = (
    "[INPUT]\n    name fluentbit_metrics.9\n    tag _calyptia_cloud\n    scrape_on_start true\n    scrape_interval 30\n"
)
_numbers = itertools.count(1)


def dump_of(text: str) -> str:
    """What a Fluent Bit that runs this plain classic config says that it runs (as in tests/captures/agent)."""
    found: dict[str, list[str]] = {"INPUT": [], "FILTER": [], "OUTPUT": []}
    for kind, body in _SECTION.findall(text):
        pairs = [line.split(None, 1) for line in body.splitlines() if line.strip()]
        keys = {key.lower(): value for key, value in pairs}
        number = len(found[kind])
        lines = [f"    name  {keys['name']}.{number}" if kind != "INPUT" else f"    name {keys['name']}.{number}"]
        first = {"INPUT": ["alias", "tag"], "FILTER": ["match"], "OUTPUT": ["match"]}[kind]
        lines += [f"    {key} {keys[key]}" for key in first if key in keys]
        if kind == "OUTPUT":
            lines.append("    retry_limit 1")
        hidden = {"name", "alias", "tag", "match", "port", "listen", "host"}
        lines += [f"    {key.lower()} {value}" for key, value in pairs if key.lower() not in hidden]
        found[kind].append(f"[{kind}]\n" + "".join(f"{line}\n" for line in lines))
    return "".join(found["INPUT"]) + _HIDDEN_INPUT + "\n" + "".join(found["FILTER"]) + "\n" + "\n".join(found["OUTPUT"])


@dataclass
class Counts:
    """What an agent's plugins have counted since it started."""

    records: int = 0
    errors: int = 0
    retries: int = 0
    dropped: int = 0


@dataclass
class SimulatedAgent:
    """One host: what it runs, what it fetched, and how it takes bad configs.

    refuses: a mark in a text that it cannot load: it goes on with what it has, and says nothing (a reload that is halted).
    dies: a mark in a text that ends its process at the plugins' start; its supervisor starts it again, with what it had.
    """

    fleet_id: str
    name: str
    client: Http  # with the project token that it was given
    as_agent: Callable[[str], Http]  # a client with the token of an agent
    refuses: str = "BROKEN"
    dies: str = "DEADLY"
    runs: str = ""
    had: int = -1  # the version it last fetched
    id: str = ""
    token: str = ""
    heard: list[tuple[int, str]] = field(default_factory=list)  # every answer to its polls: version and body
    counts: Counts = field(default_factory=Counts)
    started: float = 0.0
    posted: float = 0.0

    async def start(self) -> None:
        """Register with what it has, as at every start."""
        told = {"name": self.name, "machineID": self.name, "type": "fluentbit", "version": "5.1.1", "edition": "community"}
        body = {**told, "os": "linux", "arch": "x86_64", "rawConfig": dump_of(self.runs), "fleetID": self.fleet_id}
        made = await self.client.ask("POST", "/v1/agents", 201, json=body)
        self.id, self.token = made["id"], made["token"]
        self.counts, self.started, self.posted = Counts(), clock.seconds(), 0.0

    async def poll(self) -> bool:
        """Ask for the config; whether it was a newer one, which is then loaded."""
        path = f"/v1/fleets/{self.fleet_id}/config?format=ini&config_format=ini"
        answer = await self.client.get(path, headers={"Fleet-Config-Version": str(self.had)})
        assert answer.status_code == 200, answer.text
        version = int(parsedate_to_datetime(answer.headers["last-modified"]).timestamp())
        self.heard.append((version, answer.text))
        if version <= self.had:
            return False
        self.had = version
        await self._load(answer.text)
        return True

    async def _load(self, text: str) -> None:
        if self.refuses in text:
            return
        if self.dies in text:
            self.had -= 1  # its supervisor starts it with what it had, and it fetches the same again
        else:
            self.runs = text
        await self.start()

    async def send_metrics(self, every: float = 0.0) -> None:
        """Post what it counted, unless it did so less than `every` seconds ago."""
        if clock.seconds() - self.posted < every:
            return
        self.posted = clock.seconds()
        body = _metrics(clock.seconds(), self.started, self.counts)
        await self.as_agent(self.token).ask("POST", f"/v1/agents/{self.id}/metrics", 201, content=body)


def _metrics(at: float, started: float, counts: Counts) -> bytes:
    def family(ss: str, name: str, labels: list[str], value: float, plugin: str, kind: int = 0) -> dict[str, Any]:
        meta = {"ver": 2, "type": kind, "opts": {"ns": "fluentbit", "ss": ss, "name": name, "desc": ""}, "labels": labels}
        return {"meta": meta, "values": [{"ts": int(at * 1e9), "value": value, "labels": [plugin], "hash": 1}]}

    families = [
        family("", "process_start_time_seconds", ["hostname"], started, "edge", kind=1),
        family("input", "records_total", ["name"], float(counts.records), "dummy.0"),
        family("output", "errors_total", ["name"], float(counts.errors), "null.0"),
        family("output", "retries_total", ["name"], float(counts.retries), "null.0"),
        family("output", "dropped_records_total", ["name"], float(counts.dropped), "null.0"),
    ]
    meta: dict[str, Any] = {"cmetrics": {}, "external": {}, "processing": {"static_labels": []}}
    return msgspec.msgpack.encode({"meta": meta, "metrics": families})


@dataclass
class SimulatedFleet:
    """A fleet with its agents, each with a token of its own, and the time that passes for all."""

    world: World
    id: str
    agents: list[SimulatedAgent]
    _time: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._time.close()

    def __getitem__(self, name: str) -> SimulatedAgent:
        return next(agent for agent in self.agents if agent.name == name)

    async def publish(self, text: str, expect: int = 200, **others: Any) -> Any:
        body = {"rawConfig": text, "skipConfigValidation": True, **others}
        return await self.world.machine.ask("PATCH", f"/v1/fleets/{self.id}", expect, json=body)

    async def rollout(self) -> dict[str, Any]:
        """The newest, as it now stands."""
        [newest] = await self.world.machine.ask("GET", f"/v1/fleets/{self.id}/rollouts?last=1", 200)
        found: dict[str, Any] = await self.world.machine.ask("GET", f"/v1/rollouts/{newest['id']}", 200)
        return found

    async def events(self) -> list[dict[str, Any]]:
        """Those of the newest rollout, oldest first."""
        newest = await self.rollout()
        found = await self.world.machine.ask("GET", f"/v1/rollouts/{newest['id']}/events", 200)
        return list(reversed(found))

    async def pass_time(
        self, seconds: float, *, step: float = 5.0, silent: tuple[str, ...] = (), loops: bool = True, post_every: float = 30.0
    ) -> None:
        """Let time pass: each step all agents poll, count ten records a second and post that when it is time; then the loops
        turn."""
        for _ in range(round(seconds / step)):
            self._time.enter_context(clock.moved(timedelta(seconds=step)))
            for agent in self.agents:
                if agent.name not in silent:
                    await agent.poll()
                    agent.counts.records += round(10 * step)
                    await agent.send_metrics(post_every)
            await metrics.write(self.world.context)
            if loops:
                await self.turn()

    async def turn(self, *, steps: bool = True) -> None:
        """What the server does by itself every few seconds; without `steps` it moves no rollout."""
        await credentials.read_revocations(self.world.context)
        await fleets.note_polls(self.world.context)
        await rollouts.look_into_reports(self.world.context)
        if steps:
            await rollouts.step(self.world.context)

    def running(self, mark: str) -> list[str]:
        """The agents that run a text with this mark in it."""
        return [agent.name for agent in self.agents if mark in agent.runs]


async def simulated_fleet(world: World, agents: int, text: str = GOOD, **fleet: Any) -> SimulatedFleet:
    """A fleet whose agents all run its first text. Use it as a context: its time is taken back at the end."""
    made = await world.machine.ask(
        "POST",
        f"/v1/projects/{world.project_id}/fleets",
        201,
        json={"name": f"fleet-{next(_numbers)}", "rawConfig": text, **fleet},
    )
    found = SimulatedFleet(world, made["id"], [])
    for number in range(agents):
        await add_agent(found, f"sim-{number:02}")
    return found


async def add_agent(fleet: SimulatedFleet, name: str) -> SimulatedAgent:
    path = f"/v1/projects/{fleet.world.project_id}/tokens"
    token = await fleet.world.admin.ask("POST", path, 201, json={"name": f"{name}-{next(_numbers)}"})
    agent = SimulatedAgent(fleet.id, name, fleet.world.token_of(token["token"]), fleet.world.agent)
    fleet.agents.append(agent)
    await agent.start()
    await agent.poll()
    return agent
