"""Requests for logs of pipelines, as the published API asks for them."""

from typing import Annotated

from fastapi import APIRouter, Query

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineID, PipelineLogID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import pipeline_logs
from nectary.resources.pipeline_logs import STATUSES, NewPipelineLog, PipelineLog, PipelineLogPatch
from nectary.shape import Created, Deleted, Listing, Updated

router = APIRouter(tags=["pipeline_log"], route_class=Route)


class PipelineLogs(Listing[PipelineLog]):
    polling_interval_ms: int = 0  # nought for pipelines that are not polled faster than they sync: the original's "legacy"


@router.post("/v1/pipelines/{pipelineID}/logs", operation_id="createPipelineLog", status_code=201)
async def create_pipeline_log(
    pipeline_id: PipelineID,
    new: NewPipelineLog,
    caller: Annotated[Caller, may("create:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Created:
    """Ask for the last lines of a pipeline's log; its core instance fetches them."""
    return Created.model_validate(await pipeline_logs.ask(tx, caller, pipeline_id, new))


@router.get("/v1/pipelines/{pipelineID}/logs", operation_id="pipelineLogs")
async def list_pipeline_logs(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
    status: Annotated[str | None, Query(json_schema_extra={"enum": list(STATUSES)})] = None,
) -> PipelineLogs:
    """What was asked for, newest first; core instances look for `NEW`."""
    page = await pipeline_logs.of_pipeline(tx, caller, pipeline_id, status=status, last=window.last, before=window.before)
    return PipelineLogs.model_validate(window.listing(page).model_dump())


@router.get("/v1/pipeline_logs/{pipelineLogID}", operation_id="pipelineLog")
async def get_pipeline_log(
    log_id: PipelineLogID,
    caller: Annotated[Caller, may("read:*", tables.pipeline_logs, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> PipelineLog:
    """One request, with the lines once they are there."""
    return await pipeline_logs.get(tx, caller, log_id)


@router.patch("/v1/pipeline_logs/{pipelineLogID}", operation_id="updatePipelineLog")
async def update_pipeline_log(
    log_id: PipelineLogID,
    patch: PipelineLogPatch,
    caller: Annotated[Caller, may("update:*", tables.pipeline_logs, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Updated:
    """Hand in the lines: how a core instance answers."""
    return Updated.model_validate(await pipeline_logs.change(tx, caller, log_id, patch))


@router.delete("/v1/pipeline_logs/{pipelineLogID}", operation_id="deletePipelineLog")
async def delete_pipeline_log(
    log_id: PipelineLogID,
    caller: Annotated[Caller, may("delete:*", tables.pipeline_logs, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Deleted:
    """Throw a request away, with its answer."""
    gone = await pipeline_logs.remove(tx, caller, log_id)
    return Deleted(deleted=gone, deleted_at=clock.now() if gone else None)
