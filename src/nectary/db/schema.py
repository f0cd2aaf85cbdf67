"""Brings a database to this program's tables; forward only."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from nectary.db import dialects
from nectary.db.transaction import Database
from nectary.errors import Unstartable

_MIGRATIONS = Path(__file__).parent / "migrations"


def revisions() -> list[str]:
    """The revisions this program knows, oldest first: the numbers its migrations' files begin with."""
    return sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


async def upgrade(database: Database) -> None:
    """Migrate in one transaction; nothing is changed when a step fails."""
    async with database.write() as tx:
        await dialects.alone(tx)  # replicas starting together migrate once
        await tx.run(_upgrade)


def _upgrade(connection: Connection) -> None:
    here = _revision(connection)
    known = revisions()
    if here == known[-1]:
        return
    if here is not None and here not in known:
        raise Unstartable(
            f"The database's schema ({here}) is newer than this program knows ({known[-1]}); "
            "start the newer Nectary that wrote it."
        )
    # Only now: most starts find nothing to do, and need not wait for it to load.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision
