"""Migrations end at tables.py, on both databases; and a newer database is left alone."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from nectary.db import schema, tables
from nectary.db.transaction import Database
from nectary.errors import Unstartable


async def test_migrations_end_at_the_tables(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": tables.metadata})
        return [change for change in compare_metadata(context, tables.metadata) if "as_begun" not in repr(change)]

    database = Database(database_url)
    async with database.read() as tx:
        assert await tx.run(differences) == []
    await database.close()


def test_the_revisions_are_those_of_the_migrations() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert schema.revisions() == [script.revision for script in reversed(list(scripts.walk_revisions()))]


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    await schema.upgrade(database)
    await schema.upgrade(database)
    await database.close()


async def test_a_newer_schema_is_refused_and_left_alone(database_url: str) -> None:
    database = Database(database_url)
    async with database.write() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unstartable, match="newer"):
        await schema.upgrade(database)
    async with database.write() as tx:
        assert (await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == "9999"
        await tx.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.revisions()[-1]})
    await database.close()
