"""Brings a database to this program's tables; forward only."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from nectary.db import dialects
from nectary.db.transaction import Database
from nectary.errors import Unstartable


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    config = _config(connection)
    scripts = ScriptDirectory.from_config(config)
    here = MigrationContext.configure(connection).get_current_revision()
    if here is not None and here not in {script.revision for script in scripts.walk_revisions()}:
        raise Unstartable(
            f"The database's schema ({here}) is newer than this program knows ({scripts.get_current_head()}); "
            "start the newer Nectary that wrote it."
        )
    if here != scripts.get_current_head():
        command.upgrade(config, "head")


async def upgrade(database: Database) -> None:
    """Migrate in one transaction; nothing is changed when a step fails."""
    async with database.write() as tx:
        await dialects.alone(tx)  # replicas starting together migrate once
        await tx.run(_upgrade)
