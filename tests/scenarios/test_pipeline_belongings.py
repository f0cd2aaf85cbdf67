"""Scenarios 49 to 56: secrets, files and ports of pipelines, and pipelines deleted."""

from typing import Any

import pytest

from tests.harness.pipelines import encoded
from tests.harness.world import World
from tests.scenarios.script import MOST_AT_ONCE, Script, file

PARSERS = "[PARSER]\n    Name   mine\n    Format json\n"


@pytest.fixture
async def script(world: World) -> Script:
    script = Script(world)
    await script.core_instance()
    return script


async def _mine(script: Script, **given: Any) -> str:
    return f"/v1/aggregator_pipelines/{(await script.create_pipeline('ci', name='p9', **given))['id']}"


async def _parsers(script: Script) -> tuple[str, dict[str, Any]]:
    files = f"{await _mine(script)}/files"
    return files, await script.post(files, file("parsers", PARSERS))


async def test_secrets_come_from_a_file_and_get_other_values(script: Script) -> None:
    """Scenario 49: the program says `name` where the contract says `key`, and null for both."""
    secrets = f"{await _mine(script, secrets=[{'key': 'A', 'value': encoded('1')}])}/secrets"
    [row] = await script.rows(secrets)
    assert row["key"] == "A"
    await script.patch_silently(f"/v1/pipeline_secrets/{row['id']}", {"name": None, "value": encoded("2")})
    [after] = await script.rows(secrets)
    assert (after["id"], after["key"], after["value"] != row["value"]) == (row["id"], "A", True)


async def test_a_file_is_added_and_read_back_byte_for_byte(script: Script) -> None:
    """Scenario 50: in place of the one of that name that every pipeline begins with."""
    files, made = await _parsers(script)
    assert set(made) >= {"id", "createdAt"}
    rows = await script.rows(files)
    assert [(row["id"], row["name"], row["encrypted"]) for row in rows] == [(made["id"], "parsers", False)]
    assert rows[0]["contents"] == encoded(PARSERS)


async def test_a_file_that_is_not_there_is_not_in_the_list(script: Script) -> None:
    """Scenario 51: the program says so itself, and sends nothing more."""
    assert [row for row in await script.rows(f"{await _mine(script)}/files") if row["name"] == "nofile"] == []


async def test_a_file_is_deleted(script: Script) -> None:
    """Scenario 52."""
    files, made = await _parsers(script)
    await script.delete_silently(f"/v1/pipeline_files/{made['id']}")
    assert await script.rows(files) == []


async def test_an_endpoint_gets_other_ports_and_is_deleted(script: Script) -> None:
    """Scenario 53."""
    ports = f"{await _mine(script)}/ports"
    [row] = await script.rows(ports)
    change = {"protocol": None, "frontendPort": 5000, "backendPort": 24224, "endpoint": None}
    await script.patch_silently(f"/v1/pipeline_ports/{row['id']}", change)
    [row] = await script.rows(ports)
    assert (row["frontendPort"], row["backendPort"]) == (5000, 24224)
    await script.delete_silently(f"/v1/pipeline_ports/{row['id']}")
    assert await script.rows(ports) == []


async def test_a_pipeline_is_deleted(script: Script) -> None:
    """Scenario 55: once the question is answered."""
    mine = await _mine(script)
    await script.delete_silently(mine)
    with pytest.raises(LookupError):
        await script.find("pipeline", "p9")
    assert await script.refused("GET", mine, 404) == "pipeline not found"


async def test_all_pipelines_of_a_core_instance_are_deleted(script: Script) -> None:
    """Scenario 56: some dozens at a time."""
    id = await script.find("core_instance", "ci")
    for _ in range(MOST_AT_ONCE + 1):
        await script.create_pipeline("ci", rawConfig="")
    path = f"/v1/core_instances/{id}/pipelines"
    ids = [row["id"] for row in await script.rows(path, config_format="yaml")]
    assert len(ids) == MOST_AT_ONCE + 1
    await script.delete_many(f"/v1/aggregators/{id}/pipelines", "pipeline_id", ids)
    assert await script.rows(path, config_format="yaml") == []
