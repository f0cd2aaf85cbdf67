"""How a core instance deploys into its cluster: what is set for all its pipelines, and what their objects are called.

Names and labels are those that the original's tools look for: the workload and its ConfigMap are called like the pipeline, the
Service of a port `<pipeline>-<protocol><port>`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nectary.core.runtimes import Deployment, Port, Scaling

Object = dict[str, Any]

FIELD_MANAGER = "nectary"
CONFIG = "nectary.pipeline.yaml"
"""The configuration's name in its folder, where the pipeline's files lie, too; no file may be called so."""
FILES_FOLDER, STORAGE_FOLDER = "/nectary/pipeline", "/nectary/storage"
MOST_BYTES = 1024 * 1024
"""What a ConfigMap or a Secret holds at most (Kubernetes' MaxSecretSize and the ConfigMap's like it)."""
VERSION = "nectary/version"
CONTENT = "nectary/content"
PIPELINE_ID = "calyptia_pipeline_id"
CORE_INSTANCE = "calyptia_aggregator_name"
COMPONENT = "app.kubernetes.io/component"
KINDS = {"deployment": "Deployment", "daemonSet": "DaemonSet", "statefulSet": "StatefulSet"}


class CannotDeployError(Exception):
    """A pipeline cannot become Kubernetes objects. `reason` is one word; the text says what would do."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Owner:
    """The Secret that all objects of a core instance belong to: when it is deleted, the cluster clears them away."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How a core instance deploys into its cluster: the same for all of its pipelines. `labels` go on every object."""

    core_instance: str
    namespace: str
    image: str = "fluent/fluent-bit:5.1.1"
    reload_image: str = "ghcr.io/jimmidyson/configmap-reload:v0.15.0"
    pull_secrets: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)  # of pods
    service_annotations: Mapping[str, str] = field(default_factory=dict)  # what load balancers of clouds are told with
    tolerations: Sequence[Mapping[str, Any]] = ()  # of pipelines that have none of their own
    proxies: Mapping[str, str] = field(default_factory=dict)  # HTTP_PROXY, HTTPS_PROXY, NO_PROXY
    skip_services: bool = False
    local_traffic: bool = False  # keep the sender's address: only nodes that run a replica take what comes from outside
    node_logs: bool = False  # whether pipelines of kind daemonSet may read the logs of their nodes
    listen: str = "0.0.0.0"  # noqa: S104 - in pods, whose probes come from the node; `::` in a cluster of IPv6
    reader: str = ""  # an account that was installed with us, which may read about pods, for the kubernetes filter
    own_account: str = ""  # who the core instance is to the cluster; no pipeline may be it
    own_secrets: Sequence[str] = ()  # what it reads its token from; no pipeline may read them


def identity_secret_name(core_instance: str) -> str:
    """Where it is kept who a core instance is."""
    return shortened(f"nectary-{label_value(core_instance)}".lower(), 63)


def labels_of(settings: Settings, deployment: Deployment) -> dict[str, str]:
    """What every object of a pipeline carries. Ours win over the pipeline's own."""
    own = {str(key): str(value) for key, value in (deployment.scheduling.get("labels") or {}).items()}
    return {
        **own,
        **settings.labels,
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        "app.kubernetes.io/part-of": "nectary",
        "app.kubernetes.io/name": "fluent-bit",
        COMPONENT: "pipeline",
        "app.kubernetes.io/instance": deployment.name,
        CORE_INSTANCE: label_value(settings.core_instance),
        PIPELINE_ID: deployment.pipeline_id,
        "calyptia_pipeline_name": deployment.name,
    }


def selector_of(settings: Settings) -> str:
    """The label selector of everything that a core instance made."""
    return f"app.kubernetes.io/managed-by={FIELD_MANAGER},{CORE_INSTANCE}={label_value(settings.core_instance)}"


def label_value(text: str) -> str:
    """A text as a label may hold it: as it is where it can be, else shortened with a digest that keeps it apart."""
    return shortened(text, 63)


def shortened(name: str, longest: int) -> str:
    """A name of at most so many characters; one that had to be cut ends in a digest of the whole."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def workload_name(deployment: Deployment) -> str:
    """A StatefulSet's pods carry its name and a digest of ten more characters in a label of 63."""
    return shortened(deployment.name, 52 if deployment.kind == "statefulSet" else 63)


def service_name(deployment: Deployment, port: Port) -> str:
    """`<pipeline>-<protocol><port>`. Before Kubernetes 1.34 a Service's name begins with a letter."""
    name = shortened(f"{deployment.name}-{port.protocol}{port.front}", 63)
    return name if name[0].isalpha() else shortened(f"p-{name}", 63)


def scales(scaling: Scaling) -> bool:
    """Whether a horizontal autoscaler decides on the replicas: it needs a maximum, and a step up and down."""
    return scaling.maximum > 0 and all(step is not None and step[1] > 0 for step in (scaling.up, scaling.down))


def meta(settings: Settings, deployment: Deployment, name: str, owner: Owner | None) -> Object:
    """The metadata of an object of a pipeline."""
    made: Object = {"name": name, "namespace": settings.namespace, "labels": labels_of(settings, deployment)}
    if owner is not None:
        made["ownerReferences"] = [{"apiVersion": "v1", "kind": "Secret", "name": owner.name, "uid": owner.uid}]
    return made


def files_secret_name(deployment: Deployment) -> str:
    return f"{deployment.name}-files"
