"""Metrics of agents, pipelines, core instances and projects, in both versions the contract has."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import ColumnElement, Table, select

from nectary import clock, durations
from nectary.api import metric_shapes as shapes
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.edge import context
from nectary.edge.callers import Route, may
from nectary.edge.ids import AgentID, AggregatorID, CoreInstanceID, PipelineID
from nectary.edge.transaction import ReadTx
from nectary.errors import Invalid
from nectary.metrics import reduction, series, store
from nectary.metrics.cmetrics import Readings
from nectary.metrics.store import Sample

router = APIRouter(tags=["metric"], route_class=Route)

OfAgent = Annotated[Caller, may("read:*", tables.agents)]
OfPipeline = Annotated[Caller, may("read:*", tables.pipelines, at="pipelineID")]
OfCoreInstance = Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID")]
OfAggregator = Annotated[Caller, may("read:*", tables.core_instances, at="aggregatorID")]
OfProject = Annotated[Caller, may("read:*", tables.projects)]

_DAY, _HOUR = 24 * 3600.0, 3600.0
_SUNSET = "Tue, 01 Nov 2022 00:00:00 GMT"  # the contract's own date for version 1
_GOING: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"Sunset": {"description": "Since when this should not be used.", "schema": {"type": "string"}}}}
}
# Fluent Bit posts every half minute (custom_calyptia): in so many seconds each of an owner's agents did.
_ALL_HEARD = 60.0
_MOST_AT_ONCE = 500

Found = dict[str, Any]


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

    def __init__(self, request: Request, tx: ReadTx, span: Asked) -> None:
        self._tx, self._span = tx, span
        settings = context.of(request).settings
        self._kept = (settings.keep_raw, settings.keep_1m, settings.keep_5m)

    async def over(self, owner: UUID) -> list[Sample]:
        span = self._span
        return await store.samples(self._tx, owner, since=span.start, interval=span.interval, kept=self._kept)

    async def latest(self, agent: UUID) -> list[Sample]:
        return await store.latest(self._tx, agent, since=self._span.start)

    async def recent(self, owner: UUID) -> list[Sample]:
        return await store.recent(self._tx, owner, since=self._span.start, over=_ALL_HEARD)

    async def reported(self, *those: ColumnElement[bool]) -> Readings | None:
        return await store.reported(self._tx, *those)

    async def own(self, caller: Caller, table: Table, id: UUID) -> UUID:
        """The owner's id, once it is known to be there."""
        await statements.get(self._tx, caller, table, id)
        return id


FromStore = Annotated[Reading, Depends()]


def _is(agent_id: UUID) -> ColumnElement[bool]:
    return tables.agents.c.id == agent_id


def _runs(pipeline_id: UUID) -> ColumnElement[bool]:
    return tables.agents.c.pipeline_id == pipeline_id


def _runs_in(core_instance_id: UUID) -> ColumnElement[bool]:
    pipelines = tables.pipelines
    return tables.agents.c.pipeline_id.in_(select(pipelines.c.id).where(pipelines.c.core_instance_id == core_instance_id))


# -- Agents ----------------------------------------------------------------------------------------------------------------


@router.get("/v2/agents/{agentID}/metrics", operation_id="agentMetrics", response_model=shapes.Rates)
async def agent_metrics(agent_id: AgentID, caller: OfAgent, read: FromStore) -> Found:
    """An agent's current rates, per second, all plugins together."""
    return series.current(await read.latest(await read.own(caller, tables.agents, agent_id)))


@router.get("/v2/agents/{agentID}/metrics_by_plugin", operation_id="agentMetricsByPlugin", response_model=shapes.RatesByPlugin)
async def agent_metrics_by_plugin(agent_id: AgentID, caller: OfAgent, read: FromStore) -> Found:
    """An agent's current rates, per second, of each plugin."""
    samples = await read.latest(await read.own(caller, tables.agents, agent_id))
    return series.current_by_plugin(samples, reported=await read.reported(_is(agent_id)))


@router.get("/v2/agents/{agentID}/metrics_over_time", operation_id="agentMetricsOverTime", response_model=shapes.RatesOverTime)
async def agent_metrics_over_time(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore) -> Found:
    """An agent's rates, per second, step by step, all plugins together."""
    samples = await read.over(await read.own(caller, tables.agents, agent_id))
    return series.over_time(samples, span.start, span.end, span.interval)


@router.get(
    "/v2/agents/{agentID}/metrics_over_time_by_plugin",
    operation_id="agentMetricsOverTimeByPlugin",
    response_model=shapes.RatesOverTimeByPlugin,
)
async def agent_metrics_over_time_by_plugin(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore) -> Found:
    """An agent's rates, per second, step by step, of each plugin."""
    samples = await read.over(await read.own(caller, tables.agents, agent_id))
    reported = await read.reported(_is(agent_id))
    return series.over_time_by_plugin(samples, span.start, span.end, span.interval, reported)


