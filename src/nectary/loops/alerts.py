"""Watches what alert rules are about, and tells their webhooks."""

import asyncio
from typing import Any

from sqlalchemy import Row

from nectary import clock, log, webhooks
from nectary.edge.context import Context
from nectary.resources import alert_conditions, alert_deliveries, alert_rules, alerts
from nectary.webhooks import UndeliveredError

_log = log.logger("nectary.alerts")
_AT_ONCE = 20  # deliveries; a slow receiver holds up so many at most


async def watch(context: Context) -> None:
    """Look at what every rule is about, begin the alerts that are due and end those that are over."""
    async with context.database.read() as tx:
        rules = await alert_rules.every(tx)
    for rule in rules:
        await _watch(context, rule)


async def _watch(context: Context, rule: Row[Any]) -> None:
    async with context.database.read(beside=True) as read:
        met = await alert_conditions.met(read, rule)
        standing = await alerts.standing(read, rule.id)
    ids = {one.id for one in met}
    begun = [one for one in met if one.id not in standing]
    gone = [alert for subject, alert in standing.items() if subject not in ids]
    if not begun and not gone:
        return
    async with context.database.write() as tx:
        turn = await alerts.follow(tx, rule, begun, gone)
        address = context.settings.address
        await alert_deliveries.add(tx, rule, "firing", turn.begun, address)
        await alert_deliveries.add(tx, rule, "resolved", turn.ended, address)
    _log.info("alerts changed", rule=rule.name, project=str(rule.project_id), begun=len(turn.begun), ended=len(turn.ended))


async def deliver(context: Context) -> None:
    """Post what is due, several at once, and write down what came of it."""
    async with context.database.write() as tx:
        due = await alert_deliveries.take(tx, _AT_ONCE)
    outcomes = await asyncio.gather(*(_post(context, delivery) for delivery in due))
    if due:
        async with context.database.write() as tx:
            for delivery, error in zip(due, outcomes, strict=True):
                await alert_deliveries.note(tx, delivery, error, most=context.settings.webhook_attempts)


async def _post(context: Context, delivery: Row[Any]) -> str | None:
    """Why it could not be delivered; None when it was."""
    if delivery.webhook_url is None:
        return "the rule's webhook was taken away"
    id, moment, body = f"msg_{delivery.id.hex}", int(clock.seconds()), alert_deliveries.body_of(delivery)
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(moment),
        "webhook-signature": webhooks.sign(delivery.webhook_secret, id, moment, body),
    }
    try:
        webhooks.require_sendable(delivery.webhook_url, context.settings.webhook_hosts)
        await webhooks.deliver(delivery.webhook_url, body, headers)
    except (UndeliveredError, ValueError) as error:
        return str(error)[:1000]
    return None
