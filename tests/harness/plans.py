"""How a database would run the statements that requests make: which tables it would read whole, and what it would sort."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from httpx import URL, Response
from sqlalchemy import Connection, Engine, event

from nectary.db import tables
from nectary.db.transaction import ReadTx
from tests.harness import bodies
from tests.harness.operations import Operation

# PostgreSQL reads small tables whole, for that is cheaper; told that it is dear, it shows whether an index would serve.
_AS_IF_LARGE = "; ".join(f"SET LOCAL enable_{way} = off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"))
# What the tests before it left in the tables, as dead pages and as PostgreSQL's counts, would decide too, for it begins a join
# at the smaller table: swept and forgotten, every table looks alike.
_NEVER_ANALYZED = (
    "ALTER TABLE {table} SET (autovacuum_enabled = false)",
    "VACUUM FULL {table}",
    "DELETE FROM pg_statistic WHERE starelid = '{table}'::regclass",
    "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = '{table}'::regclass",
    "UPDATE pg_class SET reltuples = -1, relpages = 0 FROM pg_index WHERE indrelid = '{table}'::regclass AND indexrelid = oid",
)
_TOUCHES = re.compile(r"^\s*(SELECT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
_SCAN = re.compile(r"^SCAN (?:TABLE )?(\w+)(?: AS (\w+))?")


@dataclass(frozen=True)
class Ran:
    """A statement as it went to the driver."""

    text: str
    parameters: Any

    @property
    def one_page(self) -> bool:
        """Whether it asks for so many rows and no more: then it must find them in their order, and sort nothing."""
        return "LIMIT" in self.text and "ORDER BY" in self.text


@contextmanager
def recorded() -> Iterator[list[Ran]]:
    """Statements that look something up, as they are run meanwhile, in any database."""
    run: list[Ran] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if _TOUCHES.match(statement):
            run.append(Ran(statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def forget_statistics(url: str) -> None:
    """Make PostgreSQL plan as if no table had been filled or analyzed, and stay so; SQLite, as we use it, never analyzes."""
    if url.startswith("sqlite"):
        return
    connection = await asyncpg.connect(url)
    for table in tables.metadata.tables:
        for statement in _NEVER_ANALYZED:
            await connection.execute(statement.format(table=table))
    await connection.close()


async def faults(tx: ReadTx, ran: Ran) -> list[str]:
    """What of it would take longer the more rows there are: `reads <table> whole`, `sorts`."""
    rows = await tx.run(lambda connection: _explained(connection, ran))
    found = _of_sqlite(ran, rows) if tx.dialect == "sqlite" else _of_postgresql(ran, rows)
    return sorted(set(found))


def _explained(connection: Connection, ran: Ran) -> Any:
    if connection.dialect.name == "sqlite":
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {ran.text}", ran.parameters)]
    return _plan(connection, ran, "FORMAT JSON")


def _plan(connection: Connection, ran: Ran, options: str) -> dict[str, Any]:
    for setting in _AS_IF_LARGE.split("; "):
        connection.exec_driver_sql(setting)
    said = connection.exec_driver_sql(f"EXPLAIN ({options}) {ran.text}", ran.parameters).scalar_one()
    plan: dict[str, Any] = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
    return plan


def _of_sqlite(ran: Ran, steps: list[str]) -> Iterator[str]:
    aliases = {alias: name for name, alias in re.findall(r"(\w+) AS (\w+)", ran.text)}
    for step in steps:
        if match := _SCAN.match(step):
            name = aliases.get(match[1], match[1])
            if name in tables.metadata.tables:
                yield f"reads {name} whole"
        if "TEMP B-TREE FOR ORDER BY" in step and ran.one_page:
            yield "sorts"


def _of_postgresql(ran: Ran, plan: dict[str, Any]) -> Iterator[str]:
    for node in nodes(plan):
        scans = "Scan" in node["Node Type"] and "Relation Name" in node
        if scans and not ("Index Cond" in node or "Recheck Cond" in node or "TID Cond" in node):
            yield f"reads {node['Relation Name']} whole"
        if node["Node Type"] == "Sort" and ran.one_page:
            yield "sorts"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's steps, as PostgreSQL tells them."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def rows_read(tx: ReadTx, ran: Ran) -> int:
    """How many rows PostgreSQL looks at to answer."""
    plan = await tx.run(lambda connection: _plan(connection, ran, "ANALYZE, FORMAT JSON"))
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(plan)
        if "Relation Name" in node
    )


def variants(operation: Operation, known: bodies.Known, answer: Response) -> Iterator[dict[str, str]]:
    """Other queries of a list: each parameter alone, with each kind of thing where there are kinds; and the next page."""
    kinds = next((one["schema"]["enum"] for one in operation.query if one["name"] == "resource"), [""])
    for parameter in operation.query:
        name, schema = parameter["name"], parameter["schema"]
        if name in ("before", "after"):
            if cursor := _cursor(answer):
                yield {name: cursor}
            continue
        value = known(name) or bodies.example(schema, operation.schemas, known, name=name)
        for kind in kinds:
            given = {name: ",".join(value) if isinstance(value, list) else str(value)}
            yield ({"resource": kind} if kind else {}) | ({} if name == "resource" else given)


def _cursor(answer: Response) -> str | None:
    if "before" in answer.links.get("next", {}).get("url", ""):
        return URL(answer.links["next"]["url"]).params["before"]
    said = answer.json() if answer.is_success and "json" in answer.headers["content-type"] else None
    return said.get("endCursor") if isinstance(said, dict) else None
