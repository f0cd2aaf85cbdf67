"""The story once more with Kubernetes' own controllers, where they are found: rollouts, scaling and clearing away are theirs,
and the tests only play the node, with a real Fluent Bit in each pod."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from nectary.core.runtimes import Deployment, Observed, Port, Scaling
from nectary.core.runtimes.kubernetes.runtime import Kubernetes
from tests.core.kubernetes.conftest import Place
from tests.core.kubernetes.node import Node, playing
from tests.core.kubernetes.pipelines import SERVICE
from tests.harness import kube

PATIENCE = 100.0
# `listen`: what the played node replaces by the pod's own address, as all pods are on one machine here.
TAKES = f"""\
{SERVICE}
pipeline:
  inputs:
    - name: http
      listen: 0.0.0.0
      port: 9880
  outputs:
    - name: stdout
      match: '*'
"""
PIPELINE = Deployment(
    "c0000000-0000-0000-0000-0000000000aa",
    "orders",
    "v1",
    TAKES,
    ports=(Port("p1", "tcp", 9880, 9880, "ClusterIP"),),
    scaling=Scaling(2),
    scheduling={"terminationGracePeriodSeconds": 1},
)


@pytest.fixture(scope="module")
def kubernetes_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kube.Api]:
    """One with controllers, for this module alone: elsewhere tests play them."""
    program = kube.controllers()
    if kube.programs() is None or program is None:
        pytest.skip("SKIPPED: no kube-controller-manager beside kube-apiserver and etcd on the PATH or in KUBEBUILDER_ASSETS")
    folder = tmp_path_factory.mktemp("controlled")
    with kube.running(folder) as api, kube.controlled(api, program, folder):
        yield api


@pytest.fixture
def node(place: Place, tmp_path: Path, fluent_bit: str) -> Iterator[Node]:
    (tmp_path / "node").mkdir()
    with playing(place.admin, place.namespace, tmp_path / "node", fluent_bit) as made:
        yield made


@pytest.fixture
async def runtime(place: Place) -> Kubernetes:
    return await place.runtime()


async def until(runtime: Kubernetes, wanted: Deployment, state: str, *, ready: int | None = None) -> Observed:
    """Turn after turn, as a core instance takes them, until the pipeline is reported so."""
    end, report = time.monotonic() + PATIENCE, None
    while time.monotonic() < end:
        await runtime.apply(wanted)
        report = (await runtime.observe()).get(wanted.pipeline_id)
        if report and (report.state, report.version) == (state, wanted.version) and ready in (None, report.ready):
            return report
        await asyncio.sleep(0.3)
    raise AssertionError(f"not {state} {wanted.version}: {report}")


async def addresses(runtime: Kubernetes) -> set[str]:
    return set(await runtime.http(PIPELINE.pipeline_id))


async def sent(address: str) -> int:
    """The answer of a pipeline's input to a record."""
    async with httpx.AsyncClient(trust_env=False) as client:
        host = httpx.URL(address).host
        return (await client.post(f"http://{host}:9880/test", json={"hello": "world"})).status_code


async def nothing_left(place: Place) -> bool:
    plurals = ("configmaps", "secrets", "services", "deployments", "statefulsets", "pods")
    return not any(
        "calyptia_pipeline_id" in found["metadata"].get("labels", {})
        for plural in plurals
        for found in place.admin.get(place.path(plural)).json()["items"]
    )


async def eventually(look: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not await look():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.3)


async def test_a_deployment_rolls_scales_keeps_what_works_and_goes(place: Place, node: Node, runtime: Kubernetes) -> None:
    report = await until(runtime, PIPELINE, "STARTED", ready=2)
    assert report.events == ()
    first = await addresses(runtime)
    assert [await sent(address) for address in first] == [201, 201]

    broken = replace(PIPELINE, version="v2", config=TAKES.replace("name: stdout", "name: nosuch"))
    report = await until(runtime, broken, "FAILED")
    assert report.ready == 2, "what ran before runs on"
    assert "nosuch" in report.events[0].message
    assert [await sent(address) for address in first] == [201, 201]

    mended = replace(PIPELINE, version="v3", config=TAKES.replace("port: 9880", "port: 9880\n      tag: new"))
    assert (await until(runtime, mended, "STARTED", ready=2)).events == ()
    assert first.isdisjoint(await addresses(runtime))

    more = replace(mended, version="v4", scaling=Scaling(3))
    before = await addresses(runtime)
    await runtime.apply(more)
    await until(runtime, more, "STARTED", ready=3)
    assert before < await addresses(runtime), "nobody is restarted for more replicas"
    await until(runtime, replace(more, version="v5", scaling=Scaling(1)), "STARTED", ready=1)

    await runtime.remove(PIPELINE.pipeline_id)
    await eventually(lambda: nothing_left(place))


async def test_what_somebody_deletes_comes_back_with_its_pods(place: Place, node: Node, runtime: Kubernetes) -> None:
    await until(runtime, PIPELINE, "STARTED", ready=2)
    first = await addresses(runtime)
    place.delete("deployments", "orders")
    place.delete("configmaps", "orders")
    place.delete("services", "orders-tcp9880")

    async def new() -> bool:
        await until(runtime, PIPELINE, "STARTED", ready=2)
        return first.isdisjoint(await addresses(runtime))

    await eventually(new)
    assert place.names("services") == ["orders-tcp9880"]


async def test_without_its_secret_the_cluster_clears_away_all_that_a_core_instance_made(
    place: Place, node: Node, runtime: Kubernetes
) -> None:
    await until(runtime, PIPELINE, "STARTED", ready=2)
    place.delete("secrets", "nectary-north")
    await eventually(lambda: nothing_left(place))


async def test_a_larger_volume_leaves_the_pods_of_a_statefulset_running(place: Place, node: Node, runtime: Kubernetes) -> None:
    stateful = replace(PIPELINE, kind="statefulSet", resources=replace(PIPELINE.resources, volume_size="1Gi"))
    await until(runtime, stateful, "STARTED", ready=2)
    before = {pod["metadata"]["uid"] for pod in place.admin.get(place.path("pods")).json()["items"]}
    made = place.get("statefulsets", "orders")["metadata"]["uid"]
    larger = replace(stateful, version="v2", resources=replace(stateful.resources, volume_size="2Gi"))
    await until(runtime, larger, "STARTED", ready=2)
    assert place.get("statefulsets", "orders")["metadata"]["uid"] != made
    assert {pod["metadata"]["uid"] for pod in place.admin.get(place.path("pods")).json()["items"]} == before
    claims = place.admin.get(place.path("persistentvolumeclaims")).json()["items"]
    assert {claim["metadata"]["name"] for claim in claims} == {"storage-orders-0", "storage-orders-1"}


async def test_what_a_namespace_does_not_allow_is_told_by_the_clusters_own_words(
    place: Place, node: Node, runtime: Kubernetes
) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    answer = await asyncio.to_thread(place.admin.post, place.path("resourcequotas"), json=quota)
    assert answer.is_success
    end = time.monotonic() + PATIENCE
    while "status" not in (quota := place.admin.get(place.path("resourcequotas", "none")).json()) or not quota["status"]:
        assert time.monotonic() < end, "a quota holds once its controller has counted what there is"
        await asyncio.sleep(0.2)
    report = await until(runtime, PIPELINE, "FAILED")
    assert report.events[0].reason == "FailedCreate"
    assert "exceeded quota" in report.events[0].message