@router.get(
    "/v1/agents/{agentID}/metrics",
    operation_id="agentMetricsV1",
    response_model=shapes.AgentSums,
    deprecated=True,
    responses=_GOING,
)
async def agent_metrics_v1(agent_id: AgentID, span: Asked, caller: OfAgent, read: FromStore, response: Response) -> Found:
    """An agent's sums, step by step."""
    response.headers["Sunset"] = _SUNSET
    samples = await read.over(await read.own(caller, tables.agents, agent_id))
    return series.v1_agent(samples, span.start, span.end, span.interval, await read.reported(_is(agent_id)))


# -- Pipelines -------------------------------------------------------------------------------------------------------------


@router.get("/v2/pipelines/{pipelineID}/metrics", operation_id="pipelineMetrics", response_model=shapes.Rates)
async def pipeline_metrics(pipeline_id: PipelineID, caller: OfPipeline, read: FromStore) -> Found:
    """A pipeline's current rates, per second, all plugins together."""
    return series.current(await read.recent(await read.own(caller, tables.pipelines, pipeline_id)), _ALL_HEARD)


@router.get(
    "/v2/pipelines/{pipelineID}/metrics_by_plugin", operation_id="pipelineMetricsByPlugin", response_model=shapes.RatesByPlugin
)
async def pipeline_metrics_by_plugin(pipeline_id: PipelineID, caller: OfPipeline, read: FromStore) -> Found:
    """A pipeline's current rates, per second, of each plugin."""
    samples = await read.recent(await read.own(caller, tables.pipelines, pipeline_id))
    return series.current_by_plugin(samples, _ALL_HEARD, await read.reported(_runs(pipeline_id)))


@router.get(
    "/v2/pipelines/{pipelineID}/metrics_over_time", operation_id="pipelineMetricsOverTime", response_model=shapes.RatesOverTime
)
async def pipeline_metrics_over_time(pipeline_id: PipelineID, span: Asked, caller: OfPipeline, read: FromStore) -> Found:
    """A pipeline's rates, per second, step by step, all plugins together."""
    samples = await read.over(await read.own(caller, tables.pipelines, pipeline_id))
    return series.over_time(samples, span.start, span.end, span.interval)


@router.get(
    "/v2/pipelines/{pipelineID}/metrics_over_time_by_plugin",
    operation_id="pipelineMetricsOverTimeByPlugin",
    response_model=shapes.RatesOverTimeByPlugin,
)
async def pipeline_metrics_over_time_by_plugin(
    pipeline_id: PipelineID, span: Asked, caller: OfPipeline, read: FromStore
) -> Found:
    """A pipeline's rates, per second, step by step, of each plugin."""
    samples = await read.over(await read.own(caller, tables.pipelines, pipeline_id))
    reported = await read.reported(_runs(pipeline_id))
    return series.over_time_by_plugin(samples, span.start, span.end, span.interval, reported)


@router.get("/v2/pipelines/{pipelineID}/reduction", operation_id="pipelineReduction", response_model=shapes.Reduction)
async def pipeline_reduction(
    pipeline_id: PipelineID,
    caller: OfPipeline,
    read: FromStore,
    span: Asked,
) -> Found:
    """How much less a pipeline sent than it took in, from `start` until now, and which filters and rules dropped it."""
    samples = await read.over(await read.own(caller, tables.pipelines, pipeline_id))
    return reduction.reduction(samples, span.start, span.end)


@router.get(
    "/v1/pipeline_metrics/{pipelineID}",
    operation_id="pipelineMetricsV1",
    response_model=shapes.AgentSums,
    deprecated=True,
    responses=_GOING,
)
async def pipeline_metrics_v1(
    pipeline_id: PipelineID, span: Asked, caller: OfPipeline, read: FromStore, response: Response
) -> Found:
    """A pipeline's sums, step by step."""
    response.headers["Sunset"] = _SUNSET
    samples = await read.over(await read.own(caller, tables.pipelines, pipeline_id))
    return series.v1_agent(samples, span.start, span.end, span.interval, await read.reported(_runs(pipeline_id)))


