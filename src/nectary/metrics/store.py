"""Totals in the database: written by the second, thinned by the minute, read as samples.

A row is one owner's lifetime totals at one moment, all plugins in one blob. Totals only grow, whatever the agent's own counters
do, so a coarser level is simply fewer of the same rows, and no roll-up can lose anything that lies between two of them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, delete, func, or_, select

from nectary import clock
from nectary.db import dialects, statements, tables
from nectary.db.dialects import UtcTime
from nectary.db.transaction import ReadTx, WriteTx
from nectary.metrics import counters
from nectary.metrics.buffer import Post
from nectary.metrics.cmetrics import FIELDS, Readings
from nectary.metrics.counters import Counters, Totals

Sample = tuple[float, Totals]

# An agent's clock is believed when it is this close to ours, in seconds; else the moment of arrival stands.
CLOCK_TOLERANCE = 60.0
_JUST_STARTED = 120.0  # seconds of running within which a new agent's counts are its project's too
_LATE = 15.0  # seconds after its end that a minute is taken for complete
_CHUNK = 5000
_STRETCHES = 100


@dataclass(frozen=True, slots=True)
class Level:
    table: Table
    step: float  # seconds between rows; 0: as they came


RAW = Level(tables.samples_raw, 0.0)
MINUTE = Level(tables.samples_1m, 60.0)
FIVE_MINUTES = Level(tables.samples_5m, 300.0)
LEVELS = (RAW, MINUTE, FIVE_MINUTES)


@dataclass(frozen=True, slots=True)
class Runs:
    """The pipeline whose Fluent Bit an agent is, and the core instance that runs it."""

    pipeline_id: UUID
    core_instance_id: UUID


async def write(tx: WriteTx, posts: list[Post]) -> None:
    """Add posts to the totals of their agents and projects, and of the pipelines and core instances they run for; those of
    agents that are gone meanwhile are left out."""
    await dialects.alone(tx)  # replicas add to the same projects' totals
    there = await _agents_there(tx, posts)
    runs = await _runs(tx, posts, there)
    sums = {id: _shared(post, runs.get(id)) for post in posts if (id := post.agent_id) in there}
    batch = _Batch(await _known(tx, {*sums, *(owner for owners in sums.values() for owner in owners)}))
    for post in posts:
        if post.agent_id in there:
            batch.add(post, sums[post.agent_id])
    await statements.upsert(tx, tables.counters, ["owner_id"], batch.counters())
    await statements.upsert(tx, tables.samples_raw, ["owner_id", "at"], batch.samples())
    await _note_seen(tx, batch.seen)
    await _note_pipelines(tx, {id: run.pipeline_id for id, run in runs.items() if there[id] != run.pipeline_id})


def _shared(post: Post, run: Runs | None) -> tuple[UUID, ...]:
    """Whose totals a post adds to, besides its agent's."""
    return (post.project_id,) if run is None else (post.project_id, run.pipeline_id, run.core_instance_id)


