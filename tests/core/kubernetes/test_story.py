"""A core instance in a real Kubernetes API, with the rights that it is installed with and no others. Where the cluster has no
nodes and controllers, the tests play their part: they write the statuses that those would."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import yaml

from nectary import clock
from nectary.core.runtimes import Event, File, HeldElsewhereError, Observed, Port, RuntimeUnavailableError, Scaling, Sidecar
from nectary.core.runtimes.kubernetes import kubeconfig
from nectary.core.runtimes.kubernetes.cluster import Cluster
from nectary.core.runtimes.kubernetes.runtime import Kubernetes
from nectary.core.runtimes.kubernetes.tenure import Tenure
from tests.core.kubernetes.conftest import Place
from tests.core.kubernetes.pipelines import ALL, CLUSTER_LOGGING, FULL, SMALL, STATEFUL

HTTP = replace(SMALL, ports=(Port("p1", "tcp", 9880, 9880, "ClusterIP"),), environment={"NECTARY_SECRET_TOKEN": "s3cret"})
PLURALS = (
    "configmaps",
    "secrets",
    "serviceaccounts",
    "services",
    "deployments",
    "daemonsets",
    "statefulsets",
    "horizontalpodautoscalers",
)

INSTALLED = ["nectary-core", "nectary-core-reader"]


async def seen(runtime: Kubernetes, of: str = HTTP.pipeline_id) -> Observed:
    return (await runtime.observe())[of]


def versions(place: Place) -> dict[tuple[str, str], str]:
    """The resource version of everything: it moves with every write."""
    return {
        (plural, item["metadata"]["name"]): item["metadata"]["resourceVersion"]
        for plural in PLURALS
        for item in place.admin.get(place.path(plural)).json()["items"]
    }


def needs_playing(place: Place) -> None:
    if not place.played:
        pytest.skip("SKIPPED: this cluster has controllers of its own, so a test cannot play them")


@pytest.mark.parametrize("name", ALL)
async def test_a_pipeline_of_every_shape_is_taken_by_the_api(place: Place, name: str) -> None:
    runtime = await place.runtime()
    await runtime.apply(ALL[name])
    report = await seen(runtime, ALL[name].pipeline_id)
    assert report.events == ()
    assert report.state == "STARTING"


async def test_a_pipeline_lives_from_its_first_deployment_to_its_end(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    assert place.names("deployments") == ["small"]
    assert place.names("services") == ["small-tcp9880"]
    assert (await seen(runtime)).state == "STARTING"

    place.pod("deployments", "small", "small-1", {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]})
    place.rolled_out("deployments", "small")
    report = await seen(runtime)
    assert (report.state, report.version, report.ready, report.replicas) == ("STARTED", "v1", 1, 1)
    assert report.endpoints == {"p1": f"small-tcp9880.{place.namespace}.svc:9880"}
    assert await runtime.http(HTTP.pipeline_id) == ["http://127.0.0.1:2020"]

    changed = replace(HTTP, config=HTTP.config.replace("collector", "other"), version="v2")
    await runtime.apply(changed)
    assert (await seen(runtime)).state == "STARTING"
    place.rolled_out("deployments", "small")
    assert ((await seen(runtime)).state, (await seen(runtime)).version) == ("STARTED", "v2")

    await runtime.apply(replace(changed, scaling=Scaling(3), version="v3"))
    place.status("deployments", "small", {"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 1})
    assert (await seen(runtime)).state == "SCALING"
    place.rolled_out("deployments", "small", 3)
    assert (await seen(runtime)).ready == 3

    await runtime.remove(HTTP.pipeline_id)
    assert await runtime.observe() == {}
    left = {plural: place.names(plural) for plural in PLURALS}
    assert left == {plural: [] for plural in PLURALS} | {"secrets": ["nectary-north"], "serviceaccounts": INSTALLED}


async def test_what_stands_as_it_should_is_left_alone(place: Place) -> None:
    runtime = await place.runtime()
    for deployment in ALL.values():
        await runtime.apply(deployment)
    before = versions(place)
    for _ in range(3):
        await runtime.observe()
        for deployment in ALL.values():
            await runtime.apply(deployment)
    assert versions(place) == before


async def test_applying_anew_after_a_crash_changes_nothing(place: Place) -> None:
    for deployment in ALL.values():
        await (await place.runtime()).apply(deployment)
    before = versions(place)
    again = await place.runtime()
    assert set(await again.observe()) == {deployment.pipeline_id for deployment in ALL.values()}
    for deployment in ALL.values():
        await again.apply(deployment)
    assert versions(place) == before


DRIFTS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "deployment deleted": ("deployments", "small", None),
    "configuration deleted": ("configmaps", "small", None),
    "service deleted": ("services", "small-tcp9880", None),
    "secret deleted": ("secrets", "small", None),
    "configuration changed": ("configmaps", "small", {"data": {"nectary.pipeline.yaml": "pipeline: {}\n"}}),
    "replicas changed": ("deployments", "small", {"spec": {"replicas": 7}}),
    "label removed": ("deployments", "small", {"metadata": {"labels": {"calyptia_pipeline_name": None}}}),
    "service led elsewhere": ("services", "small-tcp9880", {"spec": {"selector": {"calyptia_pipeline_id": "other"}}}),
    "secret changed": ("secrets", "small", {"data": {"NECTARY_SECRET_TOKEN": "eA=="}}),
    "owner removed": ("deployments", "small", {"metadata": {"ownerReferences": None}}),
}


@pytest.mark.parametrize("drift", DRIFTS)
async def test_drift_is_healed_within_a_turn(place: Place, drift: str) -> None:
    plural, name, change = DRIFTS[drift]
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    good = place.get(plural, name)
    if change is None:
        place.delete(plural, name)
    else:
        place.patch(plural, name, change)
    if (left := place.get(plural, name)) is not None and left["metadata"].get("deletionTimestamp"):
        place.patch(plural, name, {"metadata": {"finalizers": None}})  # what the garbage collector would do
    await runtime.observe()
    await runtime.apply(HTTP)
    assert [event.reason for event in (await seen(runtime)).events] == ["SetBack"]
    healed = place.get(plural, name)
    for part in ("spec", "data"):
        assert healed.get(part, {}) == good.get(part, {}) or (plural, part) == ("services", "spec")
    assert healed["metadata"]["labels"] == good["metadata"]["labels"]
    assert healed["metadata"]["ownerReferences"] == good["metadata"]["ownerReferences"]
    if plural == "services":
        assert healed["spec"]["selector"] == good["spec"]["selector"]


async def test_two_that_change_an_object_by_turns_are_told_of(place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    for replicas in (5, 6, 7, 8):
        place.patch("deployments", "small", {"spec": {"replicas": replicas}})
        await runtime.observe()
        await runtime.apply(HTTP)
    events = (await seen(runtime)).events
    assert [event.reason for event in events] == ["SetBack", "Contended"]
    assert "Deployment small is changed again and again by kubectl-edit" in events[1].message
    assert place.get("deployments", "small")["spec"]["replicas"] == 1


async def test_a_status_that_changes_is_no_drift(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    place.rolled_out("deployments", "small")
    before = versions(place)
    await runtime.observe()
    await runtime.apply(HTTP)
    assert versions(place) == before


async def test_what_others_add_beside_stays(place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    place.patch("deployments", "small", {"metadata": {"labels": {"cost-center": "7"}}})
    await runtime.observe()
    await runtime.apply(replace(HTTP, scaling=Scaling(2), version="v2"))
    assert place.get("deployments", "small")["metadata"]["labels"]["cost-center"] == "7"


async def test_a_renamed_pipeline_leaves_nothing_of_its_old_name(place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    await runtime.apply(replace(HTTP, name="tiny", version="v2"))
    for plural in ("deployments", "configmaps"):
        assert place.names(plural) == ["tiny"]
    assert place.names("services") == ["tiny-tcp9880"]


async def test_a_port_that_is_gone_takes_its_service_along(place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    await runtime.apply(replace(HTTP, ports=(Port("p2", "tcp", 8088, 9880, "NodePort"),), version="v2"))
    assert place.names("services") == ["small-tcp8088"]


async def test_somebody_elses_object_is_not_touched(place: Place) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "small"}, "data": {"a": "b"}}
    assert place.admin.post(place.path("configmaps"), json=theirs).is_success
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    report = await seen(runtime)
    assert (report.state, [event.reason for event in report.events]) == ("FAILED", ["NameTaken"])
    assert "rename this pipeline" in report.events[0].message
    assert place.get("configmaps", "small")["data"] == {"a": "b"}
    assert place.names("deployments") == []


async def test_what_cannot_be_deployed_is_reported_of_the_version_that_cannot(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    place.rolled_out("deployments", "small")
    assert (await seen(runtime)).state == "STARTED"
    await runtime.apply(replace(HTTP, config="pipeline: [\n", version="v2"))
    report = await seen(runtime)
    assert (report.state, report.version, report.ready) == ("FAILED", "v2", 1)
    assert [event.reason for event in report.events] == ["ConfigInvalid"]
    await runtime.apply(replace(HTTP, version="v1"))
    assert ((await seen(runtime)).state, (await seen(runtime)).version) == ("STARTED", "v1")


async def test_two_pipelines_of_one_name_do_not_take_turns(place: Place) -> None:
    runtime = await place.runtime()
    other = replace(HTTP, pipeline_id="c0000000-0000-0000-0000-0000000000ff")
    await runtime.apply(HTTP)
    await runtime.apply(other)
    assert (await seen(runtime, other.pipeline_id)).events[0].reason == "NameTaken"
    assert place.get("deployments", "small")["metadata"]["labels"]["calyptia_pipeline_id"] == HTTP.pipeline_id


async def test_two_core_instances_share_a_namespace(place: Place) -> None:
    north, south = await place.runtime("north"), await place.runtime("south")
    other = replace(STATEFUL, pipeline_id="c0000000-0000-0000-0000-0000000000ee")
    await north.apply(HTTP)
    await south.apply(other)
    assert set(await north.observe()) == {HTTP.pipeline_id}
    assert set(await south.observe()) == {other.pipeline_id}


async def test_of_two_with_one_name_one_is_at_work(place: Place) -> None:
    first = await place.runtime(holder="a")
    await first.apply(HTTP)
    with pytest.raises(HeldElsewhereError, match=f"at work in namespace {place.namespace} already, as a "):
        await place.runtime(holder="b")
    again = await place.runtime(holder="a")  # after a crash
    assert set(await again.observe()) == {HTTP.pipeline_id}
    for one in (first, again):
        place.opened.remove(one)
        await one.close(stop=False)
    second = await place.runtime(holder="b")
    assert set(await second.observe()) == {HTTP.pipeline_id}


async def test_who_does_not_renew_it_loses_its_place(place: Place) -> None:
    cluster = Cluster(kubeconfig.find(str(place.account)))
    async with cluster:
        dead, next_one = Tenure(cluster, "north", "a"), Tenure(cluster, "north", "b", seconds=1.0)
        await dead.hold()
        with pytest.raises(HeldElsewhereError):
            await next_one.hold()
        with pytest.raises(HeldElsewhereError):
            next_one.check()
        await asyncio.sleep(1.1)
        await next_one.hold()
        next_one.check()
        with pytest.raises(HeldElsewhereError):
            await Tenure(cluster, "north", "a").hold()


async def test_what_the_api_refuses_is_told_and_others_go_on(place: Place) -> None:
    runtime = await place.runtime()
    wrong = replace(
        FULL,
        scheduling={"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]},
    )
    with a_minute_a_look():
        await runtime.apply(wrong)
        first = (await seen(runtime, FULL.pipeline_id)).events
        await runtime.apply(wrong)
        report = await seen(runtime, FULL.pipeline_id)
    assert report.state == "FAILED"
    assert report.events == first, "the same refusal is no news"
    assert first[0].reason == "Invalid"
    assert "maxSkew" in first[0].message
    await runtime.apply(HTTP)
    assert (await seen(runtime)).state == "STARTING"
    await runtime.apply(replace(FULL, version="v9"))
    assert (await seen(runtime, FULL.pipeline_id)).events == ()


async def test_a_namespace_that_is_being_deleted_is_said_so(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    assert (await asyncio.to_thread(place.admin.delete, f"/api/v1/namespaces/{place.namespace}")).is_success
    await runtime.apply(HTTP)
    report = await seen(runtime)
    assert (report.state, [event.reason for event in report.events]) == ("FAILED", ["NamespaceTerminating"])


def sidecar(name: str, **spec: Any) -> Sidecar:
    return Sidecar(name, {"name": name, "image": "registry.example/proxy:1", **spec})


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no quantity": ({"sidecars": (sidecar("proxy", resources={"limits": {"memory": "much"}}),)}, "quantities must match"),
    "less than asked for": ({"resources": replace(SMALL.resources, cpu_request="2", cpu_limit="1")}, "cpu limit"),
    "no label": ({"scheduling": {"labels": {"a b": "c"}}}, "a b"),
    "two containers of a name": ({"sidecars": (sidecar("fluent-bit"),)}, 'duplicate entries for key [name="fluent-bit"]'),
    "no such effect": ({"scheduling": {"tolerations": [{"operator": "Exists", "effect": "Never"}]}}, "effect"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_wrong_for_kubernetes_only_is_told_in_its_words(place: Place, fault: str) -> None:
    change, words = FAULTS[fault]
    runtime = await place.runtime()
    await runtime.apply(replace(HTTP, **change))
    await runtime.apply(replace(HTTP, pipeline_id=SMALL.pipeline_id.replace("a", "b"), name="other"))
    report = await seen(runtime)
    assert report.state == "FAILED"
    [event] = report.events
    assert event.reason == "Invalid"
    assert words in event.message
    assert place.names("deployments") == ["other"]


async def test_as_much_as_a_configmap_holds_is_taken(place: Place) -> None:
    runtime = await place.runtime()
    room = 1024 * 1024 - 2000
    await runtime.apply(replace(HTTP, files=(File("text", b"a" * (room // 2)), File("blob", b"\xff" * (room // 2)))))
    assert (await seen(runtime)).events == ()
    assert len(place.get("configmaps", "small")["data"]["text"]) == room // 2


@contextmanager
def a_minute_a_look() -> Iterator[None]:
    with clock.moved(timedelta(minutes=1)):
        yield


async def test_a_storage_that_cannot_be_changed_is_replaced_without_its_pods(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(STATEFUL)
    before = place.get("statefulsets", "ledger")["metadata"]["uid"]
    larger = replace(STATEFUL, resources=replace(STATEFUL.resources, volume_size="9Gi"), version="v4")
    await runtime.apply(larger)
    leaving = place.get("statefulsets", "ledger")
    assert leaving["metadata"]["finalizers"] == ["orphan"], "its pods and claims stay"
    place.patch("statefulsets", "ledger", {"metadata": {"finalizers": None}})  # as the garbage collector does when it is done
    await runtime.observe()
    await runtime.apply(larger)
    made = place.get("statefulsets", "ledger")
    assert made["metadata"]["uid"] != before
    assert made["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "9Gi"
    assert (await seen(runtime, STATEFUL.pipeline_id)).events == ()


async def test_an_autoscaler_takes_over_the_number_that_runs(place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(replace(SMALL, scaling=Scaling(3)))
    scaling = Scaling(3, 2, 6, 70, 0, ("Pods", 1, 60), ("Pods", 1, 60))
    await runtime.apply(replace(SMALL, scaling=scaling, version="v2"))
    assert place.get("deployments", "small")["spec"]["replicas"] == 3
    place.patch("deployments", "small", {"spec": {"replicas": 5}})  # as the autoscaler does
    await runtime.observe()
    await runtime.apply(replace(SMALL, scaling=scaling, version="v2"))
    assert place.get("deployments", "small")["spec"]["replicas"] == 5
    assert place.names("horizontalpodautoscalers") == ["small"]
    await runtime.apply(replace(SMALL, scaling=Scaling(1), version="v3"))
    assert place.get("deployments", "small")["spec"]["replicas"] == 1
    assert place.names("horizontalpodautoscalers") == []


async def test_a_pod_that_cannot_start_is_told_in_words(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    waiting = {
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}},
        "name": "fluent-bit",
        "ready": False,
    }
    status = {**waiting, "restartCount": 0, "image": "fluent/fluent-bit:5.1.1", "imageID": ""}
    place.pod("deployments", "small", "small-1", {"phase": "Pending", "containerStatuses": [status]})
    report = await seen(runtime)
    assert (report.state, [event.reason for event in report.events]) == ("FAILED", ["ImagePullBackOff"])
    place.delete("pods", "small-1")
    assert (await seen(runtime)).state == "STARTING"


async def test_the_clusters_warnings_reach_people(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    warning = {
        "metadata": {"name": "small.1"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "violates PodSecurity restricted",
        "involvedObject": {"kind": "ReplicaSet", "name": "small-5d5c", "namespace": place.namespace},
        "firstTimestamp": "2026-01-02T03:04:05Z",
    }
    assert place.admin.post(place.path("events"), json=warning).is_success
    report = await seen(runtime)
    assert [(event.source, event.reason) for event in report.events] == [("k8s:deployment", "FailedCreate")]
    assert report.state == "FAILED"


async def test_who_the_core_instance_is_stays_in_a_secret(place: Place) -> None:
    runtime = await place.runtime()
    again = await place.runtime()
    assert await again.keep.read() == await runtime.keep.read() == b'{"id": "a1", "project_id": "b1", "private_key": "key"}'
    await again.apply(HTTP)
    made = place.get("deployments", "small")["metadata"]
    assert made["ownerReferences"][0]["uid"] == place.get("secrets", "nectary-north")["metadata"]["uid"]
    assert made["labels"]["calyptia_aggregator_id"] == "a1"
    assert made["managedFields"][0]["manager"] == "nectary"
    assert len(made["managedFields"]) == 1 or not place.played


async def test_a_deleted_identity_is_written_again_while_the_core_instance_lives(place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    place.delete("secrets", "nectary-north")
    await runtime.observe()
    await runtime.apply(HTTP)
    secret = place.get("secrets", "nectary-north")
    assert await runtime.keep.read() == b'{"id": "a1", "project_id": "b1", "private_key": "key"}'
    for plural, name in (("deployments", "small"), ("configmaps", "small"), ("services", "small-tcp9880")):
        owners = [owner["uid"] for owner in place.get(plural, name)["metadata"]["ownerReferences"]]
        assert owners == [secret["metadata"]["uid"]]


async def test_another_ones_secret_is_not_taken_for_ours(place: Place) -> None:
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nectary-north"}}
    assert place.admin.post(place.path("secrets"), json=theirs).is_success
    with pytest.raises(RuntimeUnavailableError, match="rename one of the two"):
        await place.runtime()


async def test_namespaces_are_what_is_around(place: Place) -> None:
    found = await (await place.runtime()).surroundings()
    assert {"default", place.namespace} <= set(found["namespace"])


async def test_without_the_right_to_list_them_its_own_namespace_is_all_there_is(place: Place) -> None:
    runtime = await place.runtime()
    name = f"{place.namespace}-nectary-nectary-core-namespaces"
    assert place.admin.delete(f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}").is_success
    found: list[str] = []
    for _ in range(100):  # authorizers hear of it a moment later
        found = list((await runtime.surroundings())["namespace"])
        if found == [place.namespace]:
            break
        await asyncio.sleep(0.05)
    assert found == [place.namespace]


async def test_without_rights_the_core_instance_says_which_it_needs(place: Place) -> None:
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place.namespace}/rolebindings"
    assert place.admin.delete(f"{root}/nectary-core").is_success
    said = ""
    for _ in range(100):
        try:
            await place.runtime()
        except RuntimeUnavailableError as error:
            said = str(error)
            break
        await asyncio.sleep(0.05)
    assert "look at the core instance's Role" in said


async def test_the_installed_rights_end_at_the_namespace(place: Place) -> None:
    runtime = await place.runtime()
    headers = {"Authorization": f"Bearer {yaml.safe_load(place.account.read_text())['users'][0]['user']['token']}"}
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place.namespace}/roles"
    async with httpx.AsyncClient(base_url=place.admin.base_url, headers=headers, verify=False, trust_env=False) as client:
        assert (await client.get(place.path("configmaps"))).is_success
        for path in (
            "/api/v1/namespaces/default/secrets",
            "/api/v1/nodes",
            "/api/v1/secrets",
            place.path("pods", "x") + "/exec",
        ):
            assert (await client.get(path)).status_code == 403, path
        assert (await client.post(roles, json={})).status_code == 403
    assert await runtime.observe() == {}


async def test_stopping_leaves_nothing_but_who_it_is(place: Place) -> None:
    runtime = await place.runtime()
    for deployment in ALL.values():
        await runtime.apply(deployment)
    place.opened.remove(runtime)
    await runtime.close(stop=True)
    left = [name for plural in PLURALS for name in place.names(plural)]
    assert sorted(left) == [*INSTALLED, "nectary-north"]


async def test_a_daemonset_of_the_cluster_logs_starts_where_it_was_allowed(place: Place) -> None:
    needs_playing(place)
    runtime = await place.runtime()
    await runtime.apply(CLUSTER_LOGGING)
    place.rolled_out("daemonsets", CLUSTER_LOGGING.name, 4)
    assert (await seen(runtime, CLUSTER_LOGGING.pipeline_id)).state == "STARTED"
    careful = await place.runtime("south", node_logs=False)
    other = replace(CLUSTER_LOGGING, pipeline_id="c0000000-0000-0000-0000-0000000000dd", name="theirs")
    await careful.apply(other)
    refused: Event = (await seen(careful, other.pipeline_id)).events[0]
    assert refused.reason == "NodeLogsNotAllowed"


async def test_a_cluster_that_does_not_answer_is_said_so(tmp_path_factory: pytest.TempPathFactory, place: Place) -> None:
    runtime = await place.runtime()
    await runtime.apply(HTTP)
    file = tmp_path_factory.mktemp("away") / "config.yaml"
    file.write_text(place.account.read_text().replace(str(place.admin.base_url).rstrip("/"), "https://127.0.0.1:9"))
    away = replace_account(place, file)
    with pytest.raises(RuntimeUnavailableError, match=r"https://127.0.0.1:9 does not answer"):
        await away.runtime()


def replace_account(place: Place, file: Any) -> Place:
    return replace(place, account=file, opened=[])


async def test_pods_meet_the_restricted_standard_unless_they_read_the_nodes_logs(place: Place) -> None:
    needs_playing(place)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    headers = {"Content-Type": "application/merge-patch+json"}
    change = {"metadata": {"labels": labels}}
    path = f"/api/v1/namespaces/{place.namespace}"
    assert (await asyncio.to_thread(place.admin.patch, path, json=change, headers=headers)).is_success
    runtime = await place.runtime()
    for deployment in (SMALL, FULL, STATEFUL):
        await runtime.apply(deployment)
    place.pod("deployments", "small", "small-1", {})
    place.pod("deployments", "checkout", "checkout-1", {})
    await runtime.apply(CLUSTER_LOGGING)
    with pytest.raises(AssertionError, match="forbidden: violates PodSecurity"):
        place.pod("daemonsets", CLUSTER_LOGGING.name, "logging-1", {})
