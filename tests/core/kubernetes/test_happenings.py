"""What people are told about pipelines in a cluster. The objects are what clusters show, cut down to what is read of them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nectary.core.runtimes import Event, Port
from nectary.core.runtimes.kubernetes.happenings import Seen, addresses, concerns, crashing, observed
from nectary.core.runtimes.kubernetes.manifests import plan
from tests.core.kubernetes.pipelines import CLUSTER_LOGGING, OWNER, SETTINGS, SMALL, STATEFUL

AT = "2026-01-02T03:04:05Z"
PLAN = plan(SETTINGS, replace(SMALL, ports=(Port("p1", "tcp", 9880, 9880, "LoadBalancer"),)), OWNER)
NAMESPACE = "telemetry"


def workload(
    *, desired: int = 1, ready: int = 1, updated: int = 1, total: int = 1, observed: int = 1, **status: Any
) -> dict[str, Any]:
    made = next(found for found in PLAN.objects if found["kind"] == "Deployment")
    return {
        **made,
        "metadata": {**made["metadata"], "generation": 1},
        "spec": {**made["spec"], "replicas": desired},
        "status": {
            "observedGeneration": observed,
            "replicas": total,
            "readyReplicas": ready,
            "updatedReplicas": updated,
            **status,
        },
    }


def pod(name: str = "small-abc", *, container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    conditions = [{"type": "ContainersReady", "status": "False", "lastTransitionTime": AT}]
    states = [{"name": "fluent-bit", "image": "fluent/fluent-bit:9.9", "restartCount": 0, **container}] if container else []
    return {
        "kind": "Pod",
        "metadata": {"name": name, "uid": name, "creationTimestamp": AT},
        "status": {"phase": "Pending", "conditions": conditions, "containerStatuses": states, **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def crashed(code: int, restarts: int = 3, reason: str = "Error") -> dict[str, Any]:
    return {
        "restartCount": restarts,
        **waiting("CrashLoopBackOff"),
        "lastState": {"terminated": {"exitCode": code, "reason": reason, "startedAt": AT}},
    }


def only(seen: Seen) -> Event:
    events = observed(seen, PLAN, namespace=NAMESPACE).events
    assert len(events) == 1, events
    return events[0]


def test_a_complete_rollout_is_started() -> None:
    report = observed(Seen(workload()), PLAN, namespace=NAMESPACE)
    assert (report.state, report.version, report.ready, report.replicas, report.events) == ("STARTED", "v1", 1, 1, ())


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (workload(ready=0), "STARTING"),
        (workload(updated=0), "STARTING"),  # the old one runs still
        (workload(observed=0), "STARTING"),  # nobody has looked at it yet
        (workload(ready=0, updated=0, total=0), "STARTING"),
        (workload(desired=3, ready=1, updated=3, total=3), "STARTED"),
        (workload(desired=0, ready=0, updated=0, total=0), "STARTED"),
    ],
)
def test_a_rollout_that_is_not_complete_is_starting(one: Any, state: str) -> None:
    assert observed(Seen(one), PLAN, namespace=NAMESPACE).state == state


def test_more_replicas_are_a_scaling() -> None:
    report = observed(Seen(workload(desired=3, ready=1, updated=3, total=3)), PLAN, namespace=NAMESPACE, scaled=True)
    assert (report.state, report.version, report.ready) == ("SCALING", "v1", 1)


def test_nothing_there_is_starting_and_a_refusal_is_failed() -> None:
    refusal = Event("k8s:deployment", "Forbidden", "no", datetime.now(UTC))
    assert observed(Seen(None), PLAN, namespace=NAMESPACE).state == "STARTING"
    report = observed(Seen(None), PLAN, [refusal], namespace=NAMESPACE)
    assert (report.state, report.version, report.events) == ("FAILED", "v1", (refusal,))
    assert observed(Seen(workload()), PLAN, [refusal], namespace=NAMESPACE).state == "FAILED"


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    seen = Seen(
        workload(ready=0), [pod(container=waiting("ImagePullBackOff", 'Back-off pulling image "fluent/fluent-bit:9.9"'))]
    )
    event = only(seen)
    assert event.reason == "ImagePullBackOff"
    assert "the image fluent/fluent-bit:9.9 cannot be pulled: check its name" in event.message
    assert event.at == datetime.fromisoformat(AT)
    assert observed(seen, PLAN, namespace=NAMESPACE).state == "FAILED"


def test_a_pull_error_and_its_back_off_are_one_trouble() -> None:
    assert only(Seen(workload(ready=0), [pod(container=waiting("ErrImagePull", "not found"))])).reason == "ImagePullBackOff"


def test_a_crash_is_told_with_fluent_bits_own_errors() -> None:
    log = (
        "[2026/01/02 03:04:05] [ info] [engine] started\n[2026/01/02 03:04:05] [error] [output:http:http.0] no upstream host\n"
    )
    seen = Seen(workload(ready=0), [pod(container=crashed(255))], last_words={"small-abc": log})
    event = only(seen)
    assert event.reason == "CrashLoopBackOff"
    assert event.message == "pod small-abc: Fluent Bit ended with exit code 255: [output:http:http.0] no upstream host"


def test_running_out_of_memory_says_what_to_raise() -> None:
    event = only(Seen(workload(ready=0), [pod(container=crashed(137, reason="OOMKilled"))]))
    assert event.reason == "OOMKilled"
    assert "raise the memory limit of the resource profile" in event.message


def test_a_pod_without_a_node_says_why() -> None:
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes: Insufficient cpu",
        "lastTransitionTime": AT,
    }
    event = only(Seen(workload(ready=0), [pod(conditions=[scheduled])]))
    assert (event.reason, event.message) == ("Unschedulable", "pod small-abc: no node takes it: 0/3 nodes: Insufficient cpu")


def test_the_same_trouble_of_several_pods_is_told_once() -> None:
    pods = [pod(name, container=waiting("InvalidImageName")) for name in ("small-b", "small-a", "small-c")]
    assert only(Seen(workload(ready=0), pods)).message.startswith("pod small-a and 2 more: ")


def test_a_pod_that_is_leaving_is_no_trouble() -> None:
    gone = pod(container=crashed(143))
    gone["metadata"]["deletionTimestamp"] = AT
    assert observed(Seen(workload(), [gone]), PLAN, namespace=NAMESPACE).events == ()


def test_one_ill_replica_of_several_leaves_the_pipeline_started_and_is_told() -> None:
    report = observed(
        Seen(workload(desired=3, ready=2, updated=3, total=3), [pod(container=crashed(1))]), PLAN, namespace=NAMESPACE
    )
    assert (report.state, [event.reason for event in report.events]) == ("STARTED", ["CrashLoopBackOff"])


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
            "takes no pods of it: exceeded quota",
        ),
        (
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
            "did not get ready in time; the old one stays",
        ),
    ],
)
def test_conditions_of_the_workload_are_told(condition: dict[str, str], words: str) -> None:
    event = only(Seen(workload(updated=0, conditions=[{**condition, "lastTransitionTime": AT}])))
    assert (event.source, event.reason) == ("k8s:deployment", condition["reason"])
    assert words in event.message


def test_an_autoscaler_that_does_nothing_says_why() -> None:
    condition = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetResourceMetric",
        "message": "missing request for cpu",
    }
    scaler = {"kind": "HorizontalPodAutoscaler", "status": {"conditions": [{**condition, "lastTransitionTime": AT}]}}
    assert only(Seen(workload(), scaler=scaler)).message == "the autoscaler does nothing: missing request for cpu"


def test_the_clusters_warnings_are_told_where_no_status_tells() -> None:
    about = {"kind": "Pod", "name": "small-abc"}
    mount = {
        "metadata": {},
        "reason": "FailedMount",
        "involvedObject": about,
        "firstTimestamp": AT,
        "message": 'secret "client-tls" not found',
    }
    noise = {**mount, "reason": "BackOff"}
    seen = Seen(workload(ready=0), [pod()], warnings=[mount, noise])
    assert only(seen).message == 'Pod small-abc: secret "client-tls" not found'
    assert concerns(mount, seen)
    assert not concerns({**mount, "involvedObject": {"kind": "Pod", "name": "small-xyz"}}, seen)
    assert concerns({**mount, "involvedObject": {"kind": "ReplicaSet", "name": "small-5d5c"}}, seen)
    assert not concerns({**mount, "involvedObject": {"kind": "ReplicaSet", "name": "small-tcp-5d5c"}}, seen)


def test_looking_twice_says_the_same() -> None:
    seen = Seen(workload(ready=0), [pod(container=crashed(1)), pod("small-b", container=waiting("CreateContainerError"))])
    assert observed(seen, PLAN, namespace=NAMESPACE) == observed(seen, PLAN, namespace=NAMESPACE)


@pytest.mark.parametrize(
    ("kind", "more", "endpoint"),
    [
        ("LoadBalancer", {"ingress": [{"ip": "192.0.2.7"}]}, "192.0.2.7:9880"),
        ("LoadBalancer", {"ingress": [{"hostname": "lb.example"}]}, "lb.example:9880"),
        ("LoadBalancer", {"ingress": [{"ip": "2001:db8::7"}]}, "[2001:db8::7]:9880"),
        ("LoadBalancer", {}, None),
        ("NodePort", {}, "10.0.0.4:31234"),
        ("ClusterIP", {}, "small-tcp9880.telemetry.svc:9880"),
    ],
)
def test_endpoints_are_where_people_send_to(kind: str, more: dict[str, Any], endpoint: str | None) -> None:
    service = {
        "metadata": {"name": "small-tcp9880"},
        "spec": {"type": kind, "ports": [{"port": 9880, "nodePort": 31234}]},
        "status": {"loadBalancer": more},
    }
    seen = Seen(workload(), [pod(hostIP="10.0.0.4")], {"small-tcp9880": service})
    assert observed(seen, PLAN, namespace=NAMESPACE).endpoints == ({"p1": endpoint} if endpoint else {})


def test_a_daemonset_counts_the_nodes_it_fits() -> None:
    logging = plan(replace(SETTINGS, node_logs=True), CLUSTER_LOGGING, OWNER)
    made = next(found for found in logging.objects if found["kind"] == "DaemonSet")
    status = {"observedGeneration": 1, "desiredNumberScheduled": 4, "updatedNumberScheduled": 4, "numberReady": 3}
    seen = {**made, "metadata": {**made["metadata"], "generation": 1}, "status": status}
    report = observed(Seen(seen), logging, namespace=NAMESPACE)
    assert (report.state, report.ready, report.replicas) == ("STARTED", 3, 4)
    nowhere = {**seen, "status": {"observedGeneration": 1, "desiredNumberScheduled": 0, "numberReady": 0}}
    report = observed(Seen(nowhere), logging, namespace=NAMESPACE)
    assert (report.state, [event.reason for event in report.events]) == ("STARTED", ["NoNode"])
    none = {**seen, "status": {**status, "updatedNumberScheduled": 1, "numberReady": 4}}
    assert observed(Seen(none), logging, namespace=NAMESPACE).state == "STARTING"


def test_a_template_of_an_older_configuration_is_not_what_runs() -> None:
    newer = plan(SETTINGS, replace(SMALL, config=SMALL.config.replace("collector", "other")), OWNER)
    report = observed(Seen(workload()), newer, namespace=NAMESPACE)
    assert (report.state, report.version) == ("STARTING", "")


def test_a_workload_that_is_on_its_way_out_or_of_an_older_version_is_not_what_runs() -> None:
    leaving, older = workload(), workload()
    leaving["metadata"]["deletionTimestamp"] = AT
    older["metadata"] = {**older["metadata"], "annotations": {"nectary/version": "v0"}}
    for one in (leaving, older):
        report = observed(Seen(one), PLAN, namespace=NAMESPACE)
        assert (report.state, report.version, report.ready) == ("STARTING", "", 1)


def test_http_servers_are_those_of_pods_that_run() -> None:
    running = pod("small-b", phase="Running", podIP="10.1.0.2")
    leaving = pod("small-c", phase="Running", podIP="10.1.0.3")
    leaving["metadata"]["deletionTimestamp"] = AT
    assert addresses([running, leaving, pod("small-a"), pod("small-0", phase="Running", podIP="fd00::1")], PLAN) == [
        "http://[fd00::1]:2020",
        "http://10.1.0.2:2020",
    ]
    assert addresses([running], plan(SETTINGS, STATEFUL)) == ["http://10.1.0.2:2021"]


def test_a_crash_is_counted_by_its_restarts() -> None:
    assert crashing(pod(container=crashed(1, restarts=4))) == 4
    assert (
        crashing(pod(container={"ready": True, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}})) is None
    )
