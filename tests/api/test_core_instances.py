"""Core instances over HTTP: what making one brings along, its pings, its token, and what is refused."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from nectary import clock, sealing
from nectary.db import tables
from nectary.settings import Settings
from tests.harness.pipelines import CLASSIC
from tests.harness.world import World, open_world


async def make(world: World, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = await world.machine.ask("POST", "/v1/aggregators", 201, json=body)
    return made


async def one(world: World, id: str) -> dict[str, Any]:
    found: dict[str, Any] = await world.machine.ask("GET", f"/v1/aggregators/{id}", 200)
    return found


async def test_a_new_core_instance_comes_with_profiles_and_keys_that_are_told_once(world: World) -> None:
    made = await make(world, name="laptop", version="v1.2.3", tags=["a", "b", "a"], image=None, environmentID=None)
    assert (made["name"], made["version"], made["image"]) == ("laptop", "v1.2.3", "")
    assert made["tags"] == ["a", "b"]
    assert (made["environmentName"], made["skipServiceCreation"]) == ("default", False)
    sealed = sealing.seal(made["publicRSAKey"], b"a secret")
    assert sealing.unseal(made["privateRSAKey"], sealed) == b"a secret"
    assert {profile["name"] for profile in made["resourceProfiles"]} == {
        "best-effort-low-resource",
        "high-performance-optimal-throughput",
        "high-performance-guaranteed-delivery",
    }
    found = await one(world, made["id"])
    assert (found["status"], found["token"], found["metadata"]) == ("waiting", "", {})
    assert "privateRSAKey" not in found
    pem = base64.b64decode(made["privateRSAKey"]).decode()
    assert not any(pem in repr(rows) or made["privateRSAKey"] in repr(rows) for rows in (await world.rows()).values())


async def test_one_without_a_name_gets_one(world: World) -> None:
    for body in ({}, {"name": ""}, {"name": None}):
        made = await make(world, **body)
        assert made["name"].replace("-", "").isalnum()
        assert made["version"] == "v2.0-dev"


async def test_a_name_is_taken_once_in_each_environment(world: World) -> None:
    await make(world, name="twin")
    await world.machine.refused("POST", "/v1/aggregators", 409, "aggregator name already exists", json={"name": "twin"})
    path = f"/v1/projects/{world.project_id}/environments"
    environment = await world.machine.ask("POST", path, 201, json={"name": "staging"})
    made = await make(world, name="twin", environmentID=environment["id"])
    assert made["environmentName"] == "staging"
    body = {"environmentID": ""}
    refusal = "aggregator name already exists"
    await world.machine.refused("PATCH", f"/v1/aggregators/{made['id']}", 409, refusal, json=body)
    path = f"/v1/environments/{environment['id']}"
    await world.machine.refused("DELETE", path, 409, "conflict")


async def test_both_lists_show_the_same(world: World) -> None:
    ids = [(await make(world, name=f"n{n}", tags=["all", f"t{n}"]))["id"] for n in range(3)]
    path = f"/v1/projects/{world.project_id}"
    old = await world.machine.ask("GET", f"{path}/aggregators", 200)
    new = await world.machine.ask("GET", f"{path}/core_instances?last=2", 200)
    assert [row["id"] for row in old] == ids[::-1]
    assert ([row["id"] for row in new["items"]], new["count"]) == (ids[:0:-1], 3)
    rest = await world.machine.ask("GET", f"{path}/core_instances?last=2&before={new['endCursor']}", 200)
    assert ([row["id"] for row in rest["items"]], rest["count"]) == (ids[:1], 3)
    end = await world.machine.ask("GET", f"{path}/core_instances?last=2&before={rest['endCursor']}", 200)
    assert end == {"items": [], "endCursor": None, "count": 3}
    tagged = await world.machine.ask("GET", f"{path}/core_instances", 200, params={"tags_query": "all AND t1"})
    assert ([row["id"] for row in tagged["items"]], tagged["count"]) == ([ids[1]], 1)
    [named] = await world.machine.ask("GET", f"{path}/aggregators?name=n2", 200)
    assert named["id"] == ids[2]
    assert (await world.machine.ask("GET", path, 200))["aggregatorsCount"] == 3
    found = await world.machine.ask(
        "GET", "/v2/search", 200, params={"project_id": world.project_id, "resource": "core_instance", "term": "n1"}
    )
    assert found == [{"id": ids[1], "name": "n1"}]


async def test_a_ping_makes_it_running_and_silence_unreachable(world: World) -> None:
    made = await make(world, name="pinging")
    path = f"/v1/aggregators/{made['id']}"
    assert await world.machine.ask("POST", f"{path}/ping", 200) == {"nextPing": 30_000_000_000}
    assert (await one(world, made["id"]))["status"] == "running"
    async with world.context.database.write() as tx:
        await tx.execute(update(tables.core_instances).values(pinged_at=clock.now() - timedelta(seconds=36)))
    assert (await one(world, made["id"]))["status"] == "unreachable"


async def test_its_own_token_speaks_for_it_alone(world: World) -> None:
    made, other = await make(world, name="mine"), await make(world, name="other")
    itself = world.http(**{"X-Aggregator-Token": made["token"]})
    await itself.ask("POST", f"/v1/aggregators/{made['id']}/ping", 200)
    assert (await itself.ask("GET", f"/v1/aggregators/{made['id']}", 200))["name"] == "mine"
    listed = await itself.ask("GET", f"/v1/projects/{world.project_id}/core_instances", 200)
    assert [row["id"] for row in listed["items"]] == [made["id"]]
    await itself.refused("POST", f"/v1/aggregators/{other['id']}/ping", 404, "aggregator not found")
    await itself.refused("GET", f"/v1/aggregators/{other['id']}", 404, "aggregator not found")
    await itself.refused("POST", "/v1/aggregators", 401, "unauthenticated", json={"name": "third"})
    await itself.refused("DELETE", f"/v1/aggregators/{made['id']}", 401, "unauthenticated")
    _, elsewhere = await world.stranger()
    await itself.refused("GET", f"/v1/projects/{elsewhere}/core_instances", 403, "permission denied")
    forged = world.http(**{"X-Aggregator-Token": made["token"][:-4] + "AAAA"})
    await forged.refused("GET", f"/v1/aggregators/{made['id']}", 401, "invalid aggregator token")
    await world.machine.ask("DELETE", f"/v1/aggregators/{made['id']}", 204)
    await itself.refused("GET", f"/v1/aggregators/{made['id']}", 410, "aggregator gone")


async def test_a_change_leaves_the_rest_as_it_is(world: World) -> None:
    made = await make(world, name="before", tags=["x"], metadata={"k8s.zone": "z"}, image="fluent/fluent-bit:5.1.1")
    path = f"/v1/aggregators/{made['id']}"
    await world.machine.ask("PATCH", path, 204, json={"name": "after", "tags": None, "metadata": None, "image": None})
    found = await one(world, made["id"])
    assert (found["name"], found["tags"], found["metadata"]) == ("after", ["x"], {"k8s.zone": "z"})
    assert found["image"] == "fluent/fluent-bit:5.1.1"
    changes = {"tags": [], "metadata": {"aws.az": "1a"}, "image": "", "skipServiceCreation": True, "version": "v9"}
    await world.machine.ask("PATCH", path, 204, json=changes)
    found = await one(world, made["id"])
    assert (found["tags"], found["metadata"], found["image"]) == ([], {"aws.az": "1a"}, "")
    assert (found["skipServiceCreation"], found["version"]) == (True, "v9")
    assert found["updatedAt"] > found["createdAt"]
    await world.machine.ask("PATCH", path, 204, json={})


async def test_metadata_keeps_what_is_known(world: World) -> None:
    metadata = {
        "k8s.namespace": "n",
        "k8s.cluster_name": "",
        "aws.vpc_id": None,
        "gcp.project_number": "18446744073709551615",
        "gcp.instance_id": 7,
        "own.key": {"any": ["thing"]},
    }
    made = await make(world, metadata=metadata)
    kept = {"k8s.namespace": "n", "gcp.project_number": 18446744073709551615, "gcp.instance_id": 7}
    assert (await one(world, made["id"]))["metadata"] == kept
    assert (await one(world, (await make(world, metadata=None))["id"]))["metadata"] == {}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": "Not_A_Label"}, "invalid aggregator name"),
        ({"name": "x" * 64}, "invalid aggregator name"),
        ({"name": 7}, "invalid aggregator name"),
        ({"version": "two words"}, "invalid aggregator version"),
        ({"image": "no image at all"}, "invalid docker image"),
        ({"metadata": {"k8s.zone": 7}}, "invalid aggregator metadata"),
        ({"metadata": {"gcp.instance_id": -1}}, "invalid aggregator metadata"),
        ({"metadata": {"other": "x" * 10_000}}, "invalid aggregator metadata"),
        ({"metadata": ["k8s.zone"]}, "invalid aggregator metadata"),
        ({"tags": [""]}, "invalid tag"),
        ({"healthCheckPipelinePort": 65536}, "invalid pipeline port number"),
        ({"healthCheckPipelinePort": 2**70}, "invalid pipeline port number"),
        ({"healthCheckPipelinePortKind": "Nope"}, "invalid pipeline port type"),
        ({"environmentID": "nope"}, "invalid environment ID"),
        ({"clusterLogging": "perhaps"}, "invalid argument"),
    ],
)
async def test_each_wrong_field_has_its_sentence(world: World, body: dict[str, Any], sentence: str) -> None:
    await world.machine.refused("POST", "/v1/aggregators", 422, sentence, json=body)


async def test_an_environment_that_is_not_there_is_not_found(world: World) -> None:
    nowhere = {"environmentID": "6f0b2d0e-4d0c-4f8e-9a53-0e4a5f3f8f10"}
    await world.machine.refused("POST", "/v1/aggregators", 404, "environment not found", json=nowhere)
    stranger, project = await world.stranger()
    [theirs] = await stranger.ask("GET", f"/v1/projects/{project}/environments", 200)
    body = {"environmentID": theirs["id"]}
    await world.machine.refused("POST", "/v1/aggregators", 404, "environment not found", json=body)


async def test_only_project_tokens_make_core_instances(world: World) -> None:
    await world.admin.refused("POST", "/v1/aggregators", 401, "unauthenticated", json={"name": "x"})
    await world.anyone.refused("POST", "/v1/aggregators", 401, "unauthenticated", json={"name": "x"})


async def test_strangers_find_nothing(world: World) -> None:
    made = await make(world, name="mine")
    stranger, _ = await world.stranger()
    path = f"/v1/aggregators/{made['id']}"
    for method, url in (("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/ping")):
        await stranger.refused(method, url, 404, "aggregator not found")
    await stranger.refused("GET", f"/v1/projects/{world.project_id}/aggregators", 403, "permission denied")
    await world.machine.refused("GET", "/v1/aggregators/nope", 422, "invalid aggregator ID")
    assert (await one(world, made["id"]))["name"] == "mine"


async def test_one_or_many_are_deleted(world: World) -> None:
    ids = [(await make(world))["id"] for _ in range(4)]
    await world.machine.ask("DELETE", f"/v1/aggregators/{ids[0]}", 204)
    await world.machine.refused("DELETE", f"/v1/aggregators/{ids[0]}", 404, "aggregator not found")
    path = f"/v1/projects/{world.project_id}/aggregators"
    await world.machine.ask("DELETE", path, 204)
    assert len(await world.machine.ask("GET", path, 200)) == 3
    await world.machine.ask("DELETE", path, 204, params={"aggregator_id": [ids[0], ids[1], ids[2]]})
    assert [row["id"] for row in await world.machine.ask("GET", path, 200)] == [ids[3]]
    await world.machine.refused("DELETE", path, 422, "invalid aggregator ID", params={"aggregator_id": "nope"})


# -- The system's own pipelines --------------------------------------------------------------------------------------------


async def test_a_health_check_pipeline_comes_along_when_asked_for(world: World) -> None:
    made = await make(world, addHealthCheckPipeline=True, healthCheckPipelinePort=0, healthCheckPipelinePortKind="")
    pipeline = made["healthCheckPipeline"]
    assert made["clusterLoggingPipeline"] is None
    assert pipeline["name"].startswith("health-check-")
    assert (pipeline["portKind"], pipeline["status"]["status"]) == ("LoadBalancer", "NEW")
    [port] = pipeline["ports"]
    assert (port["protocol"], port["frontendPort"]) == ("tcp", 2020)
    assert pipeline["resourceProfile"]["name"] == "best-effort-low-resource"
    other = await make(world, addHealthCheckPipeline=True, healthCheckPipelinePort=2121, healthCheckPipelinePortKind="NodePort")
    [port] = other["healthCheckPipeline"]["ports"]
    assert (port["frontendPort"], other["healthCheckPipeline"]["portKind"]) == (2121, "NodePort")


async def test_the_systems_own_pipelines_count_unless_excluded_and_go_with_it_only(world: World) -> None:
    made = await make(world, name="ci", addHealthCheckPipeline=True, clusterLogging=True)
    assert made["clusterLoggingPipeline"]["kind"] == "daemonSet"
    path = f"/v1/aggregators/{made['id']}"
    assert (await world.machine.ask("GET", path, 200))["pipelinesCount"] == 2
    assert (await world.machine.ask("GET", f"{path}?exclude_internal=true", 200))["pipelinesCount"] == 0
    listed = await world.machine.ask("GET", f"/v1/projects/{world.project_id}/core_instances?exclude_internal=true", 200)
    assert listed["items"][0]["pipelinesCount"] == 0
    pipeline = f"/v1/aggregator_pipelines/{made['healthCheckPipeline']['id']}"
    await world.machine.refused("DELETE", pipeline, 403, "pipeline can only be deleted by the system")
    await world.machine.ask("DELETE", path, 204)
    rows = await world.rows()
    names = ("pipelines", "pipeline_configs", "pipeline_statuses", "pipeline_ports", "pipeline_files")
    assert {name: rows[name] for name in names} == {name: [] for name in names}


async def test_cluster_logging_is_turned_on_and_off(world: World) -> None:
    made = await make(world, name="ci")
    path, pipelines = f"/v1/aggregators/{made['id']}", f"/v1/core_instances/{made['id']}/pipelines"
    assert (await one(world, made["id"]))["clusterLoggingEnabled"] is False
    await world.machine.ask("PATCH", path, 204, json={"clusterLogging": False})
    await world.machine.ask("PATCH", path, 204, json={"clusterLogging": True})
    [pipeline] = (await world.machine.ask("GET", pipelines, 200))["items"]
    assert pipeline["name"].startswith("cluster-logging-")
    assert (await one(world, made["id"]))["clusterLoggingEnabled"] is True
    refusal = "a pipeline for cluster logging already exists"
    await world.machine.refused("PATCH", path, 409, refusal, json={"clusterLogging": True, "name": "renamed"})
    assert (await one(world, made["id"]))["name"] == "ci", "a refusal changes nothing"
    await world.machine.ask("PATCH", path, 204, json={"clusterLogging": None})
    assert (await world.machine.ask("GET", pipelines, 200))["count"] == 1
    await world.machine.ask("PATCH", path, 204, json={"clusterLogging": False})
    assert (await world.machine.ask("GET", pipelines, 200))["count"] == 0
    assert (await one(world, made["id"]))["clusterLoggingEnabled"] is False


# -- Quotas ----------------------------------------------------------------------------------------------------------------


async def test_a_quota_says_its_limit_and_what_is_left(make_settings: Callable[..., Settings]) -> None:
    world = await open_world(make_settings(quota_core_instances=2))
    ids = [(await make(world))["id"] for _ in range(2)]
    refusal = await world.machine.refused("POST", "/v1/aggregators", 403, "aggregators quota exceeded", json={})
    assert (refusal["quotaLimit"], refusal["quotaRemaining"]) == (2, 0)
    await world.machine.ask("DELETE", f"/v1/aggregators/{ids[0]}", 204)
    await make(world)
    await world.context.database.close()


async def test_agents_beyond_the_quota_are_refused_and_those_known_are_not(make_settings: Callable[..., Settings]) -> None:
    world = await open_world(make_settings(quota_agents=1))
    body = {"name": "edge", "machineID": "m", "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    await world.machine.ask("POST", "/v1/agents", 201, json=body)
    await world.machine.ask("POST", "/v1/agents", 201, json=body)
    other = body | {"machineID": "other"}
    refusal = await world.machine.refused("POST", "/v1/agents", 403, "agents quota exceeded", json=other)
    assert (refusal["quotaLimit"], refusal["quotaRemaining"]) == (1, 0)
    await world.context.database.close()


async def test_the_systems_own_pipelines_take_no_room(make_settings: Callable[..., Settings]) -> None:
    world = await open_world(make_settings(quota_pipelines=1))
    made = await make(world, addHealthCheckPipeline=True, clusterLogging=True)
    path = f"/v1/aggregators/{made['id']}/pipelines"
    body = {"rawConfig": CLASSIC}
    await world.machine.ask("POST", path, 201, json=body)
    await world.machine.refused("POST", path, 403, "pipelines quota exceeded", json=body)
    await world.context.database.close()
