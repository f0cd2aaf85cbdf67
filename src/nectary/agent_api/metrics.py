"""Metrics posts: the hot path. A token from memory, one decode, into the buffer, and thanks."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from nectary import clock
from nectary.agent_api import credentials
from nectary.agent_api.credentials import AgentRoute
from nectary.edge import context
from nectary.errors import Forbidden, Invalid
from nectary.metrics import cmetrics
from nectary.metrics.buffer import Post


async def post_metrics(request: Request) -> Response:
    """Take in cmetrics documents, whatever Content-Type they claim: the Go client sends them as JSON.

    422 makes Fluent Bit drop the payload, so only a body that cannot be decoded gets it.
    """
    caller = await credentials.agent(request)
    id = request.path_params.get("agentID")
    if id is not None and id != str(caller.id) and _uuid(id) != caller.id:
        raise Forbidden("permission denied", "an agent token speaks for its own agent only")
    here = context.of(request)
    try:
        snapshots = cmetrics.decode(await request.body())
    except Invalid:
        here.measures.refused.labels("undecodable").inc()
        raise
    received = clock.seconds()
    here.buffer.put([Post(caller.id, caller.project_id, received, snapshot) for snapshot in snapshots])
    here.measures.samples.inc(len(snapshots))
    here.measures.left_out.inc(sum(snapshot.unknown for snapshot in snapshots))
    return Response(b'{"totalInserted":%d}' % len(snapshots), 201, media_type="application/json")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("invalid agent ID", f"{text[:60]!r} is not a UUID") from None


ROUTES = (
    AgentRoute("/v1/agents/{agentID}/metrics", post_metrics, methods=["POST"]),
    AgentRoute("/v1/agent_metrics", post_metrics, methods=["POST"]),
)
