"""Publishing: how a change of a fleet becomes a revision, and for whom.

Everything that changes what a fleet's agents are to run comes through here, in this order, in one transaction: `hold` the
fleet, change it, `publish`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, or_, select, update

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict
from nectary.resources import authors, fleet_checks, fleet_revisions, fleet_versions, rollouts
from nectary.resources.fleet_checks import Candidate
from nectary.resources.fleet_revisions import Cause, Message, Number
from nectary.resources.fleet_serving import Served
from nectary.resources.rollout_plans import RolloutPlan
from nectary.shape import Shape, Time

fleets = tables.fleets


@dataclass(frozen=True, slots=True)
class Wish:
    """What its author says of a change: why, on top of what, and how quickly.

    if_revision: the newest revision they know of; a newer one is a conflict. urgent: past a rollout that is open, and past the
    fleet's own policy. rollout: in stages; None: as the fleet's policy says, and to all at once where it has none or nobody is
    in the fleet yet.
    """

    author: dict[str, Any] = field(default_factory=lambda: authors.NECTARY)
    message: str = ""
    if_revision: int | None = None
    urgent: bool = False
    rollout: RolloutPlan | None = None

    def by(self, caller: Caller) -> "Wish":
        return replace(self, author=authors.of(caller))


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


async def require_fit(tx: ReadTx, fleet: Row[Any], candidate: Candidate, learned: Path | None, *, skip: bool) -> None:
    """Refuse another config that agents of the fleet could not start with, or would run nothing with. `skip`: the author means
    it; only what would register agents twice is still refused. Raises Invalid."""
    if skip:
        fleet_checks.require_no_calyptia(candidate)
        return
    fleet_checks.require_runs_something(candidate)
    await fleet_checks.require_sound(tx, fleet, candidate, learned)


async def publish(tx: WriteTx, before: Row[Any], cause: Cause, wish: Wish, *, based_on: int | None = None) -> Served:
    """Make what the fleet now is its next revision, served from now on with a later version.

    before: the fleet as `hold` gave it, that is with the revision and version its agents have until now. Raises Conflict while
    a rollout is open, unless it is urgent.
    """
    await rollouts.make_way(tx, before.id, urgent=wish.urgent, by=wish.author["name"])
    version = await fleet_versions.move_on(tx, before.id)
    number = await fleet_revisions.record(
        tx, before.id, cause, author=wish.author, message=wish.message, based_on=based_on or before.revision
    )
    to = Served(number, version)
    plan = wish.rollout or (None if wish.urgent else policy(before))
    if plan is not None and (wish.rollout or await _is_joined(tx, before.id)):
        await rollouts.start(tx, before, to, plan, wish.author)
    else:
        await tx.execute(update(fleets).where(fleets.c.id == before.id).values(rollout_id=None))
    return to


async def _is_joined(tx: ReadTx, fleet_id: UUID) -> bool:
    """Whether there is anybody for whom a policy would go step by step: a new fleet is changed until it is right."""
    theirs = (exists().where(table.c.fleet_id == fleet_id) for table in (tables.agents, tables.fleet_polls))
    return bool((await tx.execute(select(or_(*theirs)))).scalar_one())


def policy(fleet: Row[Any]) -> RolloutPlan | None:
    """How changes of the fleet are rolled out when nothing is said of it; None: to all at once."""
    return None if fleet.rollout_policy is None else RolloutPlan.model_validate(fleet.rollout_policy)


# -- Going back ----------------------------------------------------------------------------------------------------------


class RollBack(Shape):
    revision: Number
    message: Message = ""
    if_revision: Number | None = None
    urgent: bool = False
    rollout: RolloutPlan | None = None

    def wish(self, caller: Caller) -> Wish:
        return Wish(authors.of(caller), self.message, self.if_revision, self.urgent, self.rollout)


class PublishedRevision(Shape):
    """What agents are given from now on; `rolloutID` where it is rolled out in stages."""

    revision: int
    rollout_id: UUID | None
    updated_at: Time


async def roll_back(tx: WriteTx, caller: Caller, fleet_id: UUID, asked: RollBack) -> PublishedRevision:
    """Publish an older revision again, its text and its files, as a new one. It was published before, so nothing of it is held
    against it now. Raises NotFound, and Conflict as `hold` and `publish` do."""
    before = await hold(tx, caller, fleet_id, asked.if_revision)
    await fleet_revisions.restore(tx, fleet_id, asked.revision)
    await publish(tx, before, "rolled_back", asked.wish(caller), based_on=asked.revision)
    return await told(tx, fleet_id)


async def told(tx: ReadTx, fleet_id: UUID) -> PublishedRevision:
    row = (await tx.execute(select(fleets).where(fleets.c.id == fleet_id))).one()
    return PublishedRevision.model_validate(row)
