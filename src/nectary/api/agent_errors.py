"""Agent errors, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from nectary.caller import Caller, Kind
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import AgentErrorID, AgentID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.errors import Forbidden
from nectary.resources import agent_errors
from nectary.resources.agent_errors import AgentError, Dismissal, Dismissed, NewAgentError
from nectary.shape import Created

router = APIRouter(tags=["agent_error"], route_class=Route)

# Not people: the contract has errors reported by machines only.
Reporter = Annotated[Caller, may("create:*", tables.agents, by=frozenset({Kind.PROJECT_TOKEN, Kind.AGENT}))]


@router.post("/v1/agents/{agentID}/errors", operation_id="createAgentError", status_code=201)
async def create_agent_error(agent_id: AgentID, new: NewAgentError, caller: Reporter, tx: WriteTx) -> Created:
    """Report an error of an agent. One that already stands undismissed is not added again."""
    if caller.kind is Kind.AGENT and caller.id != agent_id:
        raise Forbidden("permission denied", "an agent token speaks for its own agent only")
    return Created.model_validate(await agent_errors.report(tx, caller, agent_id, new))


@router.get("/v1/agents/{agentID}/errors", operation_id="agentErrors")
async def list_agent_errors(
    agent_id: AgentID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.agents)],
    tx: ReadTx,
    dismissed: Annotated[bool | None, Query(description="Only dismissed ones, or only those that stand; none: both.")] = None,
) -> Sequence[AgentError]:
    """An agent's errors, newest first."""
    page = await agent_errors.of_agent(tx, caller, agent_id, dismissed=dismissed, last=window.last, before=window.before)
    return window.of(page)


@router.post("/v1/agent_errors/{agentErrorID}/dismiss", operation_id="dismissAgentError")
async def dismiss_agent_error(
    error_id: AgentErrorID,
    dismissal: Dismissal,
    caller: Annotated[Caller, may("update:*", tables.agent_errors)],
    tx: WriteTx,
) -> Dismissed:
    """Dismiss an error, saying why."""
    return await agent_errors.dismiss(tx, caller, error_id, dismissal)
