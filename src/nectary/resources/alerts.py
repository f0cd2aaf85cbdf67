"""Alerts: that a thing met an alert rule's condition, from when to when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Row, Select, delete, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.resources.alert_conditions import Subject
from nectary.shape import Page, Shape, Time

alerts, alert_rules = tables.alerts, tables.alert_rules

Status = Literal["firing", "resolved"]


class Alert(Shape):
    id: UUID
    alert_rule_id: UUID
    alert_rule_name: str
    kind: str
    subject_kind: str
    subject_id: UUID
    subject_name: str
    status: str
    message: str
    resolved_at: Time | None
    created_at: Time


@dataclass(frozen=True, slots=True)
class Turn:
    """What one look at a rule changed: alerts that began, and alerts that ended."""

    begun: Sequence[Row[Any]]
    ended: Sequence[Row[Any]]


def _listed(caller: Caller) -> Select[Any]:
    query = select(alerts, alert_rules.c.name.label("alert_rule_name"), alert_rules.c.kind)
    return query.join(alert_rules, alert_rules.c.id == alerts.c.alert_rule_id).where(statements.visible(alerts, caller))


def _shape(row: Row[Any]) -> Alert:
    return Alert.model_validate({**row._mapping, "status": "firing" if row.resolved_at is None else "resolved"})


async def get(tx: ReadTx, caller: Caller, id: UUID) -> Alert:
    row = (await tx.execute(_listed(caller).where(alerts.c.id == id))).one_or_none()
    if row is None:
        raise statements.not_found(alerts)
    return _shape(row)


async def of_project(
    tx: ReadTx, caller: Caller, *, status: Status | None, rule_id: UUID | None, last: int, before: Place | None
) -> Page[Alert]:
    query = _listed(caller)
    if rule_id is not None:
        query = query.where(alerts.c.alert_rule_id == rule_id)
    if status is not None:
        query = query.where(alerts.c.resolved_at.is_(None) if status == "firing" else alerts.c.resolved_at.isnot(None))
    return await statements.page(tx, query, alerts, _shape, last=last, before=before, counted=True)


async def standing(tx: ReadTx, rule_id: UUID) -> dict[UUID, UUID]:
    """Thing -> its alert of this rule, of those that stand."""
    query = select(alerts.c.subject_id, alerts.c.id).where(alerts.c.alert_rule_id == rule_id, alerts.c.resolved_at.is_(None))
    return {row.subject_id: row.id for row in await tx.execute(query)}


async def follow(tx: WriteTx, rule: Row[Any], now: Sequence[Subject], gone: Sequence[UUID]) -> Turn:
    """Begin an alert for each of these things that has none, and end these alerts. Of several servers that see the same, one
    does it: what is returned is what this one did."""
    moment = clock.now()
    rows = [
        {
            "id": uuid4(),
            "project_id": rule.project_id,
            "alert_rule_id": rule.id,
            "subject_kind": one.kind,
            "subject_id": one.id,
            "subject_name": one.name,
            "message": one.message,
            "created_at": moment,
        }
        for one in now
    ]
    begun: list[Row[Any]] = []
    for row in rows:
        insert = dialects.insert(tx.dialect, alerts).values(row).on_conflict_do_nothing().returning(alerts)
        begun += (await statements.written(tx, insert)).all()
    ended: list[Row[Any]] = []
    for start in range(0, len(gone), 1000):
        some = gone[start : start + 1000]
        query = update(alerts).where(alerts.c.id.in_(some), alerts.c.resolved_at.is_(None)).values(resolved_at=moment)
        ended += (await tx.execute(query.returning(alerts))).all()
    return Turn(begun, ended)


async def forget(tx: WriteTx, before: Any, most: int) -> int:
    """Throw away some alerts that ended long ago; gives how many."""
    some = select(alerts.c.id).where(alerts.c.resolved_at < before).limit(most)
    return int((await tx.execute(delete(alerts).where(alerts.c.id.in_(some)))).rowcount)
