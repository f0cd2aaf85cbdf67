"""How agents stand to their fleet, what is inferred of them, and finding them among many."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.engine import Engine

from nectary import clock
from nectary.db import tables
from nectary.loops import rollouts as rollouts_loop
from tests.harness.fleets import GOOD, SimulatedFleet, add_agent, simulated_fleet
from tests.harness.queries import counted
from tests.harness.world import World

BETTER = GOOD.replace("tag a", "tag better").replace("match a", "match better")
BROKEN = GOOD.replace("tag a", "tag BROKEN")


@pytest.fixture
async def fleet(world: World) -> AsyncIterator[SimulatedFleet]:
    with await simulated_fleet(world, 4) as made:
        await made.pass_time(10)
        yield made


async def status_of(fleet: SimulatedFleet, name: str) -> dict[str, Any]:
    found = await fleet.world.machine.ask("GET", f"/v1/agents/{fleet[name].id}/fleet_status", 200)
    return dict(found)


async def published(fleet: SimulatedFleet) -> tuple[int, int, int]:
    """Healthy, in progress and unhealthy, of all that are managed."""
    found = await fleet.world.machine.ask("GET", f"/v1/fleets/{fleet.id}/status", 200)
    assert found["managed"] == len(fleet.agents)
    return found["healthy"], found["inProgress"], found["unhealthy"]


async def test_an_agent_waits_applies_and_has_applied(fleet: SimulatedFleet) -> None:
    first = await status_of(fleet, "sim-00")
    assert (first["state"], first["assignedRevision"], first["downloadedRevision"], first["runsRevision"]) == (
        "applied",
        1,
        1,
        1,
    )
    assert first["drift"] == []
    assert [start["runsRevision"] for start in first["starts"]] == [1, None], "what it ran before it had the fleet's config"
    await fleet.publish(BETTER)
    waiting = await status_of(fleet, "sim-00")
    assert (waiting["state"], waiting["assignedRevision"], waiting["downloadedRevision"]) == ("waiting", 2, 1)
    assert await published(fleet) == (0, 4, 0)
    await fleet.pass_time(5, loops=False)
    await fleet.turn()
    applying = await status_of(fleet, "sim-00")
    assert (applying["state"], applying["downloadedRevision"], applying["runsRevision"]) == ("applying", 2, None)
    await fleet.pass_time(5)
    applied = await status_of(fleet, "sim-00")
    assert (applied["state"], applied["runsRevision"], applied["drift"]) == ("applied", 2, [])
    assert [start["runsRevision"] for start in applied["starts"]] == [2, 1, None]
    history = await fleet.world.machine.ask("GET", f"/v1/agents/{fleet['sim-00'].id}/starts", 200)
    assert [start["runsRevision"] for start in history] == [2, 1, None]
    assert await published(fleet) == (4, 0, 0)
    assert await fleet.world.machine.ask("GET", f"/v1/fleets/{fleet.id}/stragglers", 200) == []


async def test_drift_is_told_by_meaning_with_what_differs(fleet: SimulatedFleet) -> None:
    drifting = fleet["sim-01"]
    drifting.runs = GOOD.replace("tag a", "tag elsewhere")
    await drifting.start()
    await fleet.pass_time(10)
    found = await status_of(fleet, "sim-01")
    assert (found["state"], found["runsRevision"]) == ("drifted", None)
    changed = {"change": "changed", "subject": "input.dummy.0.tag", "wanted": "a", "reported": "elsewhere"}
    assert found["drift"] == [changed]
    [straggler] = await fleet.world.machine.ask("GET", f"/v1/fleets/{fleet.id}/stragglers", 200)
    assert (straggler["name"], straggler["state"]) == ("sim-01", "drifted")


async def test_an_agent_in_no_fleet_has_no_fleet_status(fleet: SimulatedFleet) -> None:
    body = {"name": "alone", "machineID": "alone", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    made = await fleet.world.machine.ask("POST", "/v1/agents", 201, json=body)
    await fleet.world.machine.refused("GET", f"/v1/agents/{made['id']}/fleet_status", 404, "fleet not found")


async def test_those_whom_a_rollout_does_not_reach_are_not_behind(fleet: SimulatedFleet) -> None:
    await fleet.publish(BROKEN, rollout={"stages": "25% 10m, 100%", "thresholds": {"applySeconds": 20}})
    await fleet.pass_time(15)
    assert await published(fleet) == (3, 1, 0)
    [one] = await fleet.world.machine.ask("GET", f"/v1/fleets/{fleet.id}/stragglers", 200)
    assert (one["state"], one["assignedRevision"], one["downloadedRevision"]) == ("applying", 2, 2)
    await fleet.pass_time(40)
    assert (await fleet.rollout())["state"] == "rolled_back"
    others = [await status_of(fleet, agent.name) for agent in fleet.agents if agent.name != one["name"]]
    assert {(other["state"], other["assignedRevision"]) for other in others} == {("applied", 1)}
    healed = await status_of(fleet, one["name"])
    assert (healed["state"], healed["assignedRevision"], healed["runsRevision"]) == ("applied", 3, 3)
    assert await published(fleet) == (4, 0, 0)


async def test_what_agents_do_not_report_is_inferred_and_over_when_they_run_what_they_should(fleet: SimulatedFleet) -> None:
    await fleet.publish(BROKEN)
    await fleet.pass_time(70)
    await rollouts_loop.infer_errors(fleet.world.context)
    await rollouts_loop.infer_errors(fleet.world.context)
    path = f"/v1/fleets/{fleet.id}/agent_errors"
    errors = await fleet.world.machine.ask("GET", path, 200)
    said = {"Nectary: fleet revision 2 failed: it did not register after fetching it"}
    assert ({error["error"] for error in errors}, len(errors)) == (said, 4), "once each"
    assert await published(fleet) == (0, 0, 4)
    await fleet.publish(BETTER)
    await fleet.pass_time(15)
    assert await fleet.world.machine.ask("GET", f"{path}?dismissed=false", 200) == []
    reasons = {error["dismissReason"] for error in await fleet.world.machine.ask("GET", path, 200)}
    assert reasons == {"it runs fleet revision 3"}
    assert await published(fleet) == (4, 0, 0)


async def test_a_rollout_that_fails_leaves_an_error_with_each_agent_that_did(fleet: SimulatedFleet) -> None:
    plan = {"stages": "50% 10m, 100%", "thresholds": {"applySeconds": 20, "onFailure": "pause"}}
    await fleet.publish(BROKEN, rollout=plan)
    await fleet.pass_time(40)
    errors = await fleet.world.machine.ask("GET", f"/v1/fleets/{fleet.id}/agent_errors", 200)
    assert len(errors) == 2
    assert {error["error"][:32] for error in errors} == {"Nectary: fleet revision 2 failed"}


# -- Finding them ----------------------------------------------------------------------------------------------------------


async def names(world: World, **asked: str) -> list[str]:
    found = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents", 200, params=asked)
    return sorted(agent["name"] for agent in found)


async def test_agents_are_found_by_all_that_is_known_of_them(fleet: SimulatedFleet) -> None:
    world = fleet.world
    old = {
        "name": "old-one",
        "machineID": "old",
        "type": "fluentbit",
        "version": "v4.0.13",
        "rawConfig": "",
        "tags": ["x", "y"],
    }
    await world.machine.ask("POST", "/v1/agents", 201, json=old)
    everyone = ["old-one", "sim-00", "sim-01", "sim-02", "sim-03"]
    assert await names(world) == everyone
    assert await names(world, version="4.0.13") == await names(world, version="v4") == ["old-one"]
    assert await names(world, version="4.0.1") == [], "4.0.13 is another"
    assert await names(world, version="5") == everyone[1:]
    assert await names(world, search="IM-0") == everyone[1:]
    assert await names(world, search="%") == await names(world, search="_") == []
    assert await names(world, name="sim-02") == ["sim-02"]
    assert await names(world, tags_query="x AND y") == ["old-one"]
    assert await names(world, fleet_id=fleet.id, search="3") == ["sim-03"]
    assert await names(world, status="unhealthy") == []
    await fleet.pass_time(100, step=20, silent=("sim-03",))
    assert await names(world, status="unhealthy") == ["old-one", "sim-03"]
    assert await names(world, status="healthy", fleet_status="applied") == everyone[1:4]
    await fleet.publish(BETTER)
    assert await names(world, fleet_status="waiting") == everyone[1:]
    await fleet.pass_time(10, silent=("sim-03",))
    assert await names(world, fleet_status="waiting") == ["sim-03"]
    path = f"/v1/projects/{world.project_id}/agents"
    for wrong in ("status=ill", "fleet_status=lost", f"search={'x' * 300}"):
        await world.machine.ask("GET", f"{path}?{wrong}", 422)


async def test_canaries_are_found_as_what_they_are(fleet: SimulatedFleet) -> None:
    await fleet.publish(BETTER, rollout={"canaries": ["sim-02"], "stages": "canaries 10m, 100%"})
    assert await names(fleet.world, fleet_status="waiting") == ["sim-02"]
    assert await names(fleet.world, fleet_status="applied") == ["sim-00", "sim-01", "sim-03"]
    assert [await published(fleet), (await status_of(fleet, "sim-02"))["assignedRevision"]] == [(3, 1, 0), 2]
    await fleet.pass_time(10)
    assert await names(fleet.world, fleet_status="applied") == ["sim-00", "sim-01", "sim-02", "sim-03"]
    assert await published(fleet) == (4, 0, 0)


_FILTERS: tuple[dict[str, str], ...] = (
    *({}, {"name": "host-7"}, {"search": "st-1"}, {"version": "5"}, {"status": "unhealthy"}, {"tags_query": "x"}),
    *({"fleet_status": "applied"}, {"status": "healthy", "version": "5.1.1", "tags_query": "x"}),
)


async def test_a_page_costs_the_same_however_many_agents_there_are(world: World) -> None:
    with await simulated_fleet(world, 1) as fleet:
        await add_agent(fleet, "host-7")
        filters = [*_FILTERS, {"fleet_id": fleet.id}, {"fleet_id": fleet.id, "status": "healthy", "fleet_status": "waiting"}]
        few = [await _statements(world, asked) for asked in filters]
        await _many(world, UUID(fleet.id), 3000)
        assert [await _statements(world, asked) for asked in filters] == few
        page = f"/v1/projects/{world.project_id}/agents?last=700&search=host-&status=healthy"
        seen: set[str] = set()
        while rows := await world.machine.ask("GET", page, 200):
            assert not seen & {row["id"] for row in rows}
            seen |= {row["id"] for row in rows}
            answer = await world.machine.get(page)
            page = answer.headers["link"].partition(">")[0].removeprefix("<")
        assert len(seen) == 3001


async def _statements(world: World, asked: dict[str, str]) -> int:
    with counted() as run:
        await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents?last=20", 200, params=asked)
    return len(run)


async def test_lists_of_agents_are_read_in_order_from_an_index(world: World) -> None:
    if world.context.database.path is None:
        pytest.skip("SKIPPED: on PostgreSQL the plan depends on what it knows of the tables; SQLite's is looked at")
    with await simulated_fleet(world, 1) as fleet:
        for asked in [*_FILTERS, {"fleet_id": fleet.id}, {"fleet_id": fleet.id, "status": "healthy"}]:
            run: list[tuple[str, Any]] = []

            def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
                run.append((statement, parameters))  # noqa: B023 - called within this turn only

            event.listen(Engine, "before_cursor_execute", note)
            await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents?last=20", 200, params=asked)
            event.remove(Engine, "before_cursor_execute", note)
            [(statement, parameters)] = [one for one in run if "FROM agents JOIN environments" in one[0]]
            with world.context.database.engines[0].connect() as connection:
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert any(step.startswith("SEARCH agents USING INDEX ix_agents_") for step in plan), plan
            assert not any("TEMP B-TREE" in step or step.startswith("SCAN agents") for step in plan), (asked, "\n".join(plan))


async def _many(world: World, fleet_id: UUID, count: int) -> None:
    async with world.context.database.write() as tx:
        one = (await tx.execute(select(tables.agents).where(tables.agents.c.name == "host-7"))).one()
        now = clock.now()
        rows = [
            {
                **one._mapping,
                "id": uuid4(),
                "machine_id": f"machine-{n}",
                "name": f"host-{n + 100}",
                "poll_key": f"token:{n}",
                "created_at": now - timedelta(seconds=n // 3),
            }
            for n in range(count)
        ]
        await tx.execute(insert(tables.agents), rows)
        await tx.execute(text("ANALYZE") if tx.dialect == "postgresql" else text("SELECT 1"))
