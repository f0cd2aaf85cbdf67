"""Cluster objects that pipelines are narrowed to, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import pipeline_cluster_objects
from nectary.resources.cluster_objects import ClusterObject
from nectary.resources.pipeline_cluster_objects import ClusterObjectsPatch

router = APIRouter(tags=["pipeline_cluster_objects"], route_class=Route)


@router.get("/v1/pipelines/{pipelineID}/cluster_objects", operation_id="pipelineClusterObjects")
async def list_pipeline_cluster_objects(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[ClusterObject]:
    """What a pipeline is narrowed to, newest first; nothing means that it takes in everything."""
    page = await pipeline_cluster_objects.of_pipeline(tx, caller, pipeline_id, last=window.last, before=window.before)
    return window.of(page)


@router.patch("/v1/pipelines/{pipelineID}/cluster_objects", operation_id="updatePipelineClusterObjects", status_code=204)
async def update_pipeline_cluster_objects(
    pipeline_id: PipelineID,
    patch: ClusterObjectsPatch,
    caller: Annotated[Caller, may("update:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Narrow a pipeline of kind daemonSet to these cluster objects, beside those it was narrowed to already."""
    await pipeline_cluster_objects.relate(tx, caller, pipeline_id, patch)


@router.delete("/v1/pipelines/{pipelineID}/cluster_objects", operation_id="deletePipelineClusterObjects", status_code=204)
async def delete_pipeline_cluster_objects(
    pipeline_id: PipelineID,
    caller: Annotated[Caller, may("update:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
    cluster_object_id: Annotated[tuple[UUID, ...], Query()] = (),
) -> None:
    """No longer narrow a pipeline to these; none named changes nothing."""
    await pipeline_cluster_objects.part(tx, caller, pipeline_id, cluster_object_id)
