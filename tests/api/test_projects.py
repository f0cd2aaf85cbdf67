"""Projects over HTTP."""

from tests.harness.world import World


async def test_a_new_project_has_its_creator_a_token_and_an_environment(world: World) -> None:
    person = await world.person()
    made = await person.ask("POST", "/v1/projects", 201, json={"name": "observability"})
    assert set(made) == {"id", "token", "createdAt", "membership"}
    assert made["membership"]["roles"] == ["creator"]

    project = await person.ask("GET", f"/v1/projects/{made['id']}", 200)
    assert project["name"] == "observability"
    assert (project["membersCount"], project["agentsCount"], project["aggregatorsCount"]) == (1, 0, 0)
    [token] = await person.ask("GET", f"/v1/projects/{made['id']}/tokens", 200)
    assert (token["name"], token["token"]) == ("default", made["token"])
    [environment] = await person.ask("GET", f"/v1/projects/{made['id']}/environments", 200)
    assert environment["name"] == "default"


async def test_projects_are_listed_newest_first_and_page_by_page(world: World) -> None:
    person = await world.person()
    for name in ("one", "two", "three"):
        await person.ask("POST", "/v1/projects", 201, json={"name": name})
    first = await person.get("/v1/projects", params={"last": 2})
    assert [project["name"] for project in first.json()] == ["three", "two"]
    rest = await person.get(first.headers["link"].partition(">")[0].lstrip("<"))
    assert [project["name"] for project in rest.json()] == ["one"]
    assert "link" in rest.headers, "the last page that holds rows has a cursor too"
    beyond = await person.get(rest.headers["link"].partition(">")[0].lstrip("<"))
    assert (beyond.json(), "link" in beyond.headers) == ([], False)
    assert [p["name"] for p in await person.ask("GET", "/v1/projects?name=two", 200)] == ["two"]


async def test_settings_are_cleared_then_unset_then_set(world: World) -> None:
    path = f"/v1/projects/{world.project_id}"
    await world.admin.ask("PATCH", path, 204, json={"setSettings": {"a": 1, "b": {"deep": [True]}}})
    await world.admin.ask("PATCH", path, 204, json={"setSettings": {"c": "x"}, "unsetSettings": ["a"]})
    assert (await world.admin.ask("GET", path, 200))["settings"] == {"b": {"deep": [True]}, "c": "x"}
    await world.admin.ask("PATCH", path, 204, json={"clearAllSettings": True, "setSettings": {"d": None}, "name": "renamed"})
    project = await world.admin.ask("GET", path, 200)
    assert (project["settings"], project["name"]) == ({"d": None}, "renamed")


async def test_only_a_creator_deletes_a_project_and_all_of_it_goes(world: World) -> None:
    path = f"/v1/projects/{world.project_id}"
    await world.machine.refused("DELETE", path, 401, "unauthenticated")
    gone = await world.admin.ask("DELETE", path, 200)
    assert gone["deleted"] is True
    assert gone["deletedAt"]
    await world.admin.refused("GET", path, 403, "permission denied")
    await world.machine.refused("GET", path, 401, "invalid token")
    rows = await world.rows()
    assert [rows[name] for name in ("projects", "tokens", "memberships", "environments")] == [[], [], [], []]


async def test_a_project_needs_a_name(world: World) -> None:
    for body in ({}, {"name": ""}, {"name": "  "}, {"name": 7}, {"name": None}, {"name": "x" * 256}):
        await world.admin.refused("POST", "/v1/projects", 422, "invalid project name", json=body)


async def test_a_token_sees_its_own_project_and_no_membership(world: World) -> None:
    project = await world.machine.ask("GET", f"/v1/projects/{world.project_id}", 200)
    assert "membership" not in project
    _, other = await world.stranger()
    await world.machine.refused("GET", f"/v1/projects/{other}", 403, "permission denied")
    await world.machine.refused("GET", "/v1/projects/not-an-id", 422, "invalid project ID")
    await world.machine.refused("GET", "/v1/projects", 401, "unauthenticated")