class _Batch:
    """What one transaction's posts change, worked out in memory."""

    def __init__(self, known: dict[UUID, bytes]) -> None:
        self._known = known
        self._agents: dict[UUID, Counters | None] = {}
        self._shared: dict[UUID, tuple[float, Totals]] = {}
        self._rows: dict[tuple[UUID, float], dict[str, Any]] = {}
        self.seen: dict[UUID, list[float]] = defaultdict(list)

    def add(self, post: Post, shared: tuple[UUID, ...]) -> None:
        """Count a post for its agent, and what it adds for those that many agents add to."""
        before = self._before(post.agent_id)
        self.seen[post.agent_id].append(post.received_at)
        step = counters.advance(before, post.snapshot)
        if not step.counted:
            return
        at = _moment(post)
        zero = None
        if step.zero_at is not None:
            # The agent's clock may be off; what it says of the time between its start and its post is not.
            zero = at - max(post.snapshot.taken_at - step.zero_at, 0.0)
            self._row(post.agent_id, zero, before.totals if before else Totals(), restarted=True)
        self._row(post.agent_id, at, step.counters.totals)
        self._agents[post.agent_id] = step.counters
        # What an agent counted long before it was first heard of is its own past, not its project's present.
        just_started = zero is not None and at - zero <= _JUST_STARTED
        for owner in shared:
            last, totals = self._so_far(owner, zero if zero is not None and just_started else post.received_at)
            if before is not None or just_started:
                totals = counters.add(totals, step.increments)
            # By our clock: agents' clocks differ, and totals must not go back in time.
            self._shared[owner] = max(last, post.received_at), totals

    def counters(self) -> list[dict[str, Any]]:
        agents = [(id, counters.encode_counters(state)) for id, state in self._agents.items() if state is not None]
        shared = [(id, counters.encode(totals)) for id, (_, totals) in self._shared.items()]
        return [{"owner_id": id, "data": data} for id, data in [*agents, *shared]]

    def samples(self) -> list[dict[str, Any]]:
        for id, (at, totals) in self._shared.items():
            self._row(id, at, totals)
        return list(self._rows.values())

    def _before(self, agent_id: UUID) -> Counters | None:
        if agent_id not in self._agents:
            data = self._known.get(agent_id)
            self._agents[agent_id] = None if data is None else counters.decode_counters(data)
        return self._agents[agent_id]

    def _so_far(self, id: UUID, zero: float) -> tuple[float, Totals]:
        if id not in self._shared:
            data = self._known.get(id)
            if data is None:
                self._row(id, zero, Totals(), restarted=True)
            self._shared[id] = 0.0, Totals() if data is None else counters.decode_totals(data)
        return self._shared[id]

    def _row(self, owner: UUID, at: float, totals: Totals, *, restarted: bool = False) -> None:
        row = {"owner_id": owner, "at": at, "totals": counters.encode(totals), "restarted": restarted}
        if not restarted or (owner, at) not in self._rows:
            self._rows[owner, at] = row


def _moment(post: Post) -> float:
    """When a post's counters were read: by the agent's clock where it agrees with ours."""
    taken = post.snapshot.taken_at
    return taken if abs(taken - post.received_at) <= CLOCK_TOLERANCE else post.received_at


async def _agents_there(tx: ReadTx, posts: list[Post]) -> dict[UUID, UUID | None]:
    """The agents that still are, each with the pipeline it was last known to run."""
    agents = tables.agents
    there: dict[UUID, UUID | None] = {}
    for chunk in _chunks({post.agent_id for post in posts}):
        rows = await tx.execute(select(agents.c.id, agents.c.pipeline_id).where(agents.c.id.in_(chunk)))
        there.update((row.id, row.pipeline_id) for row in rows)
    return there


async def _runs(tx: ReadTx, posts: list[Post], there: dict[UUID, UUID | None]) -> dict[UUID, Runs]:
    """What agents run: as their label `pipeline_id` says where that is a pipeline of their project, else as it was."""
    pipelines = tables.pipelines
    said = {
        post.agent_id: (post.project_id, _uuid(post.snapshot.labels.get("pipeline_id")) or there[post.agent_id])
        for post in posts
        if post.agent_id in there
    }
    known: dict[tuple[UUID, UUID | None], Runs] = {}
    for chunk in _chunks({id for _, id in said.values() if id is not None}):
        query = select(pipelines.c.id, pipelines.c.project_id, pipelines.c.core_instance_id)
        for row in await tx.execute(query.where(pipelines.c.id.in_(chunk))):
            known[row.project_id, row.id] = Runs(row.id, row.core_instance_id)
    return {agent: known[claim] for agent, claim in said.items() if claim in known}


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


async def _known(tx: ReadTx, owners: set[UUID]) -> dict[UUID, bytes]:
    known: dict[UUID, bytes] = {}
    for chunk in _chunks(owners):
        query = select(tables.counters.c.owner_id, tables.counters.c.data).where(tables.counters.c.owner_id.in_(chunk))
        known.update((row.owner_id, row.data) for row in await tx.execute(query))
    return known


async def _note_seen(tx: WriteTx, seen: dict[UUID, list[float]]) -> None:
    agents = tables.agents
    rows = [
        {"agent": id, "moment": datetime.fromtimestamp(max(moments), UTC), "posts": len(moments)}
        for id, moments in seen.items()
    ]
    if rows:
        moment = bindparam("moment", type_=UtcTime())
        changed = agents.update().where(agents.c.id == bindparam("agent"))
        changed = changed.values(
            seen_at=moment,
            last_metrics_added_at=moment,
            first_metrics_added_at=func.coalesce(agents.c.first_metrics_added_at, moment),
            metrics_count=agents.c.metrics_count + bindparam("posts"),
        )
        await tx.execute(changed, rows)


