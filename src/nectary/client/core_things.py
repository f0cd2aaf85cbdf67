"""What a core instance reads of the API: its pipelines with all that belongs to them, and what it is asked to do.

Unknown keys are ignored. Secrets and files come sealed or as they are, never as base64: that is undone while reading.
"""

from datetime import datetime
from typing import Any

import msgspec

_CAPITALS = {"id": "ID", "ok": "OK", "rsa": "RSA", "cpu": "CPU"}


def _wire(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(_CAPITALS.get(word, word.capitalize()) for word in rest)


class Part(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """A piece of an answer."""


class CreatedCoreInstance(Part, frozen=True, kw_only=True):
    """The only time that the private key and the token are told; the key is base64 of PEM."""

    id: str
    name: str
    token: str
    private_rsa_key: str = ""


class KnownCoreInstance(Part, frozen=True, kw_only=True):
    """`status`: waiting (never heard of), running (heard of lately) or unreachable."""

    id: str
    name: str
    status: str = ""
    version: str = ""
    image: str = ""
    environment_name: str = ""
    skip_service_creation: bool = False


class KnownEnvironment(Part, frozen=True, kw_only=True):
    id: str
    name: str


class Config(Part, frozen=True, kw_only=True):
    id: str
    raw_config: str
    config_format: str = ""


class ConfigId(Part, frozen=True, kw_only=True):
    id: str


class Status(Part, frozen=True, kw_only=True):
    """What was last reported of a pipeline, and of which configuration."""

    status: str
    config: ConfigId
    events: list[dict[str, Any]] = []


class Profile(Part, frozen=True, kw_only=True):
    name: str
    storage_max_chunks_up: int = 128
    storage_sync_full: bool = False
    storage_backlog_mem_limit: str = ""
    storage_volume_size: str = ""
    storage_max_chunks_pause: bool = False
    cpu_buffer_workers: int = 0
    cpu_limit: str = ""
    cpu_request: str = ""
    memory_limit: str = ""
    memory_request: str = ""


class KnownPort(Part, frozen=True, kw_only=True):
    id: str
    protocol: str
    frontend_port: int
    backend_port: int
    kind: str = ""
    endpoint: str = ""
    plugin_id: str | None = None


class KnownFile(Part, frozen=True, kw_only=True):
    name: str
    contents: bytes
    encrypted: bool = False


class KnownSecret(Part, frozen=True, kw_only=True):
    key: str
    value: bytes


class Pipeline(Part, frozen=True, kw_only=True):
    """A pipeline of a core instance; `error` says why its config sections could not be put into its configuration."""

    id: str
    name: str
    kind: str = "deployment"
    config: Config
    status: Status
    resource_profile: Profile
    deployment_strategy: str = "recreate"
    tracing_enabled: bool = False
    wait_for_checks_before_deploying: bool = False
    image: str | None = None
    replicas_count: int = 1
    checks_total: int = 0
    checks_ok: int = 0
    checks_running: int = 0
    min_replicas: int = 0
    max_replicas: int = 0
    scale_up_type: str = "Unknown"
    scale_up_value: int = 0
    scale_up_period_seconds: int = 0
    scale_down_type: str = "Unknown"
    scale_down_value: int = 0
    scale_down_period_seconds: int = 0
    utilization_cpu_average: int = 0
    utilization_memory_average: int = 0
    labels: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    affinity: Any = None
    topology_spread_constraints: Any = None
    tolerations: Any = None
    termination_grace_period_seconds: int | None = None
    lifecycle: Any = None
    storage_class: str | None = None
    pvc_retention_policy: Any = None
    annotations: dict[str, Any] | None = None
    service_account: str | None = None
    kubernetes_secret_name: str | None = None
    secret_volume_mounts: Any = None
    ports: list[KnownPort] | None = None
    files: list[KnownFile] | None = None
    secrets: list[KnownSecret] | None = None
    error: str | None = None


class KnownCheck(Part, frozen=True, kw_only=True):
    """`status`: new, running, ok or failed."""

    id: str
    protocol: str
    host: str
    port: int
    status: str
    retries: int = 3


class KnownIngestCheck(Part, frozen=True, kw_only=True):
    """`config`: the section to try, as text of classic, or of YAML where classic cannot hold it."""

    id: str
    config: str
    status: str
    collect_logs: bool = False
    retries: int = 3


class LogRequest(Part, frozen=True, kw_only=True):
    id: str
    lines: int
    status: str


class KnownTraceSession(Part, frozen=True, kw_only=True):
    """`lifespan` is Go's text, such as `10m0s`."""

    id: str
    plugins: list[str]
    lifespan: str
    created_at: datetime


class KnownClusterObject(Part, frozen=True, kw_only=True):
    id: str
    name: str
    kind: str = "namespace"


class KnownRegex(Part, frozen=True, kw_only=True):
    id: str
    regex: str = ""
    cluster_objects: list[KnownClusterObject] | None = None


class Ping(Part, frozen=True, kw_only=True):
    """Nanoseconds until the next one is due."""

    next_ping: int


class RegisteredAgent(Part, frozen=True, kw_only=True):
    id: str
    token: str


class Changes(Part, frozen=True, kw_only=True):
    """`cursor`: what to ask after next; `changed`: whether it is worth looking at what should run."""

    cursor: str
    changed: bool
