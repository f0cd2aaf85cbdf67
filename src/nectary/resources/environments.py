"""Environments: named groups that agents and core instances of a project stand in."""

from uuid import UUID

from sqlalchemy import select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Invalid, NotFound
from nectary.resources.names import EnvironmentName
from nectary.shape import Page, Patch, Shape, Time

environments, agents = tables.environments, tables.agents

DEFAULT = "default"


class Environment(Shape):
    id: UUID
    name: str
    created_at: Time
    updated_at: Time


class NewEnvironment(Shape):
    name: EnvironmentName


class EnvironmentPatch(Patch):
    name: EnvironmentName | None = None


async def create(tx: WriteTx, project_id: UUID, new: NewEnvironment) -> Environment:
    return Environment.model_validate(await statements.add(tx, environments, project_id=project_id, name=new.name))


async def of_project(tx: ReadTx, caller: Caller, *, name: str | None, last: int, before: Place | None) -> Page[Environment]:
    query = select(environments).where(statements.visible(environments, caller))
    if name:
        query = query.where(environments.c.name == name)
    return await statements.page(tx, query, environments, Environment.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: EnvironmentPatch) -> None:
    if patch.name not in (None, DEFAULT):
        await _require_not_default(tx, caller, id, "be renamed")
    await statements.change(tx, caller, environments, id, **patch.changes())


async def delete(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await _require_not_default(tx, caller, id, "be deleted")
    for table, those in ((agents, "agents"), (tables.core_instances, "core instances")):
        if (await tx.execute(select(table.c.id).where(table.c.environment_id == id).limit(1))).first() is not None:
            raise Conflict("conflict", f"{those} still stand in this environment; move or delete them first")
    await statements.remove(tx, caller, environments, id)


async def named(tx: ReadTx, project_id: UUID, given: str | None) -> tuple[UUID, str]:
    """Id and name of the environment that a body's `environmentID` means; none given means `default`."""
    query = select(environments.c.id, environments.c.name).where(environments.c.project_id == project_id)
    if not given:
        row = (await tx.execute(query.where(environments.c.name == DEFAULT))).one()
        return row.id, row.name
    try:
        id = UUID(given)
    except ValueError:
        raise Invalid("invalid environment ID", f"{given[:60]!r} is not a UUID") from None
    found = (await tx.execute(query.where(environments.c.id == id))).one_or_none()
    if found is None:
        raise NotFound("environment not found")
    return found.id, found.name


async def _require_not_default(tx: ReadTx, caller: Caller, id: UUID, what: str) -> None:
    row = await statements.get(tx, caller, environments, id)
    if row.name == DEFAULT:
        raise Conflict("conflict", f"the environment {DEFAULT!r} cannot {what}: agents without one go there")
