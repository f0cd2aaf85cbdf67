"""Enrolling hosts: a token for each, that is good for what an agent does."""

from typing import Any

from nectary.fluentbit import classic
from nectary.fluentbit.document import Kind
from tests.harness.world import World


async def make(world: World, name: str = "edge") -> str:
    path = f"/v1/projects/{world.project_id}/fleets"
    body = {"name": name, "rawConfig": "[INPUT]\n    name dummy\n[OUTPUT]\n    name null\n    match *\n"}
    return f"/v1/fleets/{(await world.admin.ask('POST', path, 201, json=body))['id']}"


async def enroll(world: World, fleet: str, **body: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = await world.admin.ask("POST", f"{fleet}/enroll", 201, json=body)
    return made


async def test_each_host_gets_a_token_and_a_config_that_joins_the_fleet(world: World) -> None:
    fleet = await make(world)
    made = await enroll(world, fleet, hosts=["web-1.example.com", "web-2"])
    assert [one["host"] for one in made] == ["web-1.example.com", "web-2"]
    assert len({one["token"] for one in made}) == 2
    for one in made:
        document = classic.parse(one["config"])
        [custom] = document.of(Kind.CUSTOM)
        assert custom.get("api_key") == one["token"]
        assert custom.get("fleet_id") == fleet.rpartition("/")[2]
        assert document.of(Kind.SERVICE)[0].get("hot_reload") == "on"
        assert len({custom.get("fleet.interval_sec"), custom.get("fleet.interval_nsec")}) == 1, "both or none"
        agent = world.token_of(one["token"])
        await agent.ask("GET", f"{fleet}/config?format=ini", 200)
        found = await agent.ask("GET", f"/v1/search?project_id={world.project_id}&resource=fleet&term=edge&exact=true", 200)
        assert found[0]["id"] == fleet.rpartition("/")[2]
        for method, path in (("PATCH", fleet), ("GET", fleet), ("GET", f"/v1/projects/{world.project_id}/agents")):
            refused = await agent.refused(method, path, 403, "permission denied", json={})
            assert "one host" in refused["detail"]
    names = {token["name"] for token in await world.admin.ask("GET", f"/v1/projects/{world.project_id}/tokens", 200)}
    assert {"edge / web-1.example.com", "edge / web-2"} <= names


async def test_so_many_hosts_are_called_after_the_fleet_and_a_number(world: World) -> None:
    fleet = await make(world, "the edge")
    await enroll(world, fleet, hosts=["the-edge-2"])
    assert [one["host"] for one in await enroll(world, fleet, count=3)] == ["the-edge-3", "the-edge-4", "the-edge-5"]
    assert [one["host"] for one in await enroll(world, fleet, count=1)] == ["the-edge-6"]


async def test_a_host_is_enrolled_once_and_again_when_its_token_is_gone(world: World) -> None:
    fleet = await make(world)
    [one] = await enroll(world, fleet, hosts=["web-1"])
    before = await world.rows()
    asked = {"hosts": ["web-2", "web-1"]}
    refused = await world.admin.refused("POST", f"{fleet}/enroll", 409, "host already enrolled", json=asked)
    assert refused["detail"].startswith("web-1;")
    assert await world.rows() == before
    await world.admin.ask("DELETE", f"/v1/project_tokens/{one['id']}", 204)
    await world.token_of(one["token"]).refused("GET", f"{fleet}/config", 410, "token gone")
    [again] = await enroll(world, fleet, hosts=["web-1"])
    assert again["token"] != one["token"]


async def test_what_is_asked_wrongly_is_refused(world: World) -> None:
    fleet = await make(world)
    many = [f"host-{number}" for number in range(1001)]
    both, twice = {"hosts": ["a"], "count": 1}, {"hosts": ["a", "A"]}
    bodies: list[dict[str, Any]] = [{}, {"hosts": []}, both, twice, {"count": 0}, {"count": 1001}]
    for body in bodies:
        assert (await world.admin.post(f"{fleet}/enroll", json=body)).status_code == 422, body
    for hosts in (["a b"], ["a\n[INPUT]"], [""], many):
        assert (await world.admin.post(f"{fleet}/enroll", json={"hosts": hosts})).status_code == 422, hosts[:1]
    weak = await world.admin.ask(
        "POST", f"/v1/projects/{world.project_id}/tokens", 201, json={"name": "w", "permissions": ["create:*"]}
    )
    await world.token_of(weak["token"]).refused("POST", f"{fleet}/enroll", 403, "permission denied", json={"count": 1})
