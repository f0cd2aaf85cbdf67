"""Rollouts: a fleet's newest revision given to its agents in stages, and taken back from those that have it when they fail."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Invalid
from nectary.resources import authors, fleet_revisions, fleet_versions, rollout_gates, rollout_plans
from nectary.resources.authors import Author
from nectary.resources.fleet_serving import COHORTS, Served
from nectary.resources.rollout_plans import RolloutPlan, Stage, Thresholds
from nectary.shape import Page, Shape, Time

fleets, agents, rollouts, events = tables.fleets, tables.agents, tables.rollouts, tables.rollout_events

State = Literal["running", "paused", "done", "rolled_back", "cancelled"]
Kind = Literal["started", "advanced", "widened", "paused", "resumed", "rolled_back", "done", "cancelled"]
OPEN = ("running", "paused")
NOT_OPEN = "rollout not open"


class Rollout(Shape):
    """`stage` counts from 0. `reach`: percent of the fleet's poll keys that get the new revision, besides `canary_keys`."""

    id: UUID
    project_id: UUID
    fleet_id: UUID
    state: State
    reason: str
    from_revision: int
    to_revision: int
    back_revision: int | None
    stages: str
    stage: int
    reach: float
    canary_keys: list[str]
    most_applying: int | None
    thresholds: Thresholds
    stage_started_at: Time
    author: Author
    created_at: Time
    updated_at: Time


class RolloutEvent(Shape):
    id: UUID
    kind: Kind
    stage: int
    reason: str
    agents: list[str]
    created_at: Time


# -- Starting ------------------------------------------------------------------------------------------------------------


async def start(tx: WriteTx, before: Row[Any], to: Served, plan: RolloutPlan, author: dict[str, Any]) -> Row[Any]:
    """Roll a revision out that was just published. Its canaries get it at once, others when loops/rollouts.py widens it.

    before: the fleet's row as it was before that, held by this transaction. Raises Conflict when one is open, Invalid for
    canaries that are no agents of the fleet or have not been heard of.
    """
    stages = plan.parsed()
    row = await statements.add(
        tx,
        rollouts,
        project_id=before.project_id,
        fleet_id=before.id,
        state="running",
        reason="started",
        after_id=before.rollout_id,
        from_revision=await _last_good(tx, before),
        from_version=before.config_version,
        to_revision=to.revision,
        to_version=to.version,
        stages=rollout_plans.kept(stages),
        canary_keys=await _canary_keys(tx, before.id, plan.canaries),
        thresholds=plan.thresholds.model_dump(),
        most_applying=plan.most_applying,
        stage=0,
        reach=0,
        stage_started_at=clock.now(),
        author=author,
    )
    await tx.execute(update(fleets).where(fleets.c.id == before.id).values(rollout_id=row.id))
    await note(tx, row, "started", f"revision {to.revision} by {author['name']}: {rollout_plans.stages_text(stages)}")
    tx.touched["rolloutID"] = row.id
    return row


async def _last_good(tx: ReadTx, before: Row[Any]) -> int:
    """What a rollout goes back to: the newest revision, unless that is one whose own rollout was cancelled on its way."""
    if before.rollout_id is None:
        return int(before.revision)
    last = (await tx.execute(select(rollouts).where(rollouts.c.id == before.rollout_id))).one()
    return int(last.from_revision if last.state in ("cancelled", *OPEN) else before.revision)


async def _canary_keys(tx: ReadTx, fleet_id: UUID, named: list[str]) -> list[str]:
    if not named:
        return []
    ids = [UUID(name) for name in named if _is_id(name)]
    is_one = or_(agents.c.name.in_(named), agents.c.id.in_(ids))
    rows = (
        await tx.execute(select(agents.c.id, agents.c.name, agents.c.poll_key).where(agents.c.fleet_id == fleet_id, is_one))
    ).all()
    known = {name for row in rows for name in (row.name, str(row.id))}
    if missing := [name for name in named if name.lower() not in known and name not in known]:
        raise Invalid("invalid rollout canaries", f"{missing[0]!r} is no agent of this fleet")
    if mute := [row.name for row in rows if row.poll_key is None]:
        raise Invalid("invalid rollout canaries", f"{mute[0]!r} has not started since this server can tell its polls")
    return sorted({row.poll_key for row in rows})


def _is_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


# -- Reach ---------------------------------------------------------------------------------------------------------------


def in_reach(row: Row[Any]) -> ColumnElement[bool]:
    """The fleet's agents whose polls are served the new revision."""
    return and_(agents.c.fleet_id == row.fleet_id, or_(agents.c.cohort < row.reach, agents.c.poll_key.in_(row.canary_keys)))


