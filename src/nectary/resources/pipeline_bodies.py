"""What people send to make or change a pipeline. Real clients leave most keys out, whatever the contract calls required."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints

from nectary.resources.files import FilePatch, NewFile
from nectary.resources.kubernetes import (
    Affinity,
    Lifecycle,
    ObjectNameOrNone,
    PvcRetentionPolicy,
    SecretVolumeMount,
    Toleration,
    TopologySpreadConstraint,
    as_sent,
)
from nectary.resources.names import IMAGE, LABEL, Tags
from nectary.resources.pipeline_statuses import Event, StatusWord
from nectary.resources.pipeline_text import ConfigFormat
from nectary.resources.secrets import NewSecret, SecretPatch
from nectary.shape import UNSAID, Patch, Says, Shape

Name = Annotated[Annotated[str, StringConstraints(pattern=LABEL)] | None, UNSAID, Says("invalid pipeline name")]
Kind = Annotated[Literal["deployment", "daemonSet", "statefulSet"] | None, UNSAID, Says("invalid pipeline kind")]
Strategy = Annotated[
    Literal["recreate", "rollingupdate", "hotReload"] | None, UNSAID, Says("invalid pipeline deployment strategy")
]
PortKind = Annotated[Literal["LoadBalancer", "ClusterIP", "NodePort"] | None, UNSAID, Says("invalid pipeline port type")]
# Before August 2024 an unknown scaling type was the empty text.
ScalePolicy = Annotated[
    Literal["Unknown", "Pods", "Percent"],
    BeforeValidator(lambda value: "Unknown" if value == "" else value),
    Says("invalid pipeline HPA scaling type"),
]
Image = Annotated[str, StringConstraints(pattern=f"^$|{IMAGE}", max_length=1024), Says("invalid pipeline image")]
Format = Annotated[ConfigFormat | None, UNSAID, Says("invalid pipeline config format")]
RawConfig = Annotated[str, Says("invalid pipeline config")]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
MinReplicas = Annotated[Count, Says("invalid min replica count")]
Metadata = Annotated[dict[str, Any], Says("invalid pipeline metadata")]
Labels = dict[Annotated[str, StringConstraints(max_length=317)], Annotated[str, StringConstraints(max_length=63)]]
Annotations = dict[Annotated[str, StringConstraints(max_length=317)], Annotated[str, StringConstraints(max_length=64 * 1024)]]
ResourceProfileName = Annotated[str | None, UNSAID, Says("invalid resource profile name")]


class _Scheduling(Shape):
    """What is passed on to Kubernetes as it came."""

    affinity: Affinity | None = None
    topology_spread_constraints: list[TopologySpreadConstraint] | None = None
    tolerations: list[Toleration] | None = None
    termination_grace_period_seconds: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    lifecycle: Lifecycle | None = None
    storage_class: Annotated[str, StringConstraints(max_length=253)] | None = None
    pvc_retention_policy: PvcRetentionPolicy | None = None
    # Nectary's own; "" takes back what was said before.
    annotations: Annotations | None = None
    service_account: Annotated[ObjectNameOrNone, Says("invalid service account name")] | None = None
    kubernetes_secret_name: Annotated[ObjectNameOrNone, Says("invalid secret name")] | None = None
    secret_volume_mounts: Annotated[list[SecretVolumeMount], Field(max_length=100)] | None = None

    def scheduling(self) -> dict[str, Any]:
        """Those that were sent, by their wire names."""
        return as_sent(_Scheduling.model_validate({name: getattr(self, name) for name in _Scheduling.model_fields}))


class Scaling(Shape):
    """Horizontal scaling; nought and Unknown mean none."""

    min_replicas: MinReplicas = 0
    max_replicas: Count = 0
    scale_up_type: ScalePolicy = "Unknown"
    scale_up_value: Count = 0
    scale_up_period_seconds: Count = 0
    scale_down_type: ScalePolicy = "Unknown"
    scale_down_value: Count = 0
    scale_down_period_seconds: Count = 0
    utilization_cpu_average: Count = 0
    utilization_memory_average: Count = 0

    def scaling(self) -> dict[str, Any]:
        """By their wire names."""
        return {str(field.alias): getattr(self, name) for name, field in Scaling.model_fields.items()}


class NewPipeline(Scaling, _Scheduling):
    name: Name = None
    kind: Kind = None
    replicas_count: Count = 1
    raw_config: RawConfig = ""
    config_format: Format = None
    deployment_strategy: Strategy = None
    image: Image | None = None
    secrets: list[NewSecret] | None = None
    files: list[NewFile] | None = None
    resource_profile: ResourceProfileName = None
    no_auto_create_endpoints_from_config: bool | None = None
    no_auto_create_checks_from_config: bool | None = None
    auto_create_ports_from_config: bool | None = None  # of 2022; the other way round
    auto_create_checks_from_config: bool | None = None
    wait_for_checks_before_deploying: bool | None = None
    skip_config_validation: bool | None = None
    port_kind: PortKind = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    labels: Labels | None = None


class PipelinePatch(_Scheduling, Patch):
    """Null and absent leave things as they are; the contract's defaults count for new pipelines only."""

    name: Name = None
    kind: Kind = None
    replicas_count: Count | None = None
    raw_config: RawConfig | None = None
    config_format: Format = None
    deployment_strategy: Strategy = None
    image: Image | None = None  # "" takes the core instance's again
    secrets: list[SecretPatch] | None = None
    files: list[FilePatch] | None = None
    resource_profile: ResourceProfileName = None
    no_auto_create_endpoints_from_config: bool | None = None
    no_auto_create_checks_from_config: bool | None = None
    auto_create_ports_from_config: bool | None = None
    auto_create_checks_from_config: bool | None = None
    # The published name, and the Go client's.
    wait_for_checks: bool | None = Field(
        None, validation_alias=AliasChoices("checksBeforeDeploying", "waitForChecksBeforeDeploying")
    )
    skip_config_validation: bool | None = None
    status: StatusWord | None = None
    events: list[Event] | None = None
    port_kind: PortKind = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    labels: Labels | None = None
    min_replicas: MinReplicas | None = None
    max_replicas: Count | None = None
    scale_up_type: ScalePolicy | None = None
    scale_up_value: Count | None = None
    scale_up_period_seconds: Count | None = None
    scale_down_type: ScalePolicy | None = None
    scale_down_value: Count | None = None
    scale_down_period_seconds: Count | None = None
    utilization_cpu_average: Count | None = None
    utilization_memory_average: Count | None = None

    def scaling(self) -> dict[str, Any]:
        """What of horizontal scaling was sent, by wire names."""
        sent = {str(field.alias): getattr(self, name) for name, field in Scaling.model_fields.items()}
        return {name: value for name, value in sent.items() if value is not None}


def automatic(no: bool | None, yes: bool | None) -> bool | None:
    """Whether ports or checks are made from the configuration, as two keys say that mean opposites; None: neither says."""
    return (not no) if no is not None else yes
