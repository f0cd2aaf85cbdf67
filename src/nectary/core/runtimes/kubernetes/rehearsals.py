"""Has a changed configuration read by a Fluent Bit of its own before those that run reload it.

A hot reload reaches all pods of a pipeline at once, and a Fluent Bit that cannot take its new configuration may end over it. A
rollout needs no rehearsal: its first new pod is one.
"""

import time

from nectary.core.runtimes import Trial, complaints
from nectary.core.runtimes.events import hide
from nectary.core.runtimes.kubernetes import trials
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.manifests import Plan
from nectary.core.runtimes.kubernetes.settings import CannotDeployError, Object, Owner, Settings

PATIENCE_SECONDS = 120.0
_CRASHED = 128


class Rehearsals:
    """The rehearsals that are under way, and how the last of each pipeline went."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._begun: dict[str, tuple[str, float, tuple[Object, ...]]] = {}
        self._over: dict[str, tuple[str, str]] = {}  # pipeline -> version, why not

    def is_on(self, pipeline_id: str) -> bool:
        return pipeline_id in self._begun

    async def outcome(self, settings: Settings, plan: Plan, owner: Owner | None) -> str | None:
        """Why this version must not be loaded, "" when it may, None while nobody knows. A pod that does not start, or that the
        cluster does not take, says nothing against a configuration."""
        pipeline_id, version = plan.deployment.pipeline_id, plan.deployment.version
        over = self._over.get(pipeline_id)
        if over is not None and over[0] == version:
            return over[1]
        begun = self._begun.get(pipeline_id)
        if begun is not None and begun[0] != version:
            await self.forget(pipeline_id)
            begun = None
        if begun is None:
            said = await self._begin(settings, plan, owner)
        else:
            said = await self._look(plan, is_late=time.monotonic() - begun[1] > PATIENCE_SECONDS)
        if said is not None:
            await self.forget(pipeline_id)
            self._over[pipeline_id] = version, said
        return said

    async def forget(self, pipeline_id: str) -> None:
        """End what is under way, and leave nothing of it."""
        self._over.pop(pipeline_id, None)
        _, _, made = self._begun.pop(pipeline_id, ("", 0.0, ()))
        for one in reversed(made):
            await self._cluster.delete(one["kind"], one["metadata"]["name"])

    async def _begin(self, settings: Settings, plan: Plan, owner: Owner | None) -> str | None:
        deployment = plan.deployment
        # Not the pipeline's own id: what carries that in its labels is taken for one of its pods.
        trial = Trial(f"rehearsal-{deployment.pipeline_id}", deployment.config, deployment.files, deployment.environment)
        image = deployment.image or settings.image
        try:
            made = trials.objects(settings, trial, owner, image=image, dry=True)
        except CannotDeployError as error:
            return str(error)
        self._begun[deployment.pipeline_id] = deployment.version, time.monotonic(), made
        try:
            for one in made:
                await self._cluster.apply(one)
        except ApiError:
            return ""
        return None

    async def _look(self, plan: Plan, *, is_late: bool) -> str | None:
        name = self._begun[plan.deployment.pipeline_id][2][-1]["metadata"]["name"]
        pod = await self._cluster.get("Pod", name)
        if pod is None:
            return ""
        phase = (pod.get("status") or {}).get("phase")
        if phase == "Failed":
            code = _exit_code(pod)
            if code is None or code >= _CRASHED:  # the dry run of 5.1.1 crashes over some sound configurations
                return ""
            log = await trials.logs(self._cluster, name)
            text = "\n".join(line.partition(" ")[2] for line in log.splitlines())
            return hide(complaints.end(code, text)[1], plan.deployment.environment.values())
        return "" if phase == "Succeeded" or is_late else None


def _exit_code(pod: Object) -> int | None:
    for status in pod["status"].get("containerStatuses") or ():
        ended = (status.get("state") or {}).get("terminated")
        if ended:
            return int(ended["exitCode"])
    return None
