"""How agents stand to their fleet: what they should run, what they fetched and what they run; worked out anew each time."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, false, func, not_, null, or_, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx
from nectary.errors import NotFound
from nectary.fluentbit.running import Difference
from nectary.resources import agent_errors, fleet_running
from nectary.resources.agent_starts import AgentStart
from nectary.resources.fleets import FleetsStatus
from nectary.shape import Page, Shape, Time

agents, fleets, polls = tables.agents, tables.fleets, tables.fleet_polls
starts, rollouts, revisions = tables.agent_starts, tables.rollouts, tables.fleet_revisions

_STARTS_SHOWN = 20
_DIFFERENCES_SHOWN = 100


class FleetState(StrEnum):
    """waiting: it has not fetched what it should run. applying: it has, and has not said yet what became of it. applied: it
    runs it. drifted: it fetched it, registered since, and runs something else."""

    WAITING = "waiting"
    APPLYING = "applying"
    APPLIED = "applied"
    DRIFTED = "drifted"


class MemberStatus(Shape):
    """An agent in its fleet. `assigned_revision`: what its polls are served now; null where only a poll would tell."""

    agent_id: UUID
    name: str
    version: str
    fleet_id: UUID
    state: FleetState
    assigned_revision: int | None
    downloaded_revision: int | None
    downloaded_at: Time | None
    runs_revision: int | None
    registered_at: Time | None
    seen_at: Time


class Drift(Shape):
    """One difference between what an agent should run and what it says it runs; secrets and variables match anything."""

    change: str
    subject: str
    wanted: str
    reported: str


class AgentFleetStatus(MemberStatus):
    """`drift`: empty where none can be seen; null where nobody can say. `starts`: its newest registrations."""

    cohort: int | None
    drift: list[Drift] | None
    starts: list[AgentStart]


# -- What the database is asked --------------------------------------------------------------------------------------------


def joined() -> Any:
    """Agents with their fleet, the rollout that has the last word on it, and what their polls were last served."""
    served = and_(polls.c.fleet_id == agents.c.fleet_id, polls.c.poll_key == agents.c.poll_key)
    return (
        agents.outerjoin(fleets, fleets.c.id == agents.c.fleet_id)
        .outerjoin(rollouts, rollouts.c.id == fleets.c.rollout_id)
        .outerjoin(polls, served)
    )


def _inside(dialect: str) -> ColumnElement[bool]:
    reached = agents.c.cohort < rollouts.c.reach
    return func.coalesce(or_(reached, dialects.holds(dialect, rollouts.c.canary_keys, agents.c.poll_key)), false())


def assigned(dialect: str) -> ColumnElement[int]:
    """The revision that an agent's polls are served: as resources/fleet_serving.py decides. NULL for those that a rollout has
    not reached which began after another one was rolled back or cancelled: they may get either."""
    return case(
        (rollouts.c.id.is_(None), fleets.c.revision),
        (_inside(dialect), func.coalesce(rollouts.c.back_revision, rollouts.c.to_revision)),
        (rollouts.c.after_id.is_(None), rollouts.c.from_revision),
        else_=null(),
    )


def state(dialect: str) -> ColumnElement[str]:
    """The agent's FleetState; NULL for an agent in no fleet."""
    should = func.coalesce(assigned(dialect), polls.c.revision)
    runs = func.coalesce(agents.c.runs_revision, -1)
    registered = agents.c.registered_at >= polls.c.at
    return case(
        (agents.c.fleet_id.is_(None), null()),
        (and_(agents.c.runs_known_at.isnot(None), runs == should), FleetState.APPLIED),
        (func.coalesce(polls.c.revision, -1) != should, FleetState.WAITING),
        (and_(agents.c.runs_known_at.isnot(None), registered), FleetState.DRIFTED),
        else_=FleetState.APPLYING,
    )


def stands(dialect: str, wanted: FleetState) -> ColumnElement[bool]:
    """Whether an agent of the query around this stands so to its fleet."""
    served = and_(polls.c.fleet_id == agents.c.fleet_id, polls.c.poll_key == agents.c.poll_key)
    its_own = fleets.outerjoin(rollouts, rollouts.c.id == fleets.c.rollout_id).outerjoin(polls, served)
    found = select(state(dialect)).select_from(its_own).where(fleets.c.id == agents.c.fleet_id)
    return found.correlate(agents).scalar_subquery() == wanted


_SHOWN = ("id", "name", "version", "fleet_id", "cohort", "runs_revision", "registered_at", "seen_at", "created_at")


