"""Transactions: many readers, and on SQLite one writer at a time behind our own lock.

Measured with 50 concurrent read-then-write transactions on SQLite: plain BEGIN fails nine in ten, BEGIN IMMEDIATE alone makes
40 a second, a lock in front of it about a thousand.

SQLite's statements run right in the event loop: a point query takes some 20 microseconds, handing it to a thread and back ten
times as long. Work that takes long says `beside=True` and runs in a thread.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from nectary.errors import Unavailable

Result = TypeVar("Result")

# How long SQLite may be locked by another program before a request is refused, and how often to look, in seconds.
_PATIENCE, _LOOK_AGAIN = 10.0, 0.02


class ReadTx:
    """An open transaction. While it is open, await nothing but the database."""

    def __init__(self, connection: Connection | AsyncConnection, *, beside: bool = False) -> None:
        self._connection = connection
        self._beside = beside

    @property
    def dialect(self) -> str:
        return self._connection.dialect.name

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        if isinstance(self._connection, AsyncConnection):
            return await self._connection.execute(statement, parameters)
        if self._beside:
            return await asyncio.to_thread(self._connection.execute, statement, parameters)
        return self._connection.execute(statement, parameters)

    def aside(self) -> None:
        """What is asked from here on takes long: tens of thousands of rows are looked at. On SQLite a thread does it, so that
        agents' requests do not wait."""
        self._beside = True

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Give code that knows no async the plain connection."""
        if isinstance(self._connection, AsyncConnection):
            return await self._connection.run_sync(work)
        return work(self._connection)


class WriteTx(ReadTx):
    """A transaction that may change things.

    `touched` names what it changed, for the audit log, and `told` says more of it there; `revoked` whose tokens must be
    forgotten once it is committed; `idle` says that there was nothing to change, and so is nothing to audit.
    """

    def __init__(self, connection: Connection | AsyncConnection, *, beside: bool = False) -> None:
        super().__init__(connection, beside=beside)
        self.touched: dict[str, UUID] = {}
        self.told: dict[str, str] = {}
        self.revoked: set[UUID] = set()
        self.idle = False


class Database:
    """The connections to one database, SQLite or PostgreSQL."""

    def __init__(self, url: str, *, connections: int = 16) -> None:
        parsed = make_url(url)
        self.embedded = parsed.get_backend_name() == "sqlite"
        self.path = Path(parsed.database) if self.embedded and parsed.database else None
        self._one_writer: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.embedded else nullcontext()
        if self.embedded:
            self._reading, self._writing = _sqlite(parsed, connections, "BEGIN"), _sqlite(parsed, 1, "BEGIN IMMEDIATE")
        else:
            self._engine = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"), pool_size=connections, max_overflow=0, pool_pre_ping=True
            )

    @asynccontextmanager
    async def read(self, *, beside: bool = False) -> AsyncIterator[ReadTx]:
        """`beside`: what it asks takes long."""
        async with self._sqlite_begun(self._reading) if self.embedded else self._postgres_begun() as connection:
            yield ReadTx(connection, beside=beside)

    @asynccontextmanager
    async def write(self, *, beside: bool = False) -> AsyncIterator[WriteTx]:
        """Commits when the block ends, rolls back when it raises. `beside`: what it does takes long."""
        async with self._one_writer:
            if self.embedded:
                async with self._sqlite_begun(self._writing) as connection:
                    yield WriteTx(connection, beside=beside)
                    try:
                        connection.commit()
                    except DBAPIError:
                        # SQLite's transaction is still open then, while SQLAlchemy takes it for over and would not roll it
                        # back: the next writer could not begin.
                        connection.invalidate()
                        raise
            else:
                async with self._postgres_begun() as opened:
                    yield WriteTx(opened)
                    await opened.commit()

    @asynccontextmanager
    async def _sqlite_begun(self, engine: Engine) -> AsyncIterator[Connection]:
        began = time.monotonic()
        while True:
            connection = engine.connect()
            try:
                connection.begin()
                break
            except OperationalError as error:
                connection.close()
                if "locked" not in str(error.orig) or time.monotonic() - began > _PATIENCE:
                    raise Unavailable("unavailable", f"the database cannot be used: {error.orig}", retry_after=5) from error
            await asyncio.sleep(_LOOK_AGAIN)
        try:
            yield connection
        finally:
            connection.close()  # rolls back what was not committed

    @asynccontextmanager
    async def _postgres_begun(self) -> AsyncIterator[AsyncConnection]:
        try:
            connection = await self._engine.connect()
        except (OSError, DBAPIError) as error:
            raise Unavailable("unavailable", "the database cannot be reached", retry_after=5) from error
        try:
            await connection.begin()
            yield connection
        finally:
            await connection.close()

    @property
    def engines(self) -> tuple[Engine, ...]:
        """What runs the statements: to listen to them."""
        return (self._reading, self._writing) if self.embedded else (self._engine.sync_engine,)

    def size(self) -> int:
        """Bytes on disk of an embedded database, with its log; 0 for another's."""
        if self.path is None:
            return 0
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    async def close(self) -> None:
        if self.embedded:
            self._reading.dispose()
            self._writing.dispose()
        else:
            await self._engine.dispose()


def _sqlite(url: URL, connections: int, begin: str) -> Engine:
    # No overflow limit for readers: they never wait while they hold a connection, except in tests and loops.
    arguments = {"check_same_thread": False, "timeout": 0.0}
    engine = create_engine(url.set(drivername="sqlite"), pool_size=connections, max_overflow=-1, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; Python's driver would begin late
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
