"""A pipeline's configuration as it lies in a pod, and what it needs of the pod: folders of the node, questions to the cluster.

Pure. A pod has a network of its own, so inputs listen where the configuration says; only Fluent Bit's own HTTP server moves to
where probes reach it, and out of the inputs' way.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from nectary.core.runtimes import FILES, STORAGE, Deployment, Port
from nectary.core.runtimes.kubernetes.settings import FILES_FOLDER, STORAGE_FOLDER, CannotDeployError, Settings
from nectary.fluentbit import edit, ports, yaml
from nectary.fluentbit.document import ConfigError, Document, Kind

_USUAL_HTTP_PORT = 2020
_LOGS = ("/var/log", "/var/lib/docker/containers", "/run/log/journal")
_READS_CLUSTER = {Kind.FILTER: {"kubernetes"}, Kind.INPUT: {"kubernetes_events"}}


@dataclass(frozen=True, slots=True)
class PodConfig:
    """`text` is the YAML that Fluent Bit reads; `http_port` its own server's; `inputs` the ports that the rest listens on;
    `node_paths` what it reads of its node; `reads_cluster`: it asks about pods. `content` is a digest that changes when running
    pods must be replaced to run this."""

    text: str = field(repr=False)
    http_port: int
    inputs: frozenset[tuple[str, int]]
    node_paths: tuple[str, ...]
    reads_cluster: bool
    content: str


def for_pod(settings: Settings, deployment: Deployment) -> PodConfig:
    """Raises CannotDeployError when the text is no configuration."""
    try:
        document = yaml.parse(deployment.config)
        inputs = _inputs(document, deployment)
        port = next(port for port in range(_USUAL_HTTP_PORT, 65536) if ("tcp", port) not in inputs)
        text = _with_server(document, settings.listen, port).text
    except ConfigError as error:
        raise CannotDeployError("ConfigInvalid", f"the configuration cannot be read: {error}") from None
    text = text.replace(FILES, FILES_FOLDER).replace(STORAGE, STORAGE_FOLDER)
    return PodConfig(text, port, inputs, _node_paths(document), _reads_cluster(document), _digest(deployment, text))


def _inputs(document: Document, deployment: Deployment) -> frozenset[tuple[str, int]]:
    found = ports.find(document, env=deployment.environment)
    return frozenset((port.protocol, port.port) for port in found if port.kind != "service")


def target_of(config: PodConfig, port: Port) -> int:
    """Where in a pod a port leads. Fluent Bit's own server is meant by 0, and by its usual 2020 where no input has that."""
    own = port.back == 0 or (port.back == _USUAL_HTTP_PORT and (port.protocol, port.back) not in config.inputs)
    return config.http_port if port.protocol == "tcp" and own else port.back


def _with_server(document: Document, listen: str, port: int) -> Document:
    wanted = {"http_server": "on", "http_listen": listen, "http_port": str(port)}
    if not document.of(Kind.SERVICE):
        return edit.add_section(document, Kind.SERVICE, list(wanted.items()))
    for name, value in wanted.items():
        document = edit.set_property(document, document.of(Kind.SERVICE)[-1], name, value)
    return document


def _digest(deployment: Deployment, text: str) -> str:
    """A hot reload reads configuration and files anew; the environment of a running process stays what it was."""
    parts: list[Any] = [sorted(deployment.environment.items())]
    if deployment.strategy != "hotReload":
        parts += [text, sorted((file.name, file.contents.hex()) for file in deployment.files)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _reads_cluster(document: Document) -> bool:
    return any(plugin.name in names for kind, names in _READS_CLUSTER.items() for plugin in document.plugins_of(kind))


def _node_paths(document: Document) -> tuple[str, ...]:
    """The folders of the node that inputs read, out of those that hold logs."""
    wanted: set[str] = set()
    for plugin in document.plugins_of(Kind.INPUT):
        if plugin.name == "systemd":
            wanted |= {"/var/log", "/run/log/journal", "/etc/machine-id"}
        for path in (plugin.section.get("path") or "").split(",") if plugin.name == "tail" else ():
            found = {folder for folder in _LOGS if path.strip().startswith(f"{folder}/")}
            # The files of /var/log/containers are links, with Docker into its own folder.
            wanted |= found | ({"/var/lib/docker/containers"} if "/var/log" in found else set())
    return tuple(sorted(wanted))
