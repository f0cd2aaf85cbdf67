"""Trace sessions: for a while, what passes through some plugins of a pipeline is recorded for people to look at."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema
from sqlalchemy import Row, select

from nectary import clock, durations
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Gone, Invalid, NotFound
from nectary.fluentbit.document import Format
from nectary.resources import pipeline_text
from nectary.shape import Created, Page, Patch, Says, Shape, Time, Updated

sessions, pipelines, configs = tables.trace_sessions, tables.pipelines, tables.pipeline_configs

_REFUSAL = "invalid trace lifespan"
_LONGEST = 24 * 3600 * 1_000_000_000
_SECOND = 1_000_000_000


def _nanoseconds(value: Any) -> Any:
    """Go clients send `10m0s`, or a number of nanoseconds; the contract's format names ISO 8601."""
    if isinstance(value, str):
        try:
            return round(durations.parse(value, _REFUSAL) * _SECOND)
        except Invalid as refusal:
            raise ValueError(refusal.detail) from None
    return value


def _in_range(nanoseconds: int) -> int:
    if not 0 < nanoseconds <= _LONGEST:
        raise ValueError("more than nothing, and a day at most")
    return nanoseconds


Lifespan = Annotated[
    int,
    BeforeValidator(_nanoseconds),
    AfterValidator(_in_range),
    WithJsonSchema({"type": "string", "description": "Such as `10m`, `1h30m` or `PT10M`.", "examples": ["10m0s"]}),
    Says(_REFUSAL),
]
Plugins = Annotated[
    list[Annotated[str, StringConstraints(max_length=1024)]], Field(min_length=1, max_length=1000), Says("zero trace plugins")
]


class TraceSession(Shape):
    id: UUID
    pipeline_id: UUID
    plugins: list[str]
    # Go's text and not ISO 8601's, whatever the contract's format says: Go clients read nothing else.
    lifespan: Annotated[int, PlainSerializer(durations.go_text, return_type=str, when_used="json")]
    created_at: Time
    updated_at: Time


class NewTraceSession(Shape):
    plugins: Plugins
    lifespan: Lifespan = 600 * _SECOND


class TraceSessionPatch(Patch):
    plugins: Plugins | None = None
    lifespan: Lifespan | None = None


class TerminatedTraceSession(Shape):
    id: UUID
    lifespan: Annotated[int, PlainSerializer(durations.go_text, return_type=str, when_used="json")]
    updated_at: Time


async def start(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewTraceSession) -> Created:
    """One at a time. The pipeline's row is held meanwhile, so that of two who start at once one is refused."""
    pipeline = await _held(tx, caller, pipeline_id)
    await _require_known(tx, pipeline, new.plugins)
    if await _active(tx, caller, pipeline_id) is not None:
        raise Conflict("active trace session in progress", "end it first: DELETE its pipeline's trace_session")
    moment = clock.now()
    row = await statements.add(
        tx,
        sessions,
        project_id=caller.project_id,
        pipeline_id=pipeline_id,
        plugins=list(dict.fromkeys(new.plugins)),
        lifespan=new.lifespan,
        created_at=moment,
        ends_at=_end(moment, new.lifespan),
    )
    return Created.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> TraceSession:
    return TraceSession.model_validate(await statements.get(tx, caller, sessions, id))


async def active_of(tx: ReadTx, caller: Caller, pipeline_id: UUID) -> TraceSession:
    """The pipeline's session that is still running. Raises NotFound."""
    await statements.get(tx, caller, pipelines, pipeline_id)
    return TraceSession.model_validate(await _require_active(tx, caller, pipeline_id))


async def of_pipeline(tx: ReadTx, caller: Caller, pipeline_id: UUID, *, last: int, before: Place | None) -> Page[TraceSession]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = select(sessions).where(statements.visible(sessions, caller), sessions.c.pipeline_id == pipeline_id)
    return await statements.page(tx, query, sessions, TraceSession.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: TraceSessionPatch) -> Updated:
    row = await statements.get(tx, caller, sessions, id)
    if row.ends_at < clock.now():
        raise Gone("trace session terminated", f"it ended at {row.ends_at.isoformat()}")
    if patch.plugins is not None:
        await _require_known(tx, await statements.get(tx, caller, pipelines, row.pipeline_id), patch.plugins)
    lifespan = patch.lifespan or row.lifespan
    plugins = row.plugins if patch.plugins is None else list(dict.fromkeys(patch.plugins))
    changed = await statements.change(
        tx, caller, sessions, id, plugins=plugins, lifespan=lifespan, ends_at=_end(row.created_at, lifespan)
    )
    return Updated.model_validate(changed)


async def terminate(tx: WriteTx, caller: Caller, pipeline_id: UUID) -> TerminatedTraceSession:
    """End the running session: its lifespan becomes what it lived."""
    await _held(tx, caller, pipeline_id)
    row = await _require_active(tx, caller, pipeline_id)
    lived = max(clock.now() - row.created_at, timedelta())
    # A microsecond less than now, because a session counts as active up to and including the moment it ends.
    nanoseconds = max(lived // timedelta(microseconds=1) - 1, 0) * 1000
    changed = await statements.change(
        tx, caller, sessions, row.id, lifespan=nanoseconds, ends_at=_end(row.created_at, nanoseconds)
    )
    tx.touched["traceSessionID"] = row.id
    return TerminatedTraceSession.model_validate(changed)


async def _held(tx: WriteTx, caller: Caller, pipeline_id: UUID) -> Row[Any]:
    query = select(pipelines).where(pipelines.c.id == pipeline_id, statements.visible(pipelines, caller))
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise statements.not_found(pipelines)
    return row


async def _active(tx: ReadTx, caller: Caller, pipeline_id: UUID) -> Row[Any] | None:
    query = select(sessions).where(
        statements.visible(sessions, caller), sessions.c.pipeline_id == pipeline_id, sessions.c.ends_at >= clock.now()
    )
    return (await tx.execute(query.order_by(sessions.c.ends_at.desc()).limit(1))).one_or_none()


async def _require_active(tx: ReadTx, caller: Caller, pipeline_id: UUID) -> Row[Any]:
    row = await _active(tx, caller, pipeline_id)
    if row is None:
        raise NotFound("no active trace session")
    return row


async def _require_known(tx: ReadTx, pipeline: Row[Any], plugins: Sequence[str]) -> None:
    """Plugins are called by id or alias of the pipeline's present configuration. Raises NotFound."""
    config = (await tx.execute(select(configs).where(configs.c.id == pipeline.config_id))).one()
    document = pipeline_text.read(config.raw_config, Format(config.config_format))
    known = pipeline_text.plugin_names(document) if document else set()
    for plugin in plugins:
        if plugin not in known:
            raise NotFound("plugin not found", f"{plugin[:100]!r} is none of {', '.join(sorted(known)[:50])}")


def _end(created_at: Any, nanoseconds: int) -> Any:
    return created_at + timedelta(microseconds=nanoseconds // 1000)
