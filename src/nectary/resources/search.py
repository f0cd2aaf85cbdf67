"""Search: the things of a project by name or id."""

from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Table, Uuid, func, literal, or_, select, true

from nectary.caller import Caller
from nectary.db import dialects, statements, tables
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


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a kind of thing stands and what it goes by; `rows` where more than its table is read."""

    table: Table
    name: ColumnElement[Any]
    rows: FromClause | None = None
    also: ColumnElement[Any] | None = None  # another text it is found by


def _source(dialect: str, resource: Resource) -> _Source:
    members, users, sections = tables.memberships, tables.users, tables.config_sections
    # Some have no name of their own: a member goes by the user's, a section by its plugin's, a trace session by its id.
    sources: dict[Resource, _Source] = {
        "agent": _named(tables.agents),
        "cluster_object": _named(tables.cluster_objects),
        "config_section": _Source(
            sections, func.coalesce(dialects.pair(dialect, sections.c.properties, "name"), sections.c.kind)
        ),
        "core_instance": _named(tables.core_instances),
        "environment": _named(tables.environments),
        "fleet": _named(tables.fleets),
        "member": _Source(members, users.c.name, members.join(users, users.c.id == members.c.user_id), users.c.email),
        "pipeline": _named(tables.pipelines),
        "pipeline_secret": _named(tables.pipeline_secrets, "key"),
        "resource_profile": _named(tables.resource_profiles),
        "trace_session": _Source(tables.trace_sessions, dialects.uuid_text(dialect, tables.trace_sessions.c.id)),
    }
    return sources[resource]


def _named(table: Table, column: str = "name") -> _Source:
    return _Source(table, table.c[column])


async def search(tx: ReadTx, caller: Caller, resource: Resource, term: str, *, exact: bool) -> list[Found]:
    """Those whose name is or holds `term`, by name; exact matches come first, because Fluent Bit before 3.2.0 asks without
    `exact` and takes the first row. An id in place of a name finds its thing. No term finds everything.

    Names equal to the term and ids are found by index. Whatever holds it is found by reading names in their order, from an
    index too where they have one, until there are enough."""
    source = _source(tx.dialect, resource)
    table, name = source.table, source.name
    query = select(table.c.id, name.label("name")).select_from(table if source.rows is None else source.rows)
    query = query.where(statements.visible(table, caller))
    texts = [name] if source.also is None else [name, source.also]
    found: dict[UUID, Found] = {}

    async def look(those: Select[Any]) -> None:
        for row in await tx.execute(those.limit(MOST)):
            found.setdefault(row.id, Found(id=row.id, name=row.name))

    if term:
        for text in texts:
            await look(query.where(text == term))
        if (id := _uuid(term)) is not None:
            await look(query.where(table.c.id == literal(id, Uuid())))
        found = dict(sorted(found.items(), key=lambda item: (item[1].name, item[0])))
    if not (term and exact) and len(found) < MOST:
        holds = or_(*(text.icontains(term, autoescape=True) for text in texts)) if term else true()
        await look(query.where(holds).order_by(name, table.c.id))
    return list(found.values())[:MOST]


def _uuid(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
