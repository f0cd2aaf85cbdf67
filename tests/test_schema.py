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
        found = [change for change in compare_metadata(context, tables.metadata) if "as_begun" not in repr(change)]
        if connection.dialect.name != "sqlite":
            return found
        # SQLAlchemy does not see what SQLite does on deletion where a column was added with its foreign key.
        rest = [change for change in found if change[0] not in ("add_fk", "remove_fk")]
        return [*rest, *(_foreign_keys_there(connection) ^ _foreign_keys_meant())]

    database = Database(database_url)
    async with database.read() as tx:
        assert await tx.run(differences) == []
    await database.close()


def _foreign_keys_there(connection: Connection) -> set[tuple[str, ...]]:
    """As SQLite itself tells them: table, column, table and column referred to, and what happens on deletion."""
    found: set[tuple[str, ...]] = set()
    for table in tables.metadata.tables:
        for row in connection.execute(text(f"PRAGMA foreign_key_list({table})")):
            found.add((table, row[3], row[2], row[4], row[6]))
    return found


def _foreign_keys_meant() -> set[tuple[str, ...]]:
    return {
        (table.name, key.parent.name, key.column.table.name, key.column.name, key.ondelete or "NO ACTION")
        for table in tables.metadata.tables.values()
        for key in table.foreign_keys
    }


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
