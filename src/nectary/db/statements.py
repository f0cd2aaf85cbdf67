"""The statements every resource repeats. Anything richer is written out where it is used."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    UniqueConstraint,
    Uuid,
    and_,
    delete,
    false,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from nectary import clock
from nectary.caller import Caller, Kind
from nectary.db import cursors, dialects, tables
from nectary.db.cursors import Place
from nectary.db.dialects import UtcTime
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Invalid, NotFound, Refusal
from nectary.shape import Page, wire_name

Item = TypeVar("Item")

# What a thing is called in refusals. The contract says "aggregator" for core instances, "member" for memberships.
NOUNS = {
    "memberships": "member",
    "agent_configs": "agent config",
    "core_instances": "aggregator",
    "saml_mappings": "SAML mapping",
    "pipeline_statuses": "pipeline status",
    "cluster_object_regexes": "cluster object regex",
    "alert_deliveries": "alert delivery",
}

# A broken uniqueness constraint -> the contract's sentence.
_TAKEN: dict[str, str] = {
    "uq_users_email": "email taken",
    "uq_memberships_project_id_user_id": "member already exists",
    "uq_tokens_project_id_name": "token name taken",
    "uq_environments_project_id_name": "environment name taken",
    "uq_agents_project_id_machine_id": "machine ID conflict",
    "uq_core_instances_environment_id_name": "aggregator name already exists",
    "uq_resource_profiles_core_instance_id_name": "resource profile name already exists",
    "uq_cluster_objects_core_instance_id_kind_name": "cluster object already exists",
    "uq_core_instance_files_core_instance_id_name": "core instance file already exists",
    "uq_core_instance_secrets_core_instance_id_key": "core instance secret already exists",
    "uq_pipelines_core_instance_id_name": "pipeline name already exists",
    "uq_pipeline_ports_pipeline_id_protocol_frontend_port": "pipeline port already in use",
    "uq_cluster_object_regexes_pipeline_id_regex": "cluster object regex already exists",
    "uq_pipeline_files_pipeline_id_name": "pipeline file already exists",
    "uq_pipeline_secrets_pipeline_id_key": "pipeline secret already exists",
    "uq_pipeline_checks_pipeline_id_protocol_host_port": "pipeline check already exists",
    "uq_ingest_checks_core_instance_id_config_section_id": "ingestion check already exists",
    "uq_fleets_project_id_name": "fleet name taken",
    "uq_fleet_files_fleet_id_name": "fleet file name already exists",
    "uq_fleet_revisions_fleet_id_number": "fleet revision conflict",
    "uq_fleet_drafts_fleet_id": "fleet draft conflict",
    "uq_tokens_fleet_id_host": "host already enrolled",
    "uq_rollouts_fleet_id": "rollout already open",
    "uq_processing_rule_templates_project_id_version_name": "processing rule template already exists",
    "uq_alert_rules_project_id_name": "alert rule name taken",
}
# The contract counts these two among wrong values (422), not conflicts (409).
_WRONG = {"cluster object already exists", "ingestion check already exists"}
# SQLite names the columns of a broken constraint, not the constraint.
_BY_COLUMNS = {
    ", ".join(f"{table.name}.{column.name}" for column in constraint.columns): str(constraint.name)
    for table in tables.metadata.tables.values()
    for constraint in table.constraints
    if isinstance(constraint, UniqueConstraint)
} | {
    ", ".join(f"{table.name}.{column.name}" for column in index.columns): str(index.name)
    for table in tables.metadata.tables.values()
    for index in table.indexes
    if index.unique
}


def noun(table: Table) -> str:
    return NOUNS.get(table.name, table.name.removesuffix("s").replace("_", " "))


def not_found(table: Table) -> NotFound:
    return NotFound(f"{noun(table)} not found")


def visible(table: Table, caller: Caller) -> ColumnElement[bool]:
    """The one place that decides which rows a caller can see: a project's, or a core instance's own."""
    mine = table.c.project_id == caller.project_id
    if caller.kind is not Kind.CORE_INSTANCE:
        return mine
    if table is tables.core_instances:
        return and_(mine, table.c.id == caller.id)
    if "core_instance_id" in table.c:
        return and_(mine, table.c.core_instance_id == caller.id)
    if "pipeline_id" in table.c:
        pipelines = tables.pipelines
        return and_(mine, table.c.pipeline_id.in_(select(pipelines.c.id).where(pipelines.c.core_instance_id == caller.id)))
    return false()


async def find(tx: ReadTx, caller: Caller, table: Table, id: UUID) -> Row[Any] | None:
    return (await tx.execute(select(table).where(table.c.id == id, visible(table, caller)))).one_or_none()


async def get(tx: ReadTx, caller: Caller, table: Table, id: UUID) -> Row[Any]:
    row = await find(tx, caller, table, id)
    if row is None:
        raise not_found(table)
    return row


async def add(tx: WriteTx, table: Table, **values: Any) -> Row[Any]:
    """Insert a row with a new id and its times; a second one that must be unique is a Conflict in the contract's words."""
    moment = clock.now()
    row = {"id": uuid4(), "created_at": moment, **values}
    if "updated_at" in table.c:
        row.setdefault("updated_at", row["created_at"])
    tx.touched.setdefault(wire_name(f"{noun(table).replace(' ', '_')}_id"), row["id"])
    added: Row[Any] = (await written(tx, insert(table).values(row).returning(table))).one()
    return added


