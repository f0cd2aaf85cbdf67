"""Stock Fluent Bits in a fleet: what a rollout does with configs that do not load, or kill them at their start.

Three real agents, with a supervisor that starts them again, and twenty simulated ones; `pytest -rP` shows the timeline.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest

from tests.harness.fleets import SimulatedAgent
from tests.harness.serving import Served, serving
from tests.harness.world import Http

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(900)]

SIMULATED, REAL, POLL_SECONDS = 20, 3, 2
CANARIES = ("real-0", "sim-00", "sim-01")
# A reload comes five seconds after the download (in_calyptia_fleet), and this machine may be busy.
LIMITS = {"applySeconds": 25, "errorsPerSecond": None, "retriesPerSecond": None, "recordsPerSecond": None}


def config(tag: str, *, more: str = "", option: str = "rate 5") -> str:
    return (
        "[SERVICE]\n    flush 1\n    hot_reload on\n\n"
        f"[INPUT]\n    name dummy\n    tag {tag}\n    {option}\n\n{more}[OUTPUT]\n    name null\n    match *\n"
    )


@dataclass
class RealAgent:
    """A Fluent Bit whose process is started again whenever it ends, as systemd or Kubernetes would."""

    binary: str
    folder: Path
    name: str
    token: str
    exits: list[int] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)

    def write(self, port: int, fleet_id: str) -> None:
        self.folder.mkdir()
        told = {
            "api_key": self.token,
            "calyptia_host": "127.0.0.1",
            "calyptia_port": port,
            "calyptia_tls": "off",
            "machine_id": self.name,
            "fleet_id": fleet_id,
            "fleet.config_dir": self.folder / "fleet",
            "fleet.interval_sec": POLL_SECONDS,
            "fleet.interval_nsec": 0,  # both or none: one alone and it never polls
            "net.io_timeout": "30s",
        }
        custom = "".join(f"    {key} {value}\n" for key, value in told.items())
        (self.folder / "agent.conf").write_text(
            f"[SERVICE]\n    flush 1\n    hot_reload on\n\n[CUSTOM]\n    name calyptia\n{custom}\n[INPUT]\n    name dummy\n"
            "[OUTPUT]\n    name null\n    match *\n"
        )

    async def supervise(self) -> None:
        with (self.folder / "log").open("ab") as log:
            while True:
                process = await asyncio.create_subprocess_exec(
                    self.binary, "-c", self.folder / "agent.conf", stdout=log, stderr=log, env={"HOSTNAME": self.name}
                )
                self.pids.append(process.pid)
                try:
                    self.exits.append(await process.wait())
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()
                await asyncio.sleep(1)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@dataclass
class Fleet:
    """All agents of the test, and what a person sees of them."""

    id: str
    person: Http
    real: list[RealAgent]
    simulated: list[SimulatedAgent]
    began: float = field(default_factory=time.monotonic)
    _told: set[str] = field(default_factory=set)

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)

    async def rollout(self) -> dict[str, Any]:
        [newest] = await self.person.ask("GET", f"/v1/fleets/{self.id}/rollouts?last=1", 200)
        found: dict[str, Any] = newest
        return found

    async def watch(self, plan: dict[str, Any], text: str) -> dict[str, Any]:
        """Roll a text out, whatever the validation says of it, and tell what happens until the rollout has ended."""
        body = {"rawConfig": text, "skipConfigValidation": True, "rollout": plan}
        await self.person.ask("PATCH", f"/v1/fleets/{self.id}", 200, json=body)

        async def ended() -> dict[str, Any] | None:
            now = await self.rollout()
            for event in reversed(await self.person.ask("GET", f"/v1/rollouts/{now['id']}/events", 200)):
                if event["id"] not in self._told:
                    self._told.add(event["id"])
                    self.say(f"{event['kind']}, stage {event['stage'] + 1}: {event['reason']}")
            return now if now["state"] not in ("running", "paused") else None

        found: dict[str, Any] = await eventually(ended, within=240)
        return found

    async def agents(self) -> dict[str, dict[str, Any]]:
        found = await self.person.ask("GET", f"/v1/projects/{(await self._fleet())['projectID']}/agents", 200)
        return {agent["machineID"]: agent for agent in found}

    async def _fleet(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.person.ask("GET", f"/v1/fleets/{self.id}", 200)
        return found

    async def all_run(self, revision: int | None = None) -> None:
        """Wait until every agent runs what it should, those that go first a certain revision."""

        async def they_do() -> bool:
            known = await self.agents()
            if len(known) < REAL + SIMULATED or await self.person.ask("GET", f"/v1/fleets/{self.id}/stragglers", 200):
                return False
            seen = [await self.status_of(name) for name in CANARIES] if revision else []
            return all(one["runsRevision"] == revision and one["drift"] == [] for one in seen)

        await eventually(they_do, within=120)

    async def status_of(self, name: str) -> dict[str, Any]:
        """What one agent should run, fetched, and runs."""
        found = await self.person.ask("GET", f"/v1/agents/{(await self.agents())[name]['id']}/fleet_status", 200)
        return dict(found)

    async def served(self, agent: RealAgent) -> tuple[str, bytes]:
        """What its polls get now: date and bytes."""
        headers = {"X-Project-Token": agent.token, "Fleet-Config-Version": "1"}
        async with Http(base_url=self.person.base_url, headers=headers) as client:
            answer = await client.get(f"/v1/fleets/{self.id}/config?format=ini&config_format=ini")
        return answer.headers["last-modified"], answer.content

    async def untouched(self) -> "dict[str, Any]":
        """All that would show that one of those who go not first was given something."""
        known = await self.agents()
        seen: dict[str, Any] = {agent.name: (set(agent.heard[-1:]), agent.runs) for agent in self.simulated[2:]}
        for real in self.real[1:]:
            history = await self.person.ask("GET", f"/v1/agents/{known[real.name]['id']}/config_history", 200)
            configs = [one["id"] for one in history]
            seen[real.name] = (await self.served(real), configs, tuple(real.pids), known[real.name]["rawConfig"])
        return seen


async def eventually(look: Callable[[], Awaitable[Any]], *, within: float) -> Any:
    end = time.monotonic() + within
    while not (found := await look()):
        assert time.monotonic() < end, f"not within {within} s"
        await asyncio.sleep(0.5)
    return found


async def _live(agent: SimulatedAgent) -> None:
    """A simulated agent in real time: it polls as the real ones do, and posts its metrics every fifth time."""
    turn = 0
    while True:
        await agent.poll()
        agent.counts.records += 5 * POLL_SECONDS
        if turn % 5 == 0:
            await agent.send_metrics()
        turn += 1
        await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def fleet_of(server: Served, binary: str, folder: Path) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:

        async def client(**headers: str) -> Http:
            return await stack.enter_async_context(Http(base_url=server.url, headers=headers, timeout=60))

        person = await client(Authorization=f"Bearer {server.bearer()}")
        [project] = await person.ask("GET", "/v1/projects", 200)
        body = {"name": "edge", "rawConfig": config("first")}
        made = await person.ask("POST", f"/v1/projects/{project['id']}/fleets", 201, json=body)

        hosts = [*(f"real-{n}" for n in range(REAL)), *(f"sim-{n:02}" for n in range(SIMULATED))]
        enrolled = await person.ask("POST", f"/v1/fleets/{made['id']}/enroll", 201, json={"hosts": hosts})
        token = {host["host"]: host["token"] for host in enrolled}
        real = [RealAgent(binary, folder / name, name, token[name]) for name in hosts[:REAL]]
        simulated = []
        shared = await client()

        def as_agent(token: str) -> Http:
            shared.headers["X-Agent-Token"] = token
            return shared

        for name in hosts[REAL:]:
            own = await client(**{"X-Project-Token": token[name]})
            simulated.append(SimulatedAgent(made["id"], name, own, as_agent))
            await simulated[-1].start()
        for one in real:
            one.write(server.port, made["id"])
        tasks = [asyncio.create_task(work) for work in (*map(_live, simulated), *(one.supervise() for one in real))]
        try:
            yield Fleet(made["id"], person, real, simulated)
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


PLAN = {"canaries": list(CANARIES), "stages": "canaries 5s, 50% 5s, 100%", "thresholds": LIMITS}


async def test_a_config_that_kills_agents_stops_at_the_first_stage_and_is_taken_back(fluent_bit: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server, closing(socket.create_server(("127.0.0.1", 0))) as taken:
        async with fleet_of(server, fluent_bit, tmp_path) as fleet:
            await fleet.all_run(1)
            fleet.say(f"{REAL} real and {SIMULATED} simulated agents run revision 1")
            before = await fleet.untouched()
            await _configs_that_do_not_load(fleet, before)
            await _a_config_that_kills(fleet, before, tmp_path, taken.getsockname()[1])
            exits = len(fleet.real[0].exits)
            fleet.say("a good one: rolled out in the same stages")
            ended = await fleet.watch(PLAN, config("third"))
            assert ended["state"] == "done"
            await fleet.all_run(ended["toRevision"])
            fleet.say(f"all agents run revision {ended['toRevision']}")
            assert len(fleet.real[0].exits) == exits
            assert fleet.real[1].exits == fleet.real[2].exits == []


async def _configs_that_do_not_load(fleet: Fleet, before: dict[str, Any]) -> None:
    """Agents stay with what they run, and say nothing: the reload is halted before a plugin is touched."""
    bad = {
        "bad syntax": config("BROKEN").replace("[OUTPUT]", "[OUTPUT"),
        "unknown option": config("BROKEN", option="raet 5"),
    }
    for name, text in bad.items():
        refusal = await fleet.person.ask("PATCH", f"/v1/fleets/{fleet.id}", 422, json={"rawConfig": text})
        fleet.say(f"{name}: refused, {refusal['detail']}")
        fleet.say(f"{name}, insisted on: rolled out, {', '.join(CANARIES)} first")
        ended = await fleet.watch(PLAN, text)
        assert (ended["state"], ended["stage"]) == ("rolled_back", 0)
        assert "did not register" in ended["reason"]
        await fleet.all_run(ended["backRevision"])
        fleet.say(f"{', '.join(CANARIES)} run revision {ended['backRevision']}, which is the text of revision 1")
        assert fleet.real[0].exits == [], "its pipeline never stopped"
        assert await fleet.untouched() == before


async def _a_config_that_kills(fleet: Fleet, before: dict[str, Any], folder: Path, port: int) -> None:
    """Its input wants a port that is in use on the real agents' host; the simulated ones have theirs free."""
    text = config("second", more=f"[INPUT]\n    name tcp\n    listen 127.0.0.1\n    port {port}\n    tag second\n\n")
    (folder / "deadly.conf").write_text(text)
    dry_run = (fleet.real[0].binary, "--dry-run", "-c", folder / "deadly.conf")
    process = await asyncio.create_subprocess_exec(*dry_run, stdout=DEVNULL, stderr=DEVNULL)
    assert await process.wait() == 0, "only a start can tell"
    fleet.say(f"port in use: passes --dry-run; rolled out, {', '.join(CANARIES)} first")
    ended = await fleet.watch(PLAN, text)
    assert (ended["state"], ended["stage"]) == ("rolled_back", 0)
    assert "1 of 3 that fetched it failed: real-0" in ended["reason"]
    exits = fleet.real[0].exits
    assert set(exits) == {255}, fleet.real[0].log()
    fleet.say(f"real-0 exited {len(exits)} times with 255, and was started again each time")
    await fleet.all_run(ended["backRevision"])
    date, _ = await fleet.served(fleet.real[0])
    fleet.say(f"{', '.join(CANARIES)} run revision {ended['backRevision']}, which is the text of revision 1, as of {date}")
    assert await fleet.untouched() == before
    others = fleet.simulated[2:]
    assert all(set(agent.heard) == {agent.heard[0]} for agent in others), "same bytes, same date, always"
    polls = sum(len(agent.heard) for agent in others)
    fleet.say(
        f"the other {len(others) + REAL - 1} agents were served the same bytes with the same date, in {polls} polls and more"
    )
