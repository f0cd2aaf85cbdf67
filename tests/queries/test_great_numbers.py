"""Ten thousand projects, five thousand pipelines, a hundred thousand agents: a page of them costs what it did among a tenth."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, text

from nectary.db import tables
from nectary.db.transaction import WriteTx
from tests.harness.costs import cost
from tests.harness.world import World

pytestmark = pytest.mark.timeout(900)
CONFIG = "[INPUT]\n    name tcp\n    port 9880\n[OUTPUT]\n    name null\n    match *\n"
_SLACK, _GRACE = 1.3, 60

# How each database makes a new id, and a time that many seconds earlier; `n` counts the copies.
_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
_EARLIER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', {0}, '-' || n || ' seconds')",
    "postgresql": "{0} - n * interval '1 second'",
}


async def _copy(tx: WriteTx, table: Table, first: int, last: int, where: str, changed: Mapping[str, str]) -> None:
    """Copies of the rows that `where` finds, one for each number; columns as they are, but for these expressions."""
    made = {"id": _ID[tx.dialect], "created_at": _EARLIER[tx.dialect].format(f"{table.name}.created_at"), **changed}
    values = ", ".join(made.get(column.name, f"{table.name}.{column.name}") for column in table.columns)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    numbers = f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last - 1})"
    await tx.execute(text(f"INSERT INTO {table.name} ({names}) {numbers} SELECT {values} FROM numbers, {where}"))


async def _grew_little(world: World, path: str, few: int, most: int, grow: Any, **params: Any) -> None:
    async def ask() -> Any:
        return await world.admin.ask("GET", path, 200, params=params)

    costs, shown = [], []
    for first, last in ((0, few), (few, most)):
        async with world.context.database.write() as tx:
            await grow(tx, first, last)
        if not world.context.database.embedded:
            async with world.context.database.write() as tx:
                await tx.execute(text("ANALYZE"))
        costs.append(await cost(world.context.database, ask))
        shown.append(len(await ask()))
    print(f"{path} {params}: {costs[0]} among {few}, {costs[1]} among {most}")
    assert shown[0] == shown[1] > 0
    assert costs[1] <= costs[0] * _SLACK + _GRACE


async def test_ten_thousand_projects(world: World) -> None:
    async def grow(tx: WriteTx, first: int, last: int) -> None:
        await _copy(tx, tables.projects, first, last, "projects WHERE projects.name = 'default'", {"name": "'copy-' || n"})
        made = {"project_id": "projects.id", "project_created_at": "projects.created_at"}
        where = (
            "projects, memberships JOIN projects AS first ON first.id = memberships.project_id AND first.name = 'default'"
            " WHERE projects.name = 'copy-' || n"
        )
        await _copy(tx, tables.memberships, first, last, where, made)

    await _grew_little(world, "/v1/projects", 1000, 10_000, grow, last=20)


async def test_a_persons_two_projects_among_ten_thousand_of_others(world: World) -> None:
    person, _ = await world.stranger()

    async def grow(tx: WriteTx, first: int, last: int) -> None:
        await _copy(tx, tables.projects, first, last, "projects WHERE projects.name = 'default'", {"name": "'copy-' || n"})

    world.admin = person
    await _grew_little(world, "/v1/projects", 1000, 10_000, grow)


async def test_five_thousand_pipelines_with_what_belongs_to_them(world: World) -> None:
    core = await world.machine.ask("POST", "/v1/aggregators", 201, json={"name": "central"})
    body = {
        "name": "first",
        "rawConfig": CONFIG,
        "secrets": [{"key": "k", "value": "YQ=="}],
        "files": [{"name": "f", "contents": "YQ==", "encrypted": False}],
    }
    made = await world.machine.ask("POST", f"/v1/aggregators/{core['id']}/pipelines", 201, json=body)
    id = UUID(made["id"]).hex if world.context.database.embedded else made["id"]

    async def grow(tx: WriteTx, first: int, last: int) -> None:
        where = f"pipelines WHERE pipelines.id = '{id}'"
        await _copy(tx, tables.pipelines, first, last, where, {"name": "'copy-' || n"})
        for table in (tables.pipeline_ports, tables.pipeline_files, tables.pipeline_secrets, tables.pipeline_checks):
            where = f"{table.name}, pipelines WHERE pipelines.name = 'copy-' || n AND {table.name}.pipeline_id = '{id}'"
            await _copy(tx, table, first, last, where, {"pipeline_id": "pipelines.id"})

    everything = {"include": "ports,files,secrets", "last": 20}
    await _grew_little(world, f"/v1/core_instances/{core['id']}/pipelines", 500, 5000, grow, **everything)
    for path in (f"/v1/aggregators/{core['id']}/pipelines", f"/v1/projects/{world.project_id}/aggregator_pipelines"):
        [*found] = await world.admin.ask("GET", path, 200, params=everything)
        assert len(found) == 20
        assert all(one["ports"] and one["files"] and one["secrets"] for one in found[3:])


@pytest.mark.parametrize("term", ["agent-77", "gent-", ""])
async def test_search_among_a_hundred_thousand_agents(world: World, term: str) -> None:
    agent = {"name": "agent", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": "x"}
    await world.machine.ask("POST", "/v1/agents", 201, json=agent)

    async def grow(tx: WriteTx, first: int, last: int) -> None:
        where = "agents WHERE agents.name = 'agent'"
        await _copy(tx, tables.agents, first, last, where, {"name": "'agent-' || n", "machine_id": "'m-' || n"})

    asked = {"project_id": world.project_id, "resource": "agent", "term": term}
    if term == "agent-77":
        asked["exact"] = "true"
    await _grew_little(world, "/v2/search", 10_000, 100_000, grow, **asked)
