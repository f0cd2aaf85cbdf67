"""Members and invitations over HTTP."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nectary import clock
from tests.harness.world import Http, World

HERE = "http://127.0.0.1:5000/join"


async def invite(world: World, email: str, permissions: list[str] | None = None, by: Http | None = None) -> str:
    """The token in the link."""
    body = {"email": email, "permissions": permissions or [], "redirectURI": HERE}
    said = await (by or world.admin).ask("POST", f"/v1/projects/{world.project_id}/invite", 200, json=body)
    link = urlsplit(str(said["link"]))
    assert f"{link.scheme}://{link.netloc}{link.path}" == HERE
    [token] = parse_qs(link.query)["token"]
    return token


async def joined(world: World, email: str, permissions: list[str] | None = None) -> tuple[Http, dict[str, Any]]:
    """Somebody who joined, and their membership."""
    person = await world.person(email)
    await person.ask("POST", "/v1/join_project", 204, json={"token": await invite(world, email, permissions)})
    members = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/members", 200)
    return person, next(member for member in members if member["user"]["email"] == email)


async def test_an_invited_person_joins_with_the_permissions_given(world: World) -> None:
    ada, membership = await joined(world, "ada@example.com", ["read:*"])
    assert (membership["permissions"], membership["roles"]) == (["read:*"], [])
    await ada.ask("GET", f"/v1/projects/{world.project_id}/agents", 200)
    await ada.refused("PATCH", f"/v1/projects/{world.project_id}", 403, "permission denied", json={"name": "x"})


async def test_somebody_without_an_account_signs_up_with_the_invitation(world: World) -> None:
    token = await invite(world, "new@example.com")
    body = {"token": token, "name": "New", "password": "long enough it is"}
    signed = await world.anyone.ask("POST", "/v1/sign_up", 201, json=body)
    assert signed["user"]["email"] == "new@example.com"
    person = world.http(Authorization=f"Bearer {signed['token']}")
    assert [p["id"] for p in await person.ask("GET", "/v1/projects", 200)] == [world.project_id]
    await world.anyone.refused("POST", "/v1/sign_up", 410, "invitation gone", json=body)


async def test_invitations_expire_mismatch_and_are_used_once(world: World) -> None:
    token = await invite(world, "ada@example.com")
    bob, ada = await world.person("bob@example.com"), await world.person("ada@example.com")
    await bob.refused("POST", "/v1/join_project", 403, "email mismatch", json={"token": token})
    with clock.moved(timedelta(seconds=world.context.settings.invitation_lifetime)):
        late = await world.person("late@example.com")
        await late.refused("POST", "/v1/join_project", 401, "invitation expired", json={"token": token})
    await ada.refused("POST", "/v1/join_project", 401, "invalid invitation token", json={"token": token[:-4] + "AAAA"})
    await ada.refused("POST", "/v1/join_project", 401, "invalid invitation token", json={"token": "x"})
    await ada.refused("POST", "/v1/join_project", 422, "invalid invitation token", json={})
    await ada.ask("POST", "/v1/join_project", 204, json={"token": token})
    await ada.refused("POST", "/v1/join_project", 410, "invitation gone", json={"token": token})
    await world.machine.refused("POST", "/v1/join_project", 401, "unauthenticated", json={"token": token})


async def test_open_invitations_are_seen_and_withdrawn(world: World) -> None:
    token = await invite(world, "ada@example.com", ["read:*"])
    [invitation] = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/invitations", 200)
    assert (invitation["email"], invitation["permissions"]) == ("ada@example.com", ["read:*"])
    await world.admin.ask("DELETE", f"/v1/invitations/{invitation['id']}", 204)
    ada = await world.person("ada@example.com")
    await ada.refused("POST", "/v1/join_project", 410, "invitation gone", json={"token": token})


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"email": "nobody"}, 422, "invalid email"),
        ({"redirectURI": "not a uri"}, 422, "invalid redirect URI"),
        ({"redirectURI": "http://127.0.0.1:9/evil"}, 422, "untrusted redirect URI"),
        ({"redirectURI": "http://127.0.0.1:5000@127.0.0.1:9/"}, 422, "untrusted redirect URI"),
        ({"permissions": ["all"]}, 422, "invalid permission"),
        ({"email": "admin@example.com"}, 403, "cannot invite yourself"),
    ],
)
async def test_wrong_invitations_are_refused(world: World, wrong: dict[str, Any], status: int, error: str) -> None:
    body = {"email": "ada@example.com", "permissions": [], "redirectURI": HERE} | wrong
    await world.admin.refused("POST", f"/v1/projects/{world.project_id}/invite", status, error, json=body)


async def test_a_member_cannot_be_invited_again_and_a_token_invites_nobody(world: World) -> None:
    await joined(world, "ada@example.com")
    body = {"email": "ada@example.com", "permissions": [], "redirectURI": HERE}
    path = f"/v1/projects/{world.project_id}/invite"
    await world.admin.refused("POST", path, 409, "member already exists", json=body)
    await world.machine.refused("POST", path, 401, "unauthenticated", json=body | {"email": "x@example.com"})


async def test_members_manage_themselves_and_creators_everybody(world: World) -> None:
    ada, her = await joined(world, "ada@example.com")
    bob, his = await joined(world, "bob@example.com", ["read:*", "update:*", "delete:*"])
    change = {"permissions": ["read:*"]}
    await ada.refused("PATCH", f"/v1/members/{his['id']}", 403, "permission denied", json=change)
    await bob.refused("PATCH", f"/v1/members/{his['id']}", 403, "permission denied", json={"permissions": []})
    await bob.ask("PATCH", f"/v1/members/{his['id']}", 204, json={"permissions": ["read:*", "delete:*"]})
    await world.admin.ask("PATCH", f"/v1/members/{her['id']}", 204, json=change)
    await ada.refused("DELETE", f"/v1/members/{his['id']}", 403, "permission denied")
    gone = await bob.ask("DELETE", f"/v1/members/{his['id']}", 200)
    assert gone["deleted"] is True
    await bob.refused("GET", f"/v1/projects/{world.project_id}", 403, "permission denied")


async def test_the_last_creator_stays(world: World) -> None:
    [creator] = await world.admin.ask("GET", f"/v1/projects/{world.project_id}/members", 200)
    await world.admin.refused("DELETE", f"/v1/members/{creator['id']}", 409, "cannot delete last creator")
