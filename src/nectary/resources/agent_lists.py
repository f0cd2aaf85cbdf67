"""Lists of agents: found and filtered among a hundred thousand, a page at a time."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, func, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx
from nectary.resources import agents, fleet_statuses
from nectary.resources.agents import Agent
from nectary.resources.fleet_statuses import FleetState
from nectary.shape import Page

_agents = tables.agents

Status = Literal["healthy", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which agents; None asks nothing. tags_query: tags joined by ` AND `, all of which must be there (the contract knows no
    other operator). search: a part of the name, in any case. version: of Fluent Bit, or its beginning up to a dot."""

    name: str | None = None
    search: str | None = None
    tags_query: str | None = None
    environment_id: UUID | None = None
    fleet_id: UUID | None = None
    pipeline_id: UUID | None = None
    version: str | None = None
    status: Status | None = None
    fleet_status: FleetState | None = None


async def of_project(
    tx: ReadTx, caller: Caller, wanted: Wanted, *, last: int, before: Place | None, silent_after: timedelta
) -> Page[Agent]:
    """The project's agents that are wanted, newest first."""
    query = _filtered(tx, caller, wanted, silent_after)
    if any((wanted.name, wanted.search, wanted.tags_query, wanted.version, wanted.status, wanted.fleet_status)):
        # Rows are read from the newest on until there are enough, which may be to the end.
        tx.aside()
    return await statements.page(tx, query, _agents, lambda row: agents.shape(row, silent_after), last=last, before=before)


def _filtered(tx: ReadTx, caller: Caller, wanted: Wanted, silent_after: timedelta) -> Select[Any]:
    query = agents.listed.where(statements.visible(_agents, caller))
    if wanted.name:
        # Looked up by itself: SQLite would rather read all agents in the order of the list than a few by name and sort them.
        named = select(_agents.c.id).where(statements.visible(_agents, caller), _agents.c.name == wanted.name)
        query = query.where(_agents.c.id.in_(named))
    if wanted.search:
        query = query.where(func.lower(_agents.c.name).contains(wanted.search.lower(), autoescape=True))
    for tag in (wanted.tags_query or "").split(" AND "):
        if tag.strip():
            query = query.where(dialects.has_tag(tx.dialect, _agents.c.tags, tag.strip()))
    for name in ("environment_id", "fleet_id", "pipeline_id"):
        if id := getattr(wanted, name):
            query = query.where(_agents.c[name] == id)
    if wanted.version:
        version = wanted.version.removeprefix("v")
        query = query.where(
            _agents.c.version.in_((version, f"v{version}"))
            | _agents.c.version.startswith(f"{version}.", autoescape=True)
            | _agents.c.version.startswith(f"v{version}.", autoescape=True)
        )
    if wanted.status is not None:
        heard = _agents.c.seen_at >= clock.now() - silent_after
        query = query.where(heard if wanted.status == "healthy" else ~heard)
    if wanted.fleet_status is not None:
        query = query.where(fleet_statuses.stands(tx.dialect, wanted.fleet_status))
    return query
