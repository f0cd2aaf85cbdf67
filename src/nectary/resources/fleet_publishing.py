"""Publishing: how a change of a fleet becomes a revision, and for whom.

Everything that changes what a fleet's agents are to run comes through here, in this order, in one transaction: `hold` the
fleet, change it, `publish`.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import WriteTx
from nectary.errors import Conflict
from nectary.resources import authors, fleet_revisions, fleet_versions
from nectary.resources.fleet_revisions import Cause
from nectary.resources.fleet_serving import Served

fleets = tables.fleets


@dataclass(frozen=True, slots=True)
class Wish:
    """What its author says of a change: why, on top of what, and how quickly.

    if_revision: the newest revision they know of; a newer one is a conflict. urgent: at once to everybody, past a rollout
    that is open and past the fleet's own policy.
    """

    author: dict[str, Any] = field(default_factory=lambda: authors.NECTARY)
    message: str = ""
    if_revision: int | None = None
    urgent: bool = False


AT_ONCE = Wish()


async def hold(tx: WriteTx, caller: Caller, fleet_id: UUID, if_revision: int | None = None) -> Row[Any]:
    """The fleet's row, nobody else's to change until the transaction ends.

    Raises NotFound, and Conflict when there is a newer revision than `if_revision`, naming it.
    """
    query = select(fleets).where(fleets.c.id == fleet_id, statements.visible(fleets, caller)).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise statements.not_found(fleets)
    if if_revision is not None and if_revision != row.revision:
        raise Conflict(
            "fleet revision conflict", f"{await fleet_revisions.told(tx, fleet_id, row.revision)}; look at that first"
        )
    return row


async def publish(tx: WriteTx, before: Row[Any], cause: Cause, wish: Wish, *, based_on: int | None = None) -> Served:
    """Make what the fleet now is its next revision, served from now on with a later version.

    before: the fleet as `hold` gave it, that is with the revision and version its agents have until now.
    """
    version = await fleet_versions.move_on(tx, before.id)
    number = await fleet_revisions.record(
        tx, before.id, cause, author=wish.author, message=wish.message, based_on=based_on or before.revision
    )
    await tx.execute(update(fleets).where(fleets.c.id == before.id).values(rollout_id=None))
    return Served(number, version)
