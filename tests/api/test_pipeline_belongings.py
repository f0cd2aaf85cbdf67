"""Files, secrets and checks of a pipeline over HTTP, and how its config holds on to them."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from nectary import sealing
from nectary.settings import Settings
from tests.harness.pipelines import CLASSIC, core_instance, encoded, pipeline
from tests.harness.world import World, open_world

USING = """
[INPUT]
    Name dummy
[OUTPUT]
    Name  http
    Match *
    Host  logs.example.com
    Header Authorization {{ secrets.token }}
    tls.ca_file {{files.ca}}
"""


@pytest.fixture
async def ci(world: World) -> dict[str, Any]:
    return await core_instance(world, name="ci")


@pytest.fixture
async def made(world: World, ci: dict[str, Any]) -> dict[str, Any]:
    return await pipeline(world, ci["id"], name="p")


def opened(ci: dict[str, Any], sealed: str) -> bytes:
    return sealing.unseal(ci["privateRSAKey"], base64.b64decode(sealed, validate=True))


async def test_a_file_is_added_changed_and_deleted(world: World, ci: dict[str, Any], made: dict[str, Any]) -> None:
    path = f"/v1/aggregator_pipelines/{made['id']}/files"
    added = await world.machine.ask("POST", path, 201, json={"name": "ca", "contents": encoded("cert")})
    listed = await world.machine.get(path, params={"last": 1})
    [file] = listed.json()
    assert (file["id"], file["contents"], "link" in listed.headers) == (added["id"], encoded("cert"), True)
    # The contract's spelling and the Go client's.
    assert (file["processingRuleID"], file["procesingRuleID"]) == (None, None)
    assert [file["name"] for file in await world.machine.ask("GET", path, 200)] == ["ca", "parsers"]
    one = f"/v1/pipeline_files/{added['id']}"
    await world.machine.ask("PATCH", one, 204, json={"contents": encoded("key"), "encrypted": True})
    file = await world.machine.ask("GET", one, 200)
    assert opened(ci, file["contents"]) == b"key"
    refusal = "pipeline file already exists"
    await world.machine.refused("POST", path, 409, refusal, json={"name": "ca", "contents": encoded("x")})
    await world.machine.refused("PATCH", one, 409, refusal, json={"name": "parsers"})
    await world.machine.ask("DELETE", one, 204)
    await world.machine.refused("GET", one, 404, "pipeline file not found")


async def test_a_secret_is_added_changed_and_deleted(world: World, ci: dict[str, Any], made: dict[str, Any]) -> None:
    path = f"/v1/aggregator_pipelines/{made['id']}/secrets"
    added = await world.machine.ask("POST", path, 201, json={"key": "token", "value": encoded("hunter2")})
    [secret] = await world.machine.ask("GET", path, 200)
    assert opened(ci, secret["value"]) == b"hunter2"
    assert "hunter2" not in repr(await world.rows())
    one = f"/v1/pipeline_secrets/{added['id']}"
    await world.machine.ask("PATCH", one, 204, json={"name": "renamed", "value": encoded("other")})
    secret = await world.machine.ask("GET", one, 200)
    assert (secret["key"], opened(ci, secret["value"])) == ("renamed", b"other")
    body = {"key": "renamed", "value": encoded("x")}
    await world.machine.refused("POST", path, 409, "pipeline secret already exists", json=body)
    found = await world.machine.ask(
        "GET", "/v2/search", 200, params={"project_id": world.project_id, "resource": "pipeline_secret", "term": "renamed"}
    )
    assert found == [{"id": added["id"], "name": "renamed"}]
    await world.machine.ask("DELETE", one, 204)
    await world.machine.refused("GET", one, 404, "pipeline secret not found")


async def test_what_the_config_names_stays(world: World, made: dict[str, Any]) -> None:
    base = f"/v1/aggregator_pipelines/{made['id']}"
    file = await world.machine.ask("POST", f"{base}/files", 201, json={"name": "ca", "contents": encoded("cert")})
    secret = await world.machine.ask("POST", f"{base}/secrets", 201, json={"key": "token", "value": encoded("s")})
    await world.machine.ask("PATCH", base, 200, json={"rawConfig": USING})
    for path, name in (
        (f"/v1/pipeline_files/{file['id']}", "files.ca"),
        (f"/v1/pipeline_secrets/{secret['id']}", "secrets.token"),
    ):
        refusal = await world.machine.refused("DELETE", path, 409, "conflict")
        assert name in refusal["detail"]
        await world.machine.refused("PATCH", path, 409, "conflict", json={"name": "renamed"})
        await world.machine.ask("PATCH", path, 204, json={"name": name.partition(".")[2]})
    await world.machine.ask("PATCH", base, 200, json={"rawConfig": CLASSIC})
    await world.machine.ask("DELETE", f"/v1/pipeline_files/{file['id']}", 204)
    await world.machine.ask("DELETE", f"/v1/pipeline_secrets/{secret['id']}", 204)


async def test_what_an_attached_section_names_stays_and_so_in_a_config_nobody_can_read(
    world: World, made: dict[str, Any]
) -> None:
    base = f"/v1/aggregator_pipelines/{made['id']}"
    secret = await world.machine.ask("POST", f"{base}/secrets", 201, json={"key": "token", "value": encoded("s")})
    properties = [
        {"key": "name", "value": "http"},
        {"key": "host", "value": "h"},
        {"key": "header", "value": "X {{secrets.token}}"},
    ]
    section = await world.machine.ask(
        "POST", f"/v1/projects/{world.project_id}/config_sections", 201, json={"kind": "output", "properties": properties}
    )
    attached = f"/v1/pipelines/{made['id']}/config_section_set"
    await world.machine.ask("PATCH", attached, 204, json=[section["id"]])
    one = f"/v1/pipeline_secrets/{secret['id']}"
    await world.machine.refused("DELETE", one, 409, "conflict")
    await world.machine.ask("PATCH", attached, 204, json=[])
    body = {"rawConfig": "no config {{ secrets.token }}", "skipConfigValidation": True}
    await world.machine.ask("PATCH", base, 200, json=body)
    await world.machine.refused("DELETE", one, 409, "conflict")
    await world.machine.ask("PATCH", base, 200, json={"rawConfig": CLASSIC})
    await world.machine.ask("DELETE", one, 204)


async def test_a_check_is_added_reported_and_deleted(world: World, ci: dict[str, Any], made: dict[str, Any]) -> None:
    path = f"/v1/pipelines/{made['id']}/checks"
    body = {"protocol": "udp", "host": "10.1.2.3", "port": 514, "retries": 5, "status": ""}
    added = await world.machine.ask("POST", path, 201, json=body)
    one = f"/v1/pipeline_checks/{added['id']}"
    itself = world.http(**{"X-Aggregator-Token": ci["token"]})
    await itself.ask("PATCH", one, 204, json={"status": "running"})
    found = await itself.ask("GET", one, 200)
    assert {key: found[key] for key in body} == body | {"status": "running"}
    assert await world.machine.ask("GET", path, 200) == [found]
    shown = await world.machine.ask("GET", f"/v1/aggregator_pipelines/{made['id']}", 200)
    assert (shown["checksTotal"], shown["checksOK"], shown["checksRunning"]) == (1, 0, 1)
    await world.machine.refused("POST", path, 409, "pipeline check already exists", json=body)
    for wrong, word in (
        ({"protocol": "x"}, "protocol"),
        ({"host": "a b"}, "host"),
        ({"port": 70000}, "port"),
        ({"status": "x"}, "status"),
    ):
        await world.machine.refused("POST", path, 422, f"invalid pipeline check {word}", json=body | wrong)
    await world.machine.ask("DELETE", one, 204)
    await world.machine.refused("GET", one, 404, "pipeline check not found")


async def test_strangers_and_other_core_instances_find_nothing(world: World, made: dict[str, Any]) -> None:
    stranger, _ = await world.stranger()
    other = world.http(**{"X-Aggregator-Token": (await core_instance(world, name="other"))["token"]})
    bodies: dict[str, tuple[str, dict[str, Any], str]] = {
        "pipeline file": ("aggregator_pipelines/{}/files", {"name": "x", "contents": "eA=="}, "pipeline_files"),
        "pipeline secret": ("aggregator_pipelines/{}/secrets", {"key": "x", "value": "eA=="}, "pipeline_secrets"),
        "pipeline check": ("pipelines/{}/checks", {"protocol": "tcp", "host": "h", "port": 1}, "pipeline_checks"),
    }
    for noun, (template, body, table) in bodies.items():
        path = f"/v1/{template.format(made['id'])}"
        one = f"/v1/{table}/{(await world.machine.ask('POST', path, 201, json=body))['id']}"
        before = await world.rows()
        await stranger.refused("GET", path, 404, "pipeline not found")
        await stranger.refused("POST", path, 404, "pipeline not found", json=body)
        for method in ("GET", "PATCH", "DELETE"):
            await stranger.refused(method, one, 404, f"{noun} not found")
        await other.refused("GET", path, 404, "pipeline not found")
        await other.refused("GET", one, 404, f"{noun} not found")
        assert await world.rows() == before, noun


async def test_quotas_count_the_files_and_secrets_of_all_pipelines(make_settings: Callable[..., Settings]) -> None:
    world = await open_world(make_settings(quota_pipeline_files=3, quota_pipeline_secrets=1))
    ci = await core_instance(world)
    one, two = await pipeline(world, ci["id"]), await pipeline(world, ci["id"])  # with a file `parsers` each
    files, secrets = (f"/v1/aggregator_pipelines/{one['id']}/{kind}" for kind in ("files", "secrets"))
    await world.machine.ask("POST", files, 201, json={"name": "x", "contents": "eA=="})
    body = {"name": "y", "contents": "eA=="}
    refusal = await world.machine.refused("POST", files, 403, "pipeline files quota exceeded", json=body)
    assert (refusal["quotaLimit"], refusal["quotaRemaining"]) == (3, 0)
    await world.machine.ask("POST", secrets, 201, json={"key": "x", "value": "eA=="})
    path, body = f"/v1/aggregator_pipelines/{two['id']}/secrets", {"key": "y", "value": "eA=="}
    await world.machine.refused("POST", path, 403, "pipeline secrets quota exceeded", json=body)
    await world.context.database.close()
