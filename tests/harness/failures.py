"""A database that takes everything and fails when it comes to the commit."""

from sqlalchemy import text

from tests.harness.world import World

# Fails when the transaction is committed, not before: a response sent earlier would tell a lie.
_BREAK_COMMITS = {
    "sqlite": (
        "CREATE TABLE never (id INTEGER PRIMARY KEY)",
        "CREATE TABLE broken (id INTEGER REFERENCES never (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER breaks AFTER INSERT ON audit_logs BEGIN INSERT INTO broken VALUES (1); END",
    ),
    "postgresql": (
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'commits are broken'; END $$",
        """CREATE CONSTRAINT TRIGGER breaks AFTER INSERT ON audit_logs DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION fail()""",
    ),
}


_MEND_COMMITS = {
    "sqlite": ("DROP TRIGGER breaks", "DROP TABLE broken", "DROP TABLE never"),
    "postgresql": ("DROP FUNCTION fail CASCADE",),
}


async def break_commits(world: World) -> None:
    """From now on no change that is audited can be committed."""
    async with world.context.database.write() as tx:
        for statement in _BREAK_COMMITS[tx.dialect]:
            await tx.execute(text(statement))


async def mend_commits(world: World) -> None:
    """And now they can again."""
    async with world.context.database.write() as tx:
        for statement in _MEND_COMMITS[tx.dialect]:
            await tx.execute(text(statement))