def _members(dialect: str) -> Select[Any]:
    return select(
        *(agents.c[name] for name in _SHOWN),
        agents.c.id.label("agent_id"),
        assigned(dialect).label("assigned_revision"),
        state(dialect).label("state"),
        polls.c.revision.label("downloaded_revision"),
        polls.c.at.label("downloaded_at"),
    ).select_from(joined())


# -- Agents ----------------------------------------------------------------------------------------------------------------


async def of_agent(tx: ReadTx, caller: Caller, id: UUID) -> AgentFleetStatus:
    """How an agent stands to its fleet. Raises NotFound, also for an agent that is in none."""
    await statements.get(tx, caller, agents, id)
    row = (await tx.execute(_members(tx.dialect).add_columns(agents.c.raw_config).where(agents.c.id == id))).one()
    if row.fleet_id is None:
        raise NotFound("fleet not found", "the agent is in no fleet")
    number = row.assigned_revision if row.assigned_revision is not None else row.downloaded_revision
    drift = await fleet_running.drift(tx, row.fleet_id, number, row.raw_config) if number else None
    query = select(starts).where(starts.c.agent_id == id).order_by(starts.c.created_at.desc(), starts.c.id.desc())
    history = (await tx.execute(query.limit(_STARTS_SHOWN))).all()
    return AgentFleetStatus.model_validate(
        {
            **row._mapping,
            "drift": None if drift is None else [_drift(one) for one in drift[:_DIFFERENCES_SHOWN]],
            "starts": [AgentStart.model_validate(start) for start in history],
        }
    )


def _drift(one: Difference) -> Drift:
    return Drift(change=one.change, subject=one.subject, wanted=one.wanted[:1000], reported=one.reported[:1000])


async def stragglers(tx: ReadTx, caller: Caller, fleet_id: UUID, *, last: int, before: Place | None) -> Page[MemberStatus]:
    """The fleet's agents that do not run what they should, whatever the reason, newest first."""
    await statements.get(tx, caller, fleets, fleet_id)
    tx.aside()
    query = _members(tx.dialect).where(agents.c.fleet_id == fleet_id, state(tx.dialect) != FleetState.APPLIED)
    return await statements.page(tx, query, agents, MemberStatus.model_validate, last=last, before=before)


# -- Fleets ----------------------------------------------------------------------------------------------------------------


async def of_fleets(tx: ReadTx, caller: Caller, id: UUID | None, *, silent_after: timedelta) -> FleetsStatus:
    """How the agents of one fleet, or of all, are doing: each is one of the three, derived here and kept nowhere.

    Unhealthy: silent, or with an error that stands. In progress: not started or reloaded since what it should run changed (an
    agent says nothing when it applies a config, but it registers again). Healthy: the rest.
    """
    if id is not None:
        await statements.get(tx, caller, fleets, id)
    tx.aside()
    unhealthy = or_(agents.c.seen_at < clock.now() - silent_after, agent_errors.standing())
    behind = _behind(tx.dialect)
    source = joined().outerjoin(
        revisions, and_(revisions.c.fleet_id == fleets.c.id, revisions.c.number == rollouts.c.from_revision)
    )
    query = (
        select(
            func.count().label("managed"),
            _sum(not_(or_(unhealthy, behind))).label("healthy"),
            _sum(and_(not_(unhealthy), behind)).label("in_progress"),
            _sum(unhealthy).label("unhealthy"),
        )
        .select_from(source)
        .where(statements.visible(agents, caller))
        .where(agents.c.fleet_id == id if id is not None else agents.c.fleet_id.isnot(None))
    )
    return FleetsStatus.model_validate((await tx.execute(query)).one())


def _behind(dialect: str) -> ColumnElement[bool]:
    """Whether an agent has not registered since what it should run changed for it: for those in a rollout's reach when they
    fetched it, for others when what they have was published."""
    registered = func.coalesce(agents.c.registered_at, _LONG_AGO)
    wanted = func.coalesce(rollouts.c.back_version, rollouts.c.to_version)
    has_it = and_(func.coalesce(polls.c.version, 0) == wanted, registered >= func.coalesce(polls.c.at, registered))
    return case(
        (rollouts.c.id.is_(None), registered < fleets.c.config_changed_at),
        (_inside(dialect), not_(has_it)),
        (rollouts.c.after_id.is_(None), registered < revisions.c.created_at),
        else_=false(),
    )


_LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
