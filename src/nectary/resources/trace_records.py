"""Trace records: what was seen of some data at one step on its way through a pipeline."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema
from sqlalchemy import delete, func, insert, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.resources import trace_sessions
from nectary.shape import Page, Says, Shape, Time

records, sessions = tables.trace_records, tables.trace_sessions

_REFUSAL = Says("invalid trace record")
# A chunk shows all that it holds so far, for each portion that comes in, so that it would be kept again and again.
_LONGEST = 16 * 1024
_RECORDS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["timestamp", "record"],
        "properties": {
            "timestamp": {"type": "number", "description": "When, in seconds since the epoch."},
            "record": {"type": "object", "additionalProperties": True},
        },
    },
}


def _seconds(value: Any) -> Any:
    """Fluent Bit and the contract count seconds; Go clients send RFC 3339."""
    if isinstance(value, str):
        return int(datetime.fromisoformat(value).timestamp())
    return int(value) if isinstance(value, float) and abs(value) < 2**62 else value


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_799), UTC).isoformat().replace("+00:00", "Z")


# Out as text: Go clients read nothing else, whatever the contract's `integer` says.
Moment = Annotated[
    int,
    BeforeValidator(_seconds),
    Field(ge=0, le=253_402_300_799),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}]}, mode="validation"),
    _REFUSAL,
]


def _timed(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for one in given:
        timed = type(one.get("timestamp")) in (int, float)
        if not (timed and isinstance(one.get("record"), dict)):
            raise ValueError("each has a `timestamp`, which is a number, and a `record`, which is an object")
    return given


_Text = Annotated[str, StringConstraints(max_length=1024), _REFUSAL]
Kind = Annotated[Literal[1, 2, 3, 4], Says("invalid trace record kind")]


class NewTraceRecord(Shape):
    """Of type 1 input, 2 filter, 3 before output, 4 output."""

    type: Kind
    trace_id: Annotated[_Text, Field(alias="trace_id")] = ""
    start_time: Annotated[Moment, Field(alias="start_time")] = 0
    end_time: Annotated[Moment, Field(alias="end_time")] = 0
    plugin_instance: Annotated[_Text, Field(alias="plugin_instance")] = ""
    plugin_alias: Annotated[_Text, Field(alias="plugin_alias")] = ""
    return_code: Annotated[int, Field(alias="return_code", ge=-(2**31), le=2**31 - 1), _REFUSAL] = 0
    records: Annotated[list[dict[str, Any]], AfterValidator(_timed), WithJsonSchema(_RECORDS), _REFUSAL] = []


class TraceRecord(NewTraceRecord):
    id: UUID
    session_id: UUID
    created_at: Time


class CreatedTraceRecord(Shape):
    id: UUID
    session_id: UUID
    created_at: Time


async def add(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewTraceRecord) -> CreatedTraceRecord:
    """Add one to the session that runs. Raises NotFound when none does."""
    session = await trace_sessions.active_of(tx, caller, pipeline_id)
    row = await statements.add(tx, records, project_id=caller.project_id, session_id=session.id, **_columns(new))
    return CreatedTraceRecord.model_validate(row)


async def take(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: Sequence[NewTraceRecord], *, most: int) -> int:
    """Add what Fluent Bit posted to the session that runs; gives how many were taken. With `most` of them it is over: its core
    instance sees so and switches the tap off, so that nothing goes on copying records that nobody keeps."""
    session = await trace_sessions.active_of(tx, caller, pipeline_id)
    held = (await tx.execute(select(func.count()).where(records.c.session_id == session.id))).scalar_one()
    taken = new[: max(most - held, 0)]
    moment = clock.now()
    rows = [
        {
            "id": uuid4(),
            "project_id": caller.project_id,
            "session_id": session.id,
            # One after another, though they came together: lists keep the order in which they happened.
            "created_at": moment + timedelta(microseconds=place),
            **_columns(one),
        }
        for place, one in enumerate(taken)
    ]
    if rows:
        await statements.written(tx, insert(records), rows)
    if held + len(rows) >= most:
        await trace_sessions.terminate(tx, caller, pipeline_id)
    return len(rows)


async def of_session(tx: ReadTx, caller: Caller, session_id: UUID, *, last: int, before: Place | None) -> Page[TraceRecord]:
    await statements.get(tx, caller, sessions, session_id)
    query = select(records).where(statements.visible(records, caller), records.c.session_id == session_id)
    return await statements.page(tx, query, records, TraceRecord.model_validate, last=last, before=before)


async def forget(tx: WriteTx, *, older_than: timedelta, most: int) -> int:
    """Throw away some records of sessions that ended long ago; gives how many."""
    old = select(sessions.c.id).where(sessions.c.ends_at < clock.now() - older_than)
    some = select(records.c.id).where(records.c.session_id.in_(old)).limit(most)
    return int((await tx.execute(delete(records).where(records.c.id.in_(some)))).rowcount)


def _columns(new: NewTraceRecord) -> dict[str, Any]:
    return new.model_dump() | {"records": bounded(new.records)}


def bounded(given: Sequence[Any]) -> list[Any]:
    """The last of them that fit: those are what the step is about."""
    kept: list[Any] = []
    room = _LONGEST
    for record in reversed(given):
        room -= len(json.dumps(record, separators=(",", ":"), default=str))
        if room < 0 and kept:
            break
        kept.append(record)
    return kept[::-1]
