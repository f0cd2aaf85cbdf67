"""Config sections over HTTP: kept in a project, lent to pipelines, rendered into their configurations."""

from typing import Any

from tests.harness.pipelines import CLASSIC, core_instance, one, pipeline
from tests.harness.world import World


def _section(kind: str, **properties: Any) -> dict[str, Any]:
    return {"kind": kind, "properties": [{"key": key, "value": value} for key, value in properties.items()]}


async def _made(world: World, body: dict[str, Any]) -> str:
    path = f"/v1/projects/{world.project_id}/config_sections"
    id: str = (await world.machine.ask("POST", path, 201, json=body))["id"]
    return id


async def test_sections_are_kept_changed_and_deleted(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/config_sections"
    body = _section("output", name="http", host="h", port=80, tls=True, header=["a b", "c d"])
    id = await _made(world, body)
    mine = f"/v1/config_sections/{id}"
    shown = await world.machine.ask("GET", mine, 200)
    assert (shown["kind"], shown["properties"]) == ("output", body["properties"])
    assert (shown["projectID"], shown["processingRuleID"]) == (world.project_id, None)
    assert [each["id"] for each in await world.machine.ask("GET", path, 200)] == [id]
    await world.machine.ask("PATCH", mine, 200, json={"properties": None})
    assert (await world.machine.ask("GET", mine, 200))["properties"] == body["properties"]
    changed = _section("output", name="stdout")["properties"]
    assert set(await world.machine.ask("PATCH", mine, 200, json={"properties": changed})) == {"updatedAt"}
    assert (await world.machine.ask("GET", mine, 200))["properties"] == changed
    stranger, _ = await world.stranger()
    await stranger.refused("GET", mine, 404, "config section not found")
    await stranger.ask("DELETE", mine, 204)
    assert (await world.machine.ask("GET", mine, 200))["id"] == id, "a stranger deletes nothing, and learns nothing"
    await world.machine.ask("DELETE", mine, 204)
    for again in (world.machine, world.admin, stranger):
        await again.ask("DELETE", mine, 204)
    await world.machine.refused("GET", mine, 404, "config section not found")


async def test_unsound_sections_are_refused_unless_told_not_to_look(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/config_sections"
    refused = [
        (_section("output"), "unsupported config section"),
        (_section("output", name="nope"), "unsupported config section"),
        (_section("filter", name="http"), "unsupported config section"),
        (_section("output", name="http", port="x"), "unsupported config section"),
        (_section("output", name="http", bogus="x"), "unsupported config section"),
        ({"kind": "output", "properties": [{"key": "name", "value": {}}]}, "unsupported config section"),
        ({"kind": "output", "properties": [{"key": "a b", "value": 1}]}, "unsupported config section"),
        (_section("parser", name="x"), "invalid config section kind"),
    ]
    for body, error in refused:
        await world.machine.refused("POST", path, 422, error, json=body)
    id = await _made(world, {**_section("output", name="nope"), "skipConfigValidation": True})
    wrong = _section("output", name="other")["properties"]
    await world.machine.refused(
        "PATCH", f"/v1/config_sections/{id}", 422, "unsupported config section", json={"properties": wrong}
    )


async def test_a_set_is_rendered_behind_the_configuration_by_kind(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    ids = [
        await _made(world, _section("output", name="http", Host="h.example.com", match="*")),
        await _made(world, _section("filter", name="grep", match="*", Regex="log x")),
        await _made(world, _section("filter", name="kubernetes", match="*")),
        await _made(world, _section("service", flush=5)),
    ]
    path = f"/v1/pipelines/{made['id']}/config_section_set"
    await world.machine.ask("PATCH", path, 204, json=ids)
    plain = await one(world.machine, made["id"])
    assert plain["config"]["rawConfig"] == CLASSIC
    assert [each["id"] for each in plain["configSections"]] == ids
    assert plain["updatedAt"] > made["updatedAt"]
    rendered = await one(world.machine, made["id"], render_with_config_sections="true")
    expected = (
        CLASSIC
        + "\n[SERVICE]\n    flush 5\n\n[FILTER]\n    name kubernetes\n    match *\n"
        + "\n[FILTER]\n    name grep\n    match *\n    Regex log x\n"
        + "\n[OUTPUT]\n    name http\n    Host h.example.com\n    match *\n"
    )
    assert rendered["config"]["rawConfig"] == expected
    assert rendered["status"]["config"]["rawConfig"] == expected
    assert rendered["error"] is None
    in_yaml = await one(world.machine, made["id"], render_with_config_sections="true", config_format="yaml")
    assert "kubernetes" in in_yaml["config"]["rawConfig"]

    await world.machine.ask("DELETE", f"/v1/config_sections/{ids[3]}", 204)
    await world.machine.ask("PATCH", path, 204, json=[ids[1], ids[1]])
    assert [each["id"] for each in (await one(world.machine, made["id"]))["configSections"]] == [ids[1]]
    answer = await world.machine.patch(path, content="null", headers={"Content-Type": "application/json"})
    assert answer.status_code == 204
    assert (await one(world.machine, made["id"]))["configSections"] == []


async def test_a_section_that_cannot_be_rendered_is_told_of_and_the_rest_still_shown(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    id = await _made(world, _section("filter", name="lua", match="*", code="a\nb", call="c"))
    await world.machine.ask("PATCH", f"/v1/pipelines/{made['id']}/config_section_set", 204, json=[id])
    shown = await one(world.machine, made["id"], render_with_config_sections="true")
    assert shown["config"]["rawConfig"] == CLASSIC
    assert "line break" in shown["error"]


async def test_no_value_can_open_a_section(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    id = await _made(world, {**_section("output", name="x\n[SERVICE]\n    flush 1"), "skipConfigValidation": True})
    await world.machine.ask("PATCH", f"/v1/pipelines/{made['id']}/config_section_set", 204, json=[id])
    for format in ("classic", "yaml", "json"):
        shown = await world.machine.get(
            f"/v1/aggregator_pipelines/{made['id']}",
            params={"render_with_config_sections": "true", "config_format": format},
        )
        assert "[SERVICE]" not in shown.json()["config"]["rawConfig"]


async def test_a_set_holds_fifty_of_the_projects_own(world: World) -> None:
    made = await pipeline(world, (await core_instance(world))["id"])
    path = f"/v1/pipelines/{made['id']}/config_section_set"
    some = [f"00000000-0000-4000-8000-{number:012}" for number in range(51)]
    await world.machine.refused("PATCH", path, 422, "config section set size overflow", json=some)
    await world.machine.refused("PATCH", path, 404, "config section not found", json=some[:1])
    await world.machine.refused("PATCH", path, 422, "invalid config section ID", json=["x"])
    stranger, project = await world.stranger()
    theirs = await stranger.ask("POST", f"/v1/projects/{project}/config_sections", 201, json=_section("output", name="stdout"))
    await world.machine.refused("PATCH", path, 404, "config section not found", json=[theirs["id"]])
    await stranger.refused("PATCH", path, 404, "pipeline not found", json=[])
