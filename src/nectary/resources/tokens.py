"""Project tokens: what machines show in X-Project-Token, each for one project."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, select

from nectary.auth import tokens as proofs
from nectary.caller import Caller, Kind
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Gone, Unauthenticated
from nectary.resources.names import Permissions, TokenName
from nectary.shape import Page, Patch, Shape, Time

tokens, _projects = tables.tokens, tables.projects

_CLAIMS = ("TokenID", "ProjectID")


class Token(Shape):
    id: UUID
    token: str
    project_id: UUID
    name: str
    permissions: list[str]
    created_at: Time


class NewToken(Shape):
    name: TokenName
    permissions: Permissions = []


class TokenPatch(Patch):
    name: TokenName | None = None
    permissions: Permissions | None = None


def _shape(row: Row[Any], caller: Caller | None = None) -> Token:
    """With the token itself, unless it can do more than the caller may: reading it would be taking those permissions."""
    shown = caller is None or caller.holds(row.permissions)
    return Token.model_validate({**row._mapping, "token": text_of(row) if shown else ""})


def text_of(row: Row[Any]) -> str:
    """The token itself, as a client sends it. Fluent Bit needs the payload's length to leave 2 when divided by 3: it is 101."""
    return proofs.sign(row.signing_key, TokenID=row.id, ProjectID=row.project_id)


async def issue(tx: WriteTx, caller: Caller, new: NewToken) -> Token:
    caller.require_holds(new.permissions)
    return await create(tx, caller.project_id, new)


async def create(tx: WriteTx, project_id: UUID, new: NewToken) -> Token:
    return _shape(await add(tx, project_id, name=new.name, permissions=new.permissions))


async def add(tx: WriteTx, project_id: UUID, **values: Any) -> Row[Any]:
    id, secret = uuid4(), await _secret(tx, project_id)
    assert secret is not None, "a token belongs to a project"
    return await statements.add(tx, tokens, id=id, project_id=project_id, signing_key=proofs.key_of(secret, id), **values)


async def _secret(tx: ReadTx, project_id: UUID) -> bytes | None:
    secret: bytes | None = (
        await tx.execute(select(_projects.c.agent_key).where(_projects.c.id == project_id))
    ).scalar_one_or_none()
    return secret


async def get(tx: ReadTx, caller: Caller, id: UUID) -> Token:
    return _shape(await statements.get(tx, caller, tokens, id), caller)


async def of_project(tx: ReadTx, caller: Caller, *, name: str | None, last: int, before: Place | None) -> Page[Token]:
    query = select(tokens).where(statements.visible(tokens, caller))
    if name:
        query = query.where(tokens.c.name == name)
    return await statements.page(tx, query, tokens, lambda row: _shape(row, caller), last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: TokenPatch) -> None:
    caller.require_holds((await statements.get(tx, caller, tokens, id)).permissions)
    if patch.permissions is not None:
        caller.require_holds(patch.permissions)
    await statements.change(tx, caller, tokens, id, **patch.changes())
    await statements.revoke(tx, [id])  # what is remembered of it is out of date


async def delete(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, tokens, id)
    await statements.revoke(tx, [id])


async def prove(tx: ReadTx, token: str) -> Caller:
    """Whom a project token speaks for. Raises Unauthenticated, or Gone for a deleted one."""
    id, project_id = proofs.claims(token, *_CLAIMS, refusal="invalid token")
    row = (await tx.execute(select(tokens).where(tokens.c.id == id, tokens.c.project_id == project_id))).one_or_none()
    if row is None:
        secret = await _secret(tx, project_id)
        if secret is not None and proofs.proven(token, proofs.key_of(secret, id)):
            raise Gone("token gone", "it was deleted")
        raise Unauthenticated("invalid token", "it is of no project here")
    if not proofs.proven(token, row.signing_key):
        raise Unauthenticated("invalid token", "its signature is wrong")
    return Caller(Kind.PROJECT_TOKEN, id, row.name, project_id, frozenset(row.permissions), one_host=row.host is not None)
