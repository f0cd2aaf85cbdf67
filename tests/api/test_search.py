"""Search over HTTP: every kind of thing, by name, part of a name, or id."""

from typing import Any

import httpx
import pytest

from nectary.resources.search import RESOURCES
from tests.harness.world import World

CONFIG = "[INPUT]\n    name dummy\n\n[OUTPUT]\n    name stdout\n    match *\n"


async def furnish(world: World) -> dict[str, tuple[str, str]]:
    """One thing of each kind: its id and its name."""
    ask, project = world.machine.ask, world.project_id
    agent = {"name": "edge-01", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": "x"}
    found = {"agent": ((await ask("POST", "/v1/agents", 201, json=agent))["id"], "edge-01")}
    core = await ask("POST", "/v1/aggregators", 201, json={"name": "central"})
    found["core_instance"] = (core["id"], "central")
    found["resource_profile"] = (core["resourceProfiles"][0]["id"], core["resourceProfiles"][0]["name"])
    made = await ask("POST", f"/v1/core_instances/{core['id']}/cluster_objects", 201, json={"name": "kube-system"})
    found["cluster_object"] = (made["id"], "kube-system")
    pipeline = await ask(
        "POST",
        f"/v1/aggregators/{core['id']}/pipelines",
        201,
        json={"name": "ingest", "rawConfig": CONFIG, "secrets": [{"key": "API_KEY", "value": "eA=="}]},
    )
    found["pipeline"] = (pipeline["id"], "ingest")
    found["pipeline_secret"] = (pipeline["secrets"][0]["id"], "API_KEY")
    session = {"plugins": ["dummy.0"], "lifespan": "10m"}
    made = await ask("POST", f"/v1/pipelines/{pipeline['id']}/trace_sessions", 201, json=session)
    found["trace_session"] = (made["id"], made["id"])
    section = {"kind": "filter", "properties": [{"key": "Match", "value": "*"}, {"key": "Name", "value": "grep"}]}
    made = await ask("POST", f"/v1/projects/{project}/config_sections", 201, json={**section, "skipConfigValidation": True})
    found["config_section"] = (made["id"], "grep")
    made = await ask("POST", f"/v1/projects/{project}/fleets", 201, json={"name": "my-fleet", "rawConfig": CONFIG})
    found["fleet"] = (made["id"], "my-fleet")
    [environment] = await world.admin.ask("GET", f"/v1/projects/{project}/environments", 200)
    found["environment"] = (environment["id"], "default")
    [member] = await world.admin.ask("GET", f"/v1/projects/{project}/members", 200)
    found["member"] = (member["id"], member["user"]["name"])
    assert set(found) == set(RESOURCES)
    return found


async def test_every_kind_is_found_by_name_part_and_id(world: World) -> None:
    things = await furnish(world)
    stranger, other = await world.stranger()

    async def search(resource: str, version: str = "v2", **params: Any) -> Any:
        asked = {"project_id": world.project_id, "resource": resource, **params}
        return await world.machine.ask("GET", f"/{version}/search", 200, params=asked)

    for resource, (id, name) in things.items():
        for params in (
            {"term": name},
            {"term": name, "exact": "true"},
            {"term": name[1:-1].upper()},
            {"term": id},
            {"term": id, "exact": "true"},
        ):
            assert {"id": id, "name": name} in await search(resource, **params), (resource, params)
        assert id in [row["id"] for row in await search(resource)]
        assert await search(resource, term="no such thing") == []
        assert await search(resource, term=name[1:-1], exact="true") == []
        v1 = await search(resource, "v1", term=name, exact="true")
        assert {"id": id, "name": name, "ID": id, "Name": name} in v1
        elsewhere = await stranger.ask("GET", f"/v2/search?project_id={other}&resource={resource}&term={id}", 200)
        assert elsewhere == []


async def test_rows_are_sorted_by_name_with_the_exact_match_first(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/fleets"
    for name in ("web-2", "web", "a-web", "other"):
        await world.machine.ask("POST", path, 201, json={"name": name, "rawConfig": CONFIG})
    asked = f"search?project_id={world.project_id}&resource=fleet&term="
    found = await world.machine.ask("GET", f"/v2/{asked}web", 200)
    assert [row["name"] for row in found] == ["web", "a-web", "web-2"]
    # Version 1 is the CLI's, which calls two rows ambiguous.
    assert [row["name"] for row in await world.machine.ask("GET", f"/v1/{asked}web", 200)] == ["web"]
    assert [row["name"] for row in await world.machine.ask("GET", f"/v1/{asked}eb", 200)] == ["a-web", "web", "web-2"]


async def test_an_agent_finds_its_fleet_as_fluent_bit_asks(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/fleets"
    made = await world.machine.ask("POST", path, 201, json={"name": "my fleet", "rawConfig": CONFIG})
    query = f"project_id={world.project_id}&resource=fleet&term=my fleet&exact=true"
    answer = await world.machine.get(f"/v1/search?{query}")
    assert answer.json()[0]["id"] == made["id"]
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("name", ["web", "r&d", "50%", "a+b", "a=b"])
async def test_an_agent_finds_its_fleet_though_it_escapes_nothing(world: World, name: str) -> None:
    for other in (name, "r", "50", "a b", "a"):
        body = {"name": other, "rawConfig": CONFIG}
        await world.machine.post(f"/v1/projects/{world.project_id}/fleets", json=body)
    query = f"project_id={world.project_id}&resource=fleet&term={name}&exact=true".encode()
    asked = httpx.Request(
        "GET",
        httpx.URL("http://127.0.0.1:5000/v1/search").copy_with(query=query),
        headers={"Fleet-Config-Version": "-1", "X-Project-Token": world.token},
    )
    found = (await world.machine.send(asked)).json()
    assert [row["name"] for row in found] == [name]


async def test_members_are_found_by_e_mail_too(world: World) -> None:
    asked = {"project_id": world.project_id, "resource": "member", "term": "admin@example"}
    assert len(await world.admin.ask("GET", "/v2/search", 200, params=asked)) == 1


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_token_need_not_name_its_project(world: World, version: str) -> None:
    path = f"/{version}/search"
    found = await world.machine.ask("GET", path, 200, params={"resource": "environment"})
    assert [row["name"] for row in found] == ["default"]
    await world.admin.refused("GET", path, 422, "invalid project ID", params={"resource": "environment"})
    await world.machine.refused("GET", path, 422, "invalid project ID", params={"resource": "fleet", "project_id": "x"})
    await world.machine.refused("GET", path, 422, "unknown search resource", params={"resource": "secret"})
    await world.machine.refused("GET", path, 422, "unknown search resource")
    _, other = await world.stranger()
    asked = {"resource": "fleet", "project_id": other}
    await world.machine.refused("GET", path, 403, "permission denied", params=asked)
