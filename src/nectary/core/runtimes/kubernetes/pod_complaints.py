"""Listens to what the Fluent Bits of running pods complain of, so that people hear of a destination that fails.

Logs are asked of the cluster a few pods at a time, those first that were not heard for longest, and only what is new of each.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

from nectary.core.runtimes import Event
from nectary.core.runtimes.complaints import Tally
from nectary.core.runtimes.events import Events
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.settings import Object

_AT_ONCE = 20
_LINES = 500
_EVERY_SECONDS = 10.0
_MAIN = "fluent-bit"


class _Ear:
    """One pod: until when its log was heard."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.heard_at = float("-inf")
        self.until = ("", 0.0)


class PodComplaints:
    """The complaints of all pipelines' pods, as events that do not repeat themselves."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ears: dict[str, _Ear] = {}  # by a pod's uid
        self._events: dict[str, Events] = {}
        self._heard_at = float("-inf")

    async def listen(self, pods: Mapping[str, Sequence[Object]], secrets: Mapping[str, Iterable[str]]) -> None:
        """Hear some of these, by pipeline; no more often than every ten seconds. `secrets` are never repeated."""
        running = {pod["metadata"]["uid"]: (of, pod) for of, some in pods.items() for pod in some if _runs(pod)}
        self._ears = {uid: self._ears.get(uid) or _Ear() for uid in running}
        self._events = {of: events for of, events in self._events.items() if of in pods}
        if time.monotonic() - self._heard_at < _EVERY_SECONDS:
            return
        self._heard_at = time.monotonic()
        longest = sorted(self._ears, key=lambda uid: self._ears[uid].heard_at)[:_AT_ONCE]
        await asyncio.gather(*(self._hear(*running[uid]) for uid in longest))
        for of, events in self._events.items():
            events.secrets = tuple(secrets.get(of, ()))
        for uid in longest:
            self._note(*running[uid])

    def of(self, pipeline_id: str) -> tuple[Event, ...]:
        events = self._events.get(pipeline_id)
        return events.all() if events else ()

    async def _hear(self, of: str, pod: Object) -> None:
        ear, name = self._ears[pod["metadata"]["uid"]], pod["metadata"]["name"]
        self._events.setdefault(of, Events("k8s:pod"))
        now = time.monotonic()
        since = 60 if ear.heard_at == float("-inf") else int(now - ear.heard_at) + 2
        try:
            text = await self._cluster.pod_log(name, _LINES, container=_MAIN, since=since)
        except ApiError:  # gone, or its node is out of reach
            return
        finally:
            ear.heard_at = now
        for line in text.splitlines():
            stamp, _, said = line.partition(" ")
            if (at := _moment(stamp)) > ear.until:
                ear.until = at
                ear.tally.read(said, now)

    def _note(self, of: str, pod: Object) -> None:
        ear, name, now = self._ears[pod["metadata"]["uid"]], pod["metadata"]["name"], time.monotonic()
        for complaint in ear.tally.complaints(now):
            about = f"{name} {complaint.about}"
            self._events[of].add(complaint.reason, f"pod {name}: {complaint.message}", about=about)
        for output in ear.tally.recovered(now):
            about = f"{name} output {output}"
            self._events[of].over("OutputFails", about)
            self._events[of].add("OutputRecovered", f"pod {name}: output {output} delivers again", about=about)


def _runs(pod: Object) -> bool:
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(state["name"] == _MAIN and "running" in (state.get("state") or {}) for state in states)


def _moment(stamp: str) -> tuple[str, float]:
    """A time as Kubernetes stamps lines, which leaves out noughts at the end of its fraction."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return seconds, float(f"0.{fraction}") if fraction.isdigit() else 0.0