async def next_reach(tx: ReadTx, row: Row[Any], *, unsettled: int, silent_after: float) -> int:
    """How far it may reach now: to the share of its stage, unless too many would be applying at once; never less than it does.

    unsettled: agents in reach that apply the revision or may any moment.
    """
    share = rollout_plans.recalled(row.stages)[row.stage].share
    target = await _target(tx, row, share, silent_after)
    if target <= row.reach or row.most_applying is None:
        return max(target, int(row.reach))
    room = row.most_applying - unsettled
    if room <= 0:
        return int(row.reach)
    beyond = and_(agents.c.fleet_id == row.fleet_id, agents.c.cohort >= row.reach, agents.c.cohort < target)
    last = await _cohort_at(tx, and_(beyond, agents.c.poll_key.not_in(row.canary_keys)), room - 1)
    return target if last is None else last + 1


async def target(tx: ReadTx, row: Row[Any], silent_after: float) -> int:
    """The reach that its stage is to have in the end."""
    return await _target(tx, row, rollout_plans.recalled(row.stages)[row.stage].share, silent_after)


async def _target(tx: ReadTx, row: Row[Any], share: float, silent_after: float) -> int:
    if share in (0, 100):
        return COHORTS if share else 0
    heard = and_(
        agents.c.fleet_id == row.fleet_id,
        agents.c.cohort.isnot(None),
        agents.c.seen_at >= clock.moment(clock.seconds() - silent_after),
    )
    there = int((await tx.execute(select(func.count()).select_from(agents).where(heard))).scalar_one())
    if not there:
        return round(share * COHORTS / 100)
    last = await _cohort_at(tx, heard, rollout_gates.covered(there, share) - 1)
    return COHORTS if last is None else last + 1


async def _cohort_at(tx: ReadTx, those: ColumnElement[bool], place: int) -> int | None:
    """The cohort of the agent at a place among those, by cohort; None: there are not so many."""
    query = select(agents.c.cohort).where(those).order_by(agents.c.cohort).offset(place).limit(1)
    found: int | None = (await tx.execute(query)).scalar_one_or_none()
    return found


# -- Moving --------------------------------------------------------------------------------------------------------------
# Each takes the row as it was read and locked, writes what becomes of it, an event, and has every process forget what it
# serves. `why` ends up in the row, the event and the audit log.


async def hold(tx: WriteTx, id: UUID, *, patiently: bool = True) -> Row[Any] | None:
    """The row, nobody else's to change until the transaction ends; None when it is not there, or somebody has it and the
    caller does not wait."""
    query = select(rollouts).where(rollouts.c.id == id).with_for_update(skip_locked=not patiently)
    return (await tx.execute(query)).one_or_none()


async def widen(tx: WriteTx, row: Row[Any], reach: int, why: str) -> None:
    await _move(tx, row, "widened", why, reach=reach)


async def advance(tx: WriteTx, row: Row[Any], why: str) -> None:
    """To the next stage; its reach widens from the next turn on. Raises Conflict in the last one."""
    if row.stage >= len(row.stages) - 1:
        raise Conflict("rollout in its last stage", "it ends by itself when its agents run the revision")
    await _move(tx, row, "advanced", why, stage=row.stage + 1, stage_started_at=clock.now(), state="running")


async def pause(tx: WriteTx, row: Row[Any], why: str, named: tuple[str, ...] = ()) -> None:
    await _move(tx, row, "paused", why, named, state="paused")


async def resume(tx: WriteTx, row: Row[Any], why: str, thresholds: Thresholds | None = None) -> None:
    """Go on, if need be with other thresholds. The stage's time begins anew."""
    limits = row.thresholds if thresholds is None else thresholds.model_dump()
    await _move(tx, row, "resumed", why, state="running", stage_started_at=clock.now(), thresholds=limits)


async def finish(tx: WriteTx, row: Row[Any], why: str) -> None:
    """Everybody gets the revision from now on, without a word about a rollout."""
    await _move(tx, row, "done", why, state="done", reach=COHORTS)
    await tx.execute(update(fleets).where(fleets.c.id == row.fleet_id, fleets.c.rollout_id == row.id).values(rollout_id=None))


async def cancel(tx: WriteTx, row: Row[Any], why: str) -> None:
    """End it where it stands: those it reached keep the new revision and others the old, until the next one is published."""
    await _move(tx, row, "cancelled", why, state="cancelled")


