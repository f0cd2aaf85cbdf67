"""Keeps who a core instance is in a Secret of its namespace, which all that it makes belongs to."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from nectary.core.runtimes import RuntimeUnavailableError
from nectary.core.runtimes.kubernetes.cluster import ApiError, Cluster
from nectary.core.runtimes.kubernetes.settings import (
    CORE_INSTANCE,
    FIELD_MANAGER,
    Object,
    Owner,
    identity_secret_name,
    label_value,
)

_KEY = "core-instance.json"
_COMPONENT = "core-instance"
_MANAGED = "app.kubernetes.io/managed-by"


class SecretKeep:
    """`nectary-<name>`. Deleting it makes the cluster clear away every pipeline of the core instance."""

    def __init__(self, cluster: Cluster, core_instance: str) -> None:
        self._cluster, self._core_instance = cluster, core_instance
        self._kept: bytes | None = None
        self._name = identity_secret_name(core_instance)
        self.owner: Owner | None = None
        self.labels: dict[str, str] = {}

    async def read(self) -> bytes | None:
        """What was written last; None when nothing was. Raises RuntimeUnavailableError when it is another's, or forbidden."""
        try:
            found = await self._cluster.get("Secret", self._name)
        except ApiError as error:
            raise RuntimeUnavailableError(
                f"the Secret {self._name} cannot be read; look at the core instance's Role: {error}"
            ) from None
        if found is None:
            return None
        labels = found["metadata"].get("labels") or {}
        if labels.get(_MANAGED) != FIELD_MANAGER or labels.get(CORE_INSTANCE) != label_value(self._core_instance):
            where = f"the Secret {self._name} in namespace {self._cluster.namespace}"
            raise RuntimeUnavailableError(f"{where} is not this core instance's: rename one of the two")
        kept = (found.get("data") or {}).get(_KEY)
        data = base64.b64decode(kept) if kept else None
        self._learn(found, data)
        return data

    async def write(self, data: bytes) -> None:
        """Keep this, in one call."""
        labels = {
            _MANAGED: FIELD_MANAGER,
            "app.kubernetes.io/part-of": "nectary",
            "app.kubernetes.io/component": _COMPONENT,
            CORE_INSTANCE: label_value(self._core_instance),
        }
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": self._name, "namespace": self._cluster.namespace, "labels": labels},
            "data": {_KEY: base64.b64encode(data).decode()},
        }
        try:
            self._learn(await self._cluster.apply(wanted), data)
        except ApiError as error:
            raise RuntimeUnavailableError(f"the Secret {self._name} cannot be written; look at the Role: {error}") from None

    async def mend(self, secrets: Mapping[str, Object]) -> None:
        """Write it again when it is no longer among these, by name: what we make would belong to something that is gone."""
        if self.owner is None or self._kept is None:
            return
        found = secrets.get(self._name)
        if found is None or found["metadata"]["uid"] != self.owner.uid:
            await self.write(self._kept)

    def _learn(self, secret: Object, data: bytes | None) -> None:
        """Who owns everything, and the labels by which the original's tools find what a core instance made."""
        self.owner, self._kept = Owner(secret["metadata"]["name"], secret["metadata"]["uid"]), data
        try:
            known: Any = json.loads(data or b"{}")
        except ValueError:
            known = {}
        ids = {"calyptia_aggregator_id": known.get("id"), "calyptia_project_id": known.get("project_id")}
        self.labels = {name: str(value) for name, value in ids.items() if value}
