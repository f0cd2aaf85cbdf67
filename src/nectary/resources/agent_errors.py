"""Agent errors: what an agent, or somebody for it, reports to have gone wrong."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import ColumnElement, Select, and_, case, exists, func, not_, or_, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.shape import Page, Says, Shape, Time

agent_errors, agent_configs = tables.agent_errors, tables.agent_configs


class AgentError(Shape):
    id: UUID
    agent_id: UUID
    error: str
    dismissed_at: Time | None
    dismiss_reason: str | None
    created_at: Time


class NewAgentError(Shape):
    error: Annotated[str, StringConstraints(min_length=1, max_length=1024), Says("invalid agent error")]


class Dismissal(Shape):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=100), Says("invalid agent error dismiss reason")]


class Dismissed(Shape):
    dismissed_at: Time


def standing() -> ColumnElement[bool]:
    """Whether an agent, of the query around it, has an error that nobody dismissed."""
    mine = and_(agent_errors.c.agent_id == tables.agents.c.id, agent_errors.c.dismissed_at.is_(None))
    return exists(select(agent_errors.c.id).where(mine))


async def report(tx: WriteTx, caller: Caller, agent_id: UUID, new: NewAgentError) -> AgentError:
    """A new error, or the same one that stands undismissed since the agent's config last changed."""
    await statements.get(tx, caller, tables.agents, agent_id)
    changed = select(func.max(agent_configs.c.created_at)).where(agent_configs.c.agent_id == agent_id).scalar_subquery()
    same = (
        select(agent_errors)
        .where(agent_errors.c.agent_id == agent_id, agent_errors.c.error == new.error)
        .where(agent_errors.c.dismissed_at.is_(None), agent_errors.c.created_at >= changed)
        .limit(1)
    )
    row = (await tx.execute(same)).one_or_none()
    if row is None:
        row = await statements.add(tx, agent_errors, project_id=caller.project_id, agent_id=agent_id, error=new.error)
    return AgentError.model_validate(row)


async def of_fleet(
    tx: ReadTx, caller: Caller, fleet_id: UUID, *, dismissed: bool | None, last: int, before: Place | None
) -> Page[AgentError]:
    """The errors of the agents that are in the fleet now."""
    await statements.get(tx, caller, tables.fleets, fleet_id)
    members = select(tables.agents.c.id).where(tables.agents.c.fleet_id == fleet_id)
    query = select(agent_errors).where(statements.visible(agent_errors, caller), agent_errors.c.agent_id.in_(members))
    return await _page(tx, query, dismissed, last, before)


async def of_agent(
    tx: ReadTx, caller: Caller, agent_id: UUID, *, dismissed: bool | None, last: int, before: Place | None
) -> Page[AgentError]:
    await statements.get(tx, caller, tables.agents, agent_id)
    query = select(agent_errors).where(statements.visible(agent_errors, caller), agent_errors.c.agent_id == agent_id)
    return await _page(tx, query, dismissed, last, before)


async def _page(tx: ReadTx, query: Select[Any], dismissed: bool | None, last: int, before: Place | None) -> Page[AgentError]:
    if dismissed is not None:
        query = query.where(agent_errors.c.dismissed_at.isnot(None) if dismissed else agent_errors.c.dismissed_at.is_(None))
    return await statements.page(tx, query, agent_errors, AgentError.model_validate, last=last, before=before)


async def dismiss(tx: WriteTx, caller: Caller, id: UUID, dismissal: Dismissal) -> Dismissed:
    """Dismissing again keeps the first moment and takes the new reason."""
    before = await statements.get(tx, caller, agent_errors, id)
    moment = before.dismissed_at or clock.now()
    await statements.change(tx, caller, agent_errors, id, dismissed_at=moment, dismiss_reason=dismissal.reason)
    return Dismissed(dismissed_at=moment)


# -- Inferred --------------------------------------------------------------------------------------------------------------
# Stock agents report no errors. What they do says enough to tell that a config of their fleet did them no good.

_INFERRED = "Nectary: fleet revision "
_SOMETHING_ELSE, _NOT_REGISTERED = "it registered again, and runs something else", "it did not register after fetching it"
_LATE, _LOOKED_BACK = timedelta(seconds=60), timedelta(minutes=15)


async def infer(tx: WriteTx, project_id: UUID, revision: int, failed: Iterable[tuple[UUID, str]]) -> None:
    """Note what became of agents with a revision, once each. `failed`: agents, and why as a clause without their names."""
    said = {id: f"{_INFERRED}{revision} failed: {why}"[:1024] for id, why in failed}
    stands = select(agent_errors.c.agent_id).where(
        agent_errors.c.agent_id.in_(said), agent_errors.c.error.startswith(_INFERRED), agent_errors.c.dismissed_at.is_(None)
    )
    known = set((await tx.execute(stands)).scalars())
    for id, error in said.items():
        if id not in known:
            await statements.add(tx, agent_errors, project_id=project_id, agent_id=id, error=error)


class Suspect(NamedTuple):
    """An agent that fetched a revision and does not run it; `why` as for `infer`."""

    id: UUID
    project_id: UUID
    revision: int
    why: str


async def suspected(tx: ReadTx, most: int, heard_since: float) -> list[Suspect]:
    """Agents that fetched a revision a while ago and do not run it, whether it is rolled out in stages or was published to all
    at once; but not those of which it is noted already. None where the server has not been there as long
    (edge/attention.py): they may have registered in vain."""
    agents, polls = tables.agents, tables.fleet_polls
    now = clock.now()
    if clock.moment(heard_since) > now - _LATE:
        return []
    held = and_(polls.c.fleet_id == agents.c.fleet_id, polls.c.poll_key == agents.c.poll_key)
    registered = agents.c.registered_at >= polls.c.at
    runs_it = func.coalesce(agents.c.runs_revision, -1) == polls.c.revision
    inferred = exists(
        select(agent_errors.c.id).where(
            agent_errors.c.agent_id == agents.c.id,
            agent_errors.c.error.startswith(_INFERRED),
            agent_errors.c.created_at >= polls.c.at,
        )
    )
    query = (
        select(agents.c.id, agents.c.project_id, polls.c.revision, case((registered, 1), else_=0).label("registered"))
        .select_from(polls.join(agents, held))
        .where(polls.c.at.between(now - _LOOKED_BACK, now - _LATE), not_(inferred))
        .where(not_(runs_it), or_(not_(registered), agents.c.runs_known_at.isnot(None)))
        .limit(most)
    )
    return [
        Suspect(row.id, row.project_id, row.revision, _SOMETHING_ELSE if row.registered else _NOT_REGISTERED)
        for row in (await tx.execute(query)).all()
    ]


async def dismiss_inferred(tx: WriteTx, runs: Mapping[UUID, int]) -> None:
    """What was inferred of agents is over when they run what they should: `runs` says which revision."""
    for id, revision in runs.items():
        stands = and_(
            agent_errors.c.agent_id == id, agent_errors.c.error.startswith(_INFERRED), agent_errors.c.dismissed_at.is_(None)
        )
        over = {"dismissed_at": clock.now(), "dismiss_reason": f"it runs fleet revision {revision}"}
        await tx.execute(update(agent_errors).where(stands).values(over))
