"""Projects: what everything else belongs to."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, ScalarSelect, Table, delete, func, select

from nectary import clock
from nectary.auth import tokens as proofs
from nectary.caller import Caller, Person
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Forbidden, NotFound
from nectary.metrics import store
from nectary.resources import environments, memberships, tokens
from nectary.resources.environments import NewEnvironment
from nectary.resources.memberships import Membership
from nectary.resources.names import ProjectName
from nectary.resources.tokens import NewToken
from nectary.shape import Page, Patch, Shape, Time

projects = tables.projects
_members, _agents, _core_instances = tables.memberships, tables.agents, tables.core_instances


class Project(Shape):
    id: UUID
    name: str
    v3_enabled: bool
    settings: dict[str, Any]
    members_count: int
    agents_count: int
    aggregators_count: int
    created_at: Time
    membership: Membership | None = None  # the asking person's own; left out for tokens


class NewProject(Shape):
    name: ProjectName
    v3_enabled: bool = False


class CreatedProject(Shape):
    id: UUID
    token: str
    created_at: Time
    membership: Membership


class ProjectPatch(Patch):
    name: ProjectName | None = None
    v3_enabled: bool | None = None
    set_settings: dict[str, Any] | None = None
    unset_settings: list[str] | None = None
    clear_all_settings: bool = False


async def create(tx: WriteTx, user_id: UUID, new: NewProject) -> CreatedProject:
    """A project with its creator, its first token and its first environment, both called `default`."""
    row = await statements.add(tx, projects, name=new.name, v3_enabled=new.v3_enabled, settings={}, agent_key=proofs.new_key())
    membership = await memberships.create(tx, row.id, user_id, roles=[memberships.CREATOR], permissions=[])
    token = await tokens.create(tx, row.id, NewToken(name="default"))
    await environments.create(tx, row.id, NewEnvironment(name=environments.DEFAULT))
    return CreatedProject(id=row.id, token=token.token, created_at=row.created_at, membership=membership)


def _how_many(table: Table) -> ScalarSelect[int]:
    return select(func.count()).where(table.c.project_id == projects.c.id).correlate(projects).scalar_subquery()


_counted = select(
    projects,
    _how_many(_members).label("members_count"),
    _how_many(_agents).label("agents_count"),
    _how_many(_core_instances).label("aggregators_count"),
)


async def get(tx: ReadTx, caller: Caller) -> Project:
    row = (await tx.execute(_counted.where(projects.c.id == caller.project_id))).one_or_none()
    if row is None:
        raise NotFound("project not found")
    membership = None
    if caller.person is not None:
        mine = select(_members).where(_members.c.project_id == row.id, _members.c.user_id == caller.person.id)
        membership = Membership.model_validate((await tx.execute(mine)).one())
    return _shape(row, membership)


async def of_person(tx: ReadTx, person: Person, *, name: str | None, last: int, before: Place | None) -> Page[Project]:
    mine = [column.label(f"membership_{column.name}") for column in _members.c]
    query = _counted.add_columns(*mine).join(_members, _members.c.project_id == projects.c.id)
    query = query.where(_members.c.user_id == person.id)
    if name:
        query = query.where(projects.c.name == name)
    # By the membership's copy of when the project was made: one index leads from the person to the newest of their projects.
    place = (_members.c.project_created_at, _members.c.project_id)
    return await statements.page(tx, query, projects, _with_membership, last=last, before=before, place=place)


def _with_membership(row: Row[Any]) -> Project:
    mine = {column.name: row._mapping[f"membership_{column.name}"] for column in _members.c}
    return _shape(row, Membership.model_validate(mine))


def _shape(row: Row[Any], membership: Membership | None) -> Project:
    return Project.model_validate({**row._mapping, "membership": membership})


async def change(tx: WriteTx, caller: Caller, patch: ProjectPatch) -> None:
    """Settings: `clearAllSettings` first, then what is unset, then what is set."""
    row = (await tx.execute(select(projects).where(projects.c.id == caller.project_id).with_for_update())).one()
    kept = {} if patch.clear_all_settings else row.settings
    settings = {key: value for key, value in kept.items() if key not in (patch.unset_settings or ())}
    plain = {key: value for key, value in patch.changes().items() if key in ("name", "v3_enabled")}
    changed = projects.update().where(projects.c.id == row.id)
    await statements.written(
        tx, changed.values(settings=settings | (patch.set_settings or {}), updated_at=clock.now(), **plain)
    )


async def remove(tx: WriteTx, caller: Caller) -> None:
    """Delete the project and all that belongs to it; only a creator may."""
    if memberships.CREATOR not in caller.roles:
        raise Forbidden("permission denied", "only a creator deletes a project")
    await store.remove(tx, select(projects.c.id).where(projects.c.id == caller.project_id))
    for table in (_agents, tables.pipelines, _core_instances):
        await store.remove(tx, select(table.c.id).where(table.c.project_id == caller.project_id))
    await tx.execute(delete(projects).where(projects.c.id == caller.project_id))
    await statements.revoke(tx, [caller.project_id])
