"""Drafts of fleets' configs, and publishing them: ours, beside the published API."""

from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import FleetID
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import fleet_drafts
from nectary.resources.fleet_drafts import FleetDraft, NewFleetDraft, Publication
from nectary.resources.fleet_publishing import PublishedRevision
from nectary.shape import Deleted

router = APIRouter(tags=["fleet"], route_class=Route)

Changer = Annotated[Caller, may("update:*", tables.fleets)]


@router.get("/v1/fleets/{fleetID}/draft", operation_id="fleetDraft")
async def get_fleet_draft(fleet_id: FleetID, caller: Annotated[Caller, may("read:*", tables.fleets)], tx: ReadTx) -> FleetDraft:
    """What is being prepared for the fleet; 404 when nothing is."""
    return await fleet_drafts.get(tx, caller, fleet_id)


@router.put("/v1/fleets/{fleetID}/draft", operation_id="putFleetDraft")
async def put_fleet_draft(fleet_id: FleetID, new: NewFleetDraft, caller: Changer, tx: WriteTx) -> FleetDraft:
    """Prepare a config, in place of what was prepared before. No agent gets it until it is published."""
    return await fleet_drafts.put(tx, caller, fleet_id, new)


@router.delete("/v1/fleets/{fleetID}/draft", operation_id="deleteFleetDraft")
async def delete_fleet_draft(fleet_id: FleetID, caller: Changer, tx: WriteTx) -> Deleted:
    """Throw the draft away."""
    await fleet_drafts.discard(tx, caller, fleet_id)
    return Deleted(deleted=True, deleted_at=clock.now())


@router.post("/v1/fleets/{fleetID}/publish", operation_id="publishFleet")
async def publish_fleet(
    fleet_id: FleetID, asked: Publication, caller: Changer, tx: WriteTx, settings: Configured
) -> PublishedRevision:
    """Make the draft the fleet's newest revision, in stages where the request or the fleet's policy says so.

    409 when there is no draft, when the fleet moved on since it was begun, or while another revision is being rolled out; 422
    when agents of the fleet could not run it, naming them.
    """
    return await fleet_drafts.publish(tx, caller, fleet_id, asked, settings)
