"""Rollouts of a fleet's revisions: how they stand, and what people do about them. Publishing starts them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.edge import context
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import FleetID, RolloutID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import authors, rollout_facts, rollouts
from nectary.resources.rollout_facts import Progress
from nectary.resources.rollout_gates import MOST_NAMED, Cause
from nectary.resources.rollout_plans import Thresholds
from nectary.resources.rollouts import Rollout, RolloutEvent
from nectary.shape import Shape

router = APIRouter(tags=["rollout"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.rollouts)]
Changer = Annotated[Caller, may("update:*", tables.rollouts)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


async def _heard_since(request: Request) -> float:
    return context.of(request).attention.since()


HeardSince = Annotated[float, Depends(_heard_since)]


class Why(Shape):
    reason: Reason = ""


class Resumption(Why):
    """Failures that made it pause would make it pause again: other thresholds may come with it."""

    thresholds: Thresholds | None = None


class FailedAgent(Shape):
    id: UUID
    name: str
    cause: Cause
    why: str


class RolloutProgress(Shape):
    """Agents in reach. waiting: heard of, and have not fetched the revision. stragglers: the same, and not heard of. failed:
    how many; `failures` names some."""

    in_reach: int
    waiting: int
    stragglers: int
    downloaded: int
    applied: int
    failed: int
    failures: Annotated[list[FailedAgent], Field(max_length=MOST_NAMED)]
    outlook: str


class RolloutNow(Rollout):
    """`progress`: null once it has ended."""

    progress: RolloutProgress | None


@router.get("/v1/fleets/{fleetID}/rollouts", operation_id="fleetRollouts")
async def list_rollouts(
    fleet_id: FleetID, window: AskedFor, caller: Annotated[Caller, may("read:*", tables.fleets)], tx: ReadTx
) -> Sequence[Rollout]:
    """The fleet's rollouts, newest first."""
    return window.of(await rollouts.of_fleet(tx, caller, fleet_id, last=window.last, before=window.before))


@router.get("/v1/rollouts/{rolloutID}", operation_id="rollout")
async def get_rollout(
    rollout_id: RolloutID, caller: Reader, tx: ReadTx, settings: Configured, heard_since: HeardSince
) -> RolloutNow:
    """One rollout, and while it is open how its agents are doing."""
    row = await statements.get(tx, caller, tables.rollouts, rollout_id)
    seen = None
    if row.state in rollouts.OPEN:
        seen = _shown(await rollout_facts.progress(tx, row, settings.agent_silent_after, heard_since))
    return RolloutNow.model_validate({**rollouts.shape(row).model_dump(), "progress": seen})


def _shown(seen: Progress) -> RolloutProgress:
    tally = seen.tally
    failures = [
        FailedAgent(id=one.facts.id, name=one.facts.name, cause=one.cause, why=one.why)
        for one in tally.failed[:MOST_NAMED]
        if one.cause is not None
    ]
    return RolloutProgress(
        in_reach=tally.in_reach,
        waiting=len(tally.waiting),
        stragglers=tally.stragglers,
        downloaded=tally.downloaded,
        applied=tally.applied,
        failed=len(tally.failed),
        failures=failures,
        outlook=seen.verdict.reason,
    )


@router.get("/v1/rollouts/{rolloutID}/events", operation_id="rolloutEvents")
async def list_rollout_events(rollout_id: RolloutID, window: AskedFor, caller: Reader, tx: ReadTx) -> Sequence[RolloutEvent]:
    """What happened to it and why, newest first."""
    return window.of(await rollouts.events_of(tx, caller, rollout_id, last=window.last, before=window.before))


@router.post("/v1/rollouts/{rolloutID}/pause", operation_id="pauseRollout", status_code=200)
async def pause_rollout(rollout_id: RolloutID, why: Why, caller: Changer, tx: WriteTx) -> Rollout:
    """Reach nobody else until it is resumed. Those it reached keep the new revision, unless they fail."""
    row = await rollouts.held(tx, caller, rollout_id)
    await rollouts.pause(tx, row, _said(caller, "paused", why))
    return await rollouts.again(tx, row)


@router.post("/v1/rollouts/{rolloutID}/resume", operation_id="resumeRollout", status_code=200)
async def resume_rollout(rollout_id: RolloutID, why: Resumption, caller: Changer, tx: WriteTx) -> Rollout:
    """Go on where it was paused; its stage's time begins anew."""
    row = await rollouts.held(tx, caller, rollout_id)
    await rollouts.resume(tx, row, _said(caller, "resumed", why), why.thresholds)
    return await rollouts.again(tx, row)


@router.post("/v1/rollouts/{rolloutID}/advance", operation_id="advanceRollout", status_code=200)
async def advance_rollout(rollout_id: RolloutID, why: Why, caller: Changer, tx: WriteTx) -> Rollout:
    """On to the next stage now, on purpose. Its agents are judged as before."""
    row = await rollouts.held(tx, caller, rollout_id)
    await rollouts.advance(tx, row, _said(caller, "advanced", why))
    return await rollouts.again(tx, row)


@router.post("/v1/rollouts/{rolloutID}/cancel", operation_id="cancelRollout", status_code=200)
async def cancel_rollout(rollout_id: RolloutID, why: Why, caller: Changer, tx: WriteTx) -> Rollout:
    """End it where it stands: those it reached keep the new revision, others the old, until the next one is published."""
    row = await rollouts.held(tx, caller, rollout_id)
    await rollouts.cancel(tx, row, _said(caller, "cancelled", why))
    return await rollouts.again(tx, row)


@router.post("/v1/rollouts/{rolloutID}/rollback", operation_id="rollBackRollout", status_code=200)
async def roll_back_rollout(rollout_id: RolloutID, why: Why, caller: Changer, tx: WriteTx) -> Rollout:
    """End it, and give those it reached what they had before, as a newer revision. Others notice nothing."""
    row = await rollouts.held(tx, caller, rollout_id)
    await rollouts.roll_back(tx, row, _said(caller, "rolled back", why), author=authors.of(caller))
    return await rollouts.again(tx, row)


def _said(caller: Caller, what: str, why: Why) -> str:
    by = f"{what} by {authors.of(caller)['name']}"
    return f"{by}: {why.reason}" if why.reason else by
