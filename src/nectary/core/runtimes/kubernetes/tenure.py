"""Keeps two core instances of one name in one namespace from working against each other.

A Lease says who is at work, as Kubernetes' own leader election has it. Whoever finds it held stands by, and takes over when the
other one let go of it, or has not renewed it for its time by our own clock: those of two machines need not agree.
"""

import time
from typing import Any

from nectary import clock
from nectary.core.runtimes import HeldElsewhereError
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.settings import FIELD_MANAGER, Object, identity_secret_name
from nectary.log import logger

LEASE_SECONDS = 45
_RENEW_SECONDS = 10.0

log = logger(__name__)


class Tenure:
    """`holder` is whoever asks: the same text is the same one after a crash."""

    def __init__(self, cluster: Cluster, core_instance: str, holder: str, *, seconds: float = LEASE_SECONDS) -> None:
        self._cluster, self._core_instance, self._holder, self._seconds = cluster, core_instance, holder, seconds
        self._name = identity_secret_name(core_instance)
        self._renewed_at = float("-inf")
        self._other: tuple[Any, float] = None, 0.0  # the other one's last word, and when we first read it
        self._lost: HeldElsewhereError | None = None

    async def hold(self) -> None:
        """Take or renew it. Raises HeldElsewhereError while another one has it."""
        if time.monotonic() - self._renewed_at < _RENEW_SECONDS:
            return
        try:
            found = await self._cluster.get("Lease", self._name)
            self._lost = self._held_elsewhere(found)
            self.check()
            await (self._cluster.create if found is None else self._cluster.apply)(self._lease(found))
        except ApiError as error:
            if error.status == 409:
                self._lost = HeldElsewhereError(f"another core instance {self._core_instance} starts here at the same time")
                raise self._lost from None
            if error.status != 403:
                raise
            if self._renewed_at == float("-inf"):
                log.warning("nobody can be kept from running a core instance of this name, too", reason=str(error))
        self._renewed_at = time.monotonic()

    def check(self) -> None:
        """Raises HeldElsewhereError if another one had it when we last looked."""
        if self._lost is not None:
            raise self._lost

    async def let_go(self) -> None:
        """For the next one to find at once."""
        if self._renewed_at > float("-inf") and self._lost is None:
            await self._cluster.delete("Lease", self._name)

    def _held_elsewhere(self, found: Object | None) -> HeldElsewhereError | None:
        spec = (found or {}).get("spec") or {}
        holder = spec.get("holderIdentity")
        if not holder or holder == self._holder:
            return None
        word = holder, spec.get("renewTime")
        if self._other[0] != word:
            self._other = word, time.monotonic()
        if time.monotonic() - self._other[1] >= self._seconds:
            return None
        return HeldElsewhereError(
            f"a core instance {self._core_instance} is at work in namespace {self._cluster.namespace} already, as {holder} "
            f"(Lease {self._name}): end that one, or give this one another --name"
        )

    def _lease(self, found: Object | None) -> Object:
        metadata = {"name": self._name, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}}
        if found is not None:  # or whoever wrote it since is overwritten
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        spec = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
