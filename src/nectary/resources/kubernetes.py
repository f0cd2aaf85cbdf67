"""The parts of a Kubernetes pod that pipelines and sidecars pass on, in the contract's subset.

Unknown keys are dropped, as everywhere; what is kept is stored by its wire names and handed to the runtime as it came.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from nectary.shape import Shape

_Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
_Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
_Seconds = Annotated[int, Field(ge=0, le=2**63 - 1)]
_PortNumber = Annotated[int, Field(ge=1, le=65535)]
_Text = Annotated[str, StringConstraints(max_length=4096)]
# What most objects of a cluster may be called: RFC 1123's names.
_OBJECT = "[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
ObjectName = Annotated[str, StringConstraints(pattern=f"^{_OBJECT}$", max_length=253)]
ObjectNameOrNone = Annotated[str, StringConstraints(pattern=f"^$|^{_OBJECT}$", max_length=253)]
_Texts = Annotated[list[_Text], Field(max_length=1000)]


class Affinity(Shape):
    """A rule on the labels of nodes."""

    key: _Text
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: _Texts | None = None


class TopologySpreadConstraint(Shape):
    max_skew: _Int32
    topology_key: _Text
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: dict[str, str] | None = None
    min_domains: _Int32 | None = None


class Toleration(Shape):
    key: _Text = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: _Text | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None


class PvcRetentionPolicy(Shape):
    when_scaled: Literal["Retain", "Delete"] = "Retain"
    when_deleted: Literal["Retain", "Delete"] = "Retain"


class HttpHeader(Shape):
    name: _Text
    value: _Text


class Exec(Shape):
    command: _Texts


class HttpGet(Shape):
    path: _Text | None = None
    port: _PortNumber
    host: _Text | None = None
    scheme: Literal["HTTP", "HTTPS"] | None = None
    http_headers: Annotated[list[HttpHeader], Field(max_length=100)] | None = None


class TcpSocket(Shape):
    port: _PortNumber
    host: _Text | None = None


class Grpc(Shape):
    port: _PortNumber
    service: _Text | None = None


class Sleep(Shape):
    seconds: _Seconds


class LifecycleHandler(Shape):
    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    sleep: Sleep | None = None


class Lifecycle(Shape):
    pre_stop: LifecycleHandler | None = None
    post_start: LifecycleHandler | None = None


class Probe(Shape):
    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    grpc: Grpc | None = None
    initial_delay_seconds: _Count | None = None
    timeout_seconds: _Count | None = None
    period_seconds: _Count | None = None
    success_threshold: _Count | None = None
    failure_threshold: _Count | None = None
    termination_grace_period_seconds: _Seconds | None = None


class KeySelector(Shape):
    """One key of a Secret or a ConfigMap."""

    name: _Text
    key: _Text


class EnvVarSource(Shape):
    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None


class EnvVar(Shape):
    name: Annotated[_Text, StringConstraints(min_length=1)]
    value: _Text | None = None
    value_from: EnvVarSource | None = None


class ResourceList(Shape):
    cpu: _Text | None = None
    memory: _Text | None = None


class ResourceRequirements(Shape):
    limits: ResourceList | None = None
    requests: ResourceList | None = None


class ContainerPort(Shape):
    name: _Text | None = None
    container_port: _PortNumber
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None


class VolumeMount(Shape):
    name: _Text
    mount_path: _Text
    read_only: bool | None = None
    sub_path: _Text | None = None
    sub_path_expr: _Text | None = None
    mount_propagation: Literal["None", "HostToContainer", "Bidirectional"] | None = None


class KeyToPath(Shape):
    key: _Text
    path: _Text
    mode: _Int32 | None = None


class ConfigMapVolume(Shape):
    name: _Text
    default_mode: _Int32 | None = None
    optional: bool | None = None
    items: Annotated[list[KeyToPath], Field(max_length=1000)] | None = None


class SecretVolume(Shape):
    secret_name: _Text
    default_mode: _Int32 | None = None
    optional: bool | None = None
    items: Annotated[list[KeyToPath], Field(max_length=1000)] | None = None


class EmptyDirVolume(Shape):
    medium: _Text | None = None
    size_limit: _Text | None = None


class Volume(Shape):
    name: _Text
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDirVolume | None = None


class EnvMapping(Shape):
    """A variable that names the file of one key of a mounted Secret."""

    key: Annotated[_Text, StringConstraints(min_length=1)]
    env_var: Annotated[_Text, StringConstraints(min_length=1)]


class SecretVolumeMount(Shape):
    """A Secret of the cluster's own, mounted read-only under /nectary/secrets."""

    secret_name: ObjectName
    env_mappings: Annotated[list[EnvMapping], Field(max_length=1000)] | None = None


def as_sent(shape: Shape) -> dict[str, Any]:
    """A shape as it is stored and shown again: wire names, and only what was set. The contract's keys here know no null."""
    return shape.model_dump(mode="json", by_alias=True, exclude_none=True)
