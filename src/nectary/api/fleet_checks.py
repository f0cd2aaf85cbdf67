"""Checks of fleets' configs against the Fluent Bit versions of their agents: ours, beside the published API."""

from typing import Annotated

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import FleetID
from nectary.edge.transaction import ReadTx
from nectary.fluentbit.document import Format
from nectary.resources import config_texts, fleet_checks, fleet_drafts
from nectary.resources.fleet_checks import Candidate, FleetCheck
from nectary.resources.fleet_revisions import BAD_FORMAT, FormatName, RawConfig
from nectary.shape import Shape

router = APIRouter(tags=["fleet"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.fleets)]


class CandidateText(Shape):
    raw_config: RawConfig
    config_format: FormatName | None = None


@router.get("/v1/fleets/{fleetID}/check", operation_id="fleetCheck")
async def check_fleet(
    fleet_id: FleetID,
    caller: Reader,
    tx: ReadTx,
    settings: Configured,
    draft: Annotated[bool, Query(description="The draft, and not what is published.")] = False,
) -> FleetCheck:
    """Whether the fleet's agents can run what is published, or the draft: for each version that they report."""
    fleet = await statements.get(tx, caller, tables.fleets, fleet_id)
    source = await fleet_drafts.get(tx, caller, fleet_id) if draft else fleet
    candidate = Candidate(source.raw_config, Format(source.config_format), await fleet_checks.files_of(tx, fleet_id))
    return await fleet_checks.check(tx, fleet, candidate, settings.schemas)


@router.post("/v1/fleets/{fleetID}/check", operation_id="checkFleetConfig")
async def check_fleet_config(
    fleet_id: FleetID, given: CandidateText, caller: Reader, tx: ReadTx, settings: Configured
) -> FleetCheck:
    """The same for a text that is not kept anywhere."""
    fleet = await statements.get(tx, caller, tables.fleets, fleet_id)
    format = Format(fleet.config_format)
    if given.config_format is not None:
        format = config_texts.format_named(given.config_format, BAD_FORMAT)
    candidate = Candidate(given.raw_config, format, await fleet_checks.files_of(tx, fleet_id))
    return await fleet_checks.check(tx, fleet, candidate, settings.schemas)
