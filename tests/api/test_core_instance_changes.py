"""Waiting for changes over HTTP: what is news to a core instance, and what is not."""

import asyncio
from typing import Any

from tests.harness.world import Http, World


async def make(world: World) -> dict[str, Any]:
    made: dict[str, Any] = await world.machine.ask("POST", "/v1/aggregators", 201, json={"name": "here"})
    return made


async def look(client: Http, id: str, after: str | None = None, wait: int = 0) -> tuple[bool, str]:
    params = {"wait": wait} | ({} if after is None else {"after": after})
    found = await client.ask("GET", f"/v1/core_instances/{id}/changes", 200, params=params)
    assert set(found) == {"cursor", "changed"}
    return found["changed"], found["cursor"]


async def test_the_first_look_answers_at_once_and_the_next_says_what_changed_since(world: World) -> None:
    id = (await make(world))["id"]
    changed, cursor = await look(world.machine, id, wait=50)
    assert changed
    assert await look(world.machine, id, cursor) == (False, cursor)
    await world.admin.ask("POST", f"/v1/projects/{world.project_id}/environments", 201, json={"name": "elsewhere"})
    changed, later = await look(world.machine, id, cursor)
    assert changed
    assert await look(world.machine, id, later) == (False, later)


async def test_who_waits_is_told_when_it_happens(world: World) -> None:
    id = (await make(world))["id"]
    _, cursor = await look(world.machine, id)
    waiting = asyncio.create_task(look(world.machine, id, cursor, wait=50))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await world.admin.ask("POST", f"/v1/projects/{world.project_id}/environments", 201, json={"name": "elsewhere"})
    changed, _ = await waiting
    assert changed


async def test_its_own_reports_pings_and_agents_are_no_news(world: World) -> None:
    made = await make(world)
    itself = world.http(**{"X-Aggregator-Token": made["token"]})
    _, cursor = await look(itself, made["id"])
    await itself.ask("POST", f"/v1/aggregators/{made['id']}/ping", 200)
    await itself.ask("PATCH", f"/v1/aggregators/{made['id']}", 204, json={"version": "v9"})
    agent = {"name": "a", "machineID": "a", "type": "fluentbit", "version": "5.1.1", "rawConfig": "[INPUT]"}
    await world.machine.ask("POST", "/v1/agents", 201, json=agent)
    changed, later = await look(itself, made["id"], cursor)
    assert not changed
    await world.machine.ask("PATCH", f"/v1/aggregators/{made['id']}", 204, json={"version": "v10"})
    assert (await look(itself, made["id"], later))[0]


async def test_another_project_s_changes_are_no_news(world: World) -> None:
    id = (await make(world))["id"]
    _, cursor = await look(world.machine, id)
    stranger, project = await world.stranger()
    await stranger.ask("PATCH", f"/v1/projects/{project}", 204, json={"name": "renamed"})
    assert await look(world.machine, id, cursor) == (False, cursor)
    await stranger.refused("GET", f"/v1/core_instances/{id}/changes", 404, "aggregator not found")


async def test_a_server_that_stops_keeps_nobody_waiting(world: World) -> None:
    id = (await make(world))["id"]
    _, cursor = await look(world.machine, id)
    waiting = asyncio.create_task(look(world.machine, id, cursor, wait=50))
    await asyncio.sleep(0.1)
    world.context.stopping.set()
    assert await waiting == (False, cursor)


async def test_a_wrong_cursor_and_a_wrong_wait_are_refused(world: World) -> None:
    path = f"/v1/core_instances/{(await make(world))['id']}/changes"
    await world.machine.refused("GET", path, 422, "decode cursor", params={"after": "x"})
    for wait in ("-1", "56", "x"):
        assert (await world.machine.ask("GET", path, 422, params={"wait": wait}))["error"]
