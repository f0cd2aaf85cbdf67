"""Invitations, as the published API asks for them, and two operations of our own to see and withdraw them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Request, Response
from starlette.responses import JSONResponse

from nectary import log, mail
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge import context
from nectary.edge.callers import PEOPLE, Route, SignedInPerson, may
from nectary.edge.ids import InvitationID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import invitations
from nectary.resources.invitations import Acceptance, Invitation, NewInvitation
from nectary.settings import Settings

router = APIRouter(tags=["invitation"], route_class=Route)
_log = log.logger("nectary.invitations")


@router.post(
    "/v1/projects/{projectID}/invite",
    operation_id="createInvitation",
    status_code=204,
    responses={200: {"description": "No mail server is set: the link to hand over yourself."}},
)
async def create_invitation(
    new: NewInvitation,
    caller: Annotated[Caller, may("create:*", tables.projects, by=PEOPLE)],
    tx: WriteTx,
    request: Request,
    after: BackgroundTasks,
) -> Response:
    """Invite somebody by e-mail. Without a mail server the answer is 200 with the `link` to hand over."""
    settings = context.of(request).settings
    link = await invitations.create(
        tx, caller, new, lifetime=timedelta(seconds=settings.invitation_lifetime), origins=settings.allowed_origins
    )
    if mail.configured(settings):
        after.add_task(_send, settings, new.email, caller.name, link)  # after the commit: a mail cannot be rolled back
        return Response(status_code=204)
    request.state.response_code = 200
    _log.info("invitation made, no mail server set", email=new.email, link=link.partition("token=")[0] + "token=...")
    return JSONResponse({"link": link})


async def _send(settings: Settings, email: str, inviter: str, link: str) -> None:
    text = f"{inviter} invites you to a project on Nectary at {settings.address}.\n\nTo join, open this link:\n\n{link}\n"
    try:
        await mail.send(settings, email, "You are invited to a project on Nectary", text)
    except mail.Undelivered as error:
        _log.error("an invitation could not be mailed", email=email, reason=str(error))


@router.get("/v1/projects/{projectID}/invitations", operation_id="invitations")
async def list_invitations(
    window: AskedFor, caller: Annotated[Caller, may("read:*", tables.projects)], tx: ReadTx
) -> Sequence[Invitation]:
    """Invitations that nobody has used yet, newest first."""
    return window.of(await invitations.of_project(tx, caller, last=window.last, before=window.before))


@router.delete("/v1/invitations/{invitationID}", operation_id="deleteInvitation", status_code=204)
async def delete_invitation(
    invitation_id: InvitationID, caller: Annotated[Caller, may("delete:*", tables.invitations)], tx: WriteTx
) -> None:
    """Withdraw an invitation; its link stops working."""
    await invitations.withdraw(tx, caller, invitation_id)


@router.post("/v1/join_project", operation_id="acceptInvitation", status_code=204)
async def accept_invitation(acceptance: Acceptance, person: SignedInPerson, tx: WriteTx) -> None:
    """Join the project you were invited to, with the token of the link."""
    await invitations.accept(tx, person, acceptance.token)