@router.get(
    "/v1/aggregators/{aggregatorID}/pipelines_metrics",
    operation_id="aggregatorPipelinesMetrics",
    response_model=dict[UUID, shapes.PipelineSums],
    deprecated=True,
    responses=_GOING,
)
async def aggregator_pipelines_metrics(
    aggregator_id: AggregatorID,
    span: Asked,
    caller: OfAggregator,
    tx: ReadTx,
    read: FromStore,
    response: Response,
    pipeline_id: Annotated[tuple[UUID, ...], Query(description="Which of its pipelines; at least one.")] = (),
) -> dict[UUID, Found]:
    """The sums, step by step, of some of a core instance's pipelines; one that is not there has an error in place of data."""
    response.headers["Sunset"] = _SUNSET
    if not 0 < len(pipeline_id) <= _MOST_AT_ONCE:
        raise Invalid("zero pipeline IDs" if not pipeline_id else "invalid argument", f"ask for 1 to {_MOST_AT_ONCE} pipelines")
    await read.own(caller, tables.core_instances, aggregator_id)
    pipelines = tables.pipelines
    query = select(pipelines.c.id).where(pipelines.c.core_instance_id == aggregator_id, pipelines.c.id.in_(pipeline_id))
    there = set((await tx.execute(query.where(statements.visible(pipelines, caller)))).scalars())
    answer: dict[UUID, Found] = {}
    for id in dict.fromkeys(pipeline_id):
        samples = await read.over(id) if id in there else []
        data = series.v1_agent(samples, span.start, span.end, span.interval)
        answer[id] = {"data": data, "error": None if id in there else "pipeline not found"}
    return answer


# -- Core instances --------------------------------------------------------------------------------------------------------


@router.get("/v2/core_instances/{coreInstanceID}/metrics", operation_id="coreInstanceMetrics", response_model=shapes.Rates)
async def core_instance_metrics(core_instance_id: CoreInstanceID, caller: OfCoreInstance, read: FromStore) -> Found:
    """A core instance's current rates, per second, all plugins together."""
    return series.current(await read.recent(await read.own(caller, tables.core_instances, core_instance_id)), _ALL_HEARD)


@router.get(
    "/v2/core_instances/{coreInstanceID}/metrics_by_plugin",
    operation_id="coreInstanceMetricsByPlugin",
    response_model=shapes.RatesByPlugin,
)
async def core_instance_metrics_by_plugin(core_instance_id: CoreInstanceID, caller: OfCoreInstance, read: FromStore) -> Found:
    """A core instance's current rates, per second, of each plugin."""
    samples = await read.recent(await read.own(caller, tables.core_instances, core_instance_id))
    return series.current_by_plugin(samples, _ALL_HEARD, await read.reported(_runs_in(core_instance_id)))


@router.get(
    "/v2/core_instances/{coreInstanceID}/metrics_over_time",
    operation_id="coreInstanceMetricsOverTime",
    response_model=shapes.RatesOverTime,
)
async def core_instance_metrics_over_time(
    core_instance_id: CoreInstanceID, span: Asked, caller: OfCoreInstance, read: FromStore
) -> Found:
    """A core instance's rates, per second, step by step, all plugins together."""
    samples = await read.over(await read.own(caller, tables.core_instances, core_instance_id))
    return series.over_time(samples, span.start, span.end, span.interval)


@router.get(
    "/v2/core_instances/{coreInstanceID}/metrics_over_time_by_plugin",
    operation_id="coreInstanceMetricsOverTimeByPlugin",
    response_model=shapes.RatesOverTimeByPlugin,
)
async def core_instance_metrics_over_time_by_plugin(
    core_instance_id: CoreInstanceID, span: Asked, caller: OfCoreInstance, read: FromStore
) -> Found:
    """A core instance's rates, per second, step by step, of each plugin."""
    samples = await read.over(await read.own(caller, tables.core_instances, core_instance_id))
    reported = await read.reported(_runs_in(core_instance_id))
    return series.over_time_by_plugin(samples, span.start, span.end, span.interval, reported)


@router.get(
    "/v1/aggregator_metrics/{aggregatorID}",
    operation_id="aggregatorMetrics",
    response_model=shapes.CoreInstanceSums,
    deprecated=True,
    responses=_GOING,
)
async def aggregator_metrics(
    aggregator_id: AggregatorID, span: Asked, caller: OfAggregator, read: FromStore, response: Response
) -> Found:
    """A core instance's sums, step by step, of all its pipelines together."""
    response.headers["Sunset"] = _SUNSET
    samples = await read.over(await read.own(caller, tables.core_instances, aggregator_id))
    return series.v1_core_instance(samples, span.start, span.end, span.interval)


# -- Projects --------------------------------------------------------------------------------------------------------------


@router.get(
    "/v1/projects/{projectID}/metrics",
    operation_id="projectMetrics",
    response_model=shapes.ProjectSums,
    deprecated=True,
    responses=_GOING,
)
async def project_metrics(span: Asked, caller: OfProject, read: FromStore, response: Response) -> Found:
    """A project's sums, step by step, of all its agents together, with its busiest plugins."""
    response.headers["Sunset"] = _SUNSET
    samples = await read.over(caller.project_id)
    return series.v1_project(samples, span.start, span.end, span.interval)
