"""Keeps the objects of pipelines in the cluster as they should be, and asks the cluster for little while they are.

One look lists everything that a core instance made. An object is applied when it is missing, when something else is wanted, or
when somebody had a hand in what is ours: server-side apply keeps a list of the fields that each manager set last, and whoever
changes one takes it off ours. So drift shows without comparing values, which the cluster writes its own way.
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping

from nectary import clock
from nectary.core.runtimes import Event
from nectary.core.runtimes.events import Events
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.manifests import Plan
from nectary.core.runtimes.kubernetes.settings import (
    COMPONENT,
    CORE_INSTANCE,
    FIELD_MANAGER,
    PIPELINE_ID,
    Object,
    Settings,
    label_value,
    selector_of,
)
from nectary.log import logger

Key = tuple[str, str]
WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")
_MADE = {"ConfigMap": False, "Secret": False, "ServiceAccount": False, "Service": True, "HorizontalPodAutoscaler": True}
_MADE |= dict.fromkeys(WORKLOADS, True)  # kind -> whether more than its metadata is of interest
_AFTER = ("Service", "HorizontalPodAutoscaler")  # what comes after the workload, and the rest does without
_FRESH_SECONDS = 5.0
_OFTEN, _OFTEN_SECONDS = 3, 600.0
# Who is given the number of replicas when an autoscaler takes over: dropped, it would fall back to 1 on the way.
_HANDOVER = "nectary-handover"

# Server-side apply answers 500 for what cannot be an object of its kind: a wrong quantity, two containers of one name
# (apimachinery, managedfields/internal/structuredmerge.go).
_UNREADABLE = re.compile(r"failed to (create typed|convert)")
_OBJECTS_OWN = re.compile(rf"{_UNREADABLE.pattern}|webhook|request is too large")

log = logger(__name__)


class Upkeep:
    """What is there, and what was applied to it by whom."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings, self._cluster = settings, cluster
        self._live: dict[Key, Object] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._applied: dict[Key, tuple[str, str]] = {}  # the digest of what was wanted, the digest of the fields that are ours
        self._healed_at: dict[Key, list[float]] = {}
        self._events: dict[str, Events] = {}  # by pipeline

    async def look(self) -> Mapping[Key, Object]:
        """Everything of this core instance, as it is now, by kind and name."""
        async with self._looking:
            return await self._look()

    async def _look(self) -> Mapping[Key, Object]:
        selector = selector_of(self._settings)
        lists = await asyncio.gather(*(self._cluster.all_of(kind, selector, whole=whole) for kind, whole in _MADE.items()))
        self._live = {_key(found): found for one in lists for found in one}
        self._looked_at = time.monotonic()
        return self._live

    async def recent(self) -> Mapping[Key, Object]:
        """As it was a few seconds ago at most."""
        async with self._looking:
            if time.monotonic() - self._looked_at > _FRESH_SECONDS:
                await self._look()
            return self._live

    async def put(self, plan: Plan) -> list[Event]:
        """Make a pipeline's objects so, and take away those it no longer has. Returns why the cluster did not take it: then
        what ran before runs on."""
        live = await self.recent()
        waiting = [
            (wanted, digest)
            for wanted, digest in zip(plan.objects, plan.digests, strict=True)
            if not self._stands(wanted, digest)
        ]
        for wanted, _ in waiting:
            if refusal := await self._taken(wanted, live):
                return [refusal]
        refusals = []
        for wanted, digest in waiting:
            if live.get(_key(wanted), {}).get("metadata", {}).get("deletionTimestamp"):
                continue  # it is on its way out; the next turn makes it anew
            try:
                await self._apply(wanted, digest)
            except ApiError as error:
                if _cannot_change(wanted, error):
                    await self._replace(wanted)
                    continue
                if error.status == 409 or (error.status >= 500 and not _OBJECTS_OWN.search(str(error))):
                    raise  # of the cluster's own, and for the next turn
                refusals.append(_refusal(wanted, error))
                if wanted["kind"] not in _AFTER:
                    return refusals
        kept = {_key(wanted) for wanted in plan.objects}
        await self._prune(plan.deployment.pipeline_id, kept)
        return refusals

    async def clear(self, pipeline_id: str) -> None:
        """Take away all of a pipeline. Its pods have their time to flush."""
        await self._look()
        await self._prune(pipeline_id, set())
        self._events.pop(pipeline_id, None)

    def set_back(self, pipeline_id: str) -> tuple[Event, ...]:
        """What others did to a pipeline's objects, and we undid."""
        events = self._events.get(pipeline_id)
        return events.all() if events else ()

    async def _prune(self, pipeline_id: str, kept: set[Key]) -> None:
        for key, found in list(self._live.items()):
            if found["metadata"]["labels"].get(PIPELINE_ID) == pipeline_id and key not in kept:
                if not found["metadata"].get("deletionTimestamp"):
                    await self._cluster.delete(*key)
                    log.info("removed from the cluster", kind=key[0], name=key[1], pipeline=pipeline_id)
                self._live.pop(key, None)
                self._applied.pop(key, None)
                self._healed_at.pop(key, None)

    def _stands(self, wanted: Object, digest: str) -> bool:
        found = self._live.get(_key(wanted))
        return found is not None and self._applied.get(_key(wanted)) == (digest, _ours(found))

    async def _taken(self, wanted: Object, live: Mapping[Key, Object]) -> Event | None:
        """Whether somebody else has an object of that name: it is not ours to change."""
        kind, name = _key(wanted)
        try:
            found = live.get((kind, name)) or await self._cluster.get(kind, name)
        except ApiError as error:
            return _refusal(wanted, error)
        if found is None or _belongs(found, wanted):
            return None
        whose = found["metadata"].get("labels", {}).get("calyptia_pipeline_name")
        text = f"there is a {kind} called {name} of {f'pipeline {whose}' if whose else 'somebody else'}: rename this pipeline"
        return Event("k8s:deployment", "NameTaken", text, clock.now())

    async def _apply(self, wanted: Object, digest: str) -> None:
        key = _key(wanted)
        found = self._live.get(key)
        if found is not None and wanted["kind"] in WORKLOADS and "replicas" not in wanted["spec"] and _owns_replicas(found):
            await self._hand_over(found)
        made = await self._cluster.apply(wanted)
        healed = self._applied.get(key, ("",))[0] == digest
        if healed:
            self._tell_of_healing(wanted, found)
        if key in self._applied or found is None:
            log.info("applied to the cluster", kind=key[0], name=key[1], healed=healed)
        self._live[key] = made
        self._applied[key] = (digest, _ours(made))

    def _tell_of_healing(self, wanted: Object, found: Object | None) -> None:
        """Once it is what it should be again; of two that go on for ever, that they do."""
        key, now = _key(wanted), time.monotonic()
        kind, name = key
        self._healed_at[key] = [at for at in self._healed_at.get(key, ()) if now - at < _OFTEN_SECONDS] + [now]
        who = "somebody" if found is None else _last_hand(found)
        reason, text = (
            "SetBack",
            f"{kind} {name} was {'deleted' if found is None else f'changed by {who}'}, and is as it should be",
        )
        if len(self._healed_at[key]) >= _OFTEN:
            reason = "Contended"
            text = f"{kind} {name} is changed again and again by {who}, and set back each time: keep one of the two from it"
        events = self._events.setdefault(wanted["metadata"]["labels"][PIPELINE_ID], Events("k8s:deployment"))
        events.add(reason, text, about=f"{kind} {name}", silence=_OFTEN_SECONDS)

    async def _hand_over(self, found: Object) -> None:
        kind, name = _key(found)
        metadata = {"name": name, "namespace": self._settings.namespace}
        given = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": metadata,
            "spec": {"replicas": found["spec"].get("replicas", 1)},
        }
        await self._cluster.apply(given, manager=_HANDOVER)

    async def _replace(self, wanted: Object) -> None:
        """Of a StatefulSet little can be changed. It goes without its pods, and the next turn makes one that takes them."""
        kind, name = _key(wanted)
        log.info("replacing what cannot be changed", kind=kind, name=name)
        await self._cluster.delete(kind, name, orphans=True)
        self._live.pop((kind, name), None)
        self._applied.pop((kind, name), None)
        self._looked_at = float("-inf")


