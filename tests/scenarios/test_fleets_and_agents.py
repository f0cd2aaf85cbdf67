"""Scenarios 63 and 64: fleets with their files, and agents."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nectary import clock
from tests.harness.pipelines import encoded
from tests.harness.world import World
from tests.scenarios.script import YAML, Script, moment

METRICS = (Path(__file__).parents[1] / "captures" / "metrics" / "agent_first.msgpack").read_bytes()
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def script(world: World) -> Script:
    return Script(world)


async def _fleet(script: Script) -> dict[str, Any]:
    body = {"name": "f", "minFluentBitVersion": "", "rawConfig": YAML, "configFormat": "yaml", "tags": ["a", "b"]}
    unsaid = {"skipConfigValidation": False, "Files": None}
    made: dict[str, Any] = await script.post(f"/v1/projects/{script.project}/fleets", body | unsaid)
    return made


async def test_a_fleet_lives_with_its_files_and_configs(script: Script) -> None:
    """Scenario 63."""
    made, fleets = await _fleet(script), f"/v1/projects/{script.project}/fleets"
    moment(made["createdAt"])
    [row] = await script.rows(fleets)
    assert (row["name"], row["tags"]) == ("f", ["a", "b"])
    id = await script.find("fleet", "f")
    file = await script.post(f"/v1/fleets/{id}/files", {"name": "x.lua", "contents": encoded("-- lua")})
    moment(file["createdAt"])
    [shown] = await script.rows(f"/v1/fleets/{id}/files")
    assert (shown["name"], shown["contents"]) == ("x.lua", encoded("-- lua"))
    await script.patch_silently(f"/v1/fleet_files/{file['id']}", {"contents": encoded("-- other")})
    changed = {"rawConfig": YAML.replace("dummy", "cpu"), "configFormat": "yml", "skipConfigValidation": False}
    told = await script.patch(f"/v1/fleets/{id}", changed)
    assert moment(told["updatedAt"]) > moment(made["createdAt"])
    assert (await script.get(f"/v1/fleets/{id}"))["rawConfig"] == changed["rawConfig"]
    assert (await script.delete(f"/v1/fleets/{id}"))["deleted"] is True
    assert await script.rows(fleets) == []


async def _agents(script: Script) -> list[dict[str, Any]]:
    return await script.rows(f"/v1/projects/{script.project}/agents")


def _inactive(agent: dict[str, Any]) -> bool:
    """As the program sees it: no metrics in the last five minutes."""
    last = agent["lastMetricsAddedAt"]
    return last is None or datetime.now(UTC) - moment(last) > FIVE_MINUTES


async def test_agents_are_seen_renamed_moved_and_deleted(script: Script, world: World) -> None:
    """Scenario 64."""
    report = {"name": "a", "machineID": "m", "type": "fluentbit", "version": "v2.0.0", "edition": "community"}
    made = await script.post("/v1/agents", report | {"rawConfig": "[INPUT]\n Name dummy\n", "flags": [], "metadata": None})
    [row] = await _agents(script)
    assert (row["name"], row["type"], row["environmentName"], _inactive(row)) == ("a", "fluentbit", "default", True)
    await world.agent(made["token"]).ask("POST", f"/v1/agents/{made['id']}/metrics", 201, content=METRICS)
    await world.write_metrics()
    [row] = await _agents(script)
    assert not _inactive(row)

    shown = await script.get(f"/v1/agents/{await script.find('agent', 'a')}")
    assert shown["rawConfig"].strip() == "[INPUT]\n Name dummy"
    await script.patch_silently(f"/v1/agents/{made['id']}", {"name": "b", "environmentID": None, "fleetID": None})
    assert await script.find("agent", "b") == made["id"]
    fleet = (await _fleet(script))["id"]
    agents = f"/v1/projects/{script.project}/agents"
    assert await script.rows(agents, fleet_id=fleet) == []
    await script.patch_silently(f"/v1/agents/{made['id']}", {"name": None, "environmentID": None, "fleetID": fleet})
    assert [each["name"] for each in await script.rows(agents, fleet_id=fleet)] == ["b"]

    with clock.moved(-2 * FIVE_MINUTES):
        silent = await script.post("/v1/agents", report | {"machineID": "n", "name": "silent", "rawConfig": ""})
    inactive = [each["id"] for each in await _agents(script) if _inactive(each)]
    assert inactive == [silent["id"]]
    await script.delete_many(agents, "agent_id", inactive)
    assert [each["name"] for each in await _agents(script)] == ["b"]
    assert [each for each in await _agents(script) if _inactive(each)] == []
    await script.delete_silently(f"/v1/agents/{await script.find('agent', 'b')}")
    assert await _agents(script) == []
