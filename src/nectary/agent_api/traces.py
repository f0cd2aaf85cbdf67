"""Traces: what Fluent Bit's http output posts about once a second while a session runs."""

from collections.abc import Iterable
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from nectary.agent_api import credentials, trace_bodies
from nectary.agent_api.credentials import AgentRoute
from nectary.caller import Caller
from nectary.edge import context
from nectary.errors import Invalid
from nectary.resources import trace_records, trace_sessions
from nectary.resources.trace_records import NewTraceRecord


async def post_traces(request: Request) -> Response:
    """Take in trace records for the pipeline's running session; what they claim to be does not matter.

    Both tokens that a Fluent Bit may have are good: its own, and its project's. A 4xx makes it drop the body, so that nothing
    piles up once a session is over.
    """
    caller = await _caller(request)
    pipeline_id = _uuid(request.path_params["pipelineID"])
    here = context.of(request)
    async with here.database.read() as tx:  # before any work is done: bodies come on for a while after a session is over
        await trace_sessions.active_of(tx, caller, pipeline_id)
    records = _records(trace_bodies.decode(await request.body()))
    async with here.database.write() as tx:  # no audit row: this is data
        taken = await trace_records.take(tx, caller, pipeline_id, records, most=here.settings.trace_record_limit)
    return Response(b'{"totalInserted":%d}' % taken, 201, media_type="application/json")


async def _caller(request: Request) -> Caller:
    if "x-agent-token" in request.headers:
        return await credentials.agent(request.scope)
    caller = await credentials.project(request.scope)
    caller.require("create:*")
    return caller


def _records(events: Iterable[trace_bodies.Event]) -> list[NewTraceRecord]:
    """Those that are trace records. Raises Invalid when none is."""
    records, wrong = [], ""
    for event in events:
        # Fluent Bit says `return` where the contract says `return_code`, and null where it has no records.
        said = {**event, "return_code": event.get("return", event.get("return_code", 0)), "records": event.get("records") or []}
        try:
            records.append(NewTraceRecord.model_validate(said))
        except ValidationError as error:
            first = error.errors()[0]
            wrong = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if not records:
        raise Invalid(trace_bodies.REFUSAL, wrong)
    return records


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("invalid pipeline ID", f"{text[:60]!r} is not a UUID") from None


ROUTES = (AgentRoute("/v1/traces/{pipelineID}", post_traces, methods=["POST"]),)
