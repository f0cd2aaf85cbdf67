"""Alerts: Nectary's own, not in the published API."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import AlertID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx
from nectary.resources import alerts
from nectary.resources.alerts import Alert, Status
from nectary.shape import Listing

router = APIRouter(tags=["alert"], route_class=Route)


@router.get("/v1/projects/{projectID}/alerts", operation_id="alerts")
async def list_alerts(
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.projects)],
    tx: ReadTx,
    status: Annotated[
        Status | None, Query(description="Only those that fire, or only those that are over; none: both.")
    ] = None,
    alert_rule_id: Annotated[UUID | None, Query(description="Only those of this rule.")] = None,
) -> Listing[Alert]:
    """The project's alerts, newest first."""
    page = await alerts.of_project(tx, caller, status=status, rule_id=alert_rule_id, last=window.last, before=window.before)
    return window.listing(page)


@router.get("/v1/alerts/{alertID}", operation_id="alert")
async def get_alert(alert_id: AlertID, caller: Annotated[Caller, may("read:*", tables.alerts)], tx: ReadTx) -> Alert:
    """One alert: what it is about, why, and whether it still fires."""
    return await alerts.get(tx, caller, alert_id)
