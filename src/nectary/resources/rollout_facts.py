"""What is known of the agents in a rollout's reach, read for its gates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, func, select

from nectary import clock
from nectary.db import tables
from nectary.db.transaction import ReadTx
from nectary.metrics import store
from nectary.metrics.cmetrics import INPUT_FIELDS, OUTPUT_FIELDS
from nectary.metrics.counters import Totals
from nectary.resources import rollout_gates, rollout_plans, rollouts
from nectary.resources.rollout_gates import Facts, Judgement, Rates, Tally, Verdict
from nectary.resources.rollout_plans import Thresholds

agents, polls, starts = tables.agents, tables.fleet_polls, tables.agent_starts

MOST_READ = 5_000  # agents a turn that are not settled; those that fetched it longest ago come first
MOST_MEASURED = 500  # agents a turn whose counts are compared, those that applied it last
_LEAST_SECONDS = 4.0  # of a stretch that is to give a rate

_RECORDS = INPUT_FIELDS.index("records_total")
_ERRORS, _RETRIES, _DROPPED = (OUTPUT_FIELDS.index(name) for name in ("errors_total", "retries_total", "dropped_records_total"))


@dataclass(frozen=True, slots=True)
class Progress:
    """A rollout as its gates see it: every agent that is not settled by itself, and how many are."""

    judgements: tuple[Judgement, ...]
    tally: Tally
    verdict: Verdict
    reach: int  # how far it may reach now
    whole: bool  # whether all that matter were read


async def progress(tx: ReadTx, row: Row[Any], silent_after: float, heard_since: float) -> Progress:
    """Judge a rollout by what is in the database now. `silent_after`: the server's setting, in seconds. `heard_since`: the
    moment since which the server has been there without a gap (edge/attention.py)."""
    tx.aside()
    now = clock.seconds()
    limits = Thresholds.model_validate(row.thresholds)
    if now - heard_since < silent_after and (away := await _away(tx, row, heard_since, now)):
        silent_after += away
        limits = limits.model_copy(update={"silent_seconds": limits.silent_seconds and limits.silent_seconds + away})
    settled = _settled(row, limits, now, silent_after)
    reached = rollouts.in_reach(row)
    facts = await _facts(tx, row, reached & (case((settled, 1), else_=0) == 0), limits, now, most=MOST_READ)
    measured: list[Facts] = []
    others = 0
    if now - row.created_at.timestamp() > limits.loop_seconds:  # before that none can be settled
        measured = await _facts(tx, row, reached & settled, limits, now, most=MOST_MEASURED, newest=True)
        others = await _count(tx, row, reached & settled) - len(measured)
    everyone = await _with_rates(tx, [*facts, *measured], limits, now)
    judgements = tuple(rollout_gates.judge(one, limits, now, silent_after, heard_since=heard_since) for one in everyone)
    tally = rollout_gates.tally(judgements, now, silent_after, settled=max(0, others))
    whole = len(facts) < MOST_READ
    if not whole:
        tally = replace(tally, in_reach=await _count(tx, row, reached))
    # Whoever has not fetched it that long after it was last widened does not poll, and keeps nobody else from their turn.
    patient = now - max(row.updated_at.timestamp(), heard_since) <= limits.apply_seconds
    unsettled = len(tally.applying) + (len(tally.waiting) if patient else 0)
    reach = await rollouts.next_reach(tx, row, unsettled=unsettled, silent_after=silent_after)
    narrow = not whole or int(row.reach) < await rollouts.target(tx, row, silent_after)
    verdict = rollout_gates.verdict(
        tally,
        rollout_plans.recalled(row.stages),
        row.stage,
        in_stage=now - row.stage_started_at.timestamp(),
        narrow=narrow,
        thresholds=limits,
    )
    return Progress(judgements, tally, verdict, reach, whole)


async def _away(tx: ReadTx, row: Row[Any], heard_since: float, now: float) -> float:
    """For how long none of the fleet's agents was heard before the server came back, and until they have had time to be heard
    again: those heard until then count as there. 0 where none was heard before at all."""
    earlier = and_(agents.c.fleet_id == row.fleet_id, agents.c.seen_at < clock.moment(heard_since))
    last = (await tx.execute(select(agents.c.seen_at).where(earlier).order_by(agents.c.seen_at.desc()).limit(1))).scalar()
    return 0.0 if last is None else max(0.0, now - last.timestamp())


async def _count(tx: ReadTx, row: Row[Any], those: ColumnElement[bool]) -> int:
    return int((await tx.execute(select(func.count()).select_from(_joined(row)).where(those))).scalar_one())


def _joined(row: Row[Any]) -> Any:
    same = and_(polls.c.fleet_id == agents.c.fleet_id, polls.c.poll_key == agents.c.poll_key, polls.c.version == row.to_version)
    return agents.outerjoin(polls, same)


def _settled(row: Row[Any], limits: Thresholds, now: float, silent_after: float) -> ColumnElement[bool]:
    """Agents that plainly run the revision: nothing but their counts is left to look at. What `rollout_gates.judge` calls
    applied, said to the database, so that a large fleet's are not read one by one for as long as a stage lasts."""
    silent = limits.silent_seconds or silent_after
    return and_(
        polls.c.version.isnot(None),
        agents.c.registered_at >= polls.c.at,
        agents.c.registered_at < clock.moment(now - limits.loop_seconds),
        agents.c.runs_known_at.isnot(None),
        func.coalesce(agents.c.runs_revision, -1) == row.to_revision,
        agents.c.seen_at >= clock.moment(now - silent),
    )


