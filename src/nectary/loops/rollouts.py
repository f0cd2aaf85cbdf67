"""Rollouts by themselves: finds out what agents run, moves stages on, and takes back what fails.

Every turn looks at what is in the database and nothing else, so a turn may be missed and a server killed anywhere. One replica
takes a turn; whoever decides on what has changed meanwhile finds that out when it holds the row, and does nothing.
"""

import asyncio
import time
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from nectary import log
from nectary.db import dialects, statements, tables
from nectary.db.transaction import WriteTx
from nectary.edge.context import Context
from nectary.resources import agent_errors, authors, fleet_running, rollout_facts, rollouts
from nectary.resources.fleet_running import Answers
from nectary.resources.fleet_serving import COHORTS
from nectary.resources.rollout_facts import Progress
from nectary.resources.rollout_gates import Next
from nectary.resources.rollout_plans import Thresholds

_log = log.logger("nectary.rollouts")
_AGENTS_AT_ONCE = 100
_MOST_OPEN = 1000
_MOST_BLAMED = 1000
_answers = Answers()

# Looking at a hundred thousand agents takes a second: it is done less often.
_LARGE, _LARGE_EVERY = 10_000, 15.0
_looked: dict[UUID, float] = {}


# -- What agents run -----------------------------------------------------------------------------------------------------


async def look_into_reports(context: Context) -> None:
    """A bounded piece at a time: after a change all agents of a fleet register within seconds."""
    while True:
        async with context.database.read() as tx:
            if not await dialects.leads(tx, "look into reports"):
                return
            rows = await fleet_running.unknown(tx, _AGENTS_AT_ONCE)
            found = [await fleet_running.look(tx, row, _answers) for row in rows]
        if found:
            async with context.database.write() as tx:
                await fleet_running.write(tx, found)
        if len(rows) < _AGENTS_AT_ONCE:
            return
        await asyncio.sleep(0)  # agents' requests have waited long enough


async def infer_errors(context: Context) -> None:
    """Agents say nothing of a config that they could not load; what they did not do since they fetched it says it for them."""
    async with context.database.read() as tx:
        if not await dialects.leads(tx, "infer errors"):
            return
        suspected = await agent_errors.suspected(tx, _AGENTS_AT_ONCE, context.attention.since())
    if suspected:
        async with context.database.write() as tx:
            for one in suspected:
                await agent_errors.infer(tx, one.project_id, one.revision, [(one.id, one.why)])


# -- Stages --------------------------------------------------------------------------------------------------------------


async def step(context: Context) -> None:
    """One look at every open rollout; one that cannot be looked at holds no other up."""
    query = select(tables.rollouts.c.id).where(tables.rollouts.c.state.in_(rollouts.OPEN)).limit(_MOST_OPEN)
    async with context.database.read() as tx:
        ids = list((await tx.execute(query)).scalars())
    for gone in _looked.keys() - set(ids):
        del _looked[gone]
    failures = []
    for id in ids:
        if time.monotonic() < _looked.get(id, 0.0) + _LARGE_EVERY:
            continue
        try:
            await _step(context, id)
        except Exception as error:
            _log.error("a rollout could not be looked at", rollout=str(id), exc_info=error)
            failures.append(error)
    if failures:
        raise failures[0]


async def _step(context: Context, id: UUID) -> None:
    silent_after = float(context.settings.agent_silent_after)
    async with context.database.read() as tx:
        row = (await tx.execute(select(tables.rollouts).where(tables.rollouts.c.id == id))).one_or_none()
        if row is None or row.state not in rollouts.OPEN:
            return
        seen = await rollout_facts.progress(tx, row, silent_after, context.attention.since())
    if seen.tally.in_reach > _LARGE or not seen.whole:
        _looked[id] = time.monotonic()
    if not _is_news(row, seen):
        return
    async with context.database.write() as tx:
        if not await dialects.leads(tx, f"rollout {id}"):
            return
        held = await rollouts.hold(tx, id, patiently=False)
        if held is None or held != row:
            return  # somebody has moved it since it was looked at; the next turn sees what became of it
        await _act(tx, held, seen)
    context.forget(tx.revoked)


def _is_news(row: Row[Any], seen: Progress) -> bool:
    stopping = seen.verdict.next is Next.STOP and (row.state == "running" or _then(row) == "roll_back")
    return stopping or (row.state == "running" and (seen.verdict.next is not Next.STAY or seen.reach > row.reach))


def _then(row: Row[Any]) -> str:
    return Thresholds.model_validate(row.thresholds).on_failure


async def _act(tx: WriteTx, row: Row[Any], seen: Progress) -> None:
    why = seen.verdict.reason
    if seen.verdict.next is Next.STOP:
        failed = [(one.facts.id, one.why) for one in seen.tally.failed[:_MOST_BLAMED]]
        await agent_errors.infer(tx, row.project_id, row.to_revision, failed)
    match seen.verdict.next:
        case Next.STOP if _then(row) == "roll_back":
            if row.state == "running":
                await rollouts.pause(tx, row, why, seen.verdict.agents)
            await rollouts.roll_back(tx, row, why, seen.verdict.agents)
        case Next.STOP:
            await rollouts.pause(tx, row, why, seen.verdict.agents)
        case Next.FINISH:
            await rollouts.finish(tx, row, why)
        case Next.ADVANCE:
            await rollouts.advance(tx, row, why)
        case Next.STAY:
            await rollouts.widen(tx, row, seen.reach, f"to cohorts below {seen.reach} of {COHORTS}; {why}")
    await _audit(tx, row)
    _log.info("a rollout moved", rollout=str(row.id), fleet=str(row.fleet_id), step=seen.verdict.next.value, reason=why)


async def _audit(tx: WriteTx, before: Row[Any]) -> None:
    """A step that nobody asked for is in the audit log as Nectary's own, with its reason."""
    row = (await tx.execute(select(tables.rollouts).where(tables.rollouts.c.id == before.id))).one()
    components = {
        "projectID": str(row.project_id),
        "fleetID": str(row.fleet_id),
        "rolloutID": str(row.id),
        "state": row.state,
        "stage": str(row.stage),
        "reason": row.reason,
    }
    await statements.add(
        tx,
        tables.audit_logs,
        project_id=row.project_id,
        action="UPDATE",
        url=f"/v1/rollouts/{row.id}",
        components=components,
        identity={"server": {"id": None, "name": authors.NECTARY["name"]}},
        response_code=200,
    )
