"""Processing rules of the first version over HTTP, and what they become."""

import base64
from typing import Any

import pytest

from tests.harness.world import World

CONFIG = "[INPUT]\n    name dummy\n\n[OUTPUT]\n    name stdout\n    match *\n"
ADD = {
    "kind": "add",
    "description": "say where",
    "enabled": True,
    "selectors": [],
    "add": {"key": "site", "value": "one"},
    "renameTo": None,
    "copyAs": None,
    "maskWith": None,
}
RULE: dict[str, Any] = {"match": "*", "isMatchRegexp": False, "language": "lua", "actions": [ADD]}


async def make_pipeline(world: World) -> str:
    core = await world.machine.ask("POST", "/v1/aggregators", 201, json={})
    made = await world.machine.ask("POST", f"/v1/aggregators/{core['id']}/pipelines", 201, json={"rawConfig": CONFIG})
    return str(made["id"])


async def files(world: World, pipeline: str) -> dict[str, dict[str, Any]]:
    listed = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{pipeline}/files", 200)
    return {file["name"]: file for file in listed}


async def rendered(world: World, pipeline: str) -> str:
    found = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{pipeline}?render_with_config_sections=true", 200)
    return str(found["config"]["rawConfig"])


async def test_a_rule_becomes_a_file_and_a_section_that_runs_it(world: World) -> None:
    pipeline = await make_pipeline(world)
    made = await world.machine.ask("POST", f"/v1/pipelines/{pipeline}/processing_rules", 201, json=RULE)
    assert set(made) == {"id", "configSectionID", "fileID", "createdAt"}
    file = (await files(world, pipeline))["processing-rule"]
    assert (file["id"], file["processingRuleID"]) == (made["fileID"], made["id"])
    assert 'record["site"] = "one"' in base64.b64decode(file["contents"]).decode()

    section = await world.machine.ask("GET", f"/v1/config_sections/{made['configSectionID']}", 200)
    assert (section["kind"], section["processingRuleID"]) == ("filter", made["id"])
    properties = {each["key"]: each["value"] for each in section["properties"]}
    assert properties == {
        "name": "lua",
        "match": "*",
        "script": "{{files.processing-rule}}",
        "call": "processing_rule",
    }
    sections = f"/v1/projects/{world.project_id}/config_sections"
    assert await world.machine.ask("GET", sections, 200) == []
    assert len(await world.machine.ask("GET", f"{sections}?include_processing_rules=true", 200)) == 1
    text = await rendered(world, pipeline)
    assert text.startswith(CONFIG.rstrip())
    assert text.index("[FILTER]") > text.index("[OUTPUT]")
    assert "{{files.processing-rule}}" in text

    rule = await world.admin.ask("GET", f"/v1/processing_rules/{made['id']}", 200)
    assert {key: rule[key] for key in RULE} == RULE
    assert (rule["pipelineID"], rule["fileID"]) == (pipeline, made["fileID"])
    assert await world.admin.ask("GET", f"/v1/pipelines/{pipeline}/processing_rules", 200) == [rule]
    assert await world.admin.ask("GET", f"/v1/pipelines/{pipeline}/processing_rule", 200) == rule


async def test_changing_a_rule_writes_both_anew(world: World) -> None:
    pipeline = await make_pipeline(world)
    made = await world.machine.ask("POST", f"/v1/pipelines/{pipeline}/processing_rules", 201, json=RULE)
    path = f"/v1/processing_rules/{made['id']}"
    before = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{pipeline}", 200)
    mask = {**ADD, "kind": "mask", "maskWith": "***", "selectors": [{"kind": "key", "op": "equal", "expr": "password"}]}
    await world.machine.ask("PATCH", path, 200, json={"match": "app.*", "isMatchRegexp": True, "actions": [mask]})
    assert '"password"' in base64.b64decode((await files(world, pipeline))["processing-rule"]["contents"]).decode()
    section = await world.machine.ask("GET", f"/v1/config_sections/{made['configSectionID']}", 200)
    assert {"key": "match_regex", "value": "app.*"} in section["properties"]
    await world.machine.ask("PATCH", path, 200, json={})
    rule = await world.machine.ask("GET", path, 200)
    assert (rule["match"], rule["isMatchRegexp"], rule["actions"]) == ("app.*", True, [mask])
    after = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{pipeline}", 200)
    assert after["updatedAt"] > before["updatedAt"], "its core instance sees another pipeline"


