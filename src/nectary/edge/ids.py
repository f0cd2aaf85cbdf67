"""The ids in paths, spelled as the contract spells them. The guard has already refused what is no UUID."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

ProjectID = Annotated[UUID, Path(alias="projectID")]
TokenID = Annotated[UUID, Path(alias="tokenID")]
MemberID = Annotated[UUID, Path(alias="memberID")]
InvitationID = Annotated[UUID, Path(alias="invitationID")]
EnvironmentID = Annotated[UUID, Path(alias="environmentID")]
AgentID = Annotated[UUID, Path(alias="agentID")]
AgentErrorID = Annotated[UUID, Path(alias="agentErrorID")]
FleetID = Annotated[UUID, Path(alias="fleetID")]
FleetFileID = Annotated[UUID, Path(alias="fleetFileID")]
RolloutID = Annotated[UUID, Path(alias="rolloutID")]
ProcessingRuleID = Annotated[UUID, Path(alias="processingRuleID")]
TemplateID = Annotated[UUID, Path(alias="templateID")]
CoreInstanceID = Annotated[UUID, Path(alias="coreInstanceID")]
AggregatorID = Annotated[UUID, Path(alias="aggregatorID")]  # the same thing by its older name
ResourceProfileID = Annotated[UUID, Path(alias="resourceProfileID")]
ClusterObjectID = Annotated[UUID, Path(alias="clusterObjectID")]
CoreInstanceFileID = Annotated[UUID, Path(alias="coreInstanceFileID")]
CoreInstanceSecretID = Annotated[UUID, Path(alias="coreInstanceSecretID")]
PipelineID = Annotated[UUID, Path(alias="pipelineID")]
PipelineInHistory = Annotated[UUID, Path(alias="pipeline")]  # the same; two paths spell it so
PipelinePortID = Annotated[UUID, Path(alias="portID")]
PipelineLogID = Annotated[UUID, Path(alias="pipelineLogID")]
SidecarID = Annotated[UUID, Path(alias="sidecarID")]
ClusterObjectRegexID = Annotated[UUID, Path(alias="regexID")]
ConfigSectionID = Annotated[UUID, Path(alias="configSectionID")]
TraceSessionID = Annotated[UUID, Path(alias="sessionID")]
PipelineFileID = Annotated[UUID, Path(alias="fileID")]
PipelineSecretID = Annotated[UUID, Path(alias="secretID")]
CheckID = Annotated[UUID, Path(alias="checkID")]
IngestCheckID = Annotated[UUID, Path(alias="ingestCheckID")]
SamlMappingID = Annotated[UUID, Path(alias="id")]
AlertRuleID = Annotated[UUID, Path(alias="alertRuleID")]
AlertID = Annotated[UUID, Path(alias="alertID")]
