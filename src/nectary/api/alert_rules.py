"""Alert rules and what was sent of them: Nectary's own, not in the published API."""

from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import AlertRuleID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import alert_deliveries, alert_rules
from nectary.resources.alert_deliveries import AlertDelivery
from nectary.resources.alert_rules import AlertRule, AlertRulePatch, CreatedAlertRule, NewAlertRule
from nectary.shape import Deleted, Listing, Updated

router = APIRouter(tags=["alert"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.alert_rules)]


@router.post("/v1/projects/{projectID}/alert_rules", operation_id="createAlertRule", status_code=201)
async def create_alert_rule(
    new: NewAlertRule, caller: Annotated[Caller, may("create:*", tables.projects)], tx: WriteTx, settings: Configured
) -> CreatedAlertRule:
    """Have something watched: failed pipelines, silent agents, unreachable core instances, or more failed sends than a rate.
    The answer holds the secret that the webhook's deliveries are signed with; it is told only here."""
    return await alert_rules.create(tx, caller, new, settings)


@router.get("/v1/projects/{projectID}/alert_rules", operation_id="alertRules")
async def list_alert_rules(
    window: AskedFor, caller: Annotated[Caller, may("read:*", tables.projects)], tx: ReadTx
) -> Listing[AlertRule]:
    """The project's alert rules, newest first."""
    return window.listing(await alert_rules.of_project(tx, caller, last=window.last, before=window.before))


@router.get("/v1/alert_rules/{alertRuleID}", operation_id="alertRule")
async def get_alert_rule(alert_rule_id: AlertRuleID, caller: Reader, tx: ReadTx) -> AlertRule:
    """One alert rule, without its secret."""
    return await alert_rules.get(tx, caller, alert_rule_id)


@router.patch("/v1/alert_rules/{alertRuleID}", operation_id="updateAlertRule")
async def update_alert_rule(
    alert_rule_id: AlertRuleID,
    patch: AlertRulePatch,
    caller: Annotated[Caller, may("update:*", tables.alert_rules)],
    tx: WriteTx,
    settings: Configured,
) -> Updated:
    """Change a rule, or switch it off, which ends its alerts. An empty `webhookURL` takes the webhook away."""
    return Updated.model_validate(await alert_rules.change(tx, caller, alert_rule_id, patch, settings))


@router.delete("/v1/alert_rules/{alertRuleID}", operation_id="deleteAlertRule")
async def delete_alert_rule(
    alert_rule_id: AlertRuleID, caller: Annotated[Caller, may("delete:*", tables.alert_rules)], tx: WriteTx
) -> Deleted:
    """Delete a rule with its alerts and deliveries."""
    await alert_rules.remove(tx, caller, alert_rule_id)
    return Deleted(deleted=True, deleted_at=clock.now())


@router.get("/v1/alert_rules/{alertRuleID}/deliveries", operation_id="alertDeliveries")
async def list_alert_deliveries(
    alert_rule_id: AlertRuleID, window: AskedFor, caller: Reader, tx: ReadTx
) -> Listing[AlertDelivery]:
    """What was posted to the rule's webhook, or is still to be, newest first, with what came of it."""
    return window.listing(await alert_deliveries.of_rule(tx, caller, alert_rule_id, last=window.last, before=window.before))


@router.post("/v1/alert_rules/{alertRuleID}/test", operation_id="testAlertRule", status_code=201)
async def test_alert_rule(
    alert_rule_id: AlertRuleID,
    caller: Annotated[Caller, may("update:*", tables.alert_rules)],
    tx: WriteTx,
    settings: Configured,
) -> AlertDelivery:
    """Post an example to the rule's webhook; look at its deliveries for what came of it."""
    return await alert_deliveries.test(tx, caller, alert_rule_id, settings.address)
