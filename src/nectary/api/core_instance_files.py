"""Core instances' files, as the published API asks for them."""

from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import CoreInstanceFileID, CoreInstanceID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import files
from nectary.resources.files import CORE_INSTANCES, CoreInstanceFile, FilePatch, NewFile
from nectary.shape import Created, Deleted, Listing, Updated

router = APIRouter(tags=["core_instance_file"], route_class=Route)


@router.post("/v1/core_instances/{coreInstanceID}/files", operation_id="createCoreInstanceFile", status_code=201)
async def create_core_instance_file(
    core_instance_id: CoreInstanceID,
    new: NewFile,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="coreInstanceID")],
    tx: WriteTx,
    settings: Configured,
) -> Created:
    """Give all pipelines of a core instance a file."""
    return Created.model_validate(await files.create(tx, caller, CORE_INSTANCES, core_instance_id, new, settings))


@router.get("/v1/core_instances/{coreInstanceID}/files", operation_id="coreInstanceFiles")
async def list_core_instance_files(
    core_instance_id: CoreInstanceID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Listing[CoreInstanceFile]:
    """A core instance's files, newest first."""
    page = await files.of_owner(
        tx, caller, CORE_INSTANCES, core_instance_id, last=window.last, before=window.before, counted=True
    )
    return window.listing(page)


@router.patch("/v1/core_instance_files/{coreInstanceFileID}", operation_id="updateCoreInstanceFile")
async def update_core_instance_file(
    id: CoreInstanceFileID,
    patch: FilePatch,
    caller: Annotated[Caller, may("update:*", tables.core_instance_files, at="coreInstanceFileID")],
    tx: WriteTx,
    settings: Configured,
) -> Updated:
    """Change a file."""
    return Updated.model_validate(await files.change(tx, caller, CORE_INSTANCES, id, patch, settings))


@router.delete("/v1/core_instance_files/{coreInstanceFileID}", operation_id="deleteCoreInstanceFile")
async def delete_core_instance_file(
    id: CoreInstanceFileID,
    caller: Annotated[Caller, may("delete:*", tables.core_instance_files, at="coreInstanceFileID")],
    tx: WriteTx,
) -> Deleted:
    """Delete a file."""
    await files.remove(tx, caller, CORE_INSTANCES, id)
    return Deleted(deleted=True, deleted_at=clock.now())
