"""SAML mappings: which claim of an identity provider gives which role in a project."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import select

from nectary.caller import PERMISSIONS, Caller, Kind
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Forbidden
from nectary.resources import memberships
from nectary.shape import Page, Patch, Shape, Time

saml_mappings = tables.saml_mappings

Role = Literal["viewer", "team", "manager", "admin"]

# What each role may do. An admin also manages members, as one who has that role by hand does.
ROLES: dict[Role, tuple[str, ...]] = {
    "viewer": ("read:*",),
    "team": ("create:*", "read:*", "update:*"),
    "manager": PERMISSIONS,
    "admin": PERMISSIONS,
}
_MANAGES_MEMBERS: Role = "admin"

Claim = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class SamlMapping(Shape):
    id: UUID
    project_id: UUID
    claim_key: str
    claim_value: str
    role: Role
    created_at: Time
    updated_at: Time


class NewSamlMapping(Shape):
    claim_key: Claim
    claim_value: Claim
    role: Role


class SamlMappingPatch(Patch):
    claim_key: Claim | None = None
    claim_value: Claim | None = None
    role: Role | None = None


async def create(tx: WriteTx, caller: Caller, new: NewSamlMapping) -> SamlMapping:
    _require_may_give(caller, new.role)
    row = await statements.add(tx, saml_mappings, project_id=caller.project_id, **new.model_dump())
    return SamlMapping.model_validate(row)


async def of_project(tx: ReadTx, caller: Caller, *, last: int, before: Place | None) -> Page[SamlMapping]:
    query = select(saml_mappings).where(statements.visible(saml_mappings, caller))
    return await statements.page(tx, query, saml_mappings, SamlMapping.model_validate, last=last, before=before, counted=True)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: SamlMappingPatch) -> SamlMapping:
    _require_may_give(caller, (await statements.get(tx, caller, saml_mappings, id)).role)
    if patch.role is not None:
        _require_may_give(caller, patch.role)
    return SamlMapping.model_validate(await statements.change(tx, caller, saml_mappings, id, **patch.changes()))


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, saml_mappings, id)


def _require_may_give(caller: Caller, role: Role) -> None:
    """Nobody gives away more than they have; a project token with every permission stands for its project."""
    caller.require_holds(ROLES[role])
    manages = {memberships.CREATOR, memberships.ADMIN} & caller.roles
    if role == _MANAGES_MEMBERS and caller.kind is Kind.USER and not manages:
        raise Forbidden("permission denied", "only a creator or an admin makes others admins")
