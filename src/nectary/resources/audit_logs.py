"""Audit logs: who changed what, in the order it happened. edge/audit.py writes them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, literal, select, tuple_
from sqlalchemy.types import Uuid

from nectary.caller import Caller
from nectary.db import cursors, statements, tables
from nectary.db.cursors import Place
from nectary.db.dialects import UtcTime
from nectary.db.transaction import ReadTx
from nectary.shape import Page, Shape, Time

audit_logs = tables.audit_logs


class AuditLog(Shape):
    id: UUID
    timestamp: Time
    url: str
    components: dict[str, str]
    identity: dict[str, Any]
    action: str
    response_code: int


async def of_project(
    tx: ReadTx,
    caller: Caller,
    *,
    components: dict[str, str],
    identity: dict[str, str],
    url: str | None,
    action: str | None,
    first: int,
    after: Place | None,
) -> Page[AuditLog]:
    """The oldest `first` rows, or the `first` after a place: this list alone pages forward (contract: auditLogs)."""
    place = (audit_logs.c.created_at, audit_logs.c.id)
    query = select(audit_logs).where(statements.visible(audit_logs, caller)).order_by(*place).limit(first)
    for key, value in components.items():
        query = query.where(audit_logs.c.components[key].as_string() == value)
    for key, value in identity.items():
        # `identity[user]=<id>`: the kind of caller, and its id.
        query = query.where(audit_logs.c.identity[(key, "id")].as_string() == value)
    if url:
        query = query.where(audit_logs.c.url == url)
    if action in ("CREATE", "UPDATE", "DELETE"):  # the Go client sends the URL's text here; that filters nothing
        query = query.where(audit_logs.c.action == action)
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(literal(after[0], UtcTime()), literal(after[1], Uuid())))
    rows = (await tx.execute(query)).all()
    return Page([_shape(row) for row in rows], cursors.encode(rows[-1].created_at, rows[-1].id) if rows else None)


def _shape(row: Row[Any]) -> AuditLog:
    return AuditLog.model_validate({**row._mapping, "timestamp": row.created_at})
