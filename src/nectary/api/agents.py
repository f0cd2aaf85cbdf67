"""Agents, as people and their tools ask for them. What agents themselves say comes in through agent_api/."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge import context
from nectary.edge.callers import Route, may
from nectary.edge.ids import AgentID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import agent_lists, agent_starts, agents, fleet_statuses
from nectary.resources.agent_lists import Status, Wanted
from nectary.resources.agent_starts import AgentStart
from nectary.resources.agents import Agent, AgentConfig, AgentPatch
from nectary.resources.fleet_statuses import AgentFleetStatus, FleetState

router = APIRouter(tags=["agent"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.agents)]


async def _silent_after(request: Request) -> timedelta:
    return timedelta(seconds=context.of(request).settings.agent_silent_after)


SilentAfter = Annotated[timedelta, Depends(_silent_after)]


@router.get("/v1/projects/{projectID}/agents", operation_id="agents")
async def list_agents(
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.projects)],
    tx: ReadTx,
    silent_after: SilentAfter,
    name: Annotated[str | None, Query()] = None,
    tags_query: Annotated[str | None, Query(description="Tags joined by ` AND `; all must be there.")] = None,
    environment_id: Annotated[UUID | None, Query(description="Only agents that stand in this environment.")] = None,
    fleet_id: Annotated[UUID | None, Query(description="Only agents of this fleet.")] = None,
    pipeline_id: Annotated[UUID | None, Query(description="Only agents that run this pipeline.")] = None,
    search: Annotated[str | None, Query(description="Only agents with this in their names.", max_length=253)] = None,
    version: Annotated[str | None, Query(description="Only this Fluent Bit: `5.1.1`, or `5.1`.", max_length=64)] = None,
    status: Annotated[Status | None, Query(description="Only those heard of lately, or only those not.")] = None,
    fleet_status: Annotated[FleetState | None, Query(description="Only those that stand so to their fleet.")] = None,
) -> Sequence[Agent]:
    """The project's agents, newest first."""
    wanted = Wanted(name, search, tags_query, environment_id, fleet_id, pipeline_id, version, status, fleet_status)
    page = await agent_lists.of_project(tx, caller, wanted, last=window.last, before=window.before, silent_after=silent_after)
    return window.of(page)


@router.delete("/v1/projects/{projectID}/agents", operation_id="deleteAgents", status_code=204)
async def delete_agents(
    caller: Annotated[Caller, may("delete:*", tables.projects)],
    tx: WriteTx,
    agent_id: Annotated[tuple[UUID, ...], Query()] = (),
) -> None:
    """Delete the named agents; none named deletes none."""
    await agents.remove(tx, caller, list(agent_id), must_exist=False)


@router.get("/v1/agents/{agentID}", operation_id="agent")
async def get_agent(agent_id: AgentID, caller: Reader, tx: ReadTx, silent_after: SilentAfter) -> Agent:
    """One agent: what it is, what it runs, and whether it is heard of."""
    return await agents.get(tx, caller, agent_id, silent_after=silent_after)


@router.patch("/v1/agents/{agentID}", operation_id="updateAgent", status_code=204)
async def update_agent(
    agent_id: AgentID, patch: AgentPatch, caller: Annotated[Caller, may("update:*", tables.agents)], tx: WriteTx
) -> None:
    """Rename an agent, or move it to another environment or fleet; the rest is its own to report."""
    await agents.change(tx, caller, agent_id, patch)


@router.delete("/v1/agents/{agentID}", operation_id="deleteAgent", status_code=204)
async def delete_agent(agent_id: AgentID, caller: Annotated[Caller, may("delete:*", tables.agents)], tx: WriteTx) -> None:
    """Delete an agent with its history and metrics."""
    await agents.remove(tx, caller, [agent_id], must_exist=True)


@router.get("/v1/agents/{agentID}/config_history", operation_id="agentConfigHistory")
async def list_agent_configs(agent_id: AgentID, window: AskedFor, caller: Reader, tx: ReadTx) -> Sequence[AgentConfig]:
    """The configs an agent reported, newest first, as it dumps them: expanded, lower-cased, partly redacted."""
    return window.of(await agents.configs_of(tx, caller, agent_id, last=window.last, before=window.before))


@router.get("/v1/agents/{agentID}/starts", operation_id="agentStarts")
async def list_agent_starts(agent_id: AgentID, window: AskedFor, caller: Reader, tx: ReadTx) -> Sequence[AgentStart]:
    """When an agent started or loaded another config, newest first, and which revision of its fleet it then ran."""
    return window.of(await agent_starts.of_agent(tx, caller, agent_id, last=window.last, before=window.before))


@router.get("/v1/agents/{agentID}/fleet_status", operation_id="agentFleetStatus")
async def get_agent_fleet_status(agent_id: AgentID, caller: Reader, tx: ReadTx) -> AgentFleetStatus:
    """What an agent should run, what it fetched, what it runs, and how that differs."""
    return await fleet_statuses.of_agent(tx, caller, agent_id)
