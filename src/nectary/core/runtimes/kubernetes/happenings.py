"""What became of a pipeline in the cluster, told from its objects in words that a person can act on.

Pure: objects in, `Observed` out. Times are the cluster's, so that looking twice at the same thing says the same.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nectary.core.runtimes import Event, Observed, State, complaints
from nectary.core.runtimes.kubernetes.manifests import Plan
from nectary.core.runtimes.kubernetes.settings import CONTENT, VERSION, Object, service_name

_MAIN = "fluent-bit"
_LONGEST = 600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PULL = "the image {image} cannot be pulled: check its name, and that the cluster may pull it (imagePullSecrets)"
# Reasons for which a container waits that time alone does not mend; the text is what to do.
_WAITING = {
    "ErrImagePull": _PULL,
    "ImagePullBackOff": _PULL,
    "InvalidImageName": "{image} is no name of an image: correct it",
    "ErrImageNeverPull": "the image {image} is not on the node, and its pull policy is Never",
    "CreateContainerConfigError": "a Secret or ConfigMap that it names is missing, or its user is root",
    "CreateContainerError": "the container cannot be made",
    "RunContainerError": "the container cannot be started",
}
# Of the cluster's own warnings those that no status tells.
_WARNINGS = {
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreate",
    "ProvisioningFailed",
    "SyncLoadBalancerFailed",
    "FailedGetResourceMetric",
    "FailedComputeMetricsReplicas",
}
_IMAGE_REASONS = {"ErrImagePull": "ImagePullBackOff"}  # the two take turns, and are one trouble


@dataclass(frozen=True, slots=True)
class Seen:
    """A pipeline's objects as they are in the cluster. `last_words`: by pod, what its crashed Fluent Bit wrote at the end."""

    workload: Object | None
    pods: Sequence[Object] = ()
    services: Mapping[str, Object] = field(default_factory=dict)
    scaler: Object | None = None
    warnings: Sequence[Object] = ()
    last_words: Mapping[str, str] = field(default_factory=dict)


def observed(
    seen: Seen, wanted: Plan | None, refused: Sequence[Event] = (), *, namespace: str, scaled: bool = False
) -> Observed:
    """What to report. `wanted`: what was last asked for, none for what nobody asks for any more; `refused`: why the cluster did
    not take it; `scaled`: its number of replicas was changed and is not reached yet."""
    if seen.workload is None:
        if not refused:
            return Observed("STARTING", "")
        return Observed("FAILED", wanted.deployment.version if wanted else "", events=tuple(refused))
    desired, ready, fresh = _counts(seen.workload)
    current = fresh and _is_what_is_wanted(seen.workload, wanted)
    events = (*refused, *_troubles(seen))
    endpoints = _endpoints(seen, wanted, namespace) if wanted else {}
    state = _state(desired, ready, current, bool(refused), bool(events), scaled)
    return Observed(
        state,
        _version(seen.workload, wanted) if current or state == "FAILED" else "",
        replicas=desired,
        ready=ready,
        endpoints=endpoints,
        events=events,
    )


def _version(workload: Object, wanted: Plan | None) -> str:
    """Which version the state is about: of a failure the one that fails, whatever runs on."""
    if wanted is not None:
        return wanted.deployment.version
    return str((workload["metadata"].get("annotations") or {}).get(VERSION, ""))


def _state(desired: int, ready: int, current: bool, refused: bool, troubled: bool, scaled: bool) -> State:
    if refused:
        return "FAILED"
    if current and ready >= desired:
        return "STARTED"
    if troubled and not (current and ready):  # one of several that is ill leaves the pipeline working
        return "FAILED"
    if current and scaled:
        return "SCALING"
    return "STARTED" if current and ready else "STARTING"


def _counts(workload: Object) -> tuple[int, int, bool]:
    """Replicas wanted; those that work; whether all that there are were made from the newest template."""
    status, spec = workload.get("status") or {}, workload["spec"]
    seen = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    if workload["kind"] == "DaemonSet":
        desired = status.get("desiredNumberScheduled", 0)
        return desired, status.get("numberReady", 0), seen and status.get("updatedNumberScheduled", 0) >= desired
    desired = spec.get("replicas", 1)
    all_new = status.get("updatedReplicas", 0) == status.get("replicas", 0) and (status.get("replicas", 0) > 0 or desired == 0)
    return desired, status.get("readyReplicas", 0), seen and all_new


