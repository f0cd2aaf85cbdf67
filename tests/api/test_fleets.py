"""Fleets over HTTP, as people and their tools use them."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from nectary import clock
from tests.harness.world import World

CONFIG = "[SERVICE]\n    flush 1\n\n[INPUT]\n    name dummy\n    tag a\n\n[OUTPUT]\n    name stdout\n    match a\n"
YAML = "pipeline:\n  inputs:\n    - name: dummy\n      tag: a\n  outputs:\n    - name: stdout\n      match: a\n"


async def make(world: World, **body: Any) -> str:
    made = await world.machine.ask(
        "POST", f"/v1/projects/{world.project_id}/fleets", 201, json={"name": "edge", "rawConfig": CONFIG, **body}
    )
    assert set(made) == {"id", "createdAt"}
    return str(made["id"])


async def register(world: World, name: str, **body: Any) -> dict[str, Any]:
    sent = {"name": name, "machineID": name, "type": "fluentbit", "version": "5.1.1", "rawConfig": "[INPUT]", **body}
    registered: dict[str, Any] = await world.machine.ask("POST", "/v1/agents", 201, json=sent)
    return registered


async def test_a_fleet_is_made_read_changed_and_deleted(world: World) -> None:
    id = await make(world, minFluentBitVersion="v2.1.0", tags=["prod", "eu", "prod"])
    fleet = await world.admin.ask("GET", f"/v1/fleets/{id}", 200)
    assert {key: fleet[key] for key in ("name", "minFluentBitVersion", "rawConfig", "configFormat", "tags", "projectID")} == {
        "name": "edge",
        "minFluentBitVersion": "v2.1.0",
        "rawConfig": CONFIG,
        "configFormat": "classic",
        "tags": ["prod", "eu"],
        "projectID": world.project_id,
    }
    assert fleet["agentsCount"] == {"active": 0, "inactive": 0, "withErrors": 0, "errors": 0}
    assert fleet["createdAt"] == fleet["updatedAt"]

    updated = await world.admin.ask("PATCH", f"/v1/fleets/{id}", 200, json={"name": "core", "tags": None, "rawConfig": None})
    assert updated["updatedAt"] > fleet["updatedAt"]
    after = await world.admin.ask("GET", f"/v1/fleets/{id}", 200)
    assert (after["name"], after["tags"], after["rawConfig"]) == ("core", ["prod", "eu"], CONFIG)

    gone = await world.admin.ask("DELETE", f"/v1/fleets/{id}", 200)
    assert gone["deleted"] is True
    await world.admin.refused("GET", f"/v1/fleets/{id}", 404, "fleet not found")
    await world.machine.refused("DELETE", f"/v1/fleets/{id}", 404, "fleet not found")


async def test_fleets_are_listed_newest_first_by_name_and_by_tags(world: World) -> None:
    for name, tags in (("one", ["a", "b"]), ("two", ["b"]), ("three", ["a", "b", "c"])):
        await make(world, name=name, tags=tags)
    path = f"/v1/projects/{world.project_id}/fleets"

    async def names(**params: Any) -> list[str]:
        return [fleet["name"] for fleet in await world.admin.ask("GET", path, 200, params=params)]

    assert await names() == ["three", "two", "one"]
    assert await names(name="two") == ["two"]
    assert await names(tags_query="a AND b") == ["three", "one"]
    assert await names(tags_query="z") == []
    first = await world.admin.get(path, params={"last": 2})
    rest = await world.admin.get(first.headers["link"].partition(">")[0].lstrip("<"))
    assert [fleet["name"] for fleet in rest.json()] == ["one"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": ""}, "invalid fleet name"),
        ({"name": "x" * 33}, "invalid fleet name"),
        ({"name": "../up"}, "invalid fleet name"),
        ({"name": None}, "invalid fleet name"),
        ({"minFluentBitVersion": "newest"}, "invalid fluentbit version"),
        ({"configFormat": "toml"}, "invalid fleet config format"),
        ({"tags": ["Prod"]}, "invalid tag"),
        ({"tags": ["a b"]}, "invalid tag"),
        ({"rawConfig": "x" * (1024 * 1024 + 1)}, "invalid fluentbit config"),
        ({"Files": [{"name": "../up", "contents": "YQ=="}]}, "invalid fleet file name"),
        ({"Files": [{"name": "a", "contents": "%"}]}, "file contents required"),
    ],
)
async def test_a_wrong_field_is_named(world: World, body: dict[str, Any], sentence: str) -> None:
    sent = {"name": "edge", "rawConfig": CONFIG, **body}
    before = await world.rows()
    await world.machine.refused("POST", f"/v1/projects/{world.project_id}/fleets", 422, sentence, json=sent)
    assert await world.rows() == before


async def test_a_config_its_agents_could_not_start_with_is_refused_unless_told_otherwise(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/fleets"
    bad = "[INPUT]\n    name nope\n"
    refused = await world.machine.refused(
        "POST", path, 422, "invalid fluentbit config", json={"name": "edge", "rawConfig": bad}
    )
    assert refused["detail"] == 'unknown plugin "nope"'
    id = await make(world, rawConfig=bad, skipConfigValidation=True)
    await world.machine.refused(
        "PATCH", f"/v1/fleets/{id}", 422, "invalid fluentbit config", json={"rawConfig": "[INPUT]\n    name dummy\n    nix 1\n"}
    )
    assert (await world.machine.ask("GET", f"/v1/fleets/{id}", 200))["rawConfig"] == bad


@pytest.mark.parametrize("skip", [False, True])
async def test_a_calyptia_section_is_always_refused(world: World, skip: bool) -> None:
    doubled = f"[CUSTOM]\n    name calyptia\n    api_key x\n\n{CONFIG}"
    refused = await world.machine.refused(
        "POST",
        f"/v1/projects/{world.project_id}/fleets",
        422,
        "invalid fluentbit config",
        json={"name": "edge", "rawConfig": doubled, "skipConfigValidation": skip},
    )
    assert refused["detail"].startswith("line 2: a fleet")


async def test_formats_go_by_all_their_names_and_are_converted_on_demand(world: World) -> None:
    for number, name in enumerate(("classic", "ini", "conf", "", None)):
        id = await make(world, name=f"c{number}", configFormat=name)
        assert (await world.admin.ask("GET", f"/v1/fleets/{id}", 200))["configFormat"] == "classic"
    id = await make(world, name="y", configFormat="yml", rawConfig=YAML)
    fleet = await world.admin.ask("GET", f"/v1/fleets/{id}", 200)
    assert (fleet["configFormat"], fleet["rawConfig"]) == ("yaml", YAML)
    as_json = await world.admin.ask("GET", f"/v1/fleets/{id}?config_format=json", 200)
    assert as_json["configFormat"] == "json"
    assert json.loads(as_json["rawConfig"])["pipeline"]["inputs"] == [{"name": "dummy", "tag": "a"}]
    listed = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/fleets?config_format=ini&name=y", 200)
    assert "[INPUT]" in listed[0]["rawConfig"]
    await world.admin.refused("GET", f"/v1/fleets/{id}?config_format=toml", 422, "invalid fleet config format")


async def test_a_name_is_free_again_only_in_another_project(world: World) -> None:
    await make(world)
    path = f"/v1/projects/{world.project_id}/fleets"
    await world.machine.refused("POST", path, 409, "fleet name taken", json={"name": "edge", "rawConfig": CONFIG})
    stranger, project = await world.stranger()
    await stranger.ask("POST", f"/v1/projects/{project}/fleets", 201, json={"name": "edge", "rawConfig": CONFIG})


async def test_strangers_see_nothing_of_a_fleet(world: World) -> None:
    id = await make(world, Files=[{"name": "a.lua", "contents": "YQ=="}])
    [file] = await world.machine.ask("GET", f"/v1/fleets/{id}/files", 200)
    stranger, project = await world.stranger()
    [token] = await stranger.ask("GET", f"/v1/projects/{project}/tokens", 200)
    before = await world.rows()
    for client in (stranger, world.token_of(token["token"])):
        for method, path in (
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("GET", "/config"),
            ("GET", "/files"),
            ("GET", "/status"),
            ("GET", "/agent_errors"),
        ):
            await client.refused(method, f"/v1/fleets/{id}{path}", 404, "fleet not found")
        for method in ("GET", "PATCH", "DELETE"):
            await client.refused(method, f"/v1/fleet_files/{file['id']}", 404, "fleet file not found")
    await stranger.refused("GET", f"/v1/projects/{world.project_id}/fleets", 403, "permission denied")
    await world.machine.refused("GET", "/v1/fleets/x/config", 422, "invalid fleet ID")
    await world.machine.refused("GET", "/v1/fleet_files/x", 422, "invalid fleet file ID")
    assert await world.rows() == before


async def test_agents_join_by_the_fleet_they_name_and_stay_when_it_goes(world: World) -> None:
    id = await make(world)
    agent = await register(world, "one", fleetID=id)
    lost = await register(world, "two", fleetID="00000000-0000-4000-8000-000000000000")
    odd = await register(world, "three", fleetID="not an id")
    assert (await world.admin.ask("GET", f"/v1/agents/{agent['id']}", 200))["fleetID"] == id
    for other in (lost, odd):
        assert (await world.admin.ask("GET", f"/v1/agents/{other['id']}", 200))["fleetID"] is None
    path = f"/v1/projects/{world.project_id}/agents"
    assert [a["name"] for a in await world.admin.ask("GET", path, 200, params={"fleet_id": id})] == ["one"]

    await register(world, "one")  # one that does not say keeps its fleet
    await world.admin.ask("PATCH", f"/v1/agents/{lost['id']}", 204, json={"fleetID": id})
    assert [a["name"] for a in await world.admin.ask("GET", path, 200, params={"fleet_id": id})] == ["two", "one"]
    unknown = {"fleetID": "00000000-0000-4000-8000-000000000000"}
    await world.admin.refused("PATCH", f"/v1/agents/{lost['id']}", 404, "fleet not found", json=unknown)

    await world.admin.ask("DELETE", f"/v1/fleets/{id}", 200)
    assert (await world.admin.ask("GET", f"/v1/agents/{agent['id']}", 200))["fleetID"] is None


async def test_status_is_told_by_signs_of_life_errors_and_registrations(world: World) -> None:
    id = await make(world)
    with clock.moved(timedelta(seconds=-3600)):
        await register(world, "silent", fleetID=id)
    with clock.moved(timedelta(seconds=1)):
        troubled = await register(world, "troubled", fleetID=id)
        await register(world, "well", fleetID=id)
        await world.machine.ask("POST", f"/v1/agents/{troubled['id']}/errors", 201, json={"error": "broken"})
        await register(world, "elsewhere")
        assert await world.admin.ask("GET", f"/v1/fleets/{id}/status", 200) == {
            "managed": 3,
            "healthy": 1,
            "inProgress": 0,
            "unhealthy": 2,
        }
        fleet = await world.admin.ask("GET", f"/v1/fleets/{id}", 200)
        assert fleet["agentsCount"] == {"active": 2, "inactive": 1, "withErrors": 1, "errors": 1}
    with clock.moved(timedelta(seconds=3)):
        await world.admin.ask("PATCH", f"/v1/fleets/{id}", 200, json={"rawConfig": CONFIG + "# changed\n"})
        status = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/fleets/status", 200)
        assert status == {"managed": 3, "healthy": 0, "inProgress": 1, "unhealthy": 2}
    with clock.moved(timedelta(seconds=5)):
        await register(world, "well", fleetID=id)
        status = await world.admin.ask("GET", f"/v1/fleets/{id}/status", 200)
        assert status == {"managed": 3, "healthy": 1, "inProgress": 0, "unhealthy": 2}


async def test_a_fleets_agent_errors_are_those_of_its_agents(world: World) -> None:
    id = await make(world)
    inside, outside = await register(world, "in", fleetID=id), await register(world, "out")
    for agent in (inside, outside):
        await world.machine.ask("POST", f"/v1/agents/{agent['id']}/errors", 201, json={"error": f"of {agent['name']}"})
    [error] = await world.admin.ask("GET", f"/v1/fleets/{id}/agent_errors", 200)
    assert (error["agentID"], error["error"]) == (inside["id"], "of in")
    await world.admin.ask("POST", f"/v1/agent_errors/{error['id']}/dismiss", 200, json={"reason": "known"})
    path = f"/v1/fleets/{id}/agent_errors"
    assert await world.admin.ask("GET", path, 200, params={"dismissed": "false"}) == []
    assert len(await world.admin.ask("GET", path, 200, params={"dismissed": "true"})) == 1


async def test_files_are_put_read_renamed_replaced_and_deleted(world: World) -> None:
    id = await make(world)
    contents = base64.b64encode(b"return 1\n").decode()
    made = await world.machine.ask("POST", f"/v1/fleets/{id}/files", 200, json={"name": "a.lua", "contents": contents})
    path = f"/v1/fleet_files/{made['id']}"
    file = await world.admin.ask("GET", path, 200)
    assert set(file) == {"id", "name", "contents", "createdAt", "updatedAt"}
    assert (file["name"], file["contents"]) == ("a.lua", contents)
    await world.admin.ask("PATCH", path, 204, json={"name": "b.lua"})
    await world.admin.ask("PATCH", path, 204, json={"contents": "YWI="})
    file = await world.admin.ask("GET", path, 200)
    assert (file["name"], file["contents"]) == ("b.lua", "YWI=")
    taken = {"name": "b.lua", "contents": "YQ=="}
    await world.machine.refused("POST", f"/v1/fleets/{id}/files", 409, "fleet file name already exists", json=taken)
    await world.admin.ask("DELETE", path, 204)
    await world.admin.refused("GET", path, 404, "fleet file not found")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "..", "../up", "a..b", ".", "x" * 256, "a\nb", "config.yaml", None])
async def test_a_file_name_that_could_lead_elsewhere_is_refused(world: World, name: str | None) -> None:
    id = await make(world)
    sent = {"name": name, "contents": "YQ=="}
    await world.machine.refused("POST", f"/v1/fleets/{id}/files", 422, "invalid fleet file name", json=sent)


async def test_file_contents_are_base64_of_something_not_too_large(world: World) -> None:
    id = await make(world)
    for contents in (None, "", "%%%", "YQ", 7):
        sent = {"name": "a", "contents": contents}
        await world.machine.refused("POST", f"/v1/fleets/{id}/files", 422, "file contents required", json=sent)
    large = base64.b64encode(b"x" * (world.context.settings.file_limit + 1)).decode()
    sent = {"name": "a", "contents": large}
    await world.machine.refused("POST", f"/v1/fleets/{id}/files", 422, "fleet file size exceeded", json=sent)


async def test_all_files_together_stay_below_what_an_agent_takes(world: World) -> None:
    id = await make(world)
    contents = base64.b64encode(b"x" * (1024 * 1024)).decode()
    for number in range(7):
        await world.machine.ask("POST", f"/v1/fleets/{id}/files", 200, json={"name": f"f{number}", "contents": contents})
    sent = {"name": "one-more", "contents": "YQ=="}
    await world.machine.refused("POST", f"/v1/fleets/{id}/files", 422, "fleet file size exceeded", json=sent)
    assert len((await world.machine.get(f"/v1/fleets/{id}/files")).content) < 10 * 1024 * 1024


async def test_quotas_bound_fleets_and_their_files(world: World) -> None:
    world.context.settings.quota_fleets = 1
    world.context.settings.quota_fleet_files = 1
    id = await make(world)
    refused = await world.machine.refused(
        "POST",
        f"/v1/projects/{world.project_id}/fleets",
        403,
        "fleets quota exceeded",
        json={"name": "more", "rawConfig": CONFIG},
    )
    assert (refused["quotaLimit"], refused["quotaRemaining"]) == (1, 0)
    await world.machine.ask("POST", f"/v1/fleets/{id}/files", 200, json={"name": "a", "contents": "YQ=="})
    sent = {"name": "b", "contents": "YQ=="}
    await world.machine.refused("POST", f"/v1/fleets/{id}/files", 403, "fleet files quota exceeded", json=sent)
