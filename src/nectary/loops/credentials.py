"""Keeps what is remembered of tokens and fleets honest: a change anywhere is obeyed here within five seconds."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from nectary import clock
from nectary.db import tables
from nectary.edge.context import Context
from nectary.resources import sessions

# Longer than any transaction takes to become visible, and than clocks of replicas differ. Forgetting twice is harmless.
_LOOK_BACK = timedelta(seconds=60)


async def read_revocations(context: Context) -> None:
    since = clock.now() - _LOOK_BACK
    async with context.database.read() as tx:
        query = select(tables.revocations.c.subject).where(tables.revocations.c.created_at > since)
        gone = (await tx.execute(query)).scalars().all()
    context.forget(gone)
    context.confirm()


async def note_sessions(context: Context) -> None:
    """Write down when sessions were last used: once in a while, not at every request."""
    used = context.credentials.used_since()
    if used:
        async with context.database.write() as tx:
            await sessions.note_use(tx, {id: datetime.fromtimestamp(moment, UTC) for id, moment in used.items()})
