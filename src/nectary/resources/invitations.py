"""Invitations: a signed link by which somebody with a given e-mail address joins a project."""

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from pydantic import HttpUrl
from sqlalchemy import Row, delete, select

from nectary import clock
from nectary.auth import tokens as proofs
from nectary.caller import Caller, Person
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Forbidden, Gone, Invalid, Unauthenticated
from nectary.resources import memberships
from nectary.resources.memberships import Membership
from nectary.resources.names import Email, Permissions
from nectary.shape import Page, Says, Shape, Time

invitations, users = tables.invitations, tables.users


class NewInvitation(Shape):
    email: Email
    permissions: Permissions = []
    redirect_uri: Annotated[HttpUrl, Says("invalid redirect URI")]


class Invitation(Shape):
    id: UUID
    email: str
    permissions: list[str]
    created_at: Time
    expires_at: Time


class Acceptance(Shape):
    token: Annotated[str, Says("invalid invitation token")]


async def create(tx: WriteTx, caller: Caller, new: NewInvitation, *, lifetime: timedelta, origins: tuple[str, ...]) -> str:
    """The link to hand over. `origins` are where it may lead."""
    link = urlsplit(str(new.redirect_uri))
    if f"{link.scheme}://{link.netloc}" not in origins:
        raise Invalid(
            "untrusted redirect URI", f"its origin must be one of ALLOWED_ORIGINS: {', '.join(origins) or 'none set'}"
        )
    caller.require_holds(new.permissions)
    if caller.person and new.email == caller.person.email:
        raise Forbidden("cannot invite yourself")
    await _require_no_member(tx, caller, new.email)
    row = await statements.add(
        tx,
        invitations,
        project_id=caller.project_id,
        invited_by=caller.id,
        email=new.email,
        permissions=new.permissions,
        signing_key=proofs.new_key(),
        expires_at=clock.now() + lifetime,
    )
    token = proofs.sign(row.signing_key, InvitationID=row.id)
    joint = "&" if link.query else "?"
    return f"{link.geturl()}{joint}{urlencode({'token': token})}"


async def _require_no_member(tx: ReadTx, caller: Caller, email: str) -> None:
    members = tables.memberships
    query = select(members.c.id).join(users, users.c.id == members.c.user_id)
    if (await tx.execute(query.where(statements.visible(members, caller), users.c.email == email))).first() is not None:
        raise Conflict("member already exists")


async def of_project(tx: ReadTx, caller: Caller, *, last: int, before: Place | None) -> Page[Invitation]:
    query = select(invitations).where(statements.visible(invitations, caller))
    return await statements.page(tx, query, invitations, Invitation.model_validate, last=last, before=before)


async def withdraw(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, invitations, id)


async def proven(tx: ReadTx, token: str) -> Row[Any]:
    """The invitation a token stands for. Raises Unauthenticated or Gone."""
    (id,) = proofs.claims(token, "InvitationID", refusal="invalid invitation token")
    row = (await tx.execute(select(invitations).where(invitations.c.id == id))).one_or_none()
    if row is None:
        raise Gone("invitation gone", "it was used or withdrawn")
    if not proofs.proven(token, row.signing_key):
        raise Unauthenticated("invalid invitation token")
    if row.expires_at <= clock.now():
        raise Unauthenticated("invitation expired", "ask for a new one")
    return row


async def accept(tx: WriteTx, person: Person, token: str) -> Membership:
    """Join the project; the invitation is used up."""
    row = await proven(tx, token)
    if row.email != person.email:
        raise Forbidden("email mismatch", "the invitation is for another address than the one you are signed in with")
    membership = await memberships.create(tx, row.project_id, person.id, roles=[], permissions=row.permissions)
    await tx.execute(delete(invitations).where(invitations.c.id == row.id))
    tx.touched["projectID"] = row.project_id
    return membership
