"""The signed-in user: the published verification e-mail, and operations of our own."""

from typing import Annotated

from fastapi import APIRouter, Request

from nectary.auth import passwords
from nectary.edge import context
from nectary.edge.callers import Route, SignedInPerson
from nectary.edge.transaction import ReadTx, audited
from nectary.errors import Forbidden
from nectary.resources import sessions, users
from nectary.resources.names import UserName
from nectary.resources.users import User
from nectary.shape import Patch, Says

router = APIRouter(tags=["user"], route_class=Route)

Password = Annotated[str, Says("invalid password")]


class MePatch(Patch):
    name: UserName | None = None
    current_password: Password | None = None
    new_password: Password | None = None


@router.get("/v1/me", operation_id="me")
async def get_me(person: SignedInPerson, tx: ReadTx) -> User:
    """Who you are."""
    return await users.get(tx, person.id)


@router.patch("/v1/me", operation_id="updateMe", status_code=204)
async def update_me(patch: MePatch, person: SignedInPerson, request: Request) -> None:
    """Change your name, or your password, which ends your other sessions."""
    changes: dict[str, str] = {"name": patch.name} if patch.name else {}
    if patch.new_password is not None:
        passwords.require_sound(patch.new_password)
        async with context.of(request).database.read() as read:
            row = await users.find_by_email(read, person.email)
        if not await passwords.matches(patch.current_password or "", row and row.password_hash):
            raise Forbidden("permission denied", "the current password is another one")
        changes["password_hash"] = await passwords.hash(patch.new_password)
    async with audited(request) as tx:
        await users.change(tx, person.id, **changes)
        if patch.new_password is not None:
            await sessions.close_others(tx, person.id, keep=person.session_id)


# POST until 2023: clients of that age still call it so.
@router.post("/v1/verification_email", operation_id="requestVerificationEmailByPost", status_code=204, deprecated=True)
@router.get("/v1/verification_email", operation_id="requestVerificationEmail", status_code=204)
async def request_verification_email(_: SignedInPerson) -> None:
    """Nothing needs to be sent: an account is made with the link mailed to its address, or by the administrator."""
