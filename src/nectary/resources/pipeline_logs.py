"""Requests for a pipeline's logs: a person asks, its core instance answers, the answer stays here."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.shape import Page, Patch, Says, Shape, Time

logs, pipelines = tables.pipeline_logs, tables.pipelines

STATUSES = ("NEW", "DONE")

Text = Annotated[str, StringConstraints(max_length=10 * 1024 * 1024), Says("invalid pipeline logs")]
Lines = Annotated[int, Field(ge=1, le=100_000), Says("invalid pipeline log lines")]
Status = Annotated[Literal["NEW", "DONE"], Says("invalid pipeline log status")]


class PipelineLog(Shape):
    id: UUID
    pipeline_id: UUID
    logs: str
    lines: int
    status: str
    created_at: Time
    updated_at: Time


class NewPipelineLog(Shape):
    logs: Text = ""
    lines: Lines = 100


class PipelineLogPatch(Patch):
    logs: Text | None = None
    lines: Lines | None = None
    status: Status | None = None


async def ask(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewPipelineLog) -> PipelineLog:
    await statements.get(tx, caller, pipelines, pipeline_id)
    row = await statements.add(
        tx, logs, project_id=caller.project_id, pipeline_id=pipeline_id, status="NEW", **new.model_dump()
    )
    return PipelineLog.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> PipelineLog:
    return PipelineLog.model_validate(await statements.get(tx, caller, logs, id))


async def of_pipeline(
    tx: ReadTx, caller: Caller, pipeline_id: UUID, *, status: str | None, last: int, before: Place | None
) -> Page[PipelineLog]:
    if status and status not in STATUSES:
        raise Invalid("invalid pipeline log status", f"{status[:60]!r} is none of {', '.join(STATUSES)}")
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = select(logs).where(statements.visible(logs, caller), logs.c.pipeline_id == pipeline_id)
    if status:
        query = query.where(logs.c.status == status)
    return await statements.page(tx, query, logs, PipelineLog.model_validate, last=last, before=before, counted=True)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: PipelineLogPatch) -> PipelineLog:
    return PipelineLog.model_validate(await statements.change(tx, caller, logs, id, **patch.changes()))


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> bool:
    """Whether there was one; the contract's Deleted has a word for neither."""
    if await statements.find(tx, caller, logs, id) is None:
        return False
    await statements.remove(tx, caller, logs, id)
    return True