def _is_what_is_wanted(workload: Object, wanted: Plan | None) -> bool:
    """Not one that is on its way out, nor one that the cluster has not been given the newest of."""
    if workload["metadata"].get("deletionTimestamp"):
        return False
    if wanted is None:
        return True
    of_pods = workload["spec"]["template"]["metadata"].get("annotations") or {}
    own = workload["metadata"].get("annotations") or {}
    return of_pods.get(CONTENT) == wanted.content and own.get(VERSION) == wanted.deployment.version


def _endpoints(seen: Seen, wanted: Plan, namespace: str) -> dict[str, str]:
    """Port id -> `host:port`: the load balancer's address, or a node's that runs a replica, or the name within the cluster."""
    found = {}
    node = next((pod["status"]["hostIP"] for pod in seen.pods if (pod.get("status") or {}).get("hostIP")), "")
    for port in wanted.deployment.ports:
        service = seen.services.get(service_name(wanted.deployment, port))
        if service is None:
            continue
        kind, entry = service["spec"].get("type", "ClusterIP"), service["spec"]["ports"][0]
        if kind == "LoadBalancer":
            ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or [{}]
            host, number = ingress[0].get("hostname") or ingress[0].get("ip") or "", port.front
        elif kind == "NodePort":
            host, number = node, entry.get("nodePort", 0)
        else:
            host, number = f"{service['metadata']['name']}.{namespace}.svc", port.front
        if host and number:
            found[port.id] = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    return found


def addresses(pods: Iterable[Object], wanted: Plan) -> list[str]:
    """The HTTP servers of the Fluent Bits that run, in the order of their pods' names."""
    found = []
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        status = pod.get("status") or {}
        if status.get("phase") == "Running" and (ip := status.get("podIP")) and not pod["metadata"].get("deletionTimestamp"):
            found.append(f"http://[{ip}]:{wanted.http_port}" if ":" in ip else f"http://{ip}:{wanted.http_port}")
    return found


def _troubles(seen: Seen) -> tuple[Event, ...]:
    """Each trouble once, however many pods have it."""
    found: dict[tuple[str, str], list[tuple[str, Event]]] = {}
    for pod in sorted(seen.pods, key=lambda pod: str(pod["metadata"]["name"])):
        for event in _of_pod(pod, seen.last_words.get(pod["metadata"]["name"], "")):
            found.setdefault((event.reason, event.message), []).append((pod["metadata"]["name"], event))
    events = []
    for (reason, message), cases in found.items():
        others = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        events.append(
            Event("k8s:pod", reason, _cut(f"pod {cases[0][0]}{others}: {message}"), min(event.at for _, event in cases))
        )
    if seen.workload is not None:
        events += _of_workload(seen.workload)
    if seen.scaler is not None:
        events += _of_scaler(seen.scaler)
    told = {(event.reason, event.message) for event in events}
    events += [event for event in _of_warnings(seen.warnings) if (event.reason, event.message) not in told]
    return tuple(sorted(events, key=lambda event: (event.at, event.reason, event.message)))


def _of_pod(pod: Object, last_words: str) -> Iterator[Event]:
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return
    if status.get("reason") == "Evicted":
        yield Event("k8s:pod", "Evicted", f"thrown off its node: {status.get('message', '')}", _since(pod))
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            reason = condition.get("reason") or "Unschedulable"
            text = f"no node takes it: {condition.get('message', '')}"
            yield Event("k8s:pod", reason, text, _time(condition.get("lastTransitionTime")))
    for state in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _of_container(pod, state, last_words)


def _of_container(pod: Object, status: Object, last_words: str) -> Iterator[Event]:
    waiting = (status.get("state") or {}).get("waiting") or {}
    ended = (status.get("lastState") or {}).get("terminated") or (status.get("state") or {}).get("terminated") or {}
    reason = waiting.get("reason", "")
    if ended and not status.get("ready"):  # between two crashes it runs for a moment
        yield from _of_crash(pod, status, ended, last_words)
    elif reason in _WAITING:
        text = _WAITING[reason].format(image=status.get("image") or "without a name")
        said = waiting.get("message", "")
        # "Back-off pulling image" says nothing that is not known already.
        more = f" ({said})" if said and not said.startswith("Back-off") else ""
        yield Event("k8s:pod", _IMAGE_REASONS.get(reason, reason), f"{text}{more}", _since(pod))


