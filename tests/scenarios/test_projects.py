"""Scenarios 8 to 20: errors as they are shown, projects, environments, members."""

import pytest

from tests.harness.world import World
from tests.scenarios.script import Script, moment


@pytest.fixture
def script(world: World) -> Script:
    return Script(world)


async def test_a_well_formed_token_with_a_wrong_signature_is_told_so(script: Script, world: World) -> None:
    """Scenario 8."""
    payload, _, signature = script.token.partition(".")
    forged = Script(world, f"{payload}.{signature[::-1]}")
    assert forged.project == script.project
    said = await forged.refused("GET", f"/v1/projects/{forged.project}/agents?last=0", 401)
    assert said == "invalid token"


async def test_a_name_that_nothing_has_finds_nothing(script: Script) -> None:
    """Scenario 10."""
    with pytest.raises(LookupError, match='could not find pipeline "nope"'):
        await script.find("pipeline", "nope")


async def test_a_project_gets_another_name(script: Script) -> None:
    """Scenario 11."""
    await script.patch_silently(f"/v1/projects/{script.project}", {"name": "demo"})
    assert (await script.get(f"/v1/projects/{script.project}"))["name"] == "demo"


async def test_an_environment_is_made(script: Script) -> None:
    """Scenario 12."""
    made = await script.post(f"/v1/projects/{script.project}/environments", {"name": "staging"})
    assert made["id"] == await script.environment("staging")


async def test_environments_are_listed_with_the_usual_one(script: Script) -> None:
    """Scenario 13."""
    await script.post(f"/v1/projects/{script.project}/environments", {"name": "staging"})
    rows = await script.rows(f"/v1/projects/{script.project}/environments")
    assert [row["name"] for row in rows] == ["staging", "default"]
    assert moment(rows[0]["createdAt"]) > moment(rows[1]["createdAt"])


async def test_environments_come_as_a_bare_array_with_ids(script: Script) -> None:
    """Scenario 14."""
    said = await script.get(f"/v1/projects/{script.project}/environments", {"last": 0})
    assert [row["name"] for row in said] == ["default"]
    assert said[0]["id"] == await script.environment("default")


async def test_an_environment_gets_another_name(script: Script) -> None:
    """Scenario 15."""
    made = await script.post(f"/v1/projects/{script.project}/environments", {"name": "staging"})
    await script.patch_silently(f"/v1/environments/{await script.environment('staging')}", {"name": "prod"})
    assert await script.environment("prod") == made["id"]


async def test_a_second_environment_of_a_name_is_refused(script: Script) -> None:
    """Scenario 16."""
    environments = f"/v1/projects/{script.project}/environments"
    await script.post(environments, {"name": "prod"})
    assert await script.refused("POST", environments, 409, {"name": "prod"}) == "environment name taken"


async def test_an_environment_is_deleted(script: Script) -> None:
    """Scenario 17."""
    environments = f"/v1/projects/{script.project}/environments"
    await script.post(environments, {"name": "prod"})
    await script.delete_silently(f"/v1/environments/{await script.environment('prod')}")
    assert await script.get(environments, {"name": "prod", "last": 1}) == []


async def test_members_are_listed_with_who_they_are(script: Script) -> None:
    """Scenario 18: no permissions are all of them."""
    [member] = await script.rows(f"/v1/projects/{script.project}/members")
    assert member["user"]["email"] == "admin@example.com"
    assert member["user"]["id"] == member["userID"]
    assert (member["roles"], member["permissions"]) == (["creator"], [])


async def test_an_invitation_by_a_token_is_refused_in_a_sentence(script: Script) -> None:
    """Scenario 19: the program goes on after the sentence; invitations come from people."""
    invitation = {"email": "a@b.example.com", "redirectURI": "http://127.0.0.1:5000/", "permissions": ["read:*"]}
    path = f"/v1/projects/{script.project}/invite"
    assert await script.refused("POST", path, 401, invitation) == "unauthenticated"
    answer = await script.world.admin.post(path, json=invitation)
    assert answer.is_success


async def test_a_member_gets_other_permissions_and_all_of_them_again(script: Script, world: World) -> None:
    """Scenario 20: by a person, since the published contract takes no token for it; and so did the original."""
    person, members = await world.person("member@example.com"), f"/v1/projects/{script.project}/members"
    invitation = {"email": "member@example.com", "redirectURI": "http://127.0.0.1:5000/", "permissions": ["create:*"]}
    link = (await world.admin.ask("POST", f"/v1/projects/{script.project}/invite", 200, json=invitation))["link"]
    await person.ask("POST", "/v1/join_project", 204, json={"token": link.partition("token=")[2]})
    member = (await script.rows(members))[0]
    for permissions in (["read:*"], []):
        await world.admin.ask("PATCH", f"/v1/members/{member['id']}", 204, json={"permissions": permissions})
        shown = (await script.rows(members))[0]
        assert (shown["id"], shown["permissions"]) == (member["id"], permissions)
    assert await script.refused("PATCH", f"/v1/members/{member['id']}", 401, {"permissions": []}) == "unauthenticated"
