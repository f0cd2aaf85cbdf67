"""Pipelines' checks, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import CheckID, PipelineID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import checks
from nectary.resources.checks import PIPELINES, Check, NewPipelineCheck, PipelineCheckPatch
from nectary.shape import Created

router = APIRouter(tags=["pipeline_check"], route_class=Route)


@router.post("/v1/pipelines/{pipelineID}/checks", operation_id="createPipelineCheck", status_code=201)
async def create_pipeline_check(
    pipeline_id: PipelineID,
    new: NewPipelineCheck,
    caller: Annotated[Caller, may("create:*", tables.pipelines, at="pipelineID")],
    tx: WriteTx,
) -> Created:
    """Have an address tried for a pipeline."""
    return Created.model_validate(await checks.create(tx, caller, PIPELINES, pipeline_id, new))


@router.get("/v1/pipelines/{pipelineID}/checks", operation_id="pipelineChecks")
async def list_pipeline_checks(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, at="pipelineID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[Check]:
    """A pipeline's checks, newest first."""
    return window.of(await checks.of_owner(tx, caller, PIPELINES, pipeline_id, last=window.last, before=window.before))


@router.get("/v1/pipeline_checks/{checkID}", operation_id="pipelineCheck")
async def get_pipeline_check(
    id: CheckID,
    caller: Annotated[Caller, may("read:*", tables.pipeline_checks, at="checkID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Check:
    """One check of a pipeline, and how it stands."""
    return await checks.get(tx, caller, PIPELINES, id)


@router.patch("/v1/pipeline_checks/{checkID}", operation_id="updatePipelineCheck", status_code=204)
async def update_pipeline_check(
    id: CheckID,
    patch: PipelineCheckPatch,
    caller: Annotated[Caller, may("update:*", tables.pipeline_checks, at="checkID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Change a check, or report how it went."""
    await checks.change(tx, caller, PIPELINES, id, patch)


@router.delete("/v1/pipeline_checks/{checkID}", operation_id="deletePipelineCheck", status_code=204)
async def delete_pipeline_check(
    id: CheckID, caller: Annotated[Caller, may("delete:*", tables.pipeline_checks, at="checkID")], tx: WriteTx
) -> None:
    """Delete a check."""
    await checks.remove(tx, caller, PIPELINES, id)
