"""Revisions of fleets, what changed between them, and going back to one: ours, beside the published API."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import FleetID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import fleet_diffs, fleet_publishing, fleet_revisions
from nectary.resources.fleet_diffs import FleetDiff
from nectary.resources.fleet_publishing import PublishedRevision, RollBack
from nectary.resources.fleet_revisions import FleetRevision, Number, WholeRevision

router = APIRouter(tags=["fleet"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.fleets)]


@router.get("/v1/fleets/{fleetID}/revisions", operation_id="fleetRevisions")
async def list_fleet_revisions(fleet_id: FleetID, window: AskedFor, caller: Reader, tx: ReadTx) -> Sequence[FleetRevision]:
    """What was published of the fleet, newest first: by whom, when and why."""
    return window.of(await fleet_revisions.of_fleet(tx, caller, fleet_id, last=window.last, before=window.before))


@router.get("/v1/fleets/{fleetID}/revisions/{number}", operation_id="fleetRevision")
async def get_fleet_revision(
    fleet_id: FleetID, number: Annotated[Number, Path(description="1, 2, 3 ...")], caller: Reader, tx: ReadTx
) -> WholeRevision:
    """One revision with its config and files."""
    return await fleet_revisions.get(tx, caller, fleet_id, number)


@router.get("/v1/fleets/{fleetID}/diff", operation_id="fleetDiff")
async def diff_fleet(
    fleet_id: FleetID,
    caller: Reader,
    tx: ReadTx,
    from_: Annotated[
        str | None, Query(alias="from", description="A revision's number, or `draft`; none: the one before.")
    ] = None,
    to: Annotated[str | None, Query(description="A revision's number, or `draft`; none: the newest revision.")] = None,
) -> FleetDiff:
    """What changed, by meaning: places, comments, quotes and format do not count."""
    return await fleet_diffs.diff(tx, caller, fleet_id, from_, to)


@router.post("/v1/fleets/{fleetID}/rollback", operation_id="rollBackFleet")
async def roll_back_fleet(
    fleet_id: FleetID, asked: RollBack, caller: Annotated[Caller, may("update:*", tables.fleets)], tx: WriteTx
) -> PublishedRevision:
    """Publish an older revision again, text and files, as a new one with a later version: agents take nothing older."""
    return await fleet_publishing.roll_back(tx, caller, fleet_id, asked)
