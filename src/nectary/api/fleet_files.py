"""Fleet files, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import FleetFileID, FleetID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import fleet_files
from nectary.resources.fleet_files import FleetFile, FleetFilePatch, NewFleetFile
from nectary.resources.fleet_publishing import Wish
from nectary.resources.fleet_revisions import Message, Number
from nectary.shape import Created

router = APIRouter(tags=["fleet"], route_class=Route)


async def _wish(
    message: Annotated[Message, Query(description="Why; kept with the revision that this makes.")] = "",
    if_revision: Annotated[
        Number | None, Query(alias="ifRevision", description="Only if this is the fleet's newest revision; else 409.")
    ] = None,
    urgent: Annotated[bool, Query(description="To all agents at once, whatever is rolled out in stages.")] = False,
) -> Wish:
    return Wish(message=message, if_revision=if_revision, urgent=urgent)


Wished = Annotated[Wish, Depends(_wish)]
Skipped = Annotated[
    bool, Query(alias="skipConfigValidation", description="Even if the fleet's config could not be started with any more.")
]


# 200, not 201: the published contract has it so.
@router.post("/v1/fleets/{fleetID}/files", operation_id="createFleetFile", status_code=200)
async def create_fleet_file(
    fleet_id: FleetID,
    new: NewFleetFile,
    caller: Annotated[Caller, may("create:*", tables.fleets)],
    tx: WriteTx,
    settings: Configured,
    wish: Wished,
) -> Created:
    """Put a file beside the fleet's config; agents fetch it with the config, which counts as changed."""
    return Created.model_validate(await fleet_files.create(tx, caller, fleet_id, new, settings, wish.by(caller)))


@router.get("/v1/fleets/{fleetID}/files", operation_id="fleetFiles")
async def list_fleet_files(
    fleet_id: FleetID, window: AskedFor, caller: Annotated[Caller, may("read:*", tables.fleets)], tx: ReadTx
) -> Sequence[FleetFile]:
    """The fleet's files with their contents, newest first."""
    return window.of(await fleet_files.of_fleet(tx, caller, fleet_id, last=window.last, before=window.before))


@router.get("/v1/fleet_files/{fleetFileID}", operation_id="fleetFile")
async def get_fleet_file(
    fleet_file_id: FleetFileID, caller: Annotated[Caller, may("read:*", tables.fleet_files)], tx: ReadTx
) -> FleetFile:
    """One file with its contents."""
    return await fleet_files.get(tx, caller, fleet_file_id)


@router.patch("/v1/fleet_files/{fleetFileID}", operation_id="updateFleetFile", status_code=204)
async def update_fleet_file(
    fleet_file_id: FleetFileID,
    patch: FleetFilePatch,
    caller: Annotated[Caller, may("update:*", tables.fleet_files)],
    tx: WriteTx,
    settings: Configured,
    wish: Wished,
    skip: Skipped = False,
) -> None:
    """Rename a file or replace its contents."""
    await fleet_files.change(tx, caller, fleet_file_id, patch, settings, wish.by(caller), skip=skip)


@router.delete("/v1/fleet_files/{fleetFileID}", operation_id="deleteFleetFile", status_code=204)
async def delete_fleet_file(
    fleet_file_id: FleetFileID,
    caller: Annotated[Caller, may("delete:*", tables.fleet_files)],
    tx: WriteTx,
    settings: Configured,
    wish: Wished,
    skip: Skipped = False,
) -> None:
    """Delete a file; agents drop it when they next load the config, which counts as changed."""
    await fleet_files.remove(tx, caller, fleet_file_id, settings, wish.by(caller), skip=skip)
