"""Makes of a pipeline, as the API has it, what a runtime is to run. The same pipeline gives the same bytes, always.

Its configuration, in whichever format it is kept, is read, completed and written as YAML by Fluent Bit's own rules: never
by putting texts together. Config sections and processing rules are in it already when the API is asked for it rendered: a rule
is a file and the filter that runs it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec

from nectary.client.core_things import KnownPort, Pipeline, Profile
from nectary.core.runtimes import FILES, HTTP_PORT, STORAGE, Deployment, File, Port, Resources, Scaling, Sidecar
from nectary.core.secrets import Unreadable
from nectary.core.templates import Filling, Unassemblable
from nectary.fluentbit import formats, meaning
from nectary.fluentbit.document import ConfigError, Document, Format, Kind, Property, Section
from nectary.fluentbit.fit import fit
from nectary.fluentbit.globs import glob_fits
from nectary.fluentbit.values import boolean
from nectary.fluentbit.variables import TEMPLATE
from nectary.fluentbit.write import write

# Pipelines of this profile hold everything in memory: fast, and lost with a crash. All others keep chunks in their folder.
IN_MEMORY = "high-performance-optimal-throughput"
PARSERS = "parsers"
_CONTAINERS = "/var/log/containers/"
# Outputs that Fluent Bit itself runs with more than one worker. The others run in its one thread, or in one of their own for a
# reason: an order to keep, a file to append to.
_MANY_WORKERS = frozenset({"es", "forward", "http", "prometheus_remote_write", "splunk", "tcp", "udp"})
# What would take Fluent Bit out of its runtime's hands, or what it says out of its logs.
_NOT_THEIRS = frozenset({"daemon", "log_file"})
_ALWAYS = (
    ("http_server", "on"),
    ("http_listen", "127.0.0.1"),
    ("http_port", HTTP_PORT),
    ("hot_reload", "on"),
    ("health_check", "on"),
    ("enable_chunk_trace", "on"),
    ("storage.path", STORAGE),
)
_SCHEDULING = {
    "affinity": "affinity",
    "topology_spread_constraints": "topologySpreadConstraints",
    "tolerations": "tolerations",
    "termination_grace_period_seconds": "terminationGracePeriodSeconds",
    "lifecycle": "lifecycle",
    "storage_class": "storageClass",
    "pvc_retention_policy": "pvcRetentionPolicy",
    "labels": "labels",
    "annotations": "annotations",
    "service_account": "serviceAccount",
    "kubernetes_secret_name": "kubernetesSecretName",
    "secret_volume_mounts": "secretVolumeMounts",
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:[eE]([0-9]{1,3})|([A-Za-z]{1,2}))?")
_UNITS: dict[str, float] = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 0.001}


@dataclass(frozen=True, slots=True)
class Belongings:
    """What a pipeline may use besides its own configuration: its own and its core instance's, each by its name."""

    secrets: Mapping[str, bytes | Unreadable] = field(default_factory=dict, repr=False)
    files: Mapping[str, File | Unreadable] = field(default_factory=dict, repr=False)
    sidecars: Sequence[Mapping[str, Any]] = ()
    namespaces: Sequence[str] | None = None  # to read containers' logs of; None: of all
    image: str = ""
    skip_service_creation: bool = False


def assemble(pipeline: Pipeline, belongings: Belongings) -> Deployment:
    """The pipeline as it should run. Raises Unassemblable, which says why it cannot."""
    document = _read(pipeline, belongings)
    filling = Filling(belongings.secrets, belongings.files)
    filled = filling.document(document)
    completed = _completed(filled, pipeline.resource_profile, belongings)
    deployment = Deployment(
        pipeline_id=pipeline.id,
        name=pipeline.name,
        version="",
        config=_written(completed),
        kind=pipeline.kind if pipeline.kind in ("daemonSet", "statefulSet") else "deployment",  # type: ignore[arg-type]
        strategy="hotReload" if pipeline.deployment_strategy == "hotReload" else "recreate",
        image=pipeline.image or belongings.image,
        files=_files(belongings),
        environment=dict(sorted(filling.environment.items())),
        ports=_ports(document, pipeline.ports or ()),
        resources=_resources(pipeline.resource_profile),
        scaling=_scaling(pipeline),
        sidecars=[Sidecar(str(one["name"]), one) for one in sorted(belongings.sidecars, key=lambda one: str(one["name"]))],
        scheduling=_scheduling(pipeline, belongings),
    )
    return replace(deployment, version=digest(deployment))


def digest(deployment: Deployment) -> str:
    """Of everything that matters of a deployment; its version aside."""
    content = asdict(replace(deployment, version=""))
    content["environment"] = {name: _bytes(text) for name, text in deployment.environment.items()}
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# -- The configuration -----------------------------------------------------------------------------------------------------