async def roll_back(
    tx: WriteTx, row: Row[Any], why: str, named: tuple[str, ...] = (), author: dict[str, Any] | None = None
) -> None:
    """Give those it reached the text and files from before, as a newer revision with a later version. Nobody else's answer
    changes by a byte, nor its date."""
    await tx.execute(select(fleets.c.id).where(fleets.c.id == row.fleet_id).with_for_update())
    await fleet_revisions.restore(tx, row.fleet_id, row.from_revision)
    version = await fleet_versions.move_on(tx, row.fleet_id)
    said = f"rolled back from revision {row.to_revision}: {why}"[:1000]
    number = await fleet_revisions.record(
        tx, row.fleet_id, "rolled_back", author=author or authors.NECTARY, message=said, based_on=row.from_revision
    )
    await _move(tx, row, "rolled_back", why, named, state="rolled_back", back_revision=number, back_version=version)


async def _move(tx: WriteTx, row: Row[Any], kind: Kind, why: str, named: tuple[str, ...] = (), **values: Any) -> None:
    values |= {"reason": why, "updated_at": clock.now()}
    moved = (await tx.execute(update(rollouts).where(rollouts.c.id == row.id).values(values).returning(rollouts))).one()
    await note(tx, moved, kind, why, named)
    tx.told["reason"] = why
    await statements.revoke(tx, [row.fleet_id])


async def note(tx: WriteTx, row: Row[Any], kind: Kind, reason: str, named: tuple[str, ...] = ()) -> None:
    values = {"project_id": row.project_id, "rollout_id": row.id, "kind": kind, "stage": row.stage, "reason": reason}
    await statements.add(tx, events, **values, agents=list(named))


# -- Other changes of a fleet --------------------------------------------------------------------------------------------


async def open_of(tx: ReadTx, fleet_id: UUID) -> Row[Any] | None:
    """The fleet's open rollout, if there is one."""
    query = select(rollouts).where(rollouts.c.fleet_id == fleet_id, rollouts.c.state.in_(OPEN))
    return (await tx.execute(query)).one_or_none()


async def make_way(tx: WriteTx, fleet_id: UUID, *, urgent: bool, by: str) -> None:
    """End the fleet's open rollout for an urgent change. Raises Conflict, naming it, for one that can wait."""
    row = await open_of(tx, fleet_id)
    if row is None:
        return
    if not urgent:
        stages = rollout_plans.recalled(row.stages)
        raise Conflict(
            "rollout already open",
            f"revision {row.to_revision} is being rolled out by {row.author['name']} ({row.state}, stage {row.stage + 1} of "
            f"{len(stages)}); wait, cancel rollout {row.id}, or say that it is urgent",
        )
    await cancel(tx, row, f"an urgent change by {by}")


# -- Asking --------------------------------------------------------------------------------------------------------------


async def get(tx: ReadTx, caller: Caller, id: UUID) -> Rollout:
    return shape(await statements.get(tx, caller, rollouts, id))


async def again(tx: ReadTx, row: Row[Any]) -> Rollout:
    """What became of it."""
    return shape((await tx.execute(select(rollouts).where(rollouts.c.id == row.id))).one())


async def held(tx: WriteTx, caller: Caller, id: UUID) -> Row[Any]:
    """An open rollout of the caller's project, locked. Raises NotFound, and Conflict for one that has ended."""
    await statements.get(tx, caller, rollouts, id)
    row = await hold(tx, id)
    if row is None:
        raise statements.not_found(rollouts)
    if row.state not in OPEN:
        raise Conflict(NOT_OPEN, f"it is {row.state.replace('_', ' ')}: {row.reason}")
    tx.touched["fleetID"] = row.fleet_id
    return row


async def of_fleet(tx: ReadTx, caller: Caller, fleet_id: UUID, *, last: int, before: Place | None) -> Page[Rollout]:
    await statements.get(tx, caller, fleets, fleet_id)
    query = select(rollouts).where(rollouts.c.fleet_id == fleet_id, statements.visible(rollouts, caller))
    return await statements.page(tx, query, rollouts, shape, last=last, before=before)


async def events_of(tx: ReadTx, caller: Caller, id: UUID, *, last: int, before: Place | None) -> Page[RolloutEvent]:
    await statements.get(tx, caller, rollouts, id)
    query = select(events).where(events.c.rollout_id == id, statements.visible(events, caller))
    return await statements.page(tx, query, events, RolloutEvent.model_validate, last=last, before=before)


def shape(row: Row[Any]) -> Rollout:
    stages: tuple[Stage, ...] = rollout_plans.recalled(row.stages)
    said = {"stages": rollout_plans.stages_text(stages), "reach": row.reach * 100 / COHORTS}
    return Rollout.model_validate({**row._mapping, **said})
