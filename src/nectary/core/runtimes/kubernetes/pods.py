"""What runs in a pod of a pipeline: Fluent Bit with no more rights than its configuration needs, and what stands beside it.

Pure. A pod is nobody's: not root, no capability, nothing writable but its buffers and /tmp, no token of the cluster. Two
things a configuration can ask for take more: a `kubernetes` filter reads about pods as the reader account that was installed
with the core instance, and a daemonSet that tails the node's logs is root, as they are root's, with the logs mounted read-only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nectary.core.runtimes import Deployment, Sidecar
from nectary.core.runtimes.kubernetes.pod_config import PodConfig, target_of
from nectary.core.runtimes.kubernetes.settings import (
    CONFIG,
    CONTENT,
    FILES_FOLDER,
    PIPELINE_ID,
    STORAGE_FOLDER,
    CannotDeployError,
    Object,
    Settings,
    files_secret_name,
    identity_secret_name,
    labels_of,
)

NOBODY = 65532
"""The user and group that images without a system call nobody."""
_CONTAINER = (
    *("image", "imagePullPolicy", "command", "args", "env", "resources", "ports", "volumeMounts"),
    *("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"),
)
# apimachinery, resource.ParseQuantity
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]*)?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_MAIN, _FOLDER, _STORAGE = "fluent-bit", "nectary-pipeline", "storage"


def uses_reader(settings: Settings, config: PodConfig) -> bool:
    """Whether its pods ask the cluster about pods and namespaces, and may."""
    return bool(settings.reader) and config.reads_cluster


def template(settings: Settings, deployment: Deployment, config: PodConfig) -> Object:
    """The pod template of a pipeline. Raises CannotDeployError when it wants what the settings forbid."""
    _keep_from_ours(settings, deployment)
    _look_at_quantities(deployment)
    node_paths = config.node_paths if deployment.kind == "daemonSet" else ()
    if node_paths and not settings.node_logs:
        raise CannotDeployError(
            "NodeLogsNotAllowed",
            f"the configuration reads {', '.join(node_paths)} of the node, which this core instance does not allow: "
            "install it with clusterLogging=true",
        )
    scheduling = deployment.scheduling
    annotations = {**settings.annotations, **(scheduling.get("annotations") or {}), CONTENT: config.content}
    spec: Object = {
        "serviceAccountName": scheduling.get("serviceAccount")
        or (settings.reader if uses_reader(settings, config) else deployment.name),
        "automountServiceAccountToken": config.reads_cluster,
        "enableServiceLinks": False,  # seven variables for each Service of the namespace say nothing to it
        "securityContext": _security(config, root=bool(node_paths)),
        "terminationGracePeriodSeconds": _grace(scheduling),
        "containers": [
            _fluent_bit(settings, deployment, config, node_paths),
            *(_sidecar(sidecar) for sidecar in deployment.sidecars),
            *([_reloader(settings, config)] if deployment.strategy == "hotReload" else []),
        ],
        "volumes": _volumes(deployment, node_paths),
    }
    spec |= _placement(settings, deployment)
    if settings.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return {"metadata": {"labels": labels_of(settings, deployment), "annotations": annotations}, "spec": spec}


def _keep_from_ours(settings: Settings, deployment: Deployment) -> None:
    """Whoever may change pipelines must not become the core instance by one."""
    account = deployment.scheduling.get("serviceAccount")
    if account and account == settings.own_account:
        text = f"{account} is the account of the core instance, which may change all in its namespace: use another one"
        raise CannotDeployError("AccountNotAllowed", text)
    ours = {identity_secret_name(settings.core_instance), *settings.own_secrets}
    for name in _secrets_named(deployment):
        if name in ours:
            text = f"the Secret {name} is the core instance's own, which no pipeline may read: use another one"
            raise CannotDeployError("SecretNotAllowed", text)


def _look_at_quantities(deployment: Deployment) -> None:
    """The cluster's own words for a wrong one do not say which."""
    for name, quantity in asdict(deployment.resources).items():
        if quantity and not _QUANTITY.fullmatch(quantity):
            what = f"{name.replace('_', ' ')} of the resource profile"
            raise CannotDeployError(
                "InvalidQuantity", f"the {what} is {quantity!r}, which is no quantity such as 500m or 256Mi"
            )


