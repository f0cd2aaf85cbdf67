"""The whole way: the API of a real server, a core instance in a real Kubernetes API, and what people then read of it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from nectary.core.identity import Wanted
from nectary.core.pace import Pace
from nectary.core.runtimes import HeldElsewhereError
from nectary.core.runtimes.kubernetes import kubeconfig
from nectary.core.runtimes.kubernetes.cluster import Cluster
from nectary.core.runtimes.kubernetes.runtime import Kubernetes
from nectary.core.runtimes.kubernetes.settings import Settings
from nectary.core.server import Server
from nectary.core.sync import CoreInstance
from tests.core.instances import Wire
from tests.core.kubernetes.conftest import Place
from tests.harness.pipelines import encoded, one, pipeline
from tests.harness.world import World

HTTP = """\
pipeline:
  inputs:
    - name: http
      port: 9880
  outputs:
    - name: http
      match: '*'
      host: collector.example
      header: Authorization {{ secrets.token }}
      tls.ca_file: '{{ files.ca }}'
"""


@pytest.fixture
async def me(world: World, place: Place) -> AsyncIterator[CoreInstance]:
    cluster = Cluster(kubeconfig.find(str(place.account)))
    runtime = Kubernetes(Settings("north", place.namespace, reader="nectary-core-reader", node_logs=True), cluster)
    server = Server("http://127.0.0.1:5000", world.token, transport=Wire(world))
    wanted = Wanted("north", version="v1.0", cluster_logging=True)
    made = CoreInstance(server, wanted, runtime, runtime.keep, pace=Pace(turn=0.0), sidecars=True)
    await made.turn()
    yield made
    await made.close()


async def created(world: World, me: CoreInstance, **body: Any) -> dict[str, Any]:
    assert me.identity is not None
    return await pipeline(world, me.identity.id, **body)


def config_of(place: Place, name: str) -> Any:
    return yaml.safe_load(place.get("configmaps", name)["data"]["nectary.pipeline.yaml"])


async def test_a_pipeline_of_the_api_runs_in_the_cluster_and_is_reported(world: World, place: Place, me: CoreInstance) -> None:
    if not place.played:
        pytest.skip("SKIPPED: this cluster has controllers of its own, so a test cannot play them")
    made = await created(
        world,
        me,
        name="checkout",
        rawConfig=HTTP,
        configFormat="yaml",
        secrets=[{"key": "token", "value": encoded("s3cret-token")}],
        files=[{"name": "ca", "contents": encoded("-----BEGIN"), "encrypted": True}],
        portKind="ClusterIP",
        labels={"team": "shop"},
        tolerations=[{"key": "logs", "operator": "Exists", "effect": "NoSchedule"}],
    )
    sidecar = {"name": "proxy", "image": "registry.example/proxy:1", "volumes": [{"name": "scratch", "emptyDir": {}}]}
    await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/sidecars", 201, json=sidecar)
    await me.turn()

    assert place.names("services") == ["checkout-tcp9880"]
    deployment = place.get("deployments", "checkout")
    pod = deployment["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["fluent-bit", "proxy"]
    assert pod["tolerations"] == [{"key": "logs", "operator": "Exists", "effect": "NoSchedule"}]
    assert deployment["metadata"]["labels"]["team"] == "shop"
    assert deployment["metadata"]["labels"]["calyptia_project_id"] == world.project_id
    output = config_of(place, "checkout")["pipeline"]["outputs"][0]
    assert output["tls.ca_file"] == "/nectary/pipeline/ca"
    assert base64.b64decode(place.get("secrets", "checkout-files")["data"]["ca"]) == b"-----BEGIN"
    opened = place.get("secrets", "checkout")["data"]
    assert "s3cret-token" in {base64.b64decode(value).decode() for value in opened.values()}
    assert "s3cret-token" not in str(place.get("configmaps", "checkout")) + str(deployment)
    assert (await one(world.machine, made["id"]))["status"]["status"] == "STARTING"

    place.rolled_out("deployments", "checkout")
    await me.turn()
    now = await one(world.machine, made["id"], include="ports")
    assert now["status"]["status"] == "STARTED"
    assert now["ports"][0]["endpoint"] == f"checkout-tcp9880.{place.namespace}.svc:9880"

    waiting = {"reason": "ImagePullBackOff", "message": "Back-off"}
    container = {"name": "fluent-bit", "ready": False, "restartCount": 0, "image": "fluent/fluent-bit:9", "imageID": ""}
    await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json={"image": "fluent/fluent-bit:9"})
    await me.turn()
    place.pod("deployments", "checkout", "checkout-1", {"containerStatuses": [{**container, "state": {"waiting": waiting}}]})
    await me.turn()
    status = (await one(world.machine, made["id"]))["status"]
    assert status["status"] == "FAILED"
    assert status["events"][0]["reason"] == "ImagePullBackOff"
    assert "fluent/fluent-bit:9 cannot be pulled" in status["events"][0]["message"]

    await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{made['id']}", 204)
    await me.turn()
    assert place.get("deployments", "checkout") is None
    assert place.names("services") == []


async def test_the_clusters_namespaces_limit_what_cluster_logging_reads(world: World, place: Place, me: CoreInstance) -> None:
    assert me.identity is not None
    objects = await world.machine.ask("GET", f"/v1/core_instances/{me.identity.id}/cluster_objects", 200)
    ids = {found["name"]: found["id"] for found in objects}
    assert {"default", place.namespace} <= ids.keys()
    listed = await world.machine.ask("GET", f"/v1/core_instances/{me.identity.id}/pipelines", 200)
    logging = next(found for found in listed["items"] if found["name"].startswith("cluster-logging-"))
    await me.turn()
    assert config_of(place, logging["name"])["pipeline"]["inputs"][0]["path"] == "/var/log/containers/*.log"

    chosen = {"clusterObjectsIDs": [ids["default"]]}
    await world.machine.ask("PATCH", f"/v1/pipelines/{logging['id']}/cluster_objects", 204, json=chosen)
    regex = {"regex": f"^{place.namespace}$", "description": "this test's"}
    await world.machine.ask("POST", f"/v1/pipelines/{logging['id']}/cluster_object_regexes", 201, json=regex)
    await me.turn()
    path = config_of(place, logging["name"])["pipeline"]["inputs"][0]["path"]
    assert sorted(path.split(",")) == sorted(f"/var/log/containers/*_{name}_*.log" for name in ("default", place.namespace))
    pod = place.get("daemonsets", logging["name"])["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "nectary-core-reader"
    assert {"name": "node-var-log", "hostPath": {"path": "/var/log", "type": ""}} in pod["volumes"]


async def test_after_a_crash_it_is_the_same_core_instance(world: World, place: Place, me: CoreInstance) -> None:
    made = await created(world, me, name="checkout")
    await me.turn()
    before = place.get("deployments", "checkout")["metadata"]
    cluster = Cluster(kubeconfig.find(str(place.account)))
    runtime = Kubernetes(Settings("north", place.namespace, reader="nectary-core-reader", node_logs=True), cluster)
    server = Server("http://127.0.0.1:5000", world.token, transport=Wire(world))
    again = CoreInstance(server, Wanted("north", version="v1.0"), runtime, runtime.keep, pace=Pace(turn=0.0), sidecars=True)
    try:
        await again.turn()
        assert again.identity == me.identity
        after = place.get("deployments", "checkout")["metadata"]
        assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])
        assert after["labels"]["calyptia_pipeline_id"] == made["id"]
    finally:
        await asyncio.shield(again.close())


async def test_a_second_one_of_the_name_stands_by_and_says_nothing(world: World, place: Place, me: CoreInstance) -> None:
    made = await created(world, me, name="checkout")
    await me.turn()
    before = await one(world.machine, made["id"])
    wire = Wire(world)
    cluster = Cluster(kubeconfig.find(str(place.account)))
    runtime = Kubernetes(Settings("north", place.namespace, image="other:1"), cluster, holder="elsewhere")
    server = Server("http://127.0.0.1:5000", world.token, transport=wire)
    second = CoreInstance(server, Wanted("north", version="v1.0"), runtime, runtime.keep, pace=Pace(turn=0.0), sidecars=True)
    try:
        for _ in range(2):
            with pytest.raises(HeldElsewhereError, match="at work in namespace"):
                await second.turn()
        assert wire.written() == []
        assert await one(world.machine, made["id"]) == before
        [container] = place.get("deployments", "checkout")["spec"]["template"]["spec"]["containers"]
        assert container["image"] != "other:1"
    finally:
        await asyncio.shield(second.close())
        await runtime.close(stop=False)
