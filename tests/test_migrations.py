"""What a database held before a migration is there after it, as the newer program needs it."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, select

from nectary.db import schema, tables
from nectary.db.transaction import Database

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    server = request.getfixturevalue("postgres_url")
    name = f"nectary_old_{os.getpid()}"
    connection = await asyncpg.connect(f"{server}/postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    await connection.execute(f"DROP DATABASE {name}")
    await connection.close()


def upgrade_to(revision: str) -> Any:
    def work(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return work


def old_fleet(project: UUID) -> Iterator[tuple[str, dict[str, Any]]]:
    times = {"created_at": MOMENT, "updated_at": MOMENT}
    yield "projects", {"id": project, "name": "p", "v3_enabled": False, "settings": {}, "agent_key": b"k" * 48, **times}
    for name in ("edge", "empty"):
        fleet = {"id": uuid4(), "project_id": project, "name": name, "min_fluent_bit_version": "", **times}
        text = {"raw_config": f"# {name}", "config_format": "classic", "tags": [], "config_version": 1767323045}
        yield "fleets", {**fleet, **text, "config_changed_at": MOMENT}
        for file in ("a", "b", "same as a") if name == "edge" else ():
            held = {"id": uuid4(), "project_id": project, "fleet_id": fleet["id"], "name": file}
            yield "fleet_files", {**held, "contents": file[-1:].encode(), **times}


async def test_what_a_fleet_had_is_its_first_revision(empty: str) -> None:
    database = Database(empty)
    project = uuid4()
    async with database.write() as tx:
        await tx.run(upgrade_to("0002"))
        for table, values in old_fleet(project):
            await tx.execute(insert(tables.metadata.tables[table]).inline().values(values))
    await schema.upgrade(database)
    revisions, files, blobs = tables.fleet_revisions, tables.fleet_revision_files, tables.fleet_blobs
    async with database.read() as tx:
        fleets = {row.name: row for row in await tx.execute(select(tables.fleets))}
        kept = {row.fleet_id: row for row in await tx.execute(select(revisions))}
        held = (await tx.execute(select(files).order_by(files.c.name))).all()
        contents = {row.sha256: row.contents for row in await tx.execute(select(blobs))}
    assert {name: row.revision for name, row in fleets.items()} == {"edge": 1, "empty": 1}
    assert {row.config_version for row in fleets.values()} == {1767323045}, "agents are given nothing new for it"
    for name, row in fleets.items():
        first = kept[row.id]
        assert (first.number, first.raw_config, first.cause, first.created_at) == (1, f"# {name}", "created", MOMENT)
        assert first.author["name"] == "Nectary"
    assert [(row.name, contents[row.sha256], row.updated_at) for row in held] == [
        ("a", b"a", MOMENT),
        ("b", b"b", MOMENT),
        ("same as a", b"a", MOMENT),
    ]
    assert set(contents) == {hashlib.sha256(text).digest() for text in (b"a", b"b")}, "the same contents are kept once"
    await database.close()
