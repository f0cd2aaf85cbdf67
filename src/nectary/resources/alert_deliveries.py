"""Alert deliveries: what was, or is still to be, posted to the webhook of an alert rule.

The body is what Prometheus' Alertmanager posts (version 4), so that what receives those receives ours.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict
from nectary.shape import Page, Shape, Time

deliveries, alert_rules = tables.alert_deliveries, tables.alert_rules

# Alerts named in one body; `truncatedAlerts` counts the rest.
_NAMED = 100
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
# A server that took a delivery on and died leaves it to the others after this long.
_LEASE = timedelta(seconds=30)


class AlertDelivery(Shape):
    id: UUID
    alert_rule_id: UUID
    status: str  # pending, delivered or failed
    attempts: int
    error: str | None
    payload: dict[str, Any]
    next_at: Time | None
    created_at: Time
    updated_at: Time


async def of_rule(tx: ReadTx, caller: Caller, rule_id: UUID, *, last: int, before: Place | None) -> Page[AlertDelivery]:
    await statements.get(tx, caller, alert_rules, rule_id)
    query = select(deliveries).where(statements.visible(deliveries, caller), deliveries.c.alert_rule_id == rule_id)
    return await statements.page(tx, query, deliveries, _shape, last=last, before=before, counted=True)


def _shape(row: Row[Any]) -> AlertDelivery:
    return AlertDelivery.model_validate({**row._mapping, "next_at": row.next_at if row.status == "pending" else None})


async def test(tx: WriteTx, caller: Caller, rule_id: UUID, address: str) -> AlertDelivery:
    """A delivery that says it is only a test. Raises Conflict where there is no webhook."""
    rule = await statements.get(tx, caller, alert_rules, rule_id)
    if rule.webhook_url is None:
        raise Conflict("conflict", "the rule has no webhook")
    moment = clock.now().isoformat()
    example = {
        "status": "firing",
        "labels": {**_labels(rule), "test": "true"},
        "annotations": {"summary": "This is only a test of the webhook."},
        "startsAt": moment,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": address,
        "fingerprint": rule.id.hex[:16],
    }
    return _shape(await _add(tx, rule, _body(rule, "firing", [example], 0, address)))


async def add(tx: WriteTx, rule: Row[Any], status: str, alerts: Sequence[Row[Any]], address: str) -> None:
    """Have the webhook told that these alerts of a rule fire, or are resolved; nothing where the rule has none."""
    if rule.webhook_url is None or not alerts:
        return
    told = [_told(rule, status, alert, address) for alert in alerts[:_NAMED]]
    await _add(tx, rule, _body(rule, status, told, max(len(alerts) - _NAMED, 0), address))


async def _add(tx: WriteTx, rule: Row[Any], payload: dict[str, Any]) -> Row[Any]:
    return await statements.add(
        tx,
        deliveries,
        project_id=rule.project_id,
        alert_rule_id=rule.id,
        payload=payload,
        status="pending",
        attempts=0,
        next_at=clock.now(),
    )


def _labels(rule: Row[Any]) -> dict[str, str]:
    return {"alertname": rule.name, "kind": rule.kind, "project": str(rule.project_id)}


def _told(rule: Row[Any], status: str, alert: Row[Any], address: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {
            **_labels(rule),
            "subject_kind": alert.subject_kind,
            "subject_id": str(alert.subject_id),
            "subject": alert.subject_name,
        },
        "annotations": {"summary": alert.message},
        "startsAt": alert.created_at.isoformat(),
        "endsAt": alert.resolved_at.isoformat() if alert.resolved_at else "0001-01-01T00:00:00Z",  # as Go writes none
        "generatorURL": f"{address}/v1/alerts/{alert.id}",
        "fingerprint": alert.id.hex[:16],
    }


def _body(rule: Row[Any], status: str, told: list[dict[str, Any]], more: int, address: str) -> dict[str, Any]:
    common = told[0]["annotations"] if len(told) == 1 else {}
    return {
        "version": "4",
        "groupKey": str(rule.id),
        "truncatedAlerts": more,
        "status": status,
        "receiver": rule.name,
        "groupLabels": {"alertname": rule.name},
        "commonLabels": _labels(rule),
        "commonAnnotations": common,
        "externalURL": address,
        "alerts": told,
    }


# -- Sending ---------------------------------------------------------------------------------------------------------------


async def take(tx: WriteTx, most: int) -> list[Row[Any]]:
    """Some deliveries that are due, each with its rule's address and secret; other servers leave them alone meanwhile."""
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.status == "pending", deliveries.c.next_at <= clock.now())
        .order_by(deliveries.c.next_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = list((await tx.execute(due)).scalars())
    if not ids:
        return []
    leased = update(deliveries).where(deliveries.c.id.in_(ids)).values(next_at=clock.now() + _LEASE)
    await tx.execute(leased)
    query = select(deliveries, alert_rules.c.webhook_url, alert_rules.c.webhook_secret)
    query = query.join(alert_rules, alert_rules.c.id == deliveries.c.alert_rule_id).where(deliveries.c.id.in_(ids))
    return list((await tx.execute(query.order_by(deliveries.c.created_at))).all())


def body_of(delivery: Row[Any]) -> bytes:
    return json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


async def note(tx: WriteTx, delivery: Row[Any], error: str | None, *, most: int) -> None:
    """What came of an attempt. After `most` of them it is given up."""
    attempts, moment = delivery.attempts + 1, clock.now()
    pause = min(_FIRST_PAUSE * 2 ** min(delivery.attempts, 10), _LONGEST_PAUSE)
    status = "delivered" if error is None else "failed" if attempts >= most else "pending"
    values = {"status": status, "attempts": attempts, "error": error, "next_at": moment + pause, "updated_at": moment}
    await tx.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))


async def forget(tx: WriteTx, before: Any, most: int) -> int:
    """Throw away some old deliveries; gives how many."""
    some = select(deliveries.c.id).where(deliveries.c.created_at < before).limit(most)
    return int((await tx.execute(delete(deliveries).where(deliveries.c.id.in_(some)))).rowcount)
