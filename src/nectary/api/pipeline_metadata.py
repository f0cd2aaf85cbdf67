"""Metadata of pipelines, as the published API asks for it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineID
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import pipeline_metadata
from nectary.resources.pipeline_metadata import MetadataPatch

router = APIRouter(tags=["pipeline_metadata"], route_class=Route)


@router.get("/v1/pipelines/{pipelineID}/metadata", operation_id="pipelineMetadata")
async def get_pipeline_metadata(
    pipeline_id: PipelineID,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
    key: Annotated[tuple[str, ...], Query(description="Only these keys; none means all.")] = (),
) -> dict[str, Any]:
    """What is noted about a pipeline, or some keys of it."""
    return await pipeline_metadata.get(tx, caller, pipeline_id, key)


@router.patch("/v1/pipelines/{pipelineID}/metadata", operation_id="updatePipelineMetadata", status_code=204)
async def update_pipeline_metadata(
    pipeline_id: PipelineID,
    patch: MetadataPatch,
    caller: Annotated[Caller, may("update:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Note something under one key, over what was there."""
    await pipeline_metadata.put(tx, caller, pipeline_id, patch)
