"""Changes that a core instance wants to hear of: whatever happened in its project, but not its own reports or agents' news.

Read from the audit log, which every change is in. A change may be missed whose transaction began before another's and ended
after it; core instances look at everything every fifteen seconds anyway.
"""

from typing import Any

from sqlalchemy import Row, literal, select, tuple_
from sqlalchemy.types import Uuid

from nectary.caller import Caller, Kind
from nectary.db import cursors, tables
from nectary.db.cursors import Place
from nectary.db.dialects import UtcTime
from nectary.db.transaction import ReadTx
from nectary.shape import Shape

audit_logs = tables.audit_logs

_AT_ONCE = 500


class CoreInstanceChanges(Shape):
    """`cursor`: what to ask after next; `changed`: whether it is worth looking at what should run."""

    cursor: str
    changed: bool


async def newest(tx: ReadTx, caller: Caller) -> Place | None:
    """Where the log of the caller's project ends now; None while it is empty."""
    return _place((await tx.execute(_log(caller).order_by(*_backwards()).limit(1))).first())


async def since(tx: ReadTx, caller: Caller, after: Place | None) -> tuple[bool, Place | None]:
    """Whether somebody else changed anything after a place, and how far the log was read for that, in one bounded look."""
    place = (audit_logs.c.created_at, audit_logs.c.id)
    query = _log(caller).order_by(*place).limit(_AT_ONCE)
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(literal(after[0], UtcTime()), literal(after[1], Uuid())))
    rows = (await tx.execute(query)).all()
    for row in rows:
        if _is_news(row, caller):
            return True, _place(rows[-1])
    return False, _place(rows[-1]) if rows else after


def _is_news(row: Row[Any], caller: Caller) -> bool:
    """Agents register by the thousand, and change nothing that runs. A project token is many programs': all it does is news."""
    own = row.identity.get("core_instance", {}).get("id") if caller.kind is Kind.CORE_INSTANCE else None
    return not row.url.startswith("/v1/agents") and own != str(caller.id)


def _log(caller: Caller) -> Any:
    # The whole project's: a core instance sees no row of it, only whether there is one.
    return select(audit_logs.c.id, audit_logs.c.created_at, audit_logs.c.url, audit_logs.c.identity).where(
        audit_logs.c.project_id == caller.project_id
    )


def _backwards() -> tuple[Any, Any]:
    return audit_logs.c.created_at.desc(), audit_logs.c.id.desc()


def _place(row: Row[Any] | None) -> Place | None:
    return None if row is None else (row.created_at, row.id)


def cursor(place: Place | None) -> str:
    return "" if place is None else cursors.encode(*place)