def _read(pipeline: Pipeline, belongings: Belongings) -> Document:
    if pipeline.error:
        raise Unassemblable("ConfigInvalid", f"its configuration cannot be put together: {pipeline.error}")
    text = pipeline.config.raw_config
    try:
        format = formats.format_named(pipeline.config.config_format)
        document = formats.parse(text, None, format)
        names = [_named_by(include.path) for include in document.includes]
        if names and all(any(_matching(name, belongings)) for name in names):
            reader = _Reader(belongings)
            document = formats.parse(text, None, format, read=reader.read, glob=reader.glob)
    except ConfigError as error:
        raise Unassemblable("ConfigInvalid", f"its configuration cannot be read: {error}") from None
    except ValueError as error:
        raise Unassemblable("ConfigInvalid", str(error)) from None
    return document


class _Reader:
    """The pipeline's files, for what its configuration includes."""

    def __init__(self, belongings: Belongings) -> None:
        self._belongings = belongings

    def read(self, name: str) -> bytes | None:
        file = self._belongings.files.get(_named_by(name))
        if isinstance(file, Unreadable):
            raise Unassemblable("FileUnreadable", str(file))
        return None if file is None else file.contents

    def glob(self, pattern: str) -> Sequence[str]:
        return list(_matching(_named_by(pattern), self._belongings))


def _named_by(path: str) -> str:
    """The file that an include means: by template, or by a path beside the configuration."""
    template = TEMPLATE.search(path)
    return template[2] if template else path.removeprefix("./")


def _matching(name: str, belongings: Belongings) -> Iterator[str]:
    return (known for known in sorted(belongings.files) if known == name or glob_fits(name, known))


def _completed(document: Document, profile: Profile, belongings: Belongings) -> Document:
    """With what every pipeline has: its own HTTP server, hot reload, health, tap, and storage as its profile says."""
    ours = _NOT_THEIRS | {name for name, _ in _ALWAYS}
    theirs = [prop for prop in document.service if prop.name not in ours]
    known = {prop.name for prop in theirs}
    wanted = [*_ALWAYS, *((name, text) for name, text in _storage(profile) if name not in known)]
    parsers = belongings.files.get(PARSERS)
    path = f"{FILES}/{PARSERS}"
    is_used = any(prop.name == "parsers_file" and prop.value == path for prop in theirs)
    if isinstance(parsers, File) and not is_used and re.search(rb"^\s*\[", parsers.contents, re.MULTILINE):
        wanted.append(("parsers_file", path))
    service = Section(Kind.SERVICE, "service", (*theirs, *(_option(*pair) for pair in wanted)), (), document.file, 0, 0)
    others = (one for one in document.sections if one.kind is not Kind.SERVICE)
    return replace(document, sections=(service, *(_output(_input(one, profile, belongings), profile) for one in others)))


def _storage(profile: Profile) -> list[tuple[str, str]]:
    pairs = [("storage.metrics", "on"), ("storage.sync", "full" if profile.storage_sync_full else "normal")]
    pairs.append(("storage.checksum", "off"))
    if limit := _size(profile.storage_backlog_mem_limit):
        pairs.append(("storage.backlog.mem_limit", str(limit)))
    if profile.storage_max_chunks_up:
        pairs.append(("storage.max_chunks_up", str(profile.storage_max_chunks_up)))
    return pairs


def _input(section: Section, profile: Profile, belongings: Belongings) -> Section:
    if section.kind is not Kind.INPUT:
        return section
    known = {prop.name for prop in section.properties}
    added = []
    if "storage.type" not in known and profile.name != IN_MEMORY:
        added.append(_option("storage.type", "filesystem"))
        if profile.storage_max_chunks_pause and "storage.pause_on_chunks_overlimit" not in known:
            added.append(_option("storage.pause_on_chunks_overlimit", "on"))
    section = section._replace(properties=(*section.properties, *added))
    if belongings.namespaces is None or (section.get("name") or "").lower() != "tail":
        return section
    return section._replace(properties=tuple(_narrowed(prop, belongings.namespaces) for prop in section.properties))


def _output(section: Section, profile: Profile) -> Section:
    """With as many workers as the profile says, where it says some and the author said nothing."""
    plural = section.kind is Kind.OUTPUT and (section.get("name") or "").lower() in _MANY_WORKERS
    if not plural or profile.cpu_buffer_workers < 1 or section.get("workers") is not None:
        return section
    return section._replace(properties=(*section.properties, _option("workers", str(profile.cpu_buffer_workers))))


