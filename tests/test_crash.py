"""kill -9 in the middle of concurrent writes: whatever was acknowledged is there after the restart, and nothing by halves.

`make test` kills a few times, `make crash` two hundred times.
"""

import asyncio
import os
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.harness import agent_asks
from tests.harness.serving import Served, start

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "3"))
WRITERS = 8
KILL_AFTER = (0.02, 0.5)  # seconds of writing
_LIMITS = httpx.Limits(max_connections=WRITERS * 2)

pytestmark = pytest.mark.timeout(60 + ROUNDS * 30)


@dataclass
class Acknowledged:
    """What the server said it had done."""

    projects: set[str] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict)  # id -> text
    revoked: set[str] = field(default_factory=set)  # texts
    agents: dict[str, str] = field(default_factory=dict)  # id -> its token
    something: asyncio.Event = field(default_factory=asyncio.Event)  # at least one of each

    def __len__(self) -> int:
        return len(self.projects) + len(self.tokens) + len(self.revoked) + len(self.agents)


@asynccontextmanager
async def _client(served: Served, bearer: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=30, limits=_LIMITS) as http:
        yield http


async def _write(served: Served, bearer: str, done: Acknowledged) -> None:
    """Make projects, tokens and agents, and revoke some tokens, until the server is gone."""
    async with _client(served, bearer) as person, _client(served, "") as machine:
        try:
            while True:
                made = (await person.post("/v1/projects", json={"name": "crash"})).raise_for_status().json()
                done.projects.add(made["id"])
                for name in ("kept", "revoked"):
                    path = f"/v1/projects/{made['id']}/tokens"
                    token = (await person.post(path, json={"name": name})).raise_for_status().json()
                    done.tokens[token["id"]] = token["token"]
                del done.tokens[token["id"]]  # until the revocation is acknowledged it may be either
                (await person.delete(f"/v1/project_tokens/{token['id']}")).raise_for_status()
                done.revoked.add(token["token"])
                shown = {"X-Project-Token": made["token"]}
                agent = (await machine.post("/v1/agents", content=agent_asks.report(), headers=shown)).raise_for_status().json()
                done.agents[agent["id"]] = agent["token"]
                done.something.set()
        except httpx.TransportError:
            return  # killed: what was on its way may or may not have happened


async def _crash(served: Served, bearer: str, done: Acknowledged, after: float) -> None:
    """Have everybody write, and kill the server meanwhile."""
    writers = [asyncio.create_task(_write(served, bearer, done)) for _ in range(WRITERS)]
    try:
        async with asyncio.timeout(30):
            await done.something.wait()
        await asyncio.sleep(after)
    finally:
        await asyncio.to_thread(served.kill)
    async with asyncio.timeout(60):
        await asyncio.gather(*writers)


async def _missing(served: Served, bearer: str, done: Acknowledged) -> list[str]:
    """What was acknowledged and cannot be found, asked over HTTP with every credential that was handed out."""
    wrong: list[str] = []
    turns = asyncio.Semaphore(WRITERS)
    async with _client(served, bearer) as person, _client(served, "") as anyone:

        async def expect(http: httpx.AsyncClient, path: str, status: int, **headers: str) -> None:
            async with turns:
                answer = await http.get(path, headers=headers)
            if answer.status_code != status:
                wrong.append(f"GET {path} {sorted(headers)}: {answer.status_code} {answer.text[:200]}")

        async def posts(token: str) -> None:
            async with turns:
                headers = {"X-Agent-Token": token}
                answer = await anyone.post("/v1/agent_metrics", content=agent_asks.metrics(), headers=headers)
            if answer.status_code != 201:
                wrong.append(f"an agent's post: {answer.status_code} {answer.text[:200]}")

        asking = [expect(person, f"/v1/projects/{id}", 200) for id in done.projects]
        asking += [expect(anyone, f"/v1/project_tokens/{id}", 200, **{"X-Project-Token": t}) for id, t in done.tokens.items()]
        some = next(iter(done.projects))
        asking += [expect(anyone, f"/v1/projects/{some}", 410, **{"X-Project-Token": token}) for token in done.revoked]
        asking += [expect(person, f"/v1/agents/{id}", 200) for id in done.agents]
        asking += [posts(token) for token in done.agents.values()]
        await asyncio.gather(*asking)
    return wrong


def _halves(folder: Path, everything: Acknowledged) -> list[str]:
    """Things that are there without what belongs to them, acknowledged or not; and damage to the file."""
    with closing(sqlite3.connect(folder / "data" / "nectary.db")) as connection:

        def rows(query: str) -> list[str]:
            return [f"{query}: {row}" for row in connection.execute(query).fetchall()]

        found = [row for row in rows("PRAGMA integrity_check") if not row.endswith("('ok',)")] + rows(
            "PRAGMA foreign_key_check"
        )
        for table in ("memberships", "environments", "tokens", "audit_logs"):
            owned = f"SELECT project_id FROM {table} WHERE project_id IS NOT NULL"
            found += rows(f"SELECT id FROM projects WHERE name = 'crash' AND id NOT IN ({owned})")
        found += rows("SELECT id FROM agents WHERE id NOT IN (SELECT agent_id FROM agent_configs)")
        [kept] = connection.execute("SELECT count(*) FROM projects").fetchone()
    return found + ([f"only {kept} projects are left"] if kept < len(everything.projects) + 1 else [])


async def test_every_acknowledged_project_token_and_agent_survives_kill_9(tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    everything = Acknowledged()
    served = await asyncio.to_thread(start, tmp_path)
    bearer = await asyncio.to_thread(served.bearer)
    try:
        for number in range(1, ROUNDS + 1):
            done = Acknowledged()
            await _crash(served, bearer, done, chance.uniform(*KILL_AFTER))
            served = await asyncio.to_thread(start, tmp_path)
            wrong = await _missing(served, bearer, done)
            assert not wrong, f"round {number}, seed {seed}: {len(wrong)} of {len(done)}\n" + "\n".join(wrong[:20])
            assert done.agents, f"round {number}, seed {seed}: nothing was acknowledged before the kill"
            everything.projects |= done.projects
            everything.agents |= done.agents
            everything.tokens |= done.tokens
            everything.revoked |= done.revoked
        wrong = await _missing(served, bearer, everything)
        assert not wrong, f"after all rounds, seed {seed}: {len(wrong)} of {len(everything)}\n" + "\n".join(wrong[:20])
    finally:
        await asyncio.to_thread(served.kill)
    assert not (halves := _halves(tmp_path, everything)), f"seed {seed}:\n" + "\n".join(halves[:20])
    print(
        f"{ROUNDS} rounds, seed {seed}: {len(everything.projects)} projects, {len(everything.tokens)} tokens, "
        f"{len(everything.revoked)} revocations and {len(everything.agents)} agents acknowledged, all there"
    )
