"""Metrics of agents and projects, in both versions the contract has."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from nectary import clock, durations
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.edge import context
from nectary.edge.callers import Route, may
from nectary.edge.ids import AgentID
from nectary.edge.transaction import ReadTx
from nectary.metrics import series, store
from nectary.metrics.cmetrics import Readings
from nectary.metrics.store import Sample

router = APIRouter(tags=["metric"], route_class=Route)

OfAgent = Annotated[Caller, may("read:*", tables.agents)]
OfProject = Annotated[Caller, may("read:*", tables.projects)]

_DAY, _HOUR = 24 * 3600.0, 3600.0
_SUNSET = "Tue, 01 Nov 2022 00:00:00 GMT"  # the contract's own date for version 1


class Span:
    """Which stretch of time is asked for, in seconds since the epoch."""

    def __init__(
        self,
        start: Annotated[str | None, Query(description="How far to look back, as a Go duration such as `-24h`.")] = None,
        interval: Annotated[str | None, Query(description="Length of a step, as a Go duration such as `1h`.")] = None,
    ) -> None:
        self.end = clock.seconds()
        # Nought means unset, and a sign means nothing: the Go client sends `0s`, or `-24h0m0s`.
        self.start = self.end - (abs(durations.parse(start, "invalid start")) or _DAY)
        self.interval = abs(durations.parse(interval, "invalid interval")) or _HOUR


Asked = Annotated[Span, Depends()]


class Reading:
    """The samples of one owner, as a route asks for them."""

    def __init__(self, request: Request, tx: ReadTx) -> None:
        self._tx = tx
        settings = context.of(request).settings
        self._kept = (settings.keep_raw, settings.keep_1m, settings.keep_5m)

    async def over(self, owner: UUID, span: Span) -> list[Sample]:
        return await store.samples(self._tx, owner, since=span.start, interval=span.interval, kept=self._kept)

    async def latest(self, owner: UUID, span: Span) -> list[Sample]:
        return await store.latest(self._tx, owner, since=span.start)

    async def reported(self, agent: UUID) -> Readings | None:
        return await store.reported(self._tx, agent)

    async def agent(self, caller: Caller, id: UUID) -> UUID:
        await statements.get(self._tx, caller, tables.agents, id)
        return id


FromStore = Annotated[Reading, Depends()]


@router.get("/v2/agents/{agentID}/metrics", operation_id="agentMetrics")
async def agent_metrics(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore) -> dict[str, Any]:
    """An agent's current rates, per second, all plugins together."""
    return series.current(await read.latest(await read.agent(caller, agent_id), span))


@router.get("/v2/agents/{agentID}/metrics_by_plugin", operation_id="agentMetricsByPlugin")
async def agent_metrics_by_plugin(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore) -> dict[str, Any]:
    """An agent's current rates, per second, of each plugin."""
    samples = await read.latest(await read.agent(caller, agent_id), span)
    return series.current_by_plugin(samples, reported=await read.reported(agent_id))


@router.get("/v2/agents/{agentID}/metrics_over_time", operation_id="agentMetricsOverTime")
async def agent_metrics_over_time(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore) -> dict[str, Any]:
    """An agent's rates, per second, step by step, all plugins together."""
    samples = await read.over(await read.agent(caller, agent_id), span)
    return series.over_time(samples, span.start, span.end, span.interval)


@router.get("/v2/agents/{agentID}/metrics_over_time_by_plugin", operation_id="agentMetricsOverTimeByPlugin")
async def agent_metrics_over_time_by_plugin(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore) -> dict[str, Any]:
    """An agent's rates, per second, step by step, of each plugin."""
    samples = await read.over(await read.agent(caller, agent_id), span)
    return series.over_time_by_plugin(samples, span.start, span.end, span.interval, await read.reported(agent_id))


@router.get("/v1/agents/{agentID}/metrics", operation_id="agentMetricsV1", deprecated=True)
async def agent_metrics_v1(
    agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore, response: Response
) -> dict[str, Any]:
    """An agent's sums, step by step."""
    response.headers["Sunset"] = _SUNSET
    samples = await read.over(await read.agent(caller, agent_id), span)
    return series.v1_agent(samples, span.start, span.end, span.interval, await read.reported(agent_id))


@router.get("/v1/projects/{projectID}/metrics", operation_id="projectMetrics", deprecated=True)
async def project_metrics(span: Asked, caller: OfProject, read: FromStore, response: Response) -> dict[str, Any]:
    """A project's sums, step by step, of all its agents together, with its busiest plugins."""
    response.headers["Sunset"] = _SUNSET
    samples = await read.over(caller.project_id, span)
    return series.v1_project(samples, span.start, span.end, span.interval)
