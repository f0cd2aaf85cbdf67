"""Scenarios 21 to 32: core instances, their files, secrets and resource profiles."""

from typing import Any

import pytest

from tests.harness.pipelines import encoded
from tests.harness.world import World
from tests.scenarios.script import Script, file, moment

USUAL = ["best-effort-low-resource", "high-performance-guaranteed-delivery", "high-performance-optimal-throughput"]
SPEC = {"storageMaxChunksUp": 128, "storageSyncFull": True, "storageBacklogMemLimit": "100M", "storageVolumeSize": "5Gi"}
SPEC |= {"storageMaxChunksPause": True, "cpuBufferWorkers": 4, "cpuLimit": "1500m", "cpuRequest": "1000m"}
SPEC |= {"memoryLimit": "3Gi", "memoryRequest": "2Gi"}


@pytest.fixture
def script(world: World) -> Script:
    return Script(world)


async def test_a_core_instance_waits_until_it_pings(script: Script, world: World) -> None:
    """Scenario 21."""
    made = await script.core_instance(tags=["one", "two"])
    path = f"/v1/projects/{script.project}/core_instances"
    [row] = await script.rows(path)
    assert (row["name"], row["environmentName"], row["pipelinesCount"]) == ("ci", "default", 0)
    assert (row["tags"], row["status"]) == (["one", "two"], "waiting")
    moment(row["createdAt"])
    core = world.http(**{"X-Aggregator-Token": made["token"]})
    pinged = await core.ask("POST", f"/v1/aggregators/{made['id']}/ping", 200)
    assert isinstance(pinged["nextPing"], int)
    [row] = await script.rows(path, environment_id=await script.environment("default"))
    assert row["status"] == "running"


async def test_metadata_come_without_what_says_nothing(script: Script) -> None:
    """Scenario 22."""
    await script.core_instance(metadata={"k8s.namespace": "apps", "k8s.cluster_name": "", "aws.ami_id": ""})
    await script.core_instance(name="bare", metadata=None)
    bare, row = await script.rows(f"/v1/projects/{script.project}/core_instances")
    assert (row["metadata"], bare["metadata"]) == ({"k8s.namespace": "apps"}, {})


async def test_core_instances_are_found_by_the_id_they_were_made_with(script: Script) -> None:
    """Scenario 23."""
    made = await script.core_instance()
    said = await script.get(f"/v1/projects/{script.project}/core_instances", {"last": 0})
    assert [row["id"] for row in said["items"]] == [made["id"]]
    assert await script.find("core_instance", "ci") == made["id"] == await script.find("core_instance", made["id"])


async def _file(script: Script) -> tuple[str, dict[str, Any]]:
    await script.core_instance()
    id = await script.find("core_instance", "ci")
    return id, await script.post(f"/v1/core_instances/{id}/files", file("ca", "certificate"))


async def test_a_core_instance_gets_a_file(script: Script) -> None:
    """Scenario 24."""
    _, made = await _file(script)
    assert set(made) >= {"id", "createdAt"}
    moment(made["createdAt"])


async def test_files_of_a_core_instance_are_listed_and_counted(script: Script) -> None:
    """Scenario 25."""
    id, made = await _file(script)
    page = await script.get(f"/v1/core_instances/{id}/files", {"last": 0})
    assert [(row["id"], row["name"], row["encrypted"]) for row in page["items"]] == [(made["id"], "ca", False)]
    assert page["count"] == 1
    assert (await script.get(f"/v1/core_instances/{id}/files", {"before": page["endCursor"]}))["items"] == []


async def test_a_file_of_a_core_instance_gets_other_contents(script: Script) -> None:
    """Scenario 26."""
    id, made = await _file(script)
    [row] = await script.rows(f"/v1/core_instances/{id}/files")
    changed = await script.patch(f"/v1/core_instance_files/{row['id']}", file("ca", "another"))
    assert moment(changed["updatedAt"]) > moment(made["createdAt"])
    [row] = await script.rows(f"/v1/core_instances/{id}/files")
    assert row["contents"] == encoded("another")


async def test_a_file_of_a_core_instance_is_deleted(script: Script) -> None:
    """Scenario 27."""
    id, made = await _file(script)
    deleted = await script.delete(f"/v1/core_instance_files/{made['id']}")
    assert deleted["deleted"] is True
    moment(deleted["deletedAt"])
    assert await script.rows(f"/v1/core_instances/{id}/files") == []


async def test_a_secret_of_a_core_instance_is_never_shown(script: Script) -> None:
    """Scenario 28."""
    id = (await script.core_instance())["id"]
    made = await script.post(f"/v1/core_instances/{id}/secrets", {"key": "k", "value": encoded("vvv-clear")})
    moment(made["createdAt"])
    page = await script.get(f"/v1/core_instances/{id}/secrets", {"last": 0})
    assert ([row["key"] for row in page["items"]], page["count"]) == (["k"], 1)
    assert not any(text in str(page) for text in ("vvv-clear", encoded("vvv-clear")))


async def test_a_secret_of_a_core_instance_gets_another_value(script: Script) -> None:
    """Scenario 29."""
    id = (await script.core_instance())["id"]
    await script.post(f"/v1/core_instances/{id}/secrets", {"key": "k", "value": encoded("v")})
    [before] = await script.rows(f"/v1/core_instances/{id}/secrets")
    changed = await script.patch(f"/v1/core_instance_secrets/{before['id']}", {"key": None, "value": encoded("w")})
    moment(changed["updatedAt"])
    [after] = await script.rows(f"/v1/core_instances/{id}/secrets")
    assert (after["key"], after["value"] != before["value"]) == ("k", True)


async def test_a_secret_that_is_not_there_is_not_in_the_list(script: Script) -> None:
    """Scenario 30: the program says so itself, and sends nothing more."""
    id = (await script.core_instance())["id"]
    assert [row for row in await script.rows(f"/v1/core_instances/{id}/secrets") if row["key"] == "none"] == []


async def test_a_core_instance_begins_with_three_resource_profiles(script: Script) -> None:
    """Scenario 31."""
    id = (await script.core_instance())["id"]
    rows = await script.rows(f"/v1/aggregators/{id}/resource_profiles")
    assert sorted(row["name"] for row in rows) == USUAL
    assert all(row.keys() >= SPEC.keys() for row in rows)


async def test_a_resource_profile_of_ones_own_stands_beside_them(script: Script) -> None:
    """Scenario 32."""
    id = (await script.core_instance())["id"]
    made = await script.post(f"/v1/aggregators/{id}/resource_profiles", {"name": "mine", **SPEC})
    moment(made["createdAt"])
    rows = await script.rows(f"/v1/aggregators/{id}/resource_profiles")
    assert sorted(row["name"] for row in rows) == [*USUAL, "mine"]
    [mine] = [row for row in rows if row["name"] == "mine"]
    assert {key: mine[key] for key in SPEC} == SPEC
