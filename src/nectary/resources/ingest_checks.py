"""Ingest checks: whether one config section takes data in, or gets it out, when a core instance runs it for a while."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field
from sqlalchemy import Row, Select, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.fluentbit.document import ConfigError, Format
from nectary.resources import pipeline_text
from nectary.resources.names import Bytes, decoded
from nectary.shape import UNSAID, Created, Page, Patch, Says, Shape, Time

core_instances, sections, ingest_checks = tables.core_instances, tables.config_sections, tables.ingest_checks

RETRIES = 3
# The original's: a check that its core instance says nothing of for so long, each retry, has failed.
_PATIENCE = timedelta(seconds=35)
_LOGS_LIMIT = 10 * 1024 * 1024

Status = Annotated[Literal["new", "failed", "running", "ok"] | None, UNSAID, Says("invalid ingest check status")]
Retries = Annotated[int, Field(ge=0, le=1000), Says("invalid ingest check retries")]
Logs = Annotated[bytes, BeforeValidator(decoded), Field(max_length=_LOGS_LIMIT), Says("invalid ingest check logs")]


class IngestCheck(Shape):
    id: UUID
    config: str
    status: str
    collect_logs: bool
    logs: Bytes
    retries: int
    created_at: Time
    updated_at: Time


class NewIngestCheck(Shape):
    config_section_id: Annotated[UUID, Says("invalid config section ID")]
    status: Status = None
    retries: Retries | None = None
    collect_logs: bool | None = None
    logs: Logs | None = None


class IngestCheckPatch(Patch):
    status: Status = None
    retries: Retries | None = None
    collect_logs: bool | None = None
    logs: Logs | None = None


async def create(tx: WriteTx, caller: Caller, core_instance_id: UUID, new: NewIngestCheck) -> Created:
    await statements.get(tx, caller, core_instances, core_instance_id)
    section = await statements.get(tx, caller, sections, new.config_section_id)
    if section.kind not in ("input", "output"):
        raise Invalid("invalid config section kind", f"an ingest check tries an input or an output, not a {section.kind}")
    row = await statements.add(
        tx,
        ingest_checks,
        project_id=caller.project_id,
        core_instance_id=core_instance_id,
        config_section_id=section.id,
        status=new.status or "new",
        retries=new.retries or RETRIES,
        collect_logs=bool(new.collect_logs),
        logs=new.logs or b"",
    )
    return Created.model_validate(row)


def _listed(caller: Caller) -> Select[Any]:
    query = select(ingest_checks, sections.c.kind, sections.c.properties)
    query = query.join(sections, sections.c.id == ingest_checks.c.config_section_id)
    return query.where(statements.visible(ingest_checks, caller))


async def get(tx: ReadTx, caller: Caller, id: UUID) -> IngestCheck:
    row = (await tx.execute(_listed(caller).where(ingest_checks.c.id == id))).one_or_none()
    if row is None:
        raise statements.not_found(ingest_checks)
    return _shape(row)


async def of_core_instance(
    tx: ReadTx, caller: Caller, core_instance_id: UUID, *, last: int, before: Place | None
) -> Page[IngestCheck]:
    await statements.get(tx, caller, core_instances, core_instance_id)
    query = _listed(caller).where(ingest_checks.c.core_instance_id == core_instance_id)
    return await statements.page(tx, query, ingest_checks, _shape, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: IngestCheckPatch) -> None:
    await statements.change(tx, caller, ingest_checks, id, **patch.changes())


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, ingest_checks, id)


def _shape(row: Row[Any]) -> IngestCheck:
    silent = clock.now() - row.updated_at > row.retries * _PATIENCE
    status = "failed" if row.status in ("new", "running") and silent else row.status
    return IngestCheck.model_validate({**row._mapping, "status": status, "config": _config(row)})


def _config(row: Row[Any]) -> str:
    """The section as Fluent Bit reads it: classic, as core instances expect, or YAML where classic cannot hold a value."""
    section = [(row.kind, row.properties)]
    try:
        return pipeline_text.rendered("", Format.CLASSIC, section)
    except ConfigError:
        return pipeline_text.rendered("", Format.YAML, section)
