"""Enrolling hosts in a fleet, each with a token of its own: ours, beside the published API."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import FleetID
from nectary.edge.transaction import WriteTx
from nectary.resources import enrollments
from nectary.resources.enrollments import EnrolledHost, Enrollment

router = APIRouter(tags=["fleet"], route_class=Route)


@router.post("/v1/fleets/{fleetID}/enroll", operation_id="enrollHosts", status_code=201)
async def enroll_hosts(
    fleet_id: FleetID,
    asked: Enrollment,
    caller: Annotated[Caller, may("create:*", tables.fleets)],
    tx: WriteTx,
    settings: Configured,
) -> Sequence[EnrolledHost]:
    """A project token for each host, so that a rollout can reach it by itself wherever it polls from."""
    return await enrollments.enroll(tx, caller, fleet_id, asked, settings)
