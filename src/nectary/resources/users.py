"""Users: the people who sign in."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from nectary import clock
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.resources.names import UserName
from nectary.shape import Patch, Shape, Time

users = tables.users


class User(Shape):
    id: UUID
    email: str
    name: str
    avatar_url: str | None
    created_at: Time
    updated_at: Time


class UserPatch(Patch):
    name: UserName | None = None


async def get(tx: ReadTx, id: UUID) -> User:
    return User.model_validate((await tx.execute(select(users).where(users.c.id == id))).one())


async def find_by_email(tx: ReadTx, email: str) -> Any | None:
    """The row, with its password's hash."""
    return (await tx.execute(select(users).where(users.c.email == email.lower()))).one_or_none()


async def create(tx: WriteTx, email: str, name: str, password_hash: str) -> User:
    row = await statements.add(tx, users, email=email.lower(), name=name, avatar_url=None, password_hash=password_hash)
    return User.model_validate(row)


async def change(tx: WriteTx, id: UUID, **values: Any) -> None:
    await statements.written(tx, update(users).where(users.c.id == id).values(updated_at=clock.now(), **values))
