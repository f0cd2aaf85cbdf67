"""Where SQLite and PostgreSQL differ."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Dialect, String, Table, cast, exists, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment with microseconds; SQLite keeps it as sortable text in UTC, without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def insert(dialect: str, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, in the dialect's own class."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_or_update(dialect: str, table: Table, keys: Iterable[str], changed: Iterable[str]) -> Any:
    """INSERT, or set `changed` where a row with the same `keys` is there."""
    statement = insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_={name: getattr(statement.excluded, name) for name in changed}
    )


def has_tag(dialect: str, tags: ColumnElement[Any], tag: str) -> ColumnElement[bool]:
    """Whether a JSON array of texts holds `tag`."""
    if dialect == "sqlite":
        each = func.json_each(tags).table_valued("value", name="each_tag")
        return exists(select(each.c.value).where(each.c.value == tag))
    return cast(tags, postgresql.JSONB).contains([tag])


def holds(dialect: str, texts: ColumnElement[Any], text: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a JSON array of texts holds what another column says."""
    if dialect == "sqlite":
        each = func.json_each(texts).table_valued("value", name="each_text")
        # Whose column it is stands in a query around this one, be it two further out.
        return exists(select(each.c.value).where(each.c.value == text).correlate_except(each))
    return func.jsonb_exists(texts, text)


def pair(dialect: str, pairs: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    """The value of the first of `[{"key", "value"}]` with that key, in any case; NULL when there is none."""
    if dialect == "sqlite":
        each = func.json_each(pairs).table_valued("value", name="each_pair").c.value
        its_key, its_value = func.json_extract(each, "$.key"), func.json_extract(each, "$.value")
    else:
        each = func.jsonb_array_elements(pairs).table_valued("value", name="each_pair").c.value
        its_key, its_value = func.jsonb_extract_path_text(each, "key"), func.jsonb_extract_path_text(each, "value")
    return select(its_value).where(func.lower(its_key) == key).limit(1).scalar_subquery()


def uuid_text(dialect: str, id: ColumnElement[Any]) -> ColumnElement[Any]:
    """An id as people write it; SQLite keeps it as 32 digits."""
    if dialect != "sqlite":
        return cast(id, String)
    digits = cast(id, String)
    parts = [func.substr(digits, start, length) for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
    return func.printf("%s-%s-%s-%s-%s", *parts)


_LOCK = 0x6E656374


async def alone(tx: Any) -> None:
    """Wait until no other replica is at it; until the transaction ends. SQLite has one writer anyway."""
    if tx.dialect == "postgresql":
        await tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


async def leads(tx: Any, work: str) -> bool:
    """Whether this replica is the one to do `work` this time; until the transaction ends."""
    if tx.dialect != "postgresql":
        return True
    query = text("SELECT pg_try_advisory_xact_lock(:lock, hashtext(:work))")
    return bool((await tx.execute(query, {"lock": _LOCK, "work": work})).scalar_one())
