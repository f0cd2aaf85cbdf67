"""Starts of agents: each registration is one, for Fluent Bit registers at every start and after every reload."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, delete, insert, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.resources import fleet_serving
from nectary.shape import Page, Shape, Time

agent_starts, agent_configs, agents = tables.agent_starts, tables.agent_configs, tables.agents

KEPT = 100


class AgentStart(Shape):
    id: UUID
    config_id: UUID
    version: str
    runs_revision: int | None
    created_at: Time


def counted(key: str) -> dict[str, Any]:
    """What a registration from a host with this poll key says of an agent beside its report, as values of its row. Which
    revision it runs is to be worked out again."""
    known = {"poll_key": key, "cohort": fleet_serving.cohort(key), "runs_revision": None, "runs_known_at": None}
    return known | {"starts": agents.c.starts + 1}


async def note(tx: WriteTx, agent: Row[Any], config_id: UUID | None = None) -> None:
    """Keep that it started, the newest KEPT times, with the config it now reports: `config_id`, or the one it reported before.
    No news for the audit log: most starts change nothing."""
    if config_id is None:
        newest = select(agent_configs.c.id).where(agent_configs.c.agent_id == agent.id)
        newest = newest.order_by(agent_configs.c.created_at.desc(), agent_configs.c.id.desc()).limit(1)
        config_id = (await tx.execute(newest)).scalar_one()
    of = {"project_id": agent.project_id, "agent_id": agent.id, "config_id": config_id}
    await tx.execute(insert(agent_starts).values(id=uuid4(), version=agent.version, created_at=clock.now(), **of))
    if agent.starts > KEPT:
        mine = agent_starts.c.agent_id == agent.id
        oldest = select(agent_starts.c.created_at).where(mine).order_by(agent_starts.c.created_at.desc())
        oldest_kept = oldest.offset(KEPT - 1).limit(1).scalar_subquery()
        await tx.execute(delete(agent_starts).where(mine, agent_starts.c.created_at < oldest_kept))


async def of_agent(tx: ReadTx, caller: Caller, agent_id: UUID, *, last: int, before: Place | None) -> Page[AgentStart]:
    """Its starts, newest first: what it ran since when."""
    await statements.get(tx, caller, agents, agent_id)
    query = select(agent_starts).where(agent_starts.c.agent_id == agent_id, statements.visible(agent_starts, caller))
    return await statements.page(tx, query, agent_starts, AgentStart.model_validate, last=last, before=before)
