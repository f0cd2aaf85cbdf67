"""Registration, with the bodies a real Fluent Bit 5.1.1 sent."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select

from nectary import clock
from nectary.db import tables
from tests.harness.world import World

CAPTURES = Path(__file__).parents[1] / "captures" / "agent"


def captured(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_bytes())
    return body


@pytest.mark.parametrize(
    "name", ["register", "register_fleet_applied", "register_fleet_bootstrap", "register_fleet_yaml", "register_rich"]
)
async def test_what_a_real_agent_sends_is_taken(world: World, name: str) -> None:
    body = (CAPTURES / f"{name}.json").read_bytes()
    answer = await world.machine.post("/v1/agents", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert len(answer.content) + 500 < 4096, "Fluent Bit reads no more than 4096 bytes of head and body"
    said = answer.json()
    assert {type(said["id"]), type(said["token"])} == {str}
    assert (said["name"], said["environmentName"]) == ("edge-01", "default")

    sent = json.loads(body)
    agent = await world.machine.ask("GET", f"/v1/agents/{said['id']}", 200)
    for key in ("name", "machineID", "type", "version", "edition", "os", "arch", "rawConfig"):
        assert agent[key] == sent[key]
    assert (agent["status"], agent["environmentName"], agent["token"]) == ("healthy", "default", "")


async def test_the_same_machine_is_the_same_agent_and_its_tokens_stay_good(world: World) -> None:
    first = await world.machine.ask("POST", "/v1/agents", 201, json=captured("register"))
    again = await world.machine.ask(
        "POST", "/v1/agents", 201, json=captured("register_fleet_applied") | {"machineID": "machine-0001"}
    )
    assert again["id"] == first["id"]
    assert len(await world.machine.ask("GET", f"/v1/projects/{world.project_id}/agents", 200)) == 1
    for token in (first["token"], again["token"]):
        await world.agent(token).ask("PATCH", f"/v1/agents/{first['id']}", 204, json=captured("patch"))
    configs = await world.machine.ask("GET", f"/v1/agents/{first['id']}/config_history", 200)
    assert [config["rawConfig"] for config in configs] == [
        captured("patch")["rawConfig"],
        captured("register_fleet_applied")["rawConfig"],
        captured("register")["rawConfig"],
    ]


async def test_a_name_a_person_gave_outlives_restarts_until_the_host_is_renamed(world: World) -> None:
    body = captured("register")
    agent = await world.machine.ask("POST", "/v1/agents", 201, json=body)
    await world.admin.ask("PATCH", f"/v1/agents/{agent['id']}", 204, json={"name": "front-door"})
    assert (await world.machine.ask("POST", "/v1/agents", 201, json=body))["name"] == "front-door"
    assert (await world.machine.ask("POST", "/v1/agents", 201, json=body | {"name": "my_host.local"}))[
        "name"
    ] == "my-host.local"


async def test_an_agent_may_say_only_what_changed(world: World) -> None:
    """As the Go client does, with null for the rest."""
    agent = await world.machine.ask("POST", "/v1/agents", 201, json=captured("register"))
    one = f"/v1/agents/{agent['id']}"
    before = await world.machine.ask("GET", one, 200)
    change = {"name": None, "version": "5.2.0", "rawConfig": "[INPUT]\n    name dummy\n", "flags": ["FLB_HAVE_PARSER"]}
    await world.agent(agent["token"]).ask("PATCH", one, 204, json=change)
    after = await world.machine.ask("GET", one, 200)
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"version", "rawConfig", "flags", "updatedAt"}
    assert [after[key] for key in ("version", "rawConfig", "flags")] == [
        change[key] for key in ("version", "rawConfig", "flags")
    ]
    await world.agent(agent["token"]).refused("PATCH", one, 422, "invalid agent version", json={"version": "newest"})
    assert await world.machine.ask("GET", one, 200) == after


async def test_an_agent_deleted_meanwhile_comes_back_under_its_old_id(world: World) -> None:
    agent = await world.machine.ask("POST", "/v1/agents", 201, json=captured("register"))
    mine = world.agent(agent["token"])
    await world.admin.ask("DELETE", f"/v1/agents/{agent['id']}", 204)
    await mine.refused("POST", f"/v1/agents/{agent['id']}/metrics", 410, "agent gone", content=b"\x80")
    await mine.ask("PATCH", f"/v1/agents/{agent['id']}", 204, json=captured("patch"))
    assert (await world.machine.ask("GET", f"/v1/agents/{agent['id']}", 200))["machineID"] == "machine-0001"


async def test_a_deleted_agent_stays_away_when_its_project_token_is_deleted_too(world: World) -> None:
    made = await world.admin.ask("POST", f"/v1/projects/{world.project_id}/tokens", 201, json={"name": "hosts"})
    agent = await world.token_of(made["token"]).ask("POST", "/v1/agents", 201, json=captured("register"))
    await world.admin.ask("DELETE", f"/v1/agents/{agent['id']}", 204)
    await world.admin.ask("DELETE", f"/v1/project_tokens/{made['id']}", 204)
    await world.agent(agent["token"]).refused("PATCH", f"/v1/agents/{agent['id']}", 410, "agent gone", json=captured("patch"))


async def test_an_agents_token_outlives_the_project_token_it_came_with(world: World) -> None:
    made = await world.admin.ask("POST", f"/v1/projects/{world.project_id}/tokens", 201, json={"name": "hosts"})
    agent = await world.token_of(made["token"]).ask("POST", "/v1/agents", 201, json=captured("register"))
    await world.admin.ask("DELETE", f"/v1/project_tokens/{made['id']}", 204)
    await world.agent(agent["token"]).ask("PATCH", f"/v1/agents/{agent['id']}", 204, json=captured("patch"))


async def test_one_agents_token_speaks_for_no_other(world: World) -> None:
    one = await world.machine.ask("POST", "/v1/agents", 201, json=captured("register"))
    other = await world.machine.ask("POST", "/v1/agents", 201, json=captured("register") | {"machineID": "other"})
    mine = world.agent(one["token"])
    for method, path, sent in (
        ("PATCH", f"/v1/agents/{other['id']}", {"json": captured("patch")}),
        ("POST", f"/v1/agents/{other['id']}/metrics", {"content": b"\x80"}),
        ("POST", f"/v1/agents/{other['id']}/errors", {"json": {"error": "x"}}),
    ):
        await mine.refused(method, path, 403, "permission denied", **sent)


async def test_silence_makes_an_agent_unhealthy(world: World) -> None:
    agent = await world.machine.ask("POST", "/v1/agents", 201, json=captured("register"))
    with clock.moved(timedelta(seconds=world.context.settings.agent_silent_after + 1)):
        assert (await world.machine.ask("GET", f"/v1/agents/{agent['id']}", 200))["status"] == "unhealthy"
        await world.agent(agent["token"]).ask("PATCH", f"/v1/agents/{agent['id']}", 204, json=captured("patch"))
        assert (await world.machine.ask("GET", f"/v1/agents/{agent['id']}", 200))["status"] == "healthy"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": "___"}, "invalid agent name"),
        ({"name": 7}, "invalid agent name"),
        ({"machineID": ""}, "invalid machine ID"),
        ({"machineID": None}, "invalid machine ID"),
        ({"type": "logstash"}, "invalid agent type"),
        ({"version": "newest"}, "invalid agent version"),
        ({"edition": "home"}, "invalid agent edition"),
        ({"os": "plan9"}, "invalid agent operating system"),
        ({"arch": "z80"}, "invalid agent architecture"),
        ({"flags": "x"}, "invalid agent flags"),
        ({"flags": ["FLB_HAVE_\u0001"]}, "invalid agent flag"),
        ({"rawConfig": None}, "invalid agent raw config"),
        ({"metadata": []}, "invalid agent metadata"),
        ({"environmentID": "somewhere"}, "invalid environment ID"),
        ({"flags": ["a\u0000b"]}, "invalid argument"),
    ],
)
async def test_a_wrong_field_is_refused_in_the_contracts_words(world: World, wrong: dict[str, Any], error: str) -> None:
    await world.machine.refused("POST", "/v1/agents", 422, error, json=captured("register") | wrong)
    assert (await world.rows())["agents"] == []


async def test_missing_fields_are_named(world: World) -> None:
    body = captured("register")
    del body["machineID"]
    await world.machine.refused("POST", "/v1/agents", 422, "invalid machine ID", json=body)
    await world.machine.refused("POST", "/v1/agents", 422, "invalid agent name")


async def test_an_environment_is_found_in_the_project_only(world: World) -> None:
    stranger, other = await world.stranger()
    [theirs] = await stranger.ask("GET", f"/v1/projects/{other}/environments", 200)
    body = captured("register") | {"environmentID": theirs["id"]}
    await world.machine.refused("POST", "/v1/agents", 404, "environment not found", json=body)


async def test_an_unknown_fleet_is_answered_so_that_the_agent_keeps_running(world: World) -> None:
    fleet = "11111111-2222-3333-4444-555555555555"
    for path in (f"/v1/fleets/{fleet}/config?format=ini&config_format=ini", f"/v1/fleets/{fleet}/files"):
        await world.machine.refused("GET", path, 404, "fleet not found")
        await world.anyone.refused("GET", path, 401, "unauthenticated")
    search = f"/v1/search?project_id={world.project_id}&resource=fleet&term=my-fleet&exact=true"
    assert await world.machine.ask("GET", search, 200) == []
    await world.machine.ask("POST", "/v1/agents", 201, json=captured("register_fleet_applied"))


async def test_each_registration_is_a_start_and_the_newest_hundred_are_kept(world: World) -> None:
    machine = {**captured("register"), "machineID": "restless"}
    made = await world.machine.ask("POST", "/v1/agents", 201, json=machine)
    await world.machine.ask("POST", "/v1/agents", 201, json={**machine, "rawConfig": "[INPUT]\n    name cpu.0\n"})
    starts = await world.machine.ask("GET", f"/v1/agents/{made['id']}/starts", 200)
    configs = await world.machine.ask("GET", f"/v1/agents/{made['id']}/config_history", 200)
    assert [one["configID"] for one in starts] == [one["id"] for one in configs]
    table = tables.agent_starts
    async with world.context.database.write() as tx:
        agent = (await tx.execute(select(tables.agents).where(tables.agents.c.id == UUID(made["id"])))).one()
        assert (agent.starts, agent.cohort is not None, agent.poll_key[:6]) == (2, True, "token:")
        old = {"project_id": agent.project_id, "agent_id": agent.id, "config_id": UUID(configs[0]["id"]), "version": "5.1.1"}
        rows = [{**old, "id": uuid4(), "created_at": clock.now() - timedelta(days=n)} for n in range(1, 120)]
        await tx.execute(insert(table), rows)
        await tx.execute(tables.agents.update().values(starts=len(rows) + 2))
    await world.machine.ask("POST", "/v1/agents", 201, json=machine)
    left = await world.machine.ask("GET", f"/v1/agents/{made['id']}/starts", 200)
    assert len(left) == 100
    assert left[1:3] == starts