def _of_crash(pod: Object, status: Object, ended: Mapping[str, Any], last_words: str) -> Iterator[Event]:
    name, code = status["name"], int(ended.get("exitCode", 0))
    at = _time(ended.get("startedAt")) if not status.get("restartCount") else _since(pod)
    if ended.get("reason") == "OOMKilled":
        text = (
            f"{name} needed more memory than its limit: raise the memory limit of the resource profile, or lower mem_buf_limit"
        )
        yield Event("k8s:pod", "OOMKilled", text, at)
    elif ended and (code != 0 or status.get("restartCount")):
        own = name == _MAIN and last_words
        reason, text = complaints.end(code, last_words) if own else ("", f"{name} ended with exit code {code}")
        yield Event("k8s:pod", reason if reason in ("PortInUse", "DiskFull") else "CrashLoopBackOff", text, at)


def _of_workload(workload: Object) -> Iterator[Event]:
    desired, _, fresh = _counts(workload)
    if workload["kind"] == "DaemonSet" and fresh and desired == 0:
        text = "no node of the cluster fits it: look at its affinity and tolerations"
        yield Event("k8s:deployment", "NoNode", text, _time(workload["metadata"].get("creationTimestamp")))
    for condition in (workload.get("status") or {}).get("conditions") or ():
        at = _time(condition.get("lastTransitionTime"))
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            text = f"the cluster takes no pods of it: {condition.get('message', '')}"
            yield Event("k8s:deployment", condition.get("reason") or "FailedCreate", _cut(text), at)
        elif condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            yield Event(
                "k8s:deployment", "ProgressDeadlineExceeded", "the new version did not get ready in time; the old one stays", at
            )


def _of_scaler(scaler: Object) -> Iterator[Event]:
    for condition in (scaler.get("status") or {}).get("conditions") or ():
        if condition["type"] in ("ScalingActive", "AbleToScale") and condition["status"] == "False":
            if condition.get("reason") == "ScalingDisabled":  # no replicas at all, as somebody wished
                continue
            text = f"the autoscaler does nothing: {condition.get('message', '')}"
            yield Event(
                "k8s:deployment",
                condition.get("reason") or "ScalingInactive",
                _cut(text),
                _time(condition["lastTransitionTime"]),
            )


def _of_warnings(warnings: Iterable[Object]) -> Iterator[Event]:
    for warning in warnings:
        if warning.get("reason") not in _WARNINGS:
            continue
        about = warning["involvedObject"]
        source = "k8s:pod" if about.get("kind") == "Pod" else "k8s:deployment"
        at = _time(warning.get("firstTimestamp") or warning.get("eventTime") or warning["metadata"].get("creationTimestamp"))
        yield Event(
            source, warning["reason"], _cut(f"{about.get('kind')} {about.get('name')}: {warning.get('message', '')}"), at
        )


def concerns(warning: Object, seen: Seen) -> bool:
    """Whether one of the cluster's events is about this pipeline: its workload, pods, claims or Services."""
    about = warning.get("involvedObject") or {}
    kind, name = about.get("kind"), str(about.get("name", ""))
    if seen.workload is None:
        return False
    own = seen.workload["metadata"]["name"]
    if kind == "Pod":
        return any(pod["metadata"]["name"] == name for pod in seen.pods)
    if kind == "Service":
        return name in seen.services
    if kind == "PersistentVolumeClaim":
        return re.fullmatch(rf"storage-{re.escape(own)}-\d+", name) is not None
    return (kind == seen.workload["kind"] and name == own) or (
        kind == "ReplicaSet" and re.fullmatch(rf"{re.escape(own)}-[a-z0-9]{{1,10}}", name) is not None
    )


def crashing(pod: Object) -> int | None:
    """How often the Fluent Bit of a pod that keeps ending was started; None for one that runs."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        state = status.get("state") or {}
        ended = (status.get("lastState") or {}).get("terminated") or state.get("terminated")
        if status["name"] == _MAIN and ended and not status.get("ready"):
            return int(status.get("restartCount", 0))
    return None


def _since(pod: Object) -> datetime:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ContainersReady" and condition.get("lastTransitionTime"):
            return _time(condition["lastTransitionTime"])
    return _time(pod["metadata"].get("creationTimestamp"))


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else _EPOCH


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
