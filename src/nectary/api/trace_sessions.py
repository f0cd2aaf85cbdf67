"""Trace sessions and what they recorded, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineID, TraceSessionID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import trace_records, trace_sessions
from nectary.resources.trace_records import CreatedTraceRecord, NewTraceRecord, TraceRecord
from nectary.resources.trace_sessions import NewTraceSession, TerminatedTraceSession, TraceSession, TraceSessionPatch
from nectary.shape import Created, Updated

sessions = APIRouter(tags=["trace_session"], route_class=Route)
records = APIRouter(tags=["trace_record"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)]


@sessions.post("/v1/pipelines/{pipelineID}/trace_sessions", operation_id="createTraceSession", status_code=201)
async def create_trace_session(
    pipeline_id: PipelineID,
    new: NewTraceSession,
    caller: Annotated[Caller, may("create:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Created:
    """Record for a while what passes through some plugins of a pipeline; one session at a time."""
    return await trace_sessions.start(tx, caller, pipeline_id, new)


@sessions.get("/v1/pipelines/{pipelineID}/trace_sessions", operation_id="traceSessions")
async def list_trace_sessions(pipeline_id: PipelineID, window: AskedFor, caller: Reader, tx: ReadTx) -> Sequence[TraceSession]:
    """A pipeline's sessions, past ones too, newest first."""
    return window.of(await trace_sessions.of_pipeline(tx, caller, pipeline_id, last=window.last, before=window.before))


@sessions.get("/v1/pipelines/{pipelineID}/trace_session", operation_id="activeTraceSession")
async def get_active_trace_session(pipeline_id: PipelineID, caller: Reader, tx: ReadTx) -> TraceSession:
    """The session that runs."""
    return await trace_sessions.active_of(tx, caller, pipeline_id)


@sessions.delete("/v1/pipelines/{pipelineID}/trace_session", operation_id="terminateActiveTraceSession")
async def terminate_active_trace_session(
    pipeline_id: PipelineID,
    caller: Annotated[Caller, may("delete:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> TerminatedTraceSession:
    """End the session that runs; it stays in the list, with the lifespan it had."""
    return await trace_sessions.terminate(tx, caller, pipeline_id)


@sessions.get("/v1/trace_sessions/{sessionID}", operation_id="traceSession")
async def get_trace_session(
    session_id: TraceSessionID,
    caller: Annotated[Caller, may("read:*", tables.trace_sessions, at="sessionID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> TraceSession:
    """One session, running or past."""
    return await trace_sessions.get(tx, caller, session_id)


@sessions.patch("/v1/trace_sessions/{sessionID}", operation_id="updateTraceSession")
async def update_trace_session(
    session_id: TraceSessionID,
    patch: TraceSessionPatch,
    caller: Annotated[Caller, may("update:*", tables.trace_sessions, at="sessionID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Updated:
    """Give a running session other plugins or another lifespan, counted from its start."""
    return await trace_sessions.change(tx, caller, session_id, patch)


@records.post("/v1/pipelines/{pipelineID}/trace_session/records", operation_id="createTraceRecord", status_code=201)
async def create_trace_record(
    pipeline_id: PipelineID,
    new: NewTraceRecord,
    caller: Annotated[Caller, may("create:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> CreatedTraceRecord:
    """Add one record to the session that runs. Fluent Bit itself posts to /v1/traces/{pipelineID}."""
    return await trace_records.add(tx, caller, pipeline_id, new)


@records.get("/v1/trace_sessions/{sessionID}/records", operation_id="traceRecords")
async def list_trace_records(
    session_id: TraceSessionID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.trace_sessions, at="sessionID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[TraceRecord]:
    """What a session recorded, newest first."""
    return window.of(await trace_records.of_session(tx, caller, session_id, last=window.last, before=window.before))
