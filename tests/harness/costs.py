"""What requests cost a database, counted, not timed: steps of SQLite's machine, or rows that PostgreSQL looks at."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from nectary.db.transaction import Database
from tests.harness.plans import recorded, rows_read

_EACH = 10  # steps between two looks


def _counts(statement: str) -> bool:
    """Whether it asks how many rows there are in all: the contract has that beside some pages."""
    return statement.lstrip().startswith("SELECT count(")


@contextmanager
def _stepping() -> Iterator[list[int]]:
    """Adds up the steps of the SQLite statements that begin meanwhile."""
    steps, running = [0], [""]

    def step() -> int:
        steps[0] += 0 if _counts(running[0]) else _EACH
        return 0

    def watch(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        running[0] = statement
        connection.connection.driver_connection.set_progress_handler(step, _EACH)

    event.listen(Engine, "before_cursor_execute", watch)
    try:
        yield steps
    finally:
        event.remove(Engine, "before_cursor_execute", watch)


async def cost(database: Database, ask: Callable[[], Awaitable[Any]]) -> int:
    """What `ask` costs, but for counting; it only reads."""
    if database.embedded:
        with _stepping() as steps:
            await ask()
            return steps[0]
    with recorded() as run:
        await ask()
    async with database.read() as tx:
        return sum([await rows_read(tx, ran) for ran in run if not _counts(ran.text)])
