"""A pipeline as Kubernetes objects: a deployment in, objects out, the same bytes for the same pipeline.

Pure: nothing here talks to a cluster. What runs in a pod is in `pods.py`, what things are called in `settings.py`.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field

from nectary.core.runtimes import Deployment, Port
from nectary.core.runtimes.kubernetes.pod_config import PodConfig, for_pod, target_of
from nectary.core.runtimes.kubernetes.pods import template, uses_reader
from nectary.core.runtimes.kubernetes.settings import (
    CONFIG,
    KINDS,
    MOST_BYTES,
    PIPELINE_ID,
    VERSION,
    CannotDeployError,
    Object,
    Owner,
    Settings,
    files_secret_name,
    meta,
    scales,
    service_name,
    workload_name,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline's objects, in the order in which they are made: what pods need before the workload; and a digest of each.
    `content` and `http_port`: see `PodConfig`."""

    deployment: Deployment
    objects: tuple[Object, ...] = field(repr=False)
    digests: tuple[str, ...]
    content: str
    http_port: int


def plan(settings: Settings, deployment: Deployment, owner: Owner | None = None) -> Plan:
    """All that a pipeline consists of. Raises CannotDeployError, which says what would do, for what no cluster would take."""
    config = for_pod(settings, deployment)
    made = [config_map(settings, deployment, config, owner), *secrets_of(settings, deployment, owner)]
    if not (deployment.scheduling.get("serviceAccount") or uses_reader(settings, config)):
        made.append(service_account(settings, deployment, owner))
    made.append(workload(settings, deployment, config, owner))
    if not (settings.skip_services or deployment.scheduling.get("skipServiceCreation")):
        made += [service(settings, deployment, port, config, owner) for port in deployment.ports]
    if deployment.kind != "daemonSet" and scales(deployment.scaling):
        made.append(autoscaler(settings, deployment, owner))
    return Plan(deployment, tuple(made), tuple(map(_digest, made)), config.content, config.http_port)


def _digest(made: Object) -> str:
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def service_account(settings: Settings, deployment: Deployment, owner: Owner | None) -> Object:
    """Who the pods are: somebody without any right, and without a token to show."""
    metadata = meta(settings, deployment, deployment.name, owner)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def workload(settings: Settings, deployment: Deployment, config: PodConfig, owner: Owner | None) -> Object:
    """The Deployment, DaemonSet or StatefulSet. With an autoscaler the number of replicas is not ours to say."""
    spec: Object = {
        "selector": {"matchLabels": {PIPELINE_ID: deployment.pipeline_id}},
        "revisionHistoryLimit": 2,
        "minReadySeconds": 5,  # one that starts and dies at once never replaces one that works
        "template": template(settings, deployment, config),
    }
    if deployment.kind != "daemonSet" and not scales(deployment.scaling):
        spec["replicas"] = deployment.scaling.replicas
    if deployment.kind == "deployment":
        spec["progressDeadlineSeconds"] = 300
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    elif deployment.kind == "daemonSet":
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    else:
        spec |= _stateful(deployment)
    name = workload_name(deployment)
    metadata = {**meta(settings, deployment, name, owner), "annotations": {VERSION: deployment.version}}
    return {"apiVersion": "apps/v1", "kind": KINDS[deployment.kind], "metadata": metadata, "spec": spec}


def _stateful(deployment: Deployment) -> Object:
    """In parallel, as an ordered rollout that once failed waits for its broken pod for ever, even when the cause is mended."""
    claim: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": deployment.resources.volume_size or "1Gi"}},
    }
    if storage_class := deployment.scheduling.get("storageClass"):
        claim["storageClassName"] = storage_class
    retention = deployment.scheduling.get("pvcRetentionPolicy") or {}
    return {
        "serviceName": workload_name(deployment),
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "persistentVolumeClaimRetentionPolicy": {
            "whenDeleted": retention.get("whenDeleted") or "Retain",
            "whenScaled": retention.get("whenScaled") or "Retain",
        },
        # Of what is here nothing can be changed later: no labels but the one that stays.
        "volumeClaimTemplates": [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "storage", "labels": {PIPELINE_ID: deployment.pipeline_id}},
                "spec": claim,
            }
        ],
    }