def _secrets_named(deployment: Deployment) -> Iterator[str]:
    yield deployment.scheduling.get("kubernetesSecretName") or ""
    yield from (mount["secretName"] for mount in _secret_mounts(deployment))
    for sidecar in deployment.sidecars:
        for volume in sidecar.spec.get("volumes") or ():
            yield (volume.get("secret") or {}).get("secretName", "")
        for variable in sidecar.spec.get("env") or ():
            yield ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name", "")


def hardened(*, root: bool = False) -> Object:
    """The rights of a container: none. `root`: it may read what is the node's root's, still without capabilities."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": not root,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_security(*, root: bool = False) -> Object:
    """The rights of all containers of a pod."""
    user = 0 if root else NOBODY
    return {
        "runAsNonRoot": not root,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _security(config: PodConfig, *, root: bool) -> Object:
    made = pod_security(root=root)
    if any(0 < port < 1024 for _, port in config.inputs):
        # Safe in the sense of the pod security standards: it counts in the pod's own network only.
        made["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return made


def _fluent_bit(settings: Settings, deployment: Deployment, config: PodConfig, node_paths: Sequence[str]) -> Object:
    port = config.http_port
    probe = {"httpGet": {"path": "/", "port": port}, "timeoutSeconds": 5}
    ports = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    listening = sorted({(one.protocol, target_of(config, one)) for one in deployment.ports} - {("tcp", port)})
    ports += [
        {"name": f"{protocol}-{number}", "containerPort": number, "protocol": protocol.upper()}
        for protocol, number in listening
    ]
    made: Object = {
        "name": _MAIN,
        "image": deployment.image or settings.image,
        "command": ["/fluent-bit/bin/fluent-bit"],
        "args": [f"--config={FILES_FOLDER}/{CONFIG}"],
        "env": _environment(settings, deployment),
        "ports": ports,
        "securityContext": hardened(root=bool(node_paths)),
        # Alive is who answers. Errors of a destination make nobody unready: what arrives is still to be taken and kept.
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 6},
        "volumeMounts": [
            {"name": _FOLDER, "mountPath": FILES_FOLDER, "readOnly": True},
            {"name": _STORAGE, "mountPath": STORAGE_FOLDER},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the pod's own
            *({"name": _node_volume(path), "mountPath": path, "readOnly": True} for path in node_paths),
            *(
                {"name": f"secret-{index}", "mountPath": f"/nectary/secrets/{mount['secretName']}", "readOnly": True}
                for index, mount in enumerate(_secret_mounts(deployment))
            ),
        ],
    }
    sources = [
        name for name in (deployment.environment and deployment.name, deployment.scheduling.get("kubernetesSecretName")) if name
    ]
    if sources:
        made["envFrom"] = [{"secretRef": {"name": name}} for name in sources]
    if resources := _resources(deployment):
        made["resources"] = resources
    if lifecycle := _lifecycle(deployment):
        made["lifecycle"] = lifecycle
    return made


def _environment(settings: Settings, deployment: Deployment) -> list[Object]:
    """A replica is called by what stays its own: its number in a StatefulSet, its node in a DaemonSet, else its pod's name."""
    replica = {
        "deployment": "metadata.name",
        "daemonSet": "spec.nodeName",
        "statefulSet": "metadata.labels['apps.kubernetes.io/pod-index']",
    }[deployment.kind]
    fields = {
        "NECTARY_REPLICA": replica,
        "NODE_NAME": "spec.nodeName",
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "POD_IP": "status.podIP",
    }
    made: list[Object] = [{"name": name, "value": value} for name, value in sorted(settings.proxies.items()) if value]
    made += [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    made += [
        {"name": mapping["envVar"], "value": f"/nectary/secrets/{mount['secretName']}/{mapping['key']}"}
        for mount in _secret_mounts(deployment)
        for mapping in mount.get("envMappings") or ()
    ]
    return made


def _secret_mounts(deployment: Deployment) -> list[Mapping[str, Any]]:
    """Mounted Secrets of the cluster's own: `{secretName, envMappings: [{key, envVar}]}`; the variable names the file."""
    return list(deployment.scheduling.get("secretVolumeMounts") or ())


def _resources(deployment: Deployment) -> Object:
    given = deployment.resources
    wanted = {
        "requests": {"cpu": given.cpu_request, "memory": given.memory_request},
        "limits": {"cpu": given.cpu_limit, "memory": given.memory_limit},
    }
    filled = {kind: {name: amount for name, amount in amounts.items() if amount} for kind, amounts in wanted.items()}
    return {kind: amounts for kind, amounts in filled.items() if amounts}


def _lifecycle(deployment: Deployment) -> Object:
    """As asked; else, where somebody sends to it, a pause before the end in which Services stop passing things on to it."""
    given = deployment.scheduling.get("lifecycle")
    if given:
        return dict(given)
    return {"preStop": {"sleep": {"seconds": 5}}} if deployment.ports and _grace(deployment.scheduling) > 5 else {}


def _grace(scheduling: Mapping[str, Any]) -> int:
    given = scheduling.get("terminationGracePeriodSeconds")
    return 30 if given is None else int(given)


def _sidecar(sidecar: Sidecar) -> Object:
    """A container as the API has it, held to the rights of a pipeline. What it writes goes to volumes of its own."""
    own = {key: sidecar.spec[key] for key in _CONTAINER if sidecar.spec.get(key) is not None}
    return {"name": sidecar.name, **own, "securityContext": hardened()}


def _reloader(settings: Settings, config: PodConfig) -> Object:
    """Watches the mounted configuration, which changes under a running pod, and tells Fluent Bit to read it anew."""
    return {
        "name": "nectary-reload",
        "image": settings.reload_image,
        "args": [
            f"--volume-dir={FILES_FOLDER}",
            f"--webhook-url=http://127.0.0.1:{config.http_port}/api/v2/reload",
            "--webhook-method=POST",
            "--webhook-retries=5",
        ],
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": hardened(),
        "volumeMounts": [{"name": _FOLDER, "mountPath": FILES_FOLDER, "readOnly": True}],
    }


def _volumes(deployment: Deployment, node_paths: Sequence[str]) -> list[Object]:
    sources: list[Object] = [{"configMap": {"name": deployment.name}}]
    if any(file.secret for file in deployment.files):
        sources.append({"secret": {"name": files_secret_name(deployment)}})
    made: list[Object] = [
        {"name": _FOLDER, "projected": {"sources": sources, "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if deployment.kind != "statefulSet":  # whose storage is claimed
        size = deployment.resources.volume_size
        made.append({"name": _STORAGE, "emptyDir": {"sizeLimit": size} if size else {}})
    made += [{"name": _node_volume(path), "hostPath": {"path": path}} for path in node_paths]
    made += [
        {"name": f"secret-{index}", "secret": {"secretName": mount["secretName"], "defaultMode": 0o440}}
        for index, mount in enumerate(_secret_mounts(deployment))
    ]
    taken = {volume["name"] for volume in made} | {_STORAGE}
    for volume in (dict(volume) for sidecar in deployment.sidecars for volume in sidecar.spec.get("volumes") or ()):
        if volume["name"] in taken and volume not in made:
            raise CannotDeployError(
                "VolumeNameTaken", f"a sidecar's volume is called {volume['name']}, like another one of this pod: rename it"
            )
        if volume["name"] not in taken:
            made.append(volume)
            taken.add(volume["name"])
    return made


def _node_volume(path: str) -> str:
    return "node" + path.replace("/", "-")


def _placement(settings: Settings, deployment: Deployment) -> Object:
    """Which nodes. The API's affinity is one rule on their labels; Kubernetes' own three kinds pass as they are."""
    scheduling = deployment.scheduling
    made: Object = {}
    if affinity := scheduling.get("affinity"):
        made["affinity"] = dict(affinity) if "operator" not in affinity else _node_affinity(affinity)
    if tolerations := scheduling.get("tolerations") or settings.tolerations:
        made["tolerations"] = [dict(toleration) for toleration in tolerations]
    if constraints := scheduling.get("topologySpreadConstraints"):
        ours = {PIPELINE_ID: deployment.pipeline_id}
        made["topologySpreadConstraints"] = [
            {**constraint, "labelSelector": {"matchLabels": dict(constraint.get("labelSelector") or ours)}}
            for constraint in constraints
        ]
    return made


def _node_affinity(rule: Mapping[str, Any]) -> Object:
    expression: Object = {"key": rule["key"], "operator": rule["operator"]}
    if rule.get("values"):
        expression["values"] = list(rule["values"])
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
