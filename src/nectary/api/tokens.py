"""Project tokens, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import PEOPLE, Route, may
from nectary.edge.ids import TokenID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import tokens
from nectary.resources.tokens import NewToken, Token, TokenPatch

router = APIRouter(tags=["token"], route_class=Route)


@router.post("/v1/projects/{projectID}/tokens", operation_id="createToken", status_code=201)
async def create_token(
    new: NewToken, caller: Annotated[Caller, may("create:*", tables.projects, by=PEOPLE)], tx: WriteTx
) -> Token:
    """Make a token for machines; without permissions listed it may do everything in the project."""
    return await tokens.issue(tx, caller, new)


@router.get("/v1/projects/{projectID}/tokens", operation_id="tokens")
async def list_tokens(
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.projects, by=PEOPLE)],
    tx: ReadTx,
    name: Annotated[str | None, Query()] = None,
) -> Sequence[Token]:
    """The project's tokens, newest first."""
    return window.of(await tokens.of_project(tx, caller, name=name, last=window.last, before=window.before))


@router.get("/v1/project_tokens/{tokenID}", operation_id="token")
async def get_token(token_id: TokenID, caller: Annotated[Caller, may("read:*", tables.tokens)], tx: ReadTx) -> Token:
    """One token. Its text is left empty for callers who hold fewer permissions than it does."""
    return await tokens.get(tx, caller, token_id)


@router.patch("/v1/project_tokens/{tokenID}", operation_id="updateToken", status_code=204)
async def update_token(
    token_id: TokenID, patch: TokenPatch, caller: Annotated[Caller, may("update:*", tables.tokens)], tx: WriteTx
) -> None:
    """Rename a token or change what it may do; every server obeys within five seconds."""
    await tokens.change(tx, caller, token_id, patch)


@router.delete("/v1/project_tokens/{tokenID}", operation_id="deleteToken", status_code=204)
async def delete_token(token_id: TokenID, caller: Annotated[Caller, may("delete:*", tables.tokens)], tx: WriteTx) -> None:
    """Revoke a token; every server refuses it within five seconds."""
    await tokens.delete(tx, caller, token_id)