def config_map(settings: Settings, deployment: Deployment, config: PodConfig, owner: Owner | None) -> Object:
    """Configuration and plain files. Raises CannotDeployError when they are more than a ConfigMap holds."""
    data, binary = {CONFIG: config.text}, {}
    size = len(data[CONFIG].encode())
    for file in sorted(deployment.files, key=lambda file: file.name):
        if file.name == CONFIG:
            raise CannotDeployError(
                "InvalidFileName", f"a file is called {CONFIG}, like the configuration: give it another name"
            )
        if file.secret:
            continue
        size += len(file.contents)
        try:
            data[file.name] = file.contents.decode()
        except UnicodeDecodeError:
            binary[file.name] = base64.b64encode(file.contents).decode()
    if size > MOST_BYTES:
        raise CannotDeployError(
            "ConfigTooLarge",
            f"the configuration and its files have {size} bytes, and a ConfigMap holds {MOST_BYTES}: make the files smaller",
        )
    made: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            **meta(settings, deployment, deployment.name, owner),
            "annotations": {VERSION: deployment.version},
        },
        "data": data,
    }
    return {**made, "binaryData": binary} if binary else made


def secrets_of(settings: Settings, deployment: Deployment, owner: Owner | None) -> list[Object]:
    """The opened secrets: the environment in one Secret, the files that came sealed in another."""
    files = {file.name: file.contents for file in deployment.files if file.secret}
    environment = {name: value.encode(errors="surrogateescape") for name, value in deployment.environment.items()}
    made = []
    for name, values in ((deployment.name, environment), (files_secret_name(deployment), files)):
        if not values:
            continue
        if (size := sum(map(len, values.values()))) > MOST_BYTES:
            raise CannotDeployError(
                "SecretsTooLarge",
                f"the pipeline's secrets have {size} bytes, and a Secret holds {MOST_BYTES}: make them smaller",
            )
        data = {key: base64.b64encode(value).decode() for key, value in sorted(values.items())}
        metadata = meta(settings, deployment, name, owner)
        made.append({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data})
    return made


def service(settings: Settings, deployment: Deployment, port: Port, config: PodConfig, owner: Owner | None) -> Object:
    """What people send to: the front port, passed to the back port of all replicas. Nodes' ports the cluster chooses."""
    entry: Object = {
        "name": f"{port.protocol}-{port.front}",
        "protocol": port.protocol.upper(),
        "port": port.front,
        "targetPort": target_of(config, port),
    }
    kind = port.kind or "ClusterIP"
    spec: Object = {"type": kind, "selector": {PIPELINE_ID: deployment.pipeline_id}, "ports": [entry]}
    if kind != "ClusterIP":
        spec["externalTrafficPolicy"] = "Local" if settings.local_traffic else "Cluster"
    metadata = meta(settings, deployment, service_name(deployment, port), owner)
    if settings.service_annotations:
        metadata["annotations"] = dict(settings.service_annotations)
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def autoscaler(settings: Settings, deployment: Deployment, owner: Owner | None) -> Object:
    """Replicas by use. Without a target of either kind, Kubernetes aims at 80 percent of the processor."""
    scaling = deployment.scaling
    targets = (("cpu", scaling.cpu_percent), ("memory", scaling.memory_percent))
    metrics = [
        {"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}}}
        for name, percent in targets
        if percent > 0
    ]
    least = max(1, scaling.minimum)
    spec: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": KINDS[deployment.kind], "name": workload_name(deployment)},
        "minReplicas": least,
        "maxReplicas": max(least, scaling.maximum),
        "behavior": {"scaleUp": _policy(scaling.up), "scaleDown": _policy(scaling.down)},
    }
    if metrics:
        spec["metrics"] = metrics
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta(settings, deployment, deployment.name, owner),
        "spec": spec,
    }


def _policy(step: tuple[str, int, int] | None) -> Object:
    """Kubernetes takes periods of 1 to 1800 seconds."""
    kind, value, seconds = step or ("Pods", 1, 60)
    return {"policies": [{"type": kind, "value": value, "periodSeconds": min(max(seconds or 60, 1), 1800)}]}
