"""Pipelines, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import AggregatorID, CoreInstanceID, PipelineID
from nectary.edge.paging import AskedFor
from nectary.edge.pipeline_questions import Filter, Shown
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import pipeline_changes, pipeline_views, pipelines
from nectary.resources.pipeline_bodies import NewPipeline, PipelinePatch
from nectary.resources.pipeline_changes import UpdatedPipeline
from nectary.resources.pipeline_views import CreatedPipeline, Pipeline
from nectary.shape import Listing

router = APIRouter(tags=["pipeline"], route_class=Route)

InProject = Annotated[Caller, may("read:*", tables.projects)]


@router.post("/v1/aggregators/{aggregatorID}/pipelines", operation_id="createPipeline", status_code=201)
async def create_pipeline(
    aggregator_id: AggregatorID,
    new: NewPipeline,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
    settings: Configured,
) -> CreatedPipeline:
    """Make a pipeline. Its configuration is checked, and brings ports and checks along, unless told not to."""
    return await pipelines.create(tx, caller, aggregator_id, new, settings)


@router.get("/v1/aggregators/{aggregatorID}/pipelines", operation_id="pipelines", deprecated=True)
async def list_aggregator_pipelines(
    aggregator_id: AggregatorID,
    window: AskedFor,
    wanted: Filter,
    shown: Shown,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[Pipeline]:
    """A core instance's pipelines, newest first, as a bare list."""
    page = await pipeline_views.of_core_instance(
        tx, caller, aggregator_id, wanted, shown, last=window.last, before=window.before
    )
    return window.of(page)


@router.get("/v1/core_instances/{coreInstanceID}/pipelines", operation_id="pipelinesV2")
async def list_core_instance_pipelines(
    core_instance_id: CoreInstanceID,
    window: AskedFor,
    wanted: Filter,
    shown: Shown,
    caller: Annotated[Caller, may("read:*", tables.core_instances, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Listing[Pipeline]:
    """A core instance's pipelines, newest first. What it asks every few seconds to learn what to run."""
    page = await pipeline_views.of_core_instance(
        tx, caller, core_instance_id, wanted, shown, last=window.last, before=window.before, counted=True
    )
    return window.listing(page)


@router.get("/v1/projects/{projectID}/aggregator_pipelines", operation_id="projectPipelines", deprecated=True)
async def list_project_pipelines_v1(
    window: AskedFor, wanted: Filter, shown: Shown, caller: InProject, tx: ReadTx
) -> Sequence[Pipeline]:
    """All of a project's pipelines, newest first, as a bare list."""
    return window.of(await pipeline_views.of_project(tx, caller, wanted, shown, last=window.last, before=window.before))


@router.get("/v1/projects/{projectID}/pipelines", operation_id="projectPipelinesV2")
async def list_project_pipelines(
    window: AskedFor, wanted: Filter, shown: Shown, caller: InProject, tx: ReadTx
) -> Listing[Pipeline]:
    """All of a project's pipelines, newest first."""
    page = await pipeline_views.of_project(tx, caller, wanted, shown, last=window.last, before=window.before, counted=True)
    return window.listing(page)


@router.delete("/v1/aggregators/{aggregatorID}/pipelines", operation_id="deletePipelines", status_code=204)
async def delete_pipelines(
    aggregator_id: AggregatorID,
    caller: Annotated[Caller, may("delete:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
    pipeline_id: Annotated[tuple[UUID, ...], Query()] = (),
) -> None:
    """Delete the named pipelines of a core instance; none named deletes none."""
    await pipelines.remove_several(tx, caller, aggregator_id, pipeline_id)


@router.get("/v1/aggregator_pipelines/{pipelineID}", operation_id="pipeline")
async def get_pipeline(
    pipeline_id: PipelineID,
    shown: Shown,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Pipeline:
    """One pipeline, its configuration in the format asked for."""
    return await pipeline_views.get(tx, caller, pipeline_id, shown)


@router.patch("/v1/aggregator_pipelines/{pipelineID}", operation_id="updatePipeline")
async def update_pipeline(
    pipeline_id: PipelineID,
    patch: PipelinePatch,
    caller: Annotated[Caller, may("update:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
    settings: Configured,
) -> UpdatedPipeline:
    """Change what is given; core instances report status and events so, too. Tells which ports and checks came and went."""
    return await pipeline_changes.change(tx, caller, pipeline_id, patch, settings)


@router.delete("/v1/aggregator_pipelines/{pipelineID}", operation_id="deletePipeline", status_code=204)
async def delete_pipeline(
    pipeline_id: PipelineID,
    caller: Annotated[Caller, may("delete:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Delete a pipeline with all it holds; the system's own go with their core instance only."""
    await pipelines.remove(tx, caller, pipeline_id)
