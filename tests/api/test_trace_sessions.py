"""Trace sessions over HTTP."""

from typing import Any

from sqlalchemy import update

from nectary import clock
from nectary.db import tables
from tests.harness.pipelines import core_instance, one, pipeline
from tests.harness.world import World

CONFIG = "[INPUT]\n Name dummy\n[INPUT]\n Name forward\n Alias edge\n[OUTPUT]\n Name stdout\n Match *\n"


async def _paths(world: World) -> tuple[str, str, str]:
    made = await pipeline(world, (await core_instance(world))["id"], rawConfig=CONFIG)
    return made["id"], f"/v1/pipelines/{made['id']}/trace_sessions", f"/v1/pipelines/{made['id']}/trace_session"


async def test_a_session_starts_is_seen_and_ends(world: World) -> None:
    id, sessions, active = await _paths(world)
    await world.machine.refused("GET", active, 404, "no active trace session")
    started = await world.machine.ask("POST", sessions, 201, json={"plugins": ["forward.0", "edge"], "lifespan": "10m0s"})
    shown = await world.machine.ask("GET", active, 200)
    assert (shown["id"], shown["plugins"], shown["lifespan"]) == (started["id"], ["forward.0", "edge"], "10m0s")
    assert shown["pipelineID"] == id
    assert (await one(world.machine, id))["tracingEnabled"] is True
    await world.machine.refused("POST", sessions, 409, "active trace session in progress", json={"plugins": ["edge"]})
    ended = await world.machine.ask("DELETE", active, 200)
    assert set(ended) == {"id", "lifespan", "updatedAt"}
    assert (ended["id"], ended["lifespan"] != "10m0s") == (started["id"], True)
    assert (await one(world.machine, id))["tracingEnabled"] is False
    await world.machine.refused("DELETE", active, 404, "no active trace session")
    again = await world.machine.ask("POST", sessions, 201, json={"plugins": ["dummy.0"], "lifespan": 60_000_000_000})
    listed = await world.machine.ask("GET", sessions, 200)
    assert [(each["id"], each["lifespan"]) for each in listed] == [
        (again["id"], "1m0s"),
        (started["id"], ended["lifespan"]),
    ]


async def test_a_running_session_is_changed_and_a_past_one_is_not(world: World) -> None:
    _, sessions, active = await _paths(world)
    started = await world.machine.ask("POST", sessions, 201, json={"plugins": ["edge"]})
    mine = f"/v1/trace_sessions/{started['id']}"
    assert (await world.machine.ask("GET", mine, 200))["lifespan"] == "10m0s"
    body: dict[str, Any] = {"plugins": None, "lifespan": "PT1H"}
    assert set(await world.machine.ask("PATCH", mine, 200, json=body)) == {"updatedAt"}
    await world.machine.ask("PATCH", mine, 200, json={"plugins": ["stdout.0"]})
    shown = await world.machine.ask("GET", mine, 200)
    assert (shown["plugins"], shown["lifespan"]) == (["stdout.0"], "1h0m0s")
    async with world.context.database.write() as tx:
        await tx.execute(update(tables.trace_sessions).values(ends_at=clock.now().replace(year=2020)))
    await world.machine.refused("PATCH", mine, 410, "trace session terminated", json={"lifespan": "1m"})
    await world.machine.refused("GET", active, 404, "no active trace session")


async def test_what_is_wrong_with_a_session_is_said(world: World) -> None:
    _, sessions, _ = await _paths(world)
    for body, status, error in (
        ({"plugins": [], "lifespan": "1m"}, 422, "zero trace plugins"),
        ({"lifespan": "1m"}, 422, "zero trace plugins"),
        ({"plugins": ["nope.0"], "lifespan": "1m"}, 404, "plugin not found"),
        ({"plugins": ["edge"], "lifespan": "soon"}, 422, "invalid trace lifespan"),
        ({"plugins": ["edge"], "lifespan": "-1m"}, 422, "invalid trace lifespan"),
        ({"plugins": ["edge"], "lifespan": "48h"}, 422, "invalid trace lifespan"),
        ({"plugins": ["edge"], "lifespan": None}, 422, "invalid trace lifespan"),
    ):
        await world.machine.refused("POST", sessions, status, error, json=body)
    await world.machine.refused("GET", "/v1/trace_sessions/x", 422, "invalid trace session ID")
    id = "00000000-0000-4000-8000-000000000000"
    await world.machine.refused("GET", f"/v1/trace_sessions/{id}", 404, "trace session not found")


async def test_records_are_added_one_by_one_and_listed(world: World) -> None:
    _, sessions, active = await _paths(world)
    record = {
        "type": 2,
        "trace_id": "trace.0",
        "start_time": 1_795_472_854,
        "end_time": "2026-11-23T22:14:15Z",
        "plugin_instance": "modify.0",
        "plugin_alias": "",
        "return_code": 0,
        "records": [{"timestamp": 1_795_472_854, "record": {"a": {"b": [1, None]}}}],
    }
    await world.machine.refused("POST", f"{active}/records", 404, "no active trace session", json=record)
    started = await world.machine.ask("POST", sessions, 201, json={"plugins": ["edge"], "lifespan": "1m"})
    created = await world.machine.ask("POST", f"{active}/records", 201, json=record)
    assert (set(created), created["sessionID"]) == ({"id", "sessionID", "createdAt"}, started["id"])
    [shown] = await world.machine.ask("GET", f"/v1/trace_sessions/{started['id']}/records", 200)
    assert (shown["start_time"], shown["end_time"]) == ("2026-11-23T22:27:34Z", "2026-11-23T22:14:15Z")
    assert (shown["records"], shown["trace_id"], shown["type"]) == (record["records"], "trace.0", 2)
    for field, value, error in (
        ("type", 5, "invalid trace record kind"),
        ("trace_id", 7, "invalid trace record"),
        ("start_time", "soon", "invalid trace record"),
        ("records", [1], "invalid trace record"),
        ("records", [{"timestamp": 1}], "invalid trace record"),
    ):
        await world.machine.refused("POST", f"{active}/records", 422, error, json={**record, field: value})
    stranger, _ = await world.stranger()
    await stranger.refused("GET", f"/v1/trace_sessions/{started['id']}/records", 404, "trace session not found")
    await stranger.refused("POST", f"{active}/records", 404, "pipeline not found", json=record)