def _narrowed(prop: Property, namespaces: Sequence[str]) -> Property:
    """Containers' logs are called <pod>_<namespace>_<container>-<id>.log; no namespace is called `-`."""
    if prop.name != "path" or not prop.value.startswith(_CONTAINERS):
        return prop
    return prop._replace(value=",".join(f"{_CONTAINERS}*_{name}_*.log" for name in sorted(namespaces) or ["-"]))


def _option(name: str, value: str) -> Property:
    return Property(name, name, value, "", 0, 0, 0, 0)


def _written(document: Document) -> str:
    """As YAML, which is read again and must mean the same."""
    kept, findings = fit(document, Format.YAML)
    lost = [finding.message for finding in findings if finding.severity == "error"]
    if lost:
        raise Unassemblable("ConfigInvalid", f"its configuration cannot be written as YAML: {'; '.join(lost)}")
    text = write(kept, Format.YAML)
    try:
        again = formats.parse(text, None, Format.YAML)
    except ConfigError as error:
        raise Unassemblable("ConfigInvalid", f"its configuration cannot be written as YAML: {error}") from None
    if not meaning.same(replace(kept, includes=()), replace(again, includes=())):
        raise Unassemblable("ConfigInvalid", "its configuration cannot be written as YAML without changing what it means")
    return text


def _size(quantity: str) -> int:
    """Bytes of a quantity as Kubernetes writes it, 0 for none: Fluent Bit knows `M` and not `Mi`, and means 2^20 by it."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        return 0
    unit = 10 ** int(match[2]) if match[2] else _UNITS.get(match[3] or "", 0)
    return int(float(match[1]) * unit)


# -- Beside it -------------------------------------------------------------------------------------------------------------


def _files(belongings: Belongings) -> list[File]:
    return [file for _, file in sorted(belongings.files.items()) if isinstance(file, File)]


def _ports(document: Document, ports: Sequence[KnownPort]) -> list[Port]:
    own = _own_port(document)

    def back(port: KnownPort) -> int:
        return 0 if port.protocol == "tcp" and port.plugin_id is None and port.backend_port == own else port.backend_port

    found = [
        Port(port.id, "udp" if port.protocol == "udp" else "tcp", port.frontend_port, back(port), port.kind) for port in ports
    ]
    return sorted(found, key=lambda port: (port.protocol, port.front, port.id))


def _own_port(document: Document) -> int:
    """Where Fluent Bit's own HTTP server was to listen, if it was asked for; -1 if not."""
    switch, number = document.service_value("http_server"), document.service_value("http_port")
    if switch is None or not boolean(switch.value):
        return -1
    text = number.value if number is not None else "2020"
    return int(text) if text.isascii() and text.isdigit() else -1


def _resources(profile: Profile) -> Resources:
    return Resources(
        cpu_request=profile.cpu_request,
        cpu_limit=profile.cpu_limit,
        memory_request=profile.memory_request,
        memory_limit=profile.memory_limit,
        volume_size=profile.storage_volume_size,
    )


def _scaling(pipeline: Pipeline) -> Scaling:
    """By itself only when it is told how far, and how fast both ways: the original made no autoscaler else."""
    replicas = 1 if pipeline.kind == "daemonSet" else pipeline.replicas_count
    up = _policy(pipeline.scale_up_type, pipeline.scale_up_value, pipeline.scale_up_period_seconds)
    down = _policy(pipeline.scale_down_type, pipeline.scale_down_value, pipeline.scale_down_period_seconds)
    if pipeline.max_replicas == 0 or up is None or down is None or pipeline.kind == "daemonSet":
        return Scaling(replicas=replicas)
    return Scaling(
        replicas=replicas,
        minimum=max(pipeline.min_replicas, 1),
        maximum=pipeline.max_replicas,
        cpu_percent=pipeline.utilization_cpu_average,
        memory_percent=pipeline.utilization_memory_average,
        up=up,
        down=down,
    )


def _policy(kind: str, value: int, seconds: int) -> tuple[str, int, int] | None:
    return (kind, value, seconds) if kind in ("Pods", "Percent") and value > 0 else None


def _scheduling(pipeline: Pipeline, belongings: Belongings) -> dict[str, Any]:
    given = {wire: getattr(pipeline, name) for name, wire in _SCHEDULING.items()}
    found = {wire: _said(value) for wire, value in given.items() if value is not None}
    return found | ({"skipServiceCreation": True} if belongings.skip_service_creation else {})


def _said(value: Any) -> Any:
    """Without the nulls by which the API says that nothing was said: to a cluster they are something."""
    if isinstance(value, dict):
        return {name: _said(one) for name, one in value.items() if one is not None}
    return [_said(one) for one in value] if isinstance(value, list) else value
