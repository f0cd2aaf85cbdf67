"""The first start: the first administrator, their project, and what to tell them. Later starts find it all there."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from nectary.auth import passwords
from nectary.db import dialects, schema, tables
from nectary.db.transaction import Database, ReadTx, WriteTx
from nectary.errors import Unstartable
from nectary.resources import projects, tokens, users
from nectary.resources.projects import NewProject
from nectary.settings import Settings

PROJECT = "default"
TOKEN_FILE = "token"


@dataclass(frozen=True, slots=True)
class Introduction:
    """What the first start made; told once, never again."""

    email: str
    password: str | None  # None: it came from the settings, and need not be shown
    token: str


async def introduce(settings: Settings, database: Database) -> Introduction | None:
    """Bring the database up to date and make what must be there. None when it was there already."""
    await schema.upgrade(database)
    given = settings.admin_password.get_secret_value()
    password = given or passwords.generate()
    async with database.read() as tx:
        begun = await _begun(tx)
    hashed = "" if begun else await passwords.hash(password)
    made = None
    async with database.write() as write:
        await dialects.alone(write)
        if not await _begun(write):
            made = await _make(write, settings, hashed)
    token = await default_token(database)
    _hand_over(settings, database, token)
    return Introduction(str(settings.admin_email), None if given else password, token or "") if made else None


async def _begun(tx: ReadTx) -> bool:
    return (await tx.execute(select(tables.users.c.id).limit(1))).first() is not None


async def _make(tx: WriteTx, settings: Settings, password_hash: str) -> bool:
    admin = await users.create(tx, str(settings.admin_email), "Administrator", password_hash)
    await projects.create(tx, admin.id, NewProject(name=PROJECT))
    return True


async def default_token(database: Database) -> str | None:
    """The oldest token of the oldest project called `default`, None when somebody deleted it."""
    query = (
        select(tables.tokens)
        .join(tables.projects, tables.projects.c.id == tables.tokens.c.project_id)
        .where(tables.projects.c.name == PROJECT)
        .order_by(tables.projects.c.created_at, tables.tokens.c.created_at)
        .limit(1)
    )
    async with database.read() as tx:
        row = (await tx.execute(query)).one_or_none()
    return None if row is None else tokens.text_of(row)


def _hand_over(settings: Settings, database: Database, token: str | None) -> None:
    """Write the token where programs look for it: the named file, in place, and the data folder for our own CLI."""
    files = [settings.default_token_file] if settings.default_token_file else []
    if database.path is not None:
        files.append(database.path.parent / TOKEN_FILE)
    for file in files:
        try:
            _write(file, token or "")
        except OSError as error:
            raise Unstartable(f"The token file {file} cannot be written: {error.strerror}.") from None


def _write(file: Path, text: str) -> None:
    # In place, not renamed over: the reader may have made the file beforehand and be waiting for it to fill.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.truncate(0)
        out.write(text)
