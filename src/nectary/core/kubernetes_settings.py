"""How a core instance of a cluster is told about it: by the environment, in the words of our chart and the original's."""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nectary.core.runtimes import Runtime, RuntimeUnavailableError

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ON = ("1", "true", "yes", "on")


def value(environment: Mapping[str, str], *names: str) -> str:
    """The first of these that is set: `NECTARY_<NAME>`, then the name as the original has it."""
    for name in names:
        if found := environment.get(f"NECTARY_{name}") or environment.get(name):
            return found
    return ""


def is_on(environment: Mapping[str, str], *names: str) -> bool:
    return value(environment, *names).strip().lower() in _ON


def names(text: str) -> list[str]:
    """`a,b`."""
    return [one.strip() for one in text.split(",") if one.strip()]


def pairs(text: str) -> dict[str, str]:
    """`a=b,c=d`. Raises RuntimeUnavailableError for anything else."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, said = part.partition("=")
        if not equals or not name:
            raise RuntimeUnavailableError(f"{part!r} is no name=value")
        found[name.strip()] = said.strip()
    return found


def tolerations(text: str) -> list[dict[str, Any]]:
    """`key=Equal:value:NoSchedule:60,other=Exists::NoExecute`: key, operator, value, effect and seconds, as the original's
    command line has it; what is empty is left out. Raises RuntimeUnavailableError for anything else."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, _, rest = part.partition("=")
        operator, said, effect, seconds = (*rest.split(":"), "", "", "", "")[:4]
        if operator not in ("", "Equal", "Exists") or effect not in ("", *_EFFECTS) or not re.fullmatch(r"-?[0-9]*", seconds):
            raise RuntimeUnavailableError(f"{part!r} is no toleration like key=Equal:value:NoSchedule:60")
        one: dict[str, Any] = {"key": key, "operator": operator or "Exists", "value": said, "effect": effect}
        one = {name: given for name, given in one.items() if given}
        found.append(one | ({"tolerationSeconds": int(seconds)} if seconds else {}))
    return found


def runtime(name: str, state: Path, environment: Mapping[str, str] = os.environ, *, node_logs: bool = False) -> Runtime:
    """The Kubernetes runtime for a core instance of that name. `node_logs`: pipelines may read the logs of their nodes.
    `state`: its folder, which one alone can hold on one host, so that both together say who it is.

    Raises RuntimeUnavailableError when there is no cluster.
    """
    from nectary.core.runtimes.kubernetes import kubeconfig  # noqa: PLC0415 - only who has a cluster loads what speaks to one
    from nectary.core.runtimes.kubernetes.cluster import Cluster  # noqa: PLC0415
    from nectary.core.runtimes.kubernetes.runtime import Kubernetes  # noqa: PLC0415
    from nectary.core.runtimes.kubernetes.settings import Settings  # noqa: PLC0415

    cluster = Cluster(kubeconfig.find(), value(environment, "NAMESPACE") or None)
    given: dict[str, Any] = {
        "image": value(environment, "FLUENT_BIT_IMAGE"),
        "reload_image": value(environment, "HOTRELOAD_IMAGE"),
        "pull_secrets": names(value(environment, "IMAGE_PULL_SECRETS")),
        "annotations": pairs(value(environment, "ANNOTATIONS")),
        "service_annotations": pairs(value(environment, "SERVICE_ANNOTATIONS")),
        "tolerations": tolerations(value(environment, "TOLERATIONS")),
        "proxies": {one: environment[one] for one in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if environment.get(one)},
        "skip_services": is_on(environment, "SKIP_SERVICE_CREATION"),
        "local_traffic": is_on(environment, "EXTERNAL_TRAFFIC_LOCAL"),
        "node_logs": node_logs or is_on(environment, "CLUSTER_LOGGING"),
        "reader": value(environment, "PIPELINE_READER_ACCOUNT"),
        "listen": value(environment, "PIPELINE_LISTEN"),
        "own_account": value(environment, "OWN_ACCOUNT"),
        "own_secrets": names(value(environment, "OWN_SECRETS")),
    }
    settings = Settings(name, cluster.namespace, **{key: one for key, one in given.items() if one})
    return Kubernetes(settings, cluster, holder=f"{socket.gethostname()}:{state.resolve()}")