async def _facts(
    tx: ReadTx, row: Row[Any], those: ColumnElement[bool], limits: Thresholds, now: float, *, most: int, newest: bool = False
) -> list[Facts]:
    # First which, then what is known of them: the database would count the registrations of all before it leaves most out.
    order = (agents.c.registered_at.desc(),) if newest else (polls.c.at.is_(None), polls.c.at)
    chosen = select(agents.c.id).select_from(_joined(row)).where(those).order_by(*order).limit(most).subquery()
    # A case and not a maximum: SQLite's max() of two values and PostgreSQL's greatest() are not one function.
    begin = clock.moment(now - limits.loop_seconds)
    since = case((polls.c.at > begin, polls.c.at), else_=begin)
    recent = select(func.count()).where(starts.c.agent_id == agents.c.id, starts.c.created_at >= since)
    query = (
        select(
            *(agents.c[name] for name in ("id", "name", "cohort", "seen_at")),
            *(agents.c[name] for name in ("registered_at", "runs_revision", "runs_known_at")),
            polls.c.at,
            recent.correlate(agents, polls).scalar_subquery().label("recent"),
        )
        .select_from(_joined(row))
        .where(agents.c.id.in_(select(chosen.c.id)))
        .order_by(polls.c.at, agents.c.id)
    )
    return [_of(one, row.to_revision) for one in await tx.execute(query)]


def _of(row: Row[Any], revision: int) -> Facts:
    return Facts(
        id=row.id,
        name=row.name,
        cohort=row.cohort or 0,
        seen_at=row.seen_at.timestamp(),
        downloaded_at=row.at and row.at.timestamp(),
        registered_at=row.registered_at and row.registered_at.timestamp(),
        recent_registrations=row.recent if row.at else 0,
        runs=None if row.runs_known_at is None else row.runs_revision == revision,
    )


# -- Rates ---------------------------------------------------------------------------------------------------------------


async def _with_rates(tx: ReadTx, facts: Sequence[Facts], limits: Thresholds, now: float) -> list[Facts]:
    """The facts, with what the agents that run the revision counted before and since: of those that applied it last."""
    applied = [one for one in facts if one.downloaded_at is not None and one.registered and one.runs]
    applied.sort(key=lambda one: one.registered_at or 0, reverse=True)
    before: list[tuple[UUID, float, float]] = []
    since: list[tuple[UUID, float, float]] = []
    for one in applied[:MOST_MEASURED]:
        assert one.downloaded_at is not None
        assert one.registered_at is not None, "these are chosen so"
        before.append((one.id, one.downloaded_at - limits.window_seconds, one.downloaded_at))
        since.append((one.id, max(one.registered_at, now - limits.window_seconds), now))
    earlier, later = await _rates(tx, before), await _rates(tx, since)
    return [replace(one, before=earlier.get(one.id), since=later.get(one.id)) for one in facts]


async def _rates(tx: ReadTx, stretches: Iterable[tuple[UUID, float, float]]) -> dict[UUID, Rates]:
    found = {}
    for id, samples in (await store.stretches(tx, stretches)).items():
        (begin, first), (end, last) = samples[0], samples[-1]
        if end - begin >= _LEAST_SECONDS:
            counts = [now - then for then, now in zip(_counts(first), _counts(last), strict=True)]
            found[id] = Rates(end - begin, *(count / (end - begin) for count in counts))
    return found


def _counts(totals: Totals) -> tuple[int, int, int, int]:
    """All of an agent's plugins together: records that came in, errors, retries and drops of its outputs."""
    outputs = totals.output.values()
    return (
        sum(row[_RECORDS] for row in totals.input.values()),
        sum(row[_ERRORS] for row in outputs),
        sum(row[_RETRIES] for row in outputs),
        sum(row[_DROPPED] for row in outputs),
    )
