"""Sidecars of pipelines, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineID, SidecarID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import sidecars
from nectary.resources.sidecars import NewSidecar, Sidecar, SidecarPatch
from nectary.shape import Created, Deleted, Shape, Updated

router = APIRouter(tags=["sidecar"], route_class=Route)


class Sidecars(Shape):
    items: Sequence[Sidecar]
    end_cursor: str | None


@router.post("/v1/pipelines/{pipelineID}/sidecars", operation_id="createSidecar", status_code=201)
async def create_sidecar(
    pipeline_id: PipelineID,
    new: NewSidecar,
    caller: Annotated[Caller, may("create:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Created:
    """Have a container run beside a pipeline's own."""
    return await sidecars.create(tx, caller, pipeline_id, new)


# A list that holds one object which holds the list, or nothing: the published contract has it so.
@router.get("/v1/pipelines/{pipelineID}/sidecars", operation_id="sidecars", response_model_exclude_none=True)
async def list_sidecars(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[Sidecars]:
    """A pipeline's sidecars, newest first."""
    page = await sidecars.of_pipeline(tx, caller, pipeline_id, last=window.last, before=window.before)
    items = window.of(page)
    return [Sidecars(items=items, end_cursor=page.cursor)] if items else []


@router.get("/v1/sidecars/{sidecarID}", operation_id="sidecar", response_model_exclude_none=True)
async def get_sidecar(
    sidecar_id: SidecarID,
    caller: Annotated[Caller, may("read:*", tables.sidecars, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sidecar:
    """One sidecar; what was never set is left out."""
    return await sidecars.get(tx, caller, sidecar_id)


@router.patch("/v1/sidecars/{sidecarID}", operation_id="updateSidecar")
async def update_sidecar(
    sidecar_id: SidecarID,
    patch: SidecarPatch,
    caller: Annotated[Caller, may("update:*", tables.sidecars, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Updated:
    """Change what is given of a sidecar."""
    return await sidecars.change(tx, caller, sidecar_id, patch)


@router.delete("/v1/sidecars/{sidecarID}", operation_id="deleteSidecar")
async def delete_sidecar(
    sidecar_id: SidecarID,
    caller: Annotated[Caller, may("delete:*", tables.sidecars, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Deleted:
    """Take a sidecar away."""
    gone = await sidecars.remove(tx, caller, sidecar_id)
    return Deleted(deleted=gone, deleted_at=clock.now() if gone else None)