def _key(of: Object) -> Key:
    return of["kind"], of["metadata"]["name"]


def _belongs(found: Object, wanted: Object) -> bool:
    there, ours = found["metadata"].get("labels") or {}, wanted["metadata"]["labels"]
    return all(there.get(name) == ours[name] for name in (PIPELINE_ID, CORE_INSTANCE, COMPONENT))


def _ours(found: Object) -> str:
    """A digest of the fields whose last word was ours."""
    for entry in found["metadata"].get("managedFields") or ():
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return hashlib.sha256(json.dumps(entry.get("fieldsV1"), sort_keys=True).encode()).hexdigest()
    return ""


def _last_hand(found: Object) -> str:
    """Who of the others set something last, by the name that programs give themselves."""
    others = [
        (entry.get("time", ""), str(entry.get("manager")))
        for entry in found["metadata"].get("managedFields") or ()
        if entry.get("manager") not in (FIELD_MANAGER, _HANDOVER) and not entry.get("subresource")
    ]
    return max(others)[1] if others else "somebody"


def _owns_replicas(found: Object) -> bool:
    return any(
        entry.get("manager") == FIELD_MANAGER and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in found["metadata"].get("managedFields") or ()
    )


def _cannot_change(wanted: Object, error: ApiError) -> bool:
    said = str(error)
    return (
        wanted["kind"] in WORKLOADS and error.status == 422 and ("updates to statefulset spec" in said or "immutable" in said)
    )


def _refusal(wanted: Object, error: ApiError) -> Event:
    """The cluster's no, in words that say what to do."""
    kind, name = _key(wanted)
    said = str(error)
    if error.status == 403 and "because it is being terminated" in said:
        reason, text = "NamespaceTerminating", f"the namespace is being deleted, and takes no {kind} {name} any more: {said}"
    elif error.status == 403 and "exceeded quota" in said:
        reason, text = "QuotaExceeded", f"the namespace's quota does not allow {kind} {name}: {said}"
    elif error.status == 403 and "PodSecurity" in said:
        reason, text = "PodSecurity", f"the namespace's pod security forbids {kind} {name}: {said}"
    elif error.status == 403:
        reason, text = "Forbidden", f"the core instance may not make {kind} {name}; look at its Role: {said}"
    elif error.status == 422 or _UNREADABLE.search(said):
        reason, text = "Invalid", f"the cluster takes no such {kind}: {said}"
    else:
        reason, text = error.reason or "ClusterRefused", f"the cluster did not take {kind} {name}: {said}"
    return Event("k8s:deployment", reason, text[:600], clock.now())


def belonging(settings: Settings, found: Object) -> str | None:
    """The pipeline that an object is part of; None when it is part of none."""
    labels = found["metadata"].get("labels") or {}
    if labels.get(CORE_INSTANCE) != label_value(settings.core_instance) or labels.get(COMPONENT) != "pipeline":
        return None
    return str(labels[PIPELINE_ID]) if labels.get(PIPELINE_ID) else None
