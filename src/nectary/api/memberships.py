"""Members, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import PEOPLE, Route, may
from nectary.edge.ids import MemberID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import memberships
from nectary.resources.memberships import Member, MembershipPatch
from nectary.shape import Deleted

router = APIRouter(tags=["membership"], route_class=Route)


@router.get("/v1/projects/{projectID}/members", operation_id="members")
async def list_members(
    window: AskedFor, caller: Annotated[Caller, may("read:*", tables.projects)], tx: ReadTx
) -> Sequence[Member]:
    """The project's members with who they are, newest first."""
    return window.of(await memberships.of_project(tx, caller, last=window.last, before=window.before))


@router.patch("/v1/members/{memberID}", operation_id="updateMember", status_code=204)
async def update_member(
    member_id: MemberID,
    patch: MembershipPatch,
    caller: Annotated[Caller, may("update:*", tables.memberships, by=PEOPLE)],
    tx: WriteTx,
) -> None:
    """Change what a member may do; an empty list means everything."""
    await memberships.change(tx, caller, member_id, patch)


@router.delete("/v1/members/{memberID}", operation_id="deleteMember")
async def delete_member(
    member_id: MemberID, caller: Annotated[Caller, may("delete:*", tables.memberships, by=PEOPLE)], tx: WriteTx
) -> Deleted:
    """Take a member out of the project, or leave it; its last creator cannot go."""
    await memberships.remove(tx, caller, member_id)
    return Deleted(deleted=True, deleted_at=clock.now())
