"""Processing rule templates over HTTP, in both versions."""

from typing import Any

import pytest

from tests.harness.world import World

LUA = {"name": "lua", "match": "*", "code": "function cb(tag, ts, record) return 0, ts, record end", "call": "cb"}
RULES: dict[str, Any] = {"rules": [{"type": "delete", "opts": {"key": "log"}}], "deep": [{"a": None}]}


async def test_version_one_keeps_lua_scripts_and_lists_its_own_too(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/processing_rule_templates"
    made = await world.machine.ask(
        "POST", path, 201, json={"name": "mine", "definition": LUA, "input": "{}", "isRawInput": True}
    )
    assert set(made) == {"id", "createdAt"}
    plain = await world.machine.ask("POST", path, 201, json={"name": "plain", "definition": LUA})
    listed = await world.admin.ask("GET", path, 200)
    assert set(listed) == {"items", "endCursor", "count", "static"}
    assert ([item["name"] for item in listed["items"]], listed["count"]) == (["plain", "mine"], 2)
    assert listed["items"][0]["input"] == listed["items"][0]["pipelineVersion"] == ""
    assert (listed["items"][1]["definition"], listed["items"][1]["isRawInput"]) == (LUA, True)
    assert listed["endCursor"] == made["id"], "a cursor is a UUID here"
    assert listed["static"], "some come with the product"
    assert all(set(each) == {"name", "definition"} and each["definition"]["name"] == "lua" for each in listed["static"])

    one = f"/v1/processing_rule_templates/{made['id']}"
    changed = {"name": "renamed", "definition": {**LUA, "match": "a.*"}, "pipelineVersion": "v1.3.5"}
    assert (await world.admin.ask("PATCH", one, 200, json=changed))["updatedAt"] > made["createdAt"]
    await world.admin.ask("PATCH", one, 200, json={})
    [item] = (await world.admin.ask("GET", path, 200, params={"name": "renamed"}))["items"]
    assert (item["definition"]["match"], item["isRawInput"], item["pipelineVersion"]) == ("a.*", True, "v1.3.5")
    assert (await world.admin.ask("DELETE", one, 200))["deleted"] is True
    await world.machine.refused("DELETE", one, 404, "processing rule template not found")
    assert plain["id"]


async def test_version_two_keeps_any_object(world: World) -> None:
    path = f"/v2/projects/{world.project_id}/processing_rule_templates"
    made = await world.machine.ask("POST", path, 201, json={"name": "mine", "definition": RULES})
    one = f"/v2/processing_rule_templates/{made['id']}"
    template = await world.admin.ask("GET", one, 200)
    assert (template["definition"], template["pipelineVersion"], template["projectID"]) == (RULES, None, world.project_id)
    await world.admin.ask("PATCH", one, 200, json={"definition": {}, "pipelineVersion": "1.0.0"})
    template = await world.admin.ask("GET", one, 200)
    assert (template["name"], template["definition"], template["pipelineVersion"]) == ("mine", {}, "1.0.0")
    assert (await world.admin.ask("DELETE", one, 200))["deletedAt"]
    await world.machine.refused("GET", one, 404, "processing rule template not found")


async def test_neither_version_sees_the_others(world: World) -> None:
    first, second = [f"/{version}/projects/{world.project_id}/processing_rule_templates" for version in ("v1", "v2")]
    one = await world.machine.ask("POST", first, 201, json={"name": "same", "definition": LUA})
    two = await world.machine.ask("POST", second, 201, json={"name": "same", "definition": RULES})
    assert [item["id"] for item in (await world.machine.ask("GET", first, 200))["items"]] == [one["id"]]
    assert [item["id"] for item in (await world.machine.ask("GET", second, 200))["items"]] == [two["id"]]
    for path in (f"/v1/processing_rule_templates/{two['id']}", f"/v2/processing_rule_templates/{one['id']}"):
        for method in ("PATCH", "DELETE"):
            await world.machine.refused(method, path, 404, "processing rule template not found")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_templates_page_by_the_id_of_the_last(world: World, version: str) -> None:
    path = f"/{version}/projects/{world.project_id}/processing_rule_templates"
    for name in ("a", "b", "c"):
        await world.machine.ask("POST", path, 201, json={"name": name, "definition": LUA})
    first = await world.admin.ask("GET", path, 200, params={"last": 2})
    assert ([item["name"] for item in first["items"]], first["count"]) == (["c", "b"], 3)
    rest = await world.admin.ask("GET", path, 200, params={"last": 2, "before": first["endCursor"]})
    assert [item["name"] for item in rest["items"]] == ["a"]
    beyond = await world.admin.ask("GET", path, 200, params={"before": rest["endCursor"]})
    assert (beyond["items"], beyond["endCursor"]) == ([], None)
    for cursor in ("nonsense", "00000000-0000-4000-8000-000000000000"):
        await world.admin.refused("GET", path, 422, "decode cursor", params={"before": cursor})


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_wrong_template_is_refused_by_the_name_of_its_field(world: World, version: str) -> None:
    path = f"/{version}/projects/{world.project_id}/processing_rule_templates"
    good = {"name": "mine", "definition": LUA}
    what = "invalid processing rule template"
    await world.machine.ask("POST", path, 201, json=good)
    await world.machine.refused("POST", path, 409, "processing rule template already exists", json=good)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "name"),
        ({"name": "x" * (31 if version == "v1" else 256)}, "name"),
        ({"definition": None}, "definition"),
        ({"definition": []}, "definition"),
        ({"pipelineVersion": "newest"}, "pipeline version"),
    ]
    if version == "v1":
        wrong += [({"definition": {**LUA, key: ""}}, "definition") for key in LUA]
        wrong += [({"input": "x" * 1_048_577}, "input")]
    for body, field in wrong:
        await world.machine.refused("POST", path, 422, f"{what} {field}", json={**good, "name": "other", **body})
    await world.machine.refused("PATCH", f"/{version}/processing_rule_templates/x", 422, f"{what} ID", json={})


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_strangers_see_no_templates(world: World, version: str) -> None:
    path = f"/{version}/projects/{world.project_id}/processing_rule_templates"
    made = await world.machine.ask("POST", path, 201, json={"name": "mine", "definition": LUA})
    stranger, project = await world.stranger()
    before = await world.rows()
    await stranger.refused("GET", path, 403, "permission denied")
    await stranger.refused("POST", path, 403, "permission denied", json={"name": "other", "definition": LUA})
    for method in ("PATCH", "DELETE"):
        one = f"/{version}/processing_rule_templates/{made['id']}"
        await stranger.refused(method, one, 404, "processing rule template not found", json={"name": "other"})
    assert await world.rows() == before
    assert (await stranger.ask("GET", path.replace(world.project_id, project), 200))["items"] == []
