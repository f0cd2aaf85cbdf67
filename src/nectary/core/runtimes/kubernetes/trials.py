"""Runs a configuration in a pod of its own for a while, to see whether records go through."""

import asyncio
import time
from typing import Any

from nectary.core.runtimes import Deployment, Trial, Verdict
from nectary.core.runtimes.events import hide
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.manifests import plan
from nectary.core.runtimes.kubernetes.pod_http import PodHttp
from nectary.core.runtimes.kubernetes.settings import COMPONENT, CannotDeployError, Object, Owner, Settings, selector_of

_CHECK = "check"
_LINES = 200
_START_SECONDS = 60.0  # to find a node and pull an image; not the configuration's time


def objects(
    settings: Settings, trial: Trial, owner: Owner | None = None, *, image: str = "", dry: bool = False
) -> tuple[Object, ...]:
    """What a trial consists of; the pod, which ends by itself, is the last. `dry`: Fluent Bit only reads the configuration.

    Raises CannotDeployError.
    """
    name = f"check-{trial.id}"[:52].rstrip("-")
    deployment = Deployment(trial.id, name, "", trial.config, image=image, files=trial.files, environment=trial.environment)
    made = []
    for found in plan(settings, deployment, owner).objects:
        if found["kind"] != "Deployment":
            made.append({**found, "metadata": _as_check(found["metadata"])})
            continue
        template = found["spec"]["template"]
        spec = {
            **template["spec"],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "activeDeadlineSeconds": int(_START_SECONDS + trial.seconds + 30),  # should we be gone by then
        }
        if dry:
            spec["containers"] = [_dry(container) for container in spec["containers"]]
        metadata = {**_as_check(found["metadata"]), "annotations": template["metadata"]["annotations"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return (*made, pod)


def _dry(container: Object) -> Object:
    kept = {name: value for name, value in container.items() if not name.endswith("Probe")}
    return {**kept, "args": [*container["args"], "--dry-run"]}


def _as_check(metadata: Object) -> Object:
    return {**metadata, "labels": {**metadata["labels"], COMPONENT: _CHECK}}


async def run(cluster: Cluster, http: PodHttp, settings: Settings, trial: Trial, owner: Owner | None) -> Verdict:
    """The verdict, within the trial's time and what a pod takes to start. Leaves nothing behind."""
    try:
        wanted = objects(settings, trial, owner)
    except CannotDeployError as error:
        return Verdict("failed", str(error))
    pod = wanted[-1]["metadata"]["name"]
    try:
        for one in wanted:
            await cluster.apply(one)
        said = await _watch(cluster, http, wanted[-1], trial.seconds)
        said_by_it = await logs(cluster, pod)
        return Verdict(
            "failed" if said else "ok",
            hide("\n\n".join(part for part in (said, said_by_it) if part), trial.environment.values()),
        )
    except ApiError as error:
        return Verdict("failed", f"the cluster did not run it: {error}")
    finally:
        for one in reversed(wanted):
            await cluster.delete(one["kind"], one["metadata"]["name"])


async def clear(cluster: Cluster, settings: Settings) -> None:
    """Take away what trials of an earlier run left."""
    selector = f"{selector_of(settings)},{COMPONENT}={_CHECK}"
    for kind in ("Pod", "ConfigMap", "Secret", "ServiceAccount"):
        for found in await cluster.all_of(kind, selector, whole=False):
            await cluster.delete(kind, found["metadata"]["name"])


async def _watch(cluster: Cluster, http: PodHttp, pod: Object, seconds: float) -> str:
    """Why it failed; "" when records came out of an output."""
    port = next(one["containerPort"] for one in pod["spec"]["containers"][0]["ports"] if one["name"] == "http")
    begun = time.monotonic()
    started: float | None = None
    said = "no record went through in its time"
    while time.monotonic() - (started or begun) < (_START_SECONDS if started is None else seconds):
        await asyncio.sleep(1.0)
        found = await cluster.get("Pod", pod["metadata"]["name"])
        status = (found or {}).get("status") or {}
        if found is None or status.get("phase") in ("Failed", "Succeeded"):
            return "Fluent Bit ended before a record went through"
        if status.get("phase") != "Running" or not status.get("podIP"):
            said = _pending(status) or "the pod did not start in time"
            continue
        if started is None:
            started, said = time.monotonic(), "no record went through in its time"
        host = f"[{status['podIP']}]" if ":" in status["podIP"] else status["podIP"]
        counts = await http.counts(f"http://{host}:{port}")
        if counts is None:
            said = "its Fluent Bit could not be asked: pods are reached from within their cluster only"
            continue
        outcome = judged(counts)
        if outcome is not None:
            return outcome
        said = "no record went through in its time"
    return said


def judged(counts: dict[str, Any]) -> str | None:
    """Of the counters of /api/v1/metrics: "" when an output delivered, why not when one gave up, None while nobody knows."""
    outputs: dict[str, dict[str, int]] = counts.get("output") or {}
    for name, output in outputs.items():
        if output.get("retries_failed") or output.get("errors") or output.get("dropped_records"):
            return f"output {name} failed: its errors are in the log"
    return "" if outputs and all(output.get("proc_records") for output in outputs.values()) else None


def _pending(status: Object) -> str:
    for one in status.get("containerStatuses") or ():
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"the pod waits: {waiting['reason']}: {waiting.get('message', '')}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node takes the pod: {condition.get('message', '')}"
    return ""


async def logs(cluster: Cluster, pod: str) -> str:
    """The newest lines of a trial's Fluent Bit, each begun with its time."""
    try:
        return await cluster.pod_log(pod, _LINES, container="fluent-bit")
    except ApiError:  # it never started
        return ""
