"""Members: who of the users belongs to a project, and what they may do there."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, select

from nectary.caller import Caller, Kind, Person
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Forbidden
from nectary.resources.names import Permissions
from nectary.resources.users import User
from nectary.shape import Page, Patch, Shape, Time

memberships, users = tables.memberships, tables.users
_mine = memberships.alias("mine")  # the thing somebody asks for may be another membership

CREATOR, ADMIN = "creator", "admin"


class Membership(Shape):
    id: UUID
    user_id: UUID
    project_id: UUID
    roles: list[str]
    permissions: list[str]
    created_at: Time


class Member(Membership):
    user: User


class MembershipPatch(Patch):
    permissions: Permissions | None = None


async def create(tx: WriteTx, project_id: UUID, user_id: UUID, *, roles: list[str], permissions: list[str]) -> Membership:
    since = select(tables.projects.c.created_at).where(tables.projects.c.id == project_id).scalar_subquery()
    values = {"project_id": project_id, "user_id": user_id, "project_created_at": since}
    row = await statements.add(tx, memberships, **values, roles=roles, permissions=permissions)
    return Membership.model_validate(row)


async def caller_in(tx: ReadTx, person: Person, of: Table, id: UUID) -> Caller | None:
    """The person as a member of the project that thing `id` of table `of` belongs to; None when they are not."""
    project = of.c.id if of is tables.projects else of.c.project_id
    query = select(_mine).join(of, project == _mine.c.project_id)
    row = (await tx.execute(query.where(of.c.id == id, _mine.c.user_id == person.id))).one_or_none()
    if row is None:
        return None
    return Caller(
        Kind.USER, person.id, person.name, row.project_id, frozenset(row.permissions), frozenset(row.roles), person=person
    )


async def of_project(tx: ReadTx, caller: Caller, *, last: int, before: Place | None) -> Page[Member]:
    people = [column.label(f"of_{column.name}") for column in users.c]
    query = select(memberships, *people).join(users, users.c.id == memberships.c.user_id)
    query = query.where(statements.visible(memberships, caller))
    return await statements.page(tx, query, memberships, _member, last=last, before=before)


def _member(row: Row[Any]) -> Member:
    user = {column.name: row._mapping[f"of_{column.name}"] for column in users.c}
    return Member.model_validate({**row._mapping, "user": user})


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: MembershipPatch) -> None:
    _require_manages(caller, await statements.get(tx, caller, memberships, id))
    if patch.permissions is not None:
        caller.require_holds(patch.permissions)
    await statements.change(tx, caller, memberships, id, **patch.changes())


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    member = await statements.get(tx, caller, memberships, id)
    _require_manages(caller, member)
    if CREATOR in member.roles and await _creators(tx, caller) == 1:
        raise Conflict("cannot delete last creator", "delete the project instead")
    await statements.remove(tx, caller, memberships, id)


def _require_manages(caller: Caller, member: Row[Any]) -> None:
    """Anyone manages themselves, a creator everyone, an admin everyone but creators, others nobody else."""
    if caller.kind is Kind.USER and caller.id == member.user_id:
        return
    if CREATOR in caller.roles or (ADMIN in caller.roles and CREATOR not in member.roles):
        return
    raise Forbidden("permission denied", "only a creator, or an admin for those who are not creators, manages members")


async def _creators(tx: ReadTx, caller: Caller) -> int:
    rows = await tx.execute(select(memberships.c.roles).where(statements.visible(memberships, caller)))
    return sum(CREATOR in roles for roles in rows.scalars())
