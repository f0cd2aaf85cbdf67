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
