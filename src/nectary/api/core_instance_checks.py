"""Core instances' checks, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import CheckID, CoreInstanceID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import checks
from nectary.resources.checks import CORE_INSTANCES, Check, CoreInstanceCheckPatch, NewCoreInstanceCheck
from nectary.shape import Created

router = APIRouter(tags=["core_instance_check"], route_class=Route)


@router.post("/v1/core_instances/{coreInstanceID}/checks", operation_id="createCoreInstanceCheck", status_code=201)
async def create_core_instance_check(
    core_instance_id: CoreInstanceID,
    new: NewCoreInstanceCheck,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="coreInstanceID")],
    tx: WriteTx,
) -> Created:
    """Have an address tried for a core instance."""
    return Created.model_validate(await checks.create(tx, caller, CORE_INSTANCES, core_instance_id, new))


@router.get("/v1/core_instances/{coreInstanceID}/checks", operation_id="coreInstanceChecks")
async def list_core_instance_checks(
    core_instance_id: CoreInstanceID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[Check]:
    """A core instance's checks, newest first."""
    return window.of(
        await checks.of_owner(tx, caller, CORE_INSTANCES, core_instance_id, last=window.last, before=window.before)
    )


@router.get("/v1/core_instance_checks/{checkID}", operation_id="coreInstanceCheck")
async def get_core_instance_check(
    id: CheckID,
    caller: Annotated[Caller, may("read:*", tables.core_instance_checks, at="checkID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Check:
    """One check of a core instance, and how it stands."""
    return await checks.get(tx, caller, CORE_INSTANCES, id)


@router.patch("/v1/core_instance_checks/{checkID}", operation_id="updateCoreInstanceCheck", status_code=204)
async def update_core_instance_check(
    id: CheckID,
    patch: CoreInstanceCheckPatch,
    caller: Annotated[Caller, may("update:*", tables.core_instance_checks, at="checkID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Change a check, or report how it went."""
    await checks.change(tx, caller, CORE_INSTANCES, id, patch)


@router.delete("/v1/core_instance_checks/{checkID}", operation_id="deleteCoreInstanceCheck", status_code=204)
async def delete_core_instance_check(
    id: CheckID, caller: Annotated[Caller, may("delete:*", tables.core_instance_checks, at="checkID")], tx: WriteTx
) -> None:
    """Delete a check."""
    await checks.remove(tx, caller, CORE_INSTANCES, id)
