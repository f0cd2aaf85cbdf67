"""Search: the things of a project by name or id."""

from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, Uuid, literal, or_, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx
from nectary.shape import Shape

Resource = Literal[
    "agent",
    "cluster_object",
    "config_section",
    "core_instance",
    "environment",
    "fleet",
    "member",
    "pipeline",
    "pipeline_secret",
    "resource_profile",
    "trace_session",
]

RESOURCES: tuple[Resource, ...] = get_args(Resource)
MOST = 1000


class Found(Shape):
    id: UUID
    name: str


async def search(tx: ReadTx, caller: Caller, resource: Resource, term: str, *, exact: bool) -> list[Found]:
    """Those whose name is or holds `term`, by name; an exact match comes first, because Fluent Bit before 3.2.0 asks
    without `exact` and takes the first row. An id in place of a name finds its thing. No term finds everything."""
    source = _source(resource)
    if source is None:
        return []  # kinds that nothing is kept of yet
    table, name, query = source
    query = query.where(statements.visible(table, caller))
    if term:
        wanted: list[ColumnElement[bool]] = [name == term]
        if (id := _uuid(term)) is not None:
            wanted.append(table.c.id == literal(id, Uuid()))
        if not exact:
            wanted.append(name.icontains(term, autoescape=True))
        query = query.where(or_(*wanted))
    rows = await tx.execute(query.order_by((name == term).desc(), name, table.c.id).limit(MOST))
    return [Found(id=row.id, name=row.name) for row in rows]


def _source(resource: Resource) -> tuple[Table, ColumnElement[str], Select[Any]] | None:
    """The table a kind of thing stands in, its name there, and the query that finds it."""
    if resource == "member":
        members, users = tables.memberships, tables.users
        return members, users.c.name, select(members.c.id, users.c.name).join(users, users.c.id == members.c.user_id)
    if resource == "pipeline_secret":
        secrets = tables.pipeline_secrets
        return secrets, secrets.c.key, select(secrets.c.id, secrets.c.key.label("name"))
    table = {
        "agent": tables.agents,
        "cluster_object": tables.cluster_objects,
        "core_instance": tables.core_instances,
        "environment": tables.environments,
        "pipeline": tables.pipelines,
        "resource_profile": tables.resource_profiles,
    }.get(resource)
    return None if table is None else (table, table.c.name, select(table.c.id, table.c.name))


def _uuid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
