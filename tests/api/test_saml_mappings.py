"""SAML mappings over HTTP, and who may give which role."""

from typing import Any

import pytest

from nectary.resources.saml_mappings import ROLES
from tests.harness.world import World

MAPPING = {"claimKey": "groups", "claimValue": "sre", "role": "team"}


async def test_a_mapping_is_made_changed_and_deleted(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/saml_mappings"
    assert await world.admin.ask("GET", path, 200) == {"items": [], "endCursor": None, "count": 0}
    made = await world.admin.ask("POST", path, 201, json=MAPPING)
    await world.machine.ask("POST", path, 201, json=MAPPING | {"claimValue": "dev", "role": "viewer"})
    page = await world.machine.ask("GET", f"{path}?last=1", 200)
    assert ([found["claimValue"] for found in page["items"]], page["count"]) == (["dev"], 2)
    page = await world.machine.ask("GET", f"{path}?last=1&before={page['endCursor']}", 200)
    [found] = page["items"]
    assert {key: found[key] for key in MAPPING} == MAPPING
    assert (found["id"], found["projectID"]) == (made["id"], world.project_id)
    one = f"/v1/saml_mappings/{made['id']}"
    updated = await world.admin.ask("PATCH", one, 200, json={"role": "manager", "claimKey": None})
    found = (await world.admin.ask("GET", path, 200))["items"][1]
    assert (found["role"], found["claimKey"], found["updatedAt"]) == ("manager", "groups", updated["updatedAt"])
    gone = await world.admin.ask("DELETE", one, 200)
    assert gone["deleted"] is True
    await world.admin.refused("DELETE", one, 404, "SAML mapping not found")
    await world.admin.refused("DELETE", "/v1/saml_mappings/nope", 422, "invalid SAML mapping ID")


@pytest.mark.parametrize("wrong", [{"role": "creator"}, {"role": None}, {"claimKey": ""}, {"claimValue": "x" * 256}])
async def test_a_wrong_mapping_is_refused(world: World, wrong: dict[str, Any]) -> None:
    path = f"/v1/projects/{world.project_id}/saml_mappings"
    refusal = await world.admin.refused("POST", path, 422, "invalid argument", json=MAPPING | wrong)
    assert next(iter(wrong)) in refusal["detail"]


async def test_nobody_gives_a_role_that_can_do_more_than_they_may(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/saml_mappings"
    some = ["create:*", "read:*", "update:*"]
    body = {"name": "some", "permissions": some}
    token = (await world.admin.ask("POST", f"/v1/projects/{world.project_id}/tokens", 201, json=body))["token"]
    limited = world.token_of(token)
    made = await limited.ask("POST", path, 201, json=MAPPING)
    await limited.refused("POST", path, 403, "permission denied", json=MAPPING | {"role": "manager"})
    await limited.refused("PATCH", f"/v1/saml_mappings/{made['id']}", 403, "permission denied", json={"role": "admin"})
    await world.admin.ask("PATCH", f"/v1/saml_mappings/{made['id']}", 200, json={"role": "admin"})
    await limited.refused("PATCH", f"/v1/saml_mappings/{made['id']}", 403, "permission denied", json={"claimValue": "all"})


async def test_strangers_see_no_mappings(world: World) -> None:
    path = f"/v1/projects/{world.project_id}/saml_mappings"
    made = await world.admin.ask("POST", path, 201, json=MAPPING)
    stranger, _ = await world.stranger()
    await stranger.refused("GET", path, 403, "permission denied")
    await stranger.refused("PATCH", f"/v1/saml_mappings/{made['id']}", 404, "SAML mapping not found", json={})
    await stranger.refused("DELETE", f"/v1/saml_mappings/{made['id']}", 404, "SAML mapping not found")


def test_each_role_can_do_all_that_the_one_below_it_can() -> None:
    for lower, higher in (("viewer", "team"), ("team", "manager"), ("manager", "admin")):
        assert set(ROLES[lower]) <= set(ROLES[higher])  # type: ignore[index]
    assert ROLES["viewer"] == ("read:*",)