async def _note_pipelines(tx: WriteTx, pipelines: dict[UUID, UUID]) -> None:
    if pipelines:
        agents = tables.agents
        changed = agents.update().where(agents.c.id == bindparam("agent")).values(pipeline_id=bindparam("pipeline"))
        await tx.execute(changed, [{"agent": agent, "pipeline": pipeline} for agent, pipeline in pipelines.items()])


def _chunks(ids: set[UUID]) -> Iterable[list[UUID]]:
    """Both databases bound the parameters of a statement at about 32,000."""
    ordered = list(ids)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))


async def remove(tx: WriteTx, owners: Select[Any] | Sequence[UUID]) -> None:
    """Forget what was counted for these owners."""
    for table in (tables.counters, *(level.table for level in LEVELS)):
        await tx.execute(delete(table).where(table.c.owner_id.in_(owners)))


# -- Levels ----------------------------------------------------------------------------------------------------------------


async def thin(tx: WriteTx, finer: Level, coarser: Level, now: float) -> None:
    """Copy the last row of each owner's complete steps to the coarser level, and those where a process began."""
    fine, coarse, step = finer.table, coarser.table, coarser.step
    done = (await tx.execute(select(func.max(coarse.c.at)))).scalar_one_or_none() or 0.0
    begin, end = (done // step + 1) * step, (now - _LATE) // step * step
    if end <= begin:
        return
    within = and_(fine.c.at >= begin, fine.c.at < end)
    number = func.floor(fine.c.at / step)
    latest = select(fine.c.owner_id, func.max(fine.c.at).label("at")).where(within).group_by(fine.c.owner_id, number).subquery()
    last_of_step = and_(latest.c.owner_id == fine.c.owner_id, latest.c.at == fine.c.at)
    columns = ["owner_id", "at", "totals", "restarted"]
    rows = select(*(fine.c[name] for name in columns)).select_from(fine.outerjoin(latest, last_of_step))
    rows = rows.where(within, or_(latest.c.at.isnot(None), fine.c.restarted))
    await tx.execute(dialects.insert(tx.dialect, coarse).from_select(columns, rows).on_conflict_do_nothing())


async def forget(tx: WriteTx, level: Level, before: float) -> int:
    """Delete a bounded number of rows older than `before`; returns how many."""
    table = level.table
    edge = select(table.c.at).where(table.c.at < before).order_by(table.c.at).offset(_CHUNK).limit(1).scalar_subquery()
    query = delete(table).where(table.c.at < func.coalesce(edge, before), table.c.at < before)
    return int((await tx.execute(query)).rowcount)


async def samples(tx: ReadTx, owner: UUID, *, since: float, interval: float, kept: Sequence[float]) -> list[Sample]:
    """The owner's totals from just before `since` on, oldest first, of the coarsest level that still tells `interval` apart.

    `kept` says how long each level is kept, in seconds, in the order of LEVELS. The newest rows come from the finer levels,
    where the coarser ones do not reach yet.
    """
    now = clock.seconds()
    fine_enough = max(n for n, level in enumerate(LEVELS) if level.step <= interval)
    reaching = (n for n in range(fine_enough, len(LEVELS)) if now - kept[n] <= since)
    first = next(reaching, len(LEVELS) - 1)
    found: list[Sample] = []
    for level in reversed(LEVELS[: first + 1]):
        edge = found[-1][0] if found else await _just_before(tx, level.table, owner, since)
        found += await _rows(tx, level.table, owner, after=edge)
    return found


async def latest(tx: ReadTx, owner: UUID, *, since: float) -> list[Sample]:
    """The owner's last two totals since then, oldest first."""
    for level in LEVELS:
        table = level.table
        query = select(table.c.at, table.c.totals).where(table.c.owner_id == owner, table.c.at >= since)
        rows = (await tx.execute(query.order_by(table.c.at.desc()).limit(2))).all()
        if len(rows) == 2:
            return [(row.at, counters.decode_totals(row.totals)) for row in reversed(rows)]
    return []


async def recent(tx: ReadTx, owner: UUID, *, since: float, over: float) -> list[Sample]:
    """The owner's last totals since then, oldest first, over at least so many seconds where there are that many: for owners
    whose agents post at different moments."""
    for level in LEVELS:
        table = level.table
        mine = and_(table.c.owner_id == owner, table.c.at >= since)
        newest = (await tx.execute(select(func.max(table.c.at)).where(mine))).scalar_one_or_none()
        if newest is None:
            continue
        begin = select(func.max(table.c.at)).where(mine, table.c.at <= newest - over).scalar_subquery()
        query = select(table.c.at, table.c.totals).where(mine, table.c.at >= func.coalesce(begin, since))
        rows = (await tx.execute(query.order_by(table.c.at))).all()
        if len(rows) > 1:
            return [(row.at, counters.decode_totals(row.totals)) for row in rows]
    return []


async def stretches(tx: ReadTx, wanted: Iterable[tuple[UUID, float, float]]) -> dict[UUID, list[Sample]]:
    """The samples of each owner from one moment to another, oldest first, as they came; no owner has two stretches."""
    table = tables.samples_raw
    found: dict[UUID, list[Sample]] = defaultdict(list)
    ordered = list(wanted)
    for start in range(0, len(ordered), _STRETCHES):
        some = ordered[start : start + _STRETCHES]
        each = (and_(table.c.owner_id == owner, table.c.at >= begin, table.c.at <= end) for owner, begin, end in some)
        query = select(table.c.owner_id, table.c.at, table.c.totals).where(or_(*each)).order_by(table.c.owner_id, table.c.at)
        for row in await tx.execute(query):
            found[row.owner_id].append((row.at, counters.decode_totals(row.totals)))
    return dict(found)


async def edges(tx: ReadTx, owners: Sequence[UUID], *, since: float) -> dict[UUID, tuple[Sample, Sample]]:
    """The first and the last totals since then of each of these owners that has two; from the rows as they came (RAW)."""
    table = RAW.table
    mine = and_(table.c.owner_id.in_(owners), table.c.at >= since)
    ends = select(table.c.owner_id, func.min(table.c.at).label("first"), func.max(table.c.at).label("last"))
    both = ends.where(mine).group_by(table.c.owner_id).subquery()
    is_end = or_(table.c.at == both.c.first, table.c.at == both.c.last)
    query = select(table.c.owner_id, table.c.at, table.c.totals)
    query = query.join(both, and_(both.c.owner_id == table.c.owner_id, is_end))
    found: dict[UUID, list[Sample]] = defaultdict(list)
    for row in await tx.execute(query.order_by(table.c.at)):
        found[row.owner_id].append((row.at, counters.decode_totals(row.totals)))
    return {owner: (samples[0], samples[1]) for owner, samples in found.items() if len(samples) == 2}


async def reported(tx: ReadTx, *those: ColumnElement[bool]) -> Readings | None:
    """What the last posts of those agents reported, to tell the plugins they run from those they once ran."""
    agents, known = tables.agents, tables.counters
    query = select(known.c.data).join(agents, agents.c.id == known.c.owner_id).where(*those).limit(_CHUNK)
    last = [counters.decode_counters(data).last for data in (await tx.execute(query)).scalars()]
    kinds = ({name: row for one in last for name, row in getattr(one, kind).items()} for kind in FIELDS)
    return Readings(*kinds) if last else None


async def _just_before(tx: ReadTx, table: Table, owner: UUID, since: float) -> float:
    query = select(func.max(table.c.at)).where(table.c.owner_id == owner, table.c.at < since)
    before = (await tx.execute(query)).scalar_one_or_none()
    return since if before is None else math.nextafter(before, 0.0)


async def _rows(tx: ReadTx, table: Table, owner: UUID, *, after: float) -> list[Sample]:
    query = select(table.c.at, table.c.totals).where(table.c.owner_id == owner, table.c.at > after).order_by(table.c.at)
    return [(row.at, counters.decode_totals(row.totals)) for row in await tx.execute(query)]