async def change(tx: WriteTx, caller: Caller, table: Table, id: UUID, **values: Any) -> Row[Any]:
    """Set the given columns; nothing given still proves that the row is there."""
    if not values:
        return await get(tx, caller, table, id)
    if "updated_at" in table.c:
        values["updated_at"] = clock.now()
    query = update(table).where(table.c.id == id, visible(table, caller)).values(values).returning(table)
    row: Row[Any] | None = (await written(tx, query)).one_or_none()
    if row is None:
        raise not_found(table)
    return row


async def remove(tx: WriteTx, caller: Caller, table: Table, id: UUID) -> None:
    query = delete(table).where(table.c.id == id, visible(table, caller)).returning(table.c.id)
    if (await written(tx, query)).one_or_none() is None:
        raise not_found(table)


async def written(tx: WriteTx, statement: Any, parameters: Any = None) -> Any:
    """Run a statement that changes something; the database's own refusal becomes one of ours."""
    try:
        return await tx.execute(statement, parameters)
    except DBAPIError as error:
        refusal = refused(error)
        if refusal is None:
            raise
        raise refusal from error


def refused(error: DBAPIError) -> Refusal | None:
    """The refusal that a database error amounts to, if the caller is to blame."""
    text = str(error.orig)
    if isinstance(error, IntegrityError):
        if match := re.search(r"UNIQUE constraint failed: (.+)", text):
            return _taken(_BY_COLUMNS.get(match[1], ""))
        if match := re.search(r'unique constraint "(\w+)"', text):
            return _taken(match[1])
        if "foreign key" in text.lower():
            return Conflict("conflict", "something still refers to it, or what it refers to is gone")
    signs = ("\\u0000", "unsupported Unicode escape", "0x00", "Python int too large", "out of range")
    if any(sign in text for sign in signs):
        return Invalid("invalid argument", "a value cannot be stored: a NUL character or too large a number")
    return None


def _taken(constraint: str) -> Refusal:
    sentence = _TAKEN.get(constraint)
    if sentence is None:
        columns = next((columns for columns, name in _BY_COLUMNS.items() if name == constraint), "")
        same = " and ".join(column.rpartition(".")[2].removesuffix("_id") for column in columns.split(", "))
        return Conflict("conflict", f"there is one of the same {same} already" if same else None)
    return Invalid(sentence) if sentence in _WRONG else Conflict(sentence)


async def page(
    tx: ReadTx,
    query: Select[Any],
    table: Table,
    shape: Callable[[Row[Any]], Item],
    *,
    last: int,
    before: Place | None,
    counted: bool = False,
    place: tuple[ColumnElement[Any], ColumnElement[Any]] | None = None,
) -> Page[Item]:
    """The newest `last` rows of `query`, or the `last` just older than the place `before` names; `counted`: and how many
    rows there are in all; `place`: columns equal to the table's time and id, of a table with an index that finds the page."""
    total = await count(tx, query.with_only_columns(table.c.id)) if counted else None
    place = place or (table.c.created_at, table.c.id)
    query = query.order_by(*(column.desc() for column in place)).limit(last)
    if before is not None:
        query = query.where(tuple_(*place) < tuple_(literal(before[0], UtcTime()), literal(before[1], Uuid())))
    rows: Sequence[Row[Any]] = (await tx.execute(query)).all()
    return Page([shape(row) for row in rows], cursors.encode(rows[-1].created_at, rows[-1].id) if rows else None, total)


async def count(tx: ReadTx, query: Select[Any]) -> int:
    return int((await tx.execute(select(func.count()).select_from(query.subquery()))).scalar_one())


async def revoke(tx: WriteTx, subjects: Iterable[UUID]) -> None:
    """Have every process forget these tokens, sessions or agents (see loops/credentials.py)."""
    gone = set(subjects)
    tx.revoked |= gone
    if gone:
        await tx.execute(insert(tables.revocations), [{"subject": subject, "created_at": clock.now()} for subject in gone])


async def upsert(tx: WriteTx, table: Table, keys: Iterable[str], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows, or overwrite those with the same keys."""
    if rows:
        keys = list(keys)
        changed = [name for name in rows[0] if name not in keys]
        await tx.execute(dialects.insert_or_update(tx.dialect, table, keys, changed), rows)
