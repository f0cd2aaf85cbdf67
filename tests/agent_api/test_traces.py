"""Fluent Bit's trace posts, taken in over HTTP."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import update

from nectary import clock
from nectary.db import tables
from nectary.loops import housekeeping
from tests.harness.pipelines import core_instance, pipeline
from tests.harness.world import Http, World

REGISTRATION = {
    "name": "host-1",
    "machineID": "machine-1",
    "type": "fluentbit",
    "version": "5.1.1",
    "edition": "community",
    "rawConfig": "[INPUT]\n    name dummy\n",
}
EVENT = {"type": 4, "trace_id": "t.0", "plugin_instance": "null.0", "return": 2, "start_time": 1, "end_time": 2}


async def _traced(world: World) -> tuple[str, str]:
    """A pipeline and its running session."""
    made = await pipeline(world, (await core_instance(world))["id"])
    body = {"plugins": ["forward.0"], "lifespan": "10m"}
    session = await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/trace_sessions", 201, json=body)
    return made["id"], session["id"]


async def _agent(world: World) -> Http:
    return world.agent((await world.machine.ask("POST", "/v1/agents", 201, json=REGISTRATION))["token"])


async def _records(world: World, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await world.machine.ask("GET", f"/v1/trace_sessions/{session_id}/records", 200)
    return found


async def test_posts_of_every_format_land_in_the_running_session(world: World, shared: Path) -> None:
    pipeline_id, session_id = await _traced(world)
    agent = await _agent(world)
    folder = shared / "captures" / "trace"
    posts = {
        "application/json": "json_0.json.txt",
        "application/x-ndjson": "json_lines_0.ndjson.txt",
        "text/plain": "json_stream_0.json_stream.txt",
        "application/msgpack": "msgpack_0.msgpack",
    }
    total = 0
    for kind, name in posts.items():
        headers = {"Content-Type": kind}
        said = await agent.ask("POST", f"/v1/traces/{pipeline_id}", 201, content=(folder / name).read_bytes(), headers=headers)
        total += said["totalInserted"]
    records = await _records(world, session_id)
    assert len(records) == total == 12 + 4 + 12 + 12
    oldest = records[-1]
    assert (oldest["type"], oldest["plugin_alias"], oldest["records"]) == (1, "app-logs", [])
    assert oldest["start_time"] == "2026-11-23T22:27:07Z"
    assert records[-2]["records"][0]["record"]["message"] == "hello"


async def test_a_project_token_is_as_good_as_an_agents(world: World) -> None:
    pipeline_id, session_id = await _traced(world)
    await world.machine.ask("POST", f"/v1/traces/{pipeline_id}", 201, content=json.dumps(EVENT))
    [record] = await _records(world, session_id)
    assert (record["return_code"], record["sessionID"]) == (2, session_id)
    await world.anyone.refused("POST", f"/v1/traces/{pipeline_id}", 401, "unauthenticated", content=json.dumps(EVENT))


async def test_without_a_running_session_nothing_is_taken(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    agent = await _agent(world)
    before = await world.rows()
    await agent.refused("POST", f"/v1/traces/{made['id']}", 404, "no active trace session", content=json.dumps(EVENT))
    await agent.refused("POST", f"/v1/traces/{made['id']}", 404, "no active trace session", content=b"nonsense")
    await agent.refused("POST", "/v1/traces/x", 422, "invalid pipeline ID", content=json.dumps(EVENT))
    assert await world.rows() == before


async def test_what_is_no_trace_record_is_refused(world: World) -> None:
    pipeline_id, session_id = await _traced(world)
    agent = await _agent(world)
    await agent.refused("POST", f"/v1/traces/{pipeline_id}", 422, "invalid trace record", content=b"nonsense")
    await agent.refused("POST", f"/v1/traces/{pipeline_id}", 422, "invalid trace record", content=b'{"type":9}')
    assert await _records(world, session_id) == []


async def test_strangers_cannot_post_into_a_session(world: World) -> None:
    pipeline_id, session_id = await _traced(world)
    _, project = await world.stranger()
    async with world.context.database.read() as tx:
        rows = await tx.execute(tables.tokens.select())
        [theirs] = [row for row in rows if str(row.project_id) == project]
    from nectary.resources import tokens

    stranger = world.token_of(tokens.text_of(theirs))
    await stranger.refused("POST", f"/v1/traces/{pipeline_id}", 404, "pipeline not found", content=json.dumps(EVENT))
    assert await _records(world, session_id) == []


async def test_a_session_holds_so_many_records_and_each_so_much(world: World) -> None:
    pipeline_id, session_id = await _traced(world)
    world.context.settings.trace_record_limit = 3
    said = await world.machine.ask("POST", f"/v1/traces/{pipeline_id}", 201, content=json.dumps(EVENT) * 2)
    assert said == {"totalInserted": 2}
    chunk = [{"timestamp": number, "record": {"log": "x" * 2_500}} for number in range(20)]
    body = json.dumps({**EVENT, "type": 3, "records": chunk}) * 5
    assert await world.machine.ask("POST", f"/v1/traces/{pipeline_id}", 201, content=body) == {"totalInserted": 1}
    newest, *_ = await _records(world, session_id)
    assert [each["timestamp"] for each in newest["records"]] == [14, 15, 16, 17, 18, 19]
    await world.machine.refused("GET", f"/v1/pipelines/{pipeline_id}/trace_session", 404, "no active trace session")
    await world.machine.refused("POST", f"/v1/traces/{pipeline_id}", 404, "no active trace session", content=body)


async def test_records_of_sessions_long_over_are_thrown_away(world: World) -> None:
    pipeline_id, session_id = await _traced(world)
    await world.machine.ask("POST", f"/v1/traces/{pipeline_id}", 201, content=json.dumps(EVENT))
    await housekeeping.tidy(world.context)
    assert len(await _records(world, session_id)) == 1
    async with world.context.database.write() as tx:
        await tx.execute(update(tables.trace_sessions).values(ends_at=clock.now().replace(year=2020)))
    await housekeeping.tidy(world.context)
    assert await _records(world, session_id) == []
