"""What runs pipelines: child processes on this machine, objects in Kubernetes, or nothing at all for demonstrations.

`sync.py` hands a `Deployment` to `Runtime.apply` whenever it should run, changed or not, and reads `Runtime.observe` to report
what became of it. A runtime owns what it started and finds it again after a crash: applying twice starts nothing twice.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

Kind = Literal["deployment", "daemonSet", "statefulSet"]
Strategy = Literal["recreate", "hotReload"]
State = Literal["NEW", "STARTING", "STARTED", "SCALING", "FAILED"]
Stage = Literal["running", "ok", "failed"]


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a pipeline: people send to `front`; each of its Fluent Bits listens on `back`, where 0 stands for the port of
    Fluent Bit's own HTTP server, whichever that is (`HTTP_PORT`)."""

    id: str
    protocol: Literal["tcp", "udp"]
    front: int
    back: int
    kind: str = ""  # ClusterIP, NodePort, LoadBalancer, or what the runtime takes for itself


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of one replica as Kubernetes writes quantities (`500m`, `256Mi`); empty means no limit."""

    cpu_request: str = ""
    cpu_limit: str = ""
    memory_request: str = ""
    memory_limit: str = ""
    volume_size: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """Something that the pipeline's Fluent Bit reads by `{{ files.name }}`; `secret` where it came sealed."""

    name: str
    contents: bytes = field(repr=False)
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many replicas: a fixed number while `maximum` is 0, else between the two by use of processor and memory (percent
    of what is requested). `up` and `down`: (Pods or Percent, how many, seconds)."""

    replicas: int = 1
    minimum: int = 0
    maximum: int = 0
    cpu_percent: int = 0
    memory_percent: int = 0
    up: tuple[str, int, int] | None = None
    down: tuple[str, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A container beside the Fluent Bit of a pipeline; only Kubernetes has them. `spec` is as the API gives it."""

    name: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A pipeline as it should run. Equal deployments run alike; `version` changes with anything in it that matters."""

    pipeline_id: str
    name: str
    version: str  # a digest of all below
    config: str = field(repr=False)  # YAML; `FILES` stands where the folder of files goes, `STORAGE` for that of buffers
    kind: Kind = "deployment"
    strategy: Strategy = "recreate"
    image: str = ""
    files: Sequence[File] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # secrets opened; never written where others read
    ports: Sequence[Port] = ()
    resources: Resources = Resources()
    scaling: Scaling = Scaling()
    sidecars: Sequence[Sidecar] = ()
    # Kubernetes' affairs as the API gives them: labels, annotations, tolerations, affinity, ... (its wire names).
    scheduling: Mapping[str, Any] = field(default_factory=dict)
    internal: bool = False


# Where `Deployment.config` names folders that only the runtime knows.
FILES = "${NECTARY_FILES}"
STORAGE = "${NECTARY_STORAGE}"
# The port of Fluent Bit's own HTTP server, on the loopback of wherever it runs; set by the runtime for each replica.
HTTP_PORT = "${NECTARY_HTTP_PORT}"
# Which replica it is, from 0: each is an agent of its own.
REPLICA = "${NECTARY_REPLICA}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a pipeline, in words a person can act on."""

    source: str  # e.g. `process`, `k8s:pod`
    reason: str  # one word, e.g. `PortInUse`
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Observed:
    """What became of a pipeline. `version`: the deployment that runs; `endpoints`: port id -> `host:port` where it is reached;
    `ready`: how many of `replicas` work."""

    state: State
    version: str
    replicas: int = 0
    ready: int = 0
    endpoints: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that runs for a while to see whether it works (an ingest check)."""

    id: str
    config: str = field(repr=False)
    files: Sequence[File] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    stage: Stage
    logs: str = ""


class Runtime(Protocol):
    """Every call is safe to repeat and to interrupt. Failures of one pipeline are in what is observed of it; a call raises
    `RuntimeUnavailableError` only when nothing at all can be done (no binary, no cluster)."""

    async def start(self) -> None:
        """Find what an earlier run left, and take it over or clear it away."""

    async def apply(self, deployment: Deployment) -> None:
        """Make it run like this, from whatever is there. Returns soon; what becomes of it is observed."""

    async def remove(self, pipeline_id: str) -> None:
        """Stop it, giving it time to flush, and leave nothing of it behind. Unknown ones are no error."""

    async def observe(self) -> Mapping[str, Observed]:
        """Every pipeline that is here, by its id."""

    async def logs(self, pipeline_id: str, lines: int) -> str:
        """The newest lines that its Fluent Bits wrote."""

    async def http(self, pipeline_id: str) -> Sequence[str]:
        """Addresses (`http://127.0.0.1:port`) of its Fluent Bits' own HTTP servers, one a replica: for taps and counters."""

    async def try_out(self, trial: Trial) -> Verdict:
        """Run a configuration for its time at most, and say whether records went through."""

    async def surroundings(self) -> Mapping[str, Sequence[str]]:
        """Kind -> names of what is around that pipelines can be limited to: `{"namespace": ["default", ...]}`."""

    async def close(self, *, stop: bool) -> None:
        """Let go. `stop`: stop the pipelines, too; else they run on, and the next start finds them."""


@runtime_checkable
class Parting(Protocol):
    """A runtime that says so before it replaces or ends a Fluent Bit, while that one still answers, so that its last counts can
    be read: `leaving`, with the pipeline and an address as `Runtime.http` gives them. It waits for that."""

    leaving: Callable[[str, str], Awaitable[None]]


class Keep(Protocol):
    """Where a core instance keeps who it is, its private key included: a file of mode 0600, or a Secret of the cluster. A
    runtime that has such a place has `keep: Keep`; else the state folder holds it."""

    async def read(self) -> bytes | None:
        """What was written last; None when nothing was."""

    async def write(self, data: bytes) -> None:
        """Keep this, for nobody else to read. All or nothing."""


class RuntimeUnavailableError(Exception):
    """Nothing can be run here at all; the text says why, and what would help."""


class HeldElsewhereError(RuntimeUnavailableError):
    """Another one of this core instance is at work here. This one stands by, and says nothing of the pipelines."""
