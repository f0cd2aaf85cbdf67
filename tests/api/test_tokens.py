"""Project tokens over HTTP, and what Fluent Bit needs of their form."""

import base64
import json

from tests.harness.world import World


async def test_a_token_has_the_form_that_clients_and_fluent_bit_read(world: World) -> None:
    head, _, signature = world.token.partition(".")
    assert len(base64.urlsafe_b64decode(signature)) == 48
    # As custom_calyptia does: standard alphabet, padded with `4 - length % 4`, and four too many would fail.
    assert len(head) % 4 != 0
    payload = base64.b64decode(head + "=" * (4 - len(head) % 4), validate=True)
    claims = json.loads(payload)
    assert list(claims) == ["TokenID", "ProjectID"]
    assert claims["ProjectID"] == world.project_id
    assert len(payload) == 101


async def test_tokens_are_made_read_renamed_and_deleted(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/tokens"
    made = await world.admin.ask("POST", path, 201, json={"name": "ci", "permissions": ["read:*"]})
    assert (made["name"], made["permissions"]) == ("ci", ["read:*"])
    assert await world.machine.ask("GET", f"/v1/project_tokens/{made['id']}", 200) == made
    ci = world.token_of(made["token"])
    await ci.ask("GET", f"/v1/projects/{world.project_id}", 200)
    await ci.refused("PATCH", f"/v1/projects/{world.project_id}", 403, "permission denied", json={"name": "x"})
    await world.admin.ask("PATCH", f"/v1/project_tokens/{made['id']}", 204, json={"name": "ci-2", "permissions": []})
    await ci.ask("PATCH", f"/v1/projects/{world.project_id}", 204, json={"name": "x"})
    assert [t["name"] for t in await world.admin.ask("GET", path, 200)] == ["ci-2", "default"]
    assert [t["name"] for t in await world.admin.ask("GET", f"{path}?name=ci-2", 200)] == ["ci-2"]
    await world.machine.ask("DELETE", f"/v1/project_tokens/{made['id']}", 204)
    await ci.refused("GET", f"/v1/projects/{world.project_id}", 410, "token gone")
    payload, _, signature = made["token"].partition(".")
    forged = world.token_of(f"{payload}.{signature[::-1]}")
    await forged.refused("GET", f"/v1/projects/{world.project_id}", 401, "invalid token")
    await world.machine.refused("GET", f"/v1/project_tokens/{made['id']}", 404, "token not found")


async def test_wrong_tokens_are_refused_in_the_contracts_words(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/tokens"
    await world.admin.refused("POST", path, 422, "invalid token name", json={"name": ""})
    await world.admin.refused("POST", path, 422, "invalid permission", json={"name": "a", "permissions": ["write:*"]})
    await world.admin.refused(
        "POST", path, 422, "duplicate permission", json={"name": "a", "permissions": ["read:*", "read:*"]}
    )
    await world.admin.refused("POST", path, 409, "token name taken", json={"name": "default"})
    await world.machine.refused("POST", path, 401, "unauthenticated", json={"name": "a"})
    await world.machine.refused("GET", "/v1/project_tokens/1", 422, "invalid token ID")


async def test_nobody_gives_or_reads_more_than_they_hold(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/tokens"
    weak = await world.admin.ask("POST", path, 201, json={"name": "weak", "permissions": ["read:*", "update:*"]})
    [default] = await world.admin.ask("GET", f"{path}?name=default", 200)
    with_weak = world.token_of(weak["token"])
    assert (await with_weak.ask("GET", f"/v1/project_tokens/{default['id']}", 200))["token"] == ""
    more: list[list[str]] = [[], ["delete:*"]]
    for permissions in more:
        change = {"permissions": permissions}
        await with_weak.refused("PATCH", f"/v1/project_tokens/{weak['id']}", 403, "permission denied", json=change)
    await with_weak.refused("PATCH", f"/v1/project_tokens/{default['id']}", 403, "permission denied", json={"name": "mine"})


async def test_forged_tokens_are_refused(world: World) -> None:
    head, _, signature = world.token.partition(".")
    other = base64.urlsafe_b64encode(b"\0" * 48).decode()
    for forged in (
        f"{head}.{other}",
        f"{head}.",
        head,
        f"{head}.{signature}.{signature}",
        "",
        ".",
        "x" * 5000,
        "é.é",
        f"{head}.%%%",
    ):
        answer = await world.anyone.get(f"/v1/projects/{world.project_id}", headers={b"X-Project-Token": forged.encode()})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid token"), forged
