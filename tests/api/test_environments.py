"""Environments over HTTP."""

import pytest

from tests.harness.world import World


async def test_environments_are_made_renamed_and_deleted(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/environments"
    made = await world.machine.ask("POST", path, 201, json={"name": "staging"})
    assert set(made) == {"id", "createdAt"}
    assert [e["name"] for e in await world.machine.ask("GET", path, 200)] == ["staging", "default"]
    await world.machine.ask("PATCH", f"/v1/environments/{made['id']}", 200, json={"name": "prod"})
    [prod] = await world.machine.ask("GET", f"{path}?name=prod&last=1", 200)
    assert prod["updatedAt"] > prod["createdAt"]
    answer = await world.machine.delete(f"/v1/environments/{made['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    await world.machine.refused("DELETE", f"/v1/environments/{made['id']}", 403, "permission denied")


async def test_an_environment_in_use_and_the_default_one_stay(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/environments"
    made = await world.machine.ask("POST", path, 201, json={"name": "staging"})
    agent = {
        "name": "a",
        "machineID": "m",
        "type": "fluentbit",
        "version": "5.1.1",
        "rawConfig": "",
        "environmentID": made["id"],
    }
    registered = await world.machine.ask("POST", "/v1/agents", 201, json=agent)
    assert registered["environmentName"] == "staging"
    await world.machine.refused("DELETE", f"/v1/environments/{made['id']}", 409, "conflict")
    [default] = await world.machine.ask("GET", f"{path}?name=default", 200)
    await world.machine.refused("DELETE", f"/v1/environments/{default['id']}", 409, "conflict")
    await world.machine.refused("PATCH", f"/v1/environments/{default['id']}", 409, "conflict", json={"name": "x"})
    await world.machine.ask("PATCH", f"/v1/agents/{registered['id']}", 204, json={"environmentID": default["id"]})
    await world.machine.ask("DELETE", f"/v1/environments/{made['id']}", 200)


@pytest.mark.parametrize("name", ["", "invalid**", "Upper", "-a", "a-", "a" * 64, "a.b", "a b", None, 1])
async def test_a_name_is_one_dns_label(world: World, name: object) -> None:
    path = f"/v1/projects/{world.project_id}/environments"
    await world.machine.refused("POST", path, 422, "invalid environment name", json={"name": name})


async def test_a_name_is_taken_once_a_project(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/environments"
    await world.machine.refused("POST", path, 409, "environment name taken", json={"name": "default"})
    made = await world.machine.ask("POST", path, 201, json={"name": "staging"})
    await world.machine.refused(
        "PATCH", f"/v1/environments/{made['id']}", 409, "environment name taken", json={"name": "default"}
    )
