"""Signing in, out and up: our own operations, where the original had an outside identity provider."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import StringConstraints

from nectary.auth import passwords
from nectary.edge import context
from nectary.edge.callers import OpenToAll, Route, SignedInPerson
from nectary.edge.transaction import WriteTx, audited
from nectary.errors import Unauthenticated
from nectary.resources import invitations, sessions, users
from nectary.resources.names import Email, UserName
from nectary.resources.users import User
from nectary.shape import Says, Shape, Time

router = APIRouter(tags=["sign_in"], route_class=Route)

Password = Annotated[str, StringConstraints(max_length=passwords.LONGEST), Says("invalid password")]


class Credentials(Shape):
    email: Email
    password: Password


class SignUp(Shape):
    token: Annotated[str, Says("invalid invitation token")]
    name: UserName
    password: Password


class SignedIn(Shape):
    token: str
    expires_at: Time
    user: User


@router.post("/v1/sign_in", operation_id="signIn", status_code=201)
async def sign_in(credentials: Credentials, request: Request, _: OpenToAll) -> SignedIn:
    """Exchange e-mail and password for a bearer token."""
    here = context.of(request)
    key = f"{request.client.host if request.client else ''} {credentials.email}"
    here.attempts.require_few(key)
    async with here.database.read() as tx:
        row = await users.find_by_email(tx, credentials.email)
    # Outside any transaction: hashing takes a while, and SQLite has one writer.
    if not await passwords.matches(credentials.password, row and row.password_hash):
        here.attempts.failed(key)
        raise Unauthenticated("unauthenticated", "no such e-mail, or another password")
    assert row is not None
    here.attempts.succeeded(key)
    return await _open(request, User.model_validate(row))


async def _open(request: Request, user: User) -> SignedIn:
    async with audited(request) as tx:
        token, expires = await sessions.open_session(tx, user.id, _lifetime(request))
        request.state.person, _ = await sessions.prove(tx, token)
    return SignedIn(token=token, expires_at=expires, user=user)


@router.post("/v1/sign_up", operation_id="signUp", status_code=201)
async def sign_up(new: SignUp, request: Request, _: OpenToAll) -> SignedIn:
    """Make an account from an invitation, join its project, and be signed in."""
    passwords.require_sound(new.password)
    here = context.of(request)
    async with here.database.read() as tx:
        invitation = await invitations.proven(tx, new.token)
    hashed = await passwords.hash(new.password)
    async with audited(request) as tx:
        user = await users.create(tx, invitation.email, new.name, hashed)
        token, expires = await sessions.open_session(tx, user.id, _lifetime(request))
        request.state.person, _expires = await sessions.prove(tx, token)
        await invitations.accept(tx, request.state.person, new.token)
    return SignedIn(token=token, expires_at=expires, user=user)


def _lifetime(request: Request) -> timedelta:
    return timedelta(seconds=context.of(request).settings.session_lifetime)


@router.post("/v1/sign_out", operation_id="signOut", status_code=204)
async def sign_out(person: SignedInPerson, tx: WriteTx) -> None:
    """End this session; its token is refused everywhere within five seconds."""
    await sessions.close(tx, person.session_id)
