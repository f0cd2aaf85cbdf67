"""Sessions: what a person's bearer token stands for, from signing in to signing out."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update

from nectary import clock
from nectary.auth import tokens
from nectary.caller import Person
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Unauthenticated

sessions, users = tables.sessions, tables.users


async def open_session(tx: WriteTx, user_id: UUID, lifetime: timedelta) -> tuple[str, datetime]:
    """A new bearer token, told only now, and when it ends."""
    token = tokens.new_session_token()
    moment = clock.now()
    row = await statements.add(
        tx,
        sessions,
        user_id=user_id,
        token_hash=tokens.digest(token),
        expires_at=moment + lifetime,
        last_used_at=moment,
    )
    return token, row.expires_at


async def prove(tx: ReadTx, token: str) -> tuple[Person, datetime]:
    """Who a bearer token speaks for, and until when. Raises Unauthenticated."""
    if not tokens.looks_like_session_token(token):
        raise Unauthenticated("unauthenticated", "this is no token of ours")
    query = (
        select(sessions.c.id, sessions.c.expires_at, users.c.id.label("user_id"), users.c.email, users.c.name)
        .join(users, users.c.id == sessions.c.user_id)
        .where(sessions.c.token_hash == tokens.digest(token))
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None or row.expires_at <= clock.now():
        raise Unauthenticated("unauthenticated", "signed out or expired; sign in again")
    return Person(row.user_id, row.email, row.name, row.id), row.expires_at


async def close(tx: WriteTx, id: UUID) -> None:
    await tx.execute(delete(sessions).where(sessions.c.id == id))
    await statements.revoke(tx, [id])


async def close_others(tx: WriteTx, user_id: UUID, keep: UUID) -> None:
    """End every session of a user but one: after a change of password."""
    query = delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id != keep).returning(sessions.c.id)
    await statements.revoke(tx, (await tx.execute(query)).scalars().all())


async def note_use(tx: WriteTx, used: dict[UUID, datetime]) -> None:
    query = update(sessions).where(sessions.c.id == bindparam("session")).values(last_used_at=bindparam("moment"))
    await tx.execute(query, [{"session": session, "moment": moment} for session, moment in used.items()])


async def forget_expired(tx: WriteTx) -> None:
    await tx.execute(delete(sessions).where(sessions.c.expires_at < clock.now()))
