"""Runs pipelines as objects of a Kubernetes cluster: each a workload with all that it needs, kept as it should be.

Nothing is remembered that matters: what runs is read from the cluster at every turn, and a start applies everything anew.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from nectary import clock
from nectary.core.runtimes import Deployment, Event, Observed, RuntimeUnavailableError, Trial, Verdict
from nectary.core.runtimes.events import hide
from nectary.core.runtimes.kubernetes import trials
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.happenings import Seen, addresses, concerns, crashing, observed
from nectary.core.runtimes.kubernetes.hot_reloads import PATIENCE_SECONDS, HotReloads
from nectary.core.runtimes.kubernetes.manifests import Plan, plan
from nectary.core.runtimes.kubernetes.pod_complaints import PodComplaints
from nectary.core.runtimes.kubernetes.pod_http import PodHttp
from nectary.core.runtimes.kubernetes.rehearsals import Rehearsals
from nectary.core.runtimes.kubernetes.secret_keep import SecretKeep
from nectary.core.runtimes.kubernetes.settings import (
    COMPONENT,
    PIPELINE_ID,
    VERSION,
    CannotDeployError,
    Object,
    Settings,
    selector_of,
)
from nectary.core.runtimes.kubernetes.tenure import Tenure
from nectary.core.runtimes.kubernetes.upkeep import WORKLOADS, Key, Upkeep, belonging
from nectary.log import logger

_LAST_WORDS = 20
_OLDEST = (1, 30)
"""From here on a pod can wait before it ends without a shell in its image (the `sleep` of preStop)."""
_MAIN = "fluent-bit"

log = logger(__name__)


class Kubernetes:
    """A `Runtime`. `keep`: the Secret with who the core instance is; whatever is made belongs to it. `patience`: seconds until
    pods that were to reload their configuration, and did not, are restarted. `holder`: which one
    we are of those that might run under this name."""

    def __init__(
        self, settings: Settings, cluster: Cluster, *, patience: float = PATIENCE_SECONDS, holder: str = "core"
    ) -> None:
        self._settings, self._cluster = settings, cluster
        self._tenure = Tenure(cluster, settings.core_instance, holder)
        self.keep = SecretKeep(cluster, settings.core_instance)
        self._http = PodHttp()
        self._upkeep = Upkeep(settings, cluster)
        self._rehearsals = Rehearsals(cluster)
        self._complaints = PodComplaints(cluster)
        self._reloads = HotReloads(self._http, patience)
        self._plans: dict[str, Plan] = {}
        self._planned: dict[str, tuple[object, ...]] = {}  # what each plan was made of
        self._refused: dict[str, tuple[Event, ...]] = {}
        self._asked: dict[str, str] = {}  # the version last asked for, taken or not
        self._reached: dict[str, int] = {}  # the number of replicas that were all ready last
        self._last_words: dict[tuple[str, int], str] = {}

    async def start(self) -> None:
        """Raises RuntimeUnavailableError when there is no cluster, it is too old, we have no rights in the namespace, or
        another one of our name is at work in it."""
        version = await self._cluster.version()
        if (match := re.match(r"v?(\d+)\.(\d+)", version)) and (int(match[1]), int(match[2])) < _OLDEST:
            raise RuntimeUnavailableError(
                f"the cluster is Kubernetes {version}; pipelines need {_OLDEST[0]}.{_OLDEST[1]} or newer"
            )
        try:
            await self.keep.read()
            await self._tenure.hold()
            await trials.clear(self._cluster, self._settings)
            live = await self._upkeep.look()
        except ApiError as error:
            where = f"namespace {self._cluster.namespace} of {self._cluster.server}"
            raise RuntimeUnavailableError(f"no rights in {where}; is the core instance's Role installed? {error}") from error
        found = {belonging(self._settings, one) for one in live.values()} - {None}
        log.info("found the cluster", version=version, namespace=self._cluster.namespace, pipelines=len(found))

    async def apply(self, deployment: Deployment) -> None:
        """What the cluster refuses is in what is observed; what ran before runs on."""
        self._tenure.check()
        pipeline_id = deployment.pipeline_id
        self._asked[pipeline_id] = deployment.version
        try:
            wanted = self._plan(deployment)
        except CannotDeployError as error:
            self._refuse(pipeline_id, [Event("k8s:deployment", error.reason, str(error), clock.now())])
            return
        if not await self._may_go(wanted):
            return
        self._refuse(pipeline_id, await self._upkeep.put(wanted))

    def _plan(self, deployment: Deployment) -> Plan:
        """Made once for each version: reading a configuration takes longer than seeing that nothing changed."""
        settings = replace(self._settings, labels={**self._settings.labels, **self.keep.labels})
        restarted = self._reloads.restarted_for(deployment.pipeline_id)
        made_of = (deployment.version, self.keep.owner, tuple(self.keep.labels.items()), restarted)
        if self._planned.get(deployment.pipeline_id) != made_of:
            if restarted == deployment.version:
                annotations = {**(deployment.scheduling.get("annotations") or {}), "nectary/restarted-for": restarted}
                deployment = replace(deployment, scheduling={**deployment.scheduling, "annotations": annotations})
            self._plans[deployment.pipeline_id] = plan(settings, deployment, self.keep.owner)
            self._planned[deployment.pipeline_id] = made_of
        return self._plans[deployment.pipeline_id]

    def _refuse(self, pipeline_id: str, events: Sequence[Event]) -> None:
        """The same refusal keeps its first time: looked at twice, nothing new happened."""
        before = {(event.reason, event.message): event for event in self._refused.pop(pipeline_id, ())}
        if events:
            self._refused[pipeline_id] = tuple(before.get((event.reason, event.message), event) for event in events)

    async def _may_go(self, wanted: Plan) -> bool:
        """Whether the cluster may have it now: what pods are to reload is rehearsed first, and their reload then waited for."""
        name, pipeline_id = wanted.deployment.name, wanted.deployment.pipeline_id
        live = await self._upkeep.recent()
        there = live.get(("ConfigMap", name))
        version = ((there or {}).get("metadata", {}).get("annotations") or {}).get(VERSION)
        if wanted.deployment.strategy != "hotReload" or version in (None, wanted.deployment.version):
            await self._rehearsals.forget(pipeline_id)
            return True
        if not any(
            kind in WORKLOADS and found["metadata"]["labels"].get(PIPELINE_ID) == pipeline_id
            for (kind, _), found in live.items()
        ):
            return True  # nothing runs that could be harmed
        why = await self._rehearsals.outcome(self._settings, wanted, self.keep.owner)
        if why:
            text = f"Fluent Bit does not take this configuration, and what ran before runs on: {why}"
            self._refuse(pipeline_id, [Event("k8s:pod", "ConfigRefused", text, clock.now())])
        elif why is None:
            self._refuse(pipeline_id, [])  # of a version that nobody asks for any more
        else:
            pods = await self._pods(pipeline_id)
            await self._reloads.expect(pipeline_id, wanted.deployment.version, addresses(pods, wanted))
        return why == ""

    async def remove(self, pipeline_id: str) -> None:
        """Its pods have their time to flush; what they kept on claimed volumes stays when its policy says so."""
        self._plans.pop(pipeline_id, None)
        self._planned.pop(pipeline_id, None)
        self._refused.pop(pipeline_id, None)
        self._asked.pop(pipeline_id, None)
        self._reached.pop(pipeline_id, None)
        self._reloads.forget(pipeline_id)
        try:
            await self._rehearsals.forget(pipeline_id)
            await self._upkeep.clear(pipeline_id)
        except ApiError as error:
            self._refuse(pipeline_id, [Event("k8s:deployment", "CannotRemove", f"the cluster keeps it: {error}", clock.now())])

    async def observe(self) -> Mapping[str, Observed]:
        """Every pipeline of which there is anything in the cluster, or that the cluster refused."""
        await self._tenure.hold()
        live = await self._upkeep.look()
        await self.keep.mend({name: found for (kind, name), found in live.items() if kind == "Secret"})
        pods: dict[str, list[Object]] = {}
        for pod in await self._cluster.all_of("Pod", f"{selector_of(self._settings)},{COMPONENT}=pipeline"):
            pods.setdefault(pod["metadata"]["labels"].get(PIPELINE_ID, ""), []).append(pod)
        parts: dict[str, dict[Key, Object]] = {pipeline_id: {} for pipeline_id in self._refused}
        for key, found in live.items():
            if pipeline_id := belonging(self._settings, found):
                parts.setdefault(pipeline_id, {})[key] = found
        seen = {pipeline_id: await self._seen(found, pods.get(pipeline_id, [])) for pipeline_id, found in parts.items()}
        self._forget_words(pods)
        reloading = {pipeline_id for pipeline_id in seen if not await self._reloads.done(pipeline_id)}
        reports = {pipeline_id: self._report(pipeline_id, one, reloading) for pipeline_id, one in seen.items()}
        ill = [pipeline_id for pipeline_id, report in reports.items() if report.state != "STARTED"]
        if ill:  # the cluster's own warnings are many, and of interest only then
            warnings = await self._warnings()
            for pipeline_id in ill:
                one = replace(seen[pipeline_id], warnings=[event for event in warnings if concerns(event, seen[pipeline_id])])
                reports[pipeline_id] = self._report(pipeline_id, one, reloading)
        await self._complaints.listen(pods, {id: one.deployment.environment.values() for id, one in self._plans.items()})
        told = {id: (*self._upkeep.set_back(id), *self._complaints.of(id)) for id in reports}
        return {id: replace(report, events=(*report.events, *told[id])) for id, report in reports.items()}

    async def _seen(self, found: Mapping[Key, Object], pods: Sequence[Object]) -> Seen:
        words = {}
        for pod in pods:
            if (count := crashing(pod)) is not None:
                words[pod["metadata"]["name"]] = await self._words(pod, count)
        services = {name: one for (kind, name), one in found.items() if kind == "Service"}
        workload = next((one for (kind, _), one in found.items() if kind in WORKLOADS), None)
        scaler = next((one for (kind, _), one in found.items() if kind == "HorizontalPodAutoscaler"), None)
        return Seen(workload, pods, services, scaler, last_words=words)

    async def _words(self, pod: Object, count: int) -> str:
        """What a crashed Fluent Bit wrote at the end; asked for once a crash."""
        key = (pod["metadata"]["uid"], count)
        if key not in self._last_words:
            try:
                name = pod["metadata"]["name"]
                text = await self._cluster.pod_log(name, _LAST_WORDS, container=_MAIN, previous=count > 0)
            except ApiError:  # its log is gone with its node
                text = ""
            wanted = self._plans.get(pod["metadata"]["labels"].get(PIPELINE_ID, ""))
            secrets = wanted.deployment.environment.values() if wanted else ()
            self._last_words[key] = hide("\n".join(_untimed(line) for line in text.splitlines()), secrets)
        return self._last_words[key]

    def _forget_words(self, pods: Mapping[str, Sequence[Object]]) -> None:
        known = {pod["metadata"]["uid"] for some in pods.values() for pod in some}
        self._last_words = {key: words for key, words in self._last_words.items() if key[0] in known}

    def _report(self, pipeline_id: str, seen: Seen, reloading: AbstractSet[str]) -> Observed:
        wanted = self._plans.get(pipeline_id)
        desired = (seen.workload or {}).get("spec", {}).get("replicas", 0)
        scaled = self._reached.get(pipeline_id, desired) != desired
        refused = self._refused.get(pipeline_id, ())
        report = observed(seen, wanted, refused, namespace=self._settings.namespace, scaled=scaled)
        if refused:
            return replace(report, version=self._asked.get(pipeline_id, report.version))
        if report.state == "STARTED" and (pipeline_id in reloading or self._rehearsals.is_on(pipeline_id)):
            return replace(report, state="STARTING", version="")
        if report.state == "STARTED" and report.ready >= report.replicas:
            self._reached[pipeline_id] = desired
        return report

    async def _warnings(self) -> list[Object]:
        try:
            return await self._cluster.all_of("Event", fields="type=Warning")
        except ApiError:  # a right that one can do without
            return []

    async def _pods(self, pipeline_id: str) -> list[Object]:
        found = await self._cluster.all_of("Pod", f"{selector_of(self._settings)},{PIPELINE_ID}={pipeline_id}")
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    async def logs(self, pipeline_id: str, lines: int) -> str:
        """Of several replicas in the order of time, each line begun with its pod's name."""
        try:
            names = [pod["metadata"]["name"] for pod in await self._pods(pipeline_id)]
            texts = await asyncio.gather(*(self._log(name, lines) for name in names))
        except ApiError as error:
            return f"the cluster does not show the logs: {error}"
        told = [(line, name) for name, text in zip(names, texts, strict=True) for line in text.splitlines()]
        newest = sorted(told, key=lambda one: one[0].partition(" ")[0])[-lines:] if lines > 0 else []
        return "\n".join(f"{name}: {_untimed(line)}" if len(names) > 1 else _untimed(line) for line, name in newest)

    async def _log(self, pod: str, lines: int) -> str:
        try:
            return await self._cluster.pod_log(pod, lines, container=_MAIN)
        except ApiError as error:
            if error.status in (400, 404):  # it has not started yet, or is gone
                return ""
            raise

    async def http(self, pipeline_id: str) -> Sequence[str]:
        """By the pods' own addresses, which are reached from within the cluster."""
        wanted = self._plans.get(pipeline_id)
        try:
            return addresses(await self._pods(pipeline_id), wanted) if wanted else []
        except ApiError:
            return []

    async def try_out(self, trial: Trial) -> Verdict:
        """In a pod of its own."""
        return await trials.run(self._cluster, self._http, self._settings, trial, self.keep.owner)

    async def surroundings(self) -> Mapping[str, Sequence[str]]:
        """The namespaces; only our own where we may not list them."""
        try:
            return {"namespace": await self._cluster.namespaces()}
        except ApiError:
            return {"namespace": [self._cluster.namespace]}

    async def close(self, *, stop: bool) -> None:
        """The cluster runs on what is there; with `stop` nothing is left but who the core instance is."""
        try:
            with contextlib.suppress(RuntimeUnavailableError):
                await self._tenure.let_go()
            if stop:
                for pipeline_id in {belonging(self._settings, one) for one in (await self._upkeep.look()).values()} - {None}:
                    await self.remove(str(pipeline_id))
        finally:
            await self._http.close()
            await self._cluster.close()


def _untimed(line: str) -> str:
    return line.partition(" ")[2]
