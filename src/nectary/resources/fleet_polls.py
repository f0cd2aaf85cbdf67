"""Fleet polls: what each key was last served, and since when. Downloading is all that a poll tells of an agent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, exists, select, tuple_

from nectary.db import dialects, tables
from nectary.db.transaction import WriteTx

fleet_polls, fleets, agents = tables.fleet_polls, tables.fleets, tables.agents


@dataclass(frozen=True, slots=True)
class Poll:
    fleet_id: UUID
    project_id: UUID
    key: str
    token_id: UUID
    address: str
    version: int
    revision: int
    at: datetime


async def write(tx: WriteTx, polls: Sequence[Poll]) -> None:
    """Note later versions than are noted: a replica that has not heard of a change may still serve the one before, and a
    process that has just started notes what is noted already."""
    ids = {poll.fleet_id for poll in polls}
    there = set((await tx.execute(select(fleets.c.id).where(fleets.c.id.in_(ids)))).scalars())
    rows = [
        {
            "fleet_id": poll.fleet_id,
            "poll_key": poll.key,
            "project_id": poll.project_id,
            "token_id": poll.token_id,
            "address": poll.address,
            "version": poll.version,
            "revision": poll.revision,
            "at": poll.at,
        }
        for poll in polls
        if poll.fleet_id in there
    ]
    if not rows:
        return
    statement = dialects.insert(tx.dialect, fleet_polls)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in ("fleet_id", "poll_key")}
    later = statement.excluded.version > fleet_polls.c.version
    await tx.execute(statement.on_conflict_do_update(index_elements=["fleet_id", "poll_key"], set_=changed, where=later), rows)


async def forget(tx: WriteTx, *, before: datetime, most: int) -> int:
    """Throw away some of what nobody polls any more: keys that no agent of the fleet has, and that were last served something
    new before `before`, which is not what the fleet has now. Gives how many."""
    of = (fleet_polls.c.fleet_id, fleet_polls.c.poll_key)
    theirs = exists(select(agents.c.id).where(agents.c.fleet_id == of[0], agents.c.poll_key == of[1]))
    gone = and_(fleet_polls.c.at < before, fleet_polls.c.version < fleets.c.config_version, ~theirs)
    some = select(*of).join(fleets, fleets.c.id == of[0]).where(gone).limit(most)
    return int((await tx.execute(delete(fleet_polls).where(tuple_(*of).in_(some)))).rowcount)
