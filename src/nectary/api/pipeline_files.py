"""Pipelines' files, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import PipelineFileID, PipelineID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import files
from nectary.resources.files import PIPELINES, FilePatch, NewFile, PipelineFile
from nectary.shape import Created

router = APIRouter(tags=["pipeline_file"], route_class=Route)


@router.post("/v1/aggregator_pipelines/{pipelineID}/files", operation_id="createPipelineFile", status_code=201)
async def create_pipeline_file(
    pipeline_id: PipelineID,
    new: NewFile,
    caller: Annotated[Caller, may("create:*", tables.pipelines, at="pipelineID")],
    tx: WriteTx,
    settings: Configured,
) -> Created:
    """Give a pipeline a file."""
    return Created.model_validate(await files.create(tx, caller, PIPELINES, pipeline_id, new, settings))


@router.get("/v1/aggregator_pipelines/{pipelineID}/files", operation_id="pipelineFiles")
async def list_pipeline_files(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, at="pipelineID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[PipelineFile]:
    """A pipeline's files, newest first."""
    return window.of(await files.of_owner(tx, caller, PIPELINES, pipeline_id, last=window.last, before=window.before))


@router.get("/v1/pipeline_files/{fileID}", operation_id="pipelineFile")
async def get_pipeline_file(
    id: PipelineFileID,
    caller: Annotated[Caller, may("read:*", tables.pipeline_files, at="fileID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> PipelineFile:
    """One file of a pipeline."""
    return PipelineFile.model_validate(await files.get(tx, caller, PIPELINES, id))


@router.patch("/v1/pipeline_files/{fileID}", operation_id="updatePipelineFile", status_code=204)
async def update_pipeline_file(
    id: PipelineFileID,
    patch: FilePatch,
    caller: Annotated[Caller, may("update:*", tables.pipeline_files, at="fileID")],
    tx: WriteTx,
    settings: Configured,
) -> None:
    """Change a file; its name only while the pipeline's config does not say it."""
    await files.change(tx, caller, PIPELINES, id, patch, settings)


@router.delete("/v1/pipeline_files/{fileID}", operation_id="deletePipelineFile", status_code=204)
async def delete_pipeline_file(
    id: PipelineFileID,
    caller: Annotated[Caller, may("delete:*", tables.pipeline_files, at="fileID")],
    tx: WriteTx,
) -> None:
    """Delete a file that the pipeline's config does not name."""
    await files.remove(tx, caller, PIPELINES, id)