async def test_deleting_a_rule_takes_both_along_and_may_be_done_twice(world: World) -> None:
    pipeline = await make_pipeline(world)
    made = await world.machine.ask("POST", f"/v1/pipelines/{pipeline}/processing_rules", 201, json=RULE)
    for who in (world.machine, world.machine, world.admin):
        await who.ask("DELETE", f"/v1/processing_rules/{made['id']}", 204)
    assert "processing-rule" not in await files(world, pipeline)
    await world.machine.refused("GET", f"/v1/config_sections/{made['configSectionID']}", 404, "config section not found")
    assert await world.machine.ask("GET", f"/v1/pipelines/{pipeline}/processing_rules", 200) == []
    await world.machine.refused("GET", f"/v1/pipelines/{pipeline}/processing_rule", 404, "processing rule not found")
    assert await rendered(world, pipeline) == CONFIG


async def test_deleting_a_pipeline_leaves_nothing_of_its_rule(world: World) -> None:
    pipeline = await make_pipeline(world)
    await world.machine.ask("POST", f"/v1/pipelines/{pipeline}/processing_rules", 201, json=RULE)
    await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{pipeline}", 204)
    rows = await world.rows()
    assert [rows[name] for name in ("processing_rules", "config_sections", "pipeline_config_sections", "pipeline_files")] == [
        [],
        [],
        [],
        [],
    ]


async def test_a_pipeline_has_one_rule(world: World) -> None:
    pipeline = await make_pipeline(world)
    path = f"/v1/pipelines/{pipeline}/processing_rules"
    await world.machine.ask("POST", path, 201, json=RULE)
    before = await world.rows()
    second = await world.machine.refused("POST", path, 409, "conflict", json=RULE)
    assert second["detail"] == "there is one of the same pipeline already"
    assert await world.rows() == before


async def test_what_a_rule_became_is_changed_through_the_rule_only(world: World) -> None:
    pipeline = await make_pipeline(world)
    made = await world.machine.ask("POST", f"/v1/pipelines/{pipeline}/processing_rules", 201, json=RULE)
    before = await world.rows()
    section, file = f"/v1/config_sections/{made['configSectionID']}", f"/v1/pipeline_files/{made['fileID']}"
    await world.machine.refused("PATCH", section, 409, "conflict", json={"properties": []})
    await world.machine.refused("DELETE", section, 409, "conflict")
    await world.machine.refused("PATCH", file, 409, "conflict", json={"contents": "YQ=="})
    await world.machine.refused("DELETE", file, 409, "conflict")
    assert await world.rows() == before


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"match": ""}, "invalid processing rule match"),
        ({"match": None}, "invalid processing rule match"),
        ({"match": "a\nb"}, "invalid processing rule match"),
        ({"language": "js"}, "invalid processing rule language"),
        ({"actions": [{**ADD, "description": "x" * 101}]}, "invalid processing rule action desc"),
        ({"actions": [{**ADD, "kind": "explode"}]}, "invalid processing rule action kind"),
        ({"actions": [{**ADD, "add": None}]}, "invalid processing rule action args"),
    ],
)
async def test_a_wrong_rule_is_refused_and_makes_nothing(world: World, wrong: dict[str, Any], sentence: str) -> None:
    pipeline = await make_pipeline(world)
    before = await world.rows()
    await world.machine.refused("POST", f"/v1/pipelines/{pipeline}/processing_rules", 422, sentence, json={**RULE, **wrong})
    assert await world.rows() == before


async def test_strangers_see_nothing_of_a_rule(world: World) -> None:
    pipeline = await make_pipeline(world)
    made = await world.machine.ask("POST", f"/v1/pipelines/{pipeline}/processing_rules", 201, json=RULE)
    stranger, _ = await world.stranger()
    before = await world.rows()
    for method in ("GET", "POST"):
        path = f"/v1/pipelines/{pipeline}/processing_rules"
        await stranger.refused(method, path, 404, "pipeline not found", json=RULE)
    path = f"/v1/processing_rules/{made['id']}"
    for method in ("GET", "PATCH"):
        await stranger.refused(method, path, 404, "processing rule not found", json={"match": "x"})
    await stranger.ask("DELETE", path, 204)  # as for one that is not there
    await world.machine.refused("GET", "/v1/processing_rules/x", 422, "invalid processing rule ID")
    assert await world.rows() == before
