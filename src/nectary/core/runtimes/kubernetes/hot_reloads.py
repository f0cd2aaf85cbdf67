"""Waits for pods to read a changed configuration, and says which pipelines must be restarted because theirs did not.

The cluster carries a changed ConfigMap into a running pod within a minute or two, the container beside Fluent Bit then asks it
to reload, and its `hot_reload_count` moves by one. A pod that was restarted meanwhile has read the new one, too.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nectary.core.runtimes.kubernetes.pod_http import PodHttp

PATIENCE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class _Awaited:
    version: str
    since: float
    counts: Mapping[str, int]


class HotReloads:
    """The reloads that are under way. They are forgotten with us: then the cluster is believed."""

    def __init__(self, http: PodHttp, patience: float = PATIENCE_SECONDS) -> None:
        self._http, self._patience = http, patience
        self._awaited: dict[str, _Awaited] = {}
        self._restarts: dict[str, str] = {}  # pipeline -> the version it is restarted for

    async def expect(self, pipeline_id: str, version: str, addresses: Sequence[str]) -> None:
        """To be called before the configuration is changed: remembers how often each Fluent Bit was reloaded until now."""
        counts = {address: await self._http.reloads(address) for address in addresses}
        known = {address: count for address, count in counts.items() if count is not None}
        self._awaited[pipeline_id] = _Awaited(version, time.monotonic(), known)

    async def done(self, pipeline_id: str) -> bool:
        """Whether every Fluent Bit that can be asked runs the newest configuration."""
        awaited = self._awaited.get(pipeline_id)
        if awaited is None:
            return True
        for address, before in awaited.counts.items():
            # No answer: the pod is gone, and the one in its place started with the new configuration.
            if await self._http.reloads(address) == before:
                if time.monotonic() - awaited.since > self._patience:
                    self._restarts[pipeline_id] = awaited.version
                    del self._awaited[pipeline_id]
                return False
        del self._awaited[pipeline_id]
        return True

    def restarted_for(self, pipeline_id: str) -> str:
        """The version that a pipeline's pods are restarted for, as they did not reload; "" for none."""
        return self._restarts.get(pipeline_id, "")

    def forget(self, pipeline_id: str) -> None:
        self._awaited.pop(pipeline_id, None)
        self._restarts.pop(pipeline_id, None)
