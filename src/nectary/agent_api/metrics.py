"""Metrics posts: the hot path. A token from memory, one decode, into the buffer, and thanks.

Plain ASGI: with a quarter of a million agents there are some eight thousand of these a second, and a framework's request and
response objects cost as much as the work itself.
"""

from uuid import UUID

from starlette.types import Receive, Scope, Send

from nectary import clock
from nectary.agent_api import credentials
from nectary.agent_api.credentials import AgentRoute
from nectary.caller import Caller
from nectary.edge import context, refusals
from nectary.edge.context import Context
from nectary.errors import Forbidden, Invalid, Refusal
from nectary.metrics import cmetrics
from nectary.metrics.buffer import Post


class PostMetrics:
    """The endpoint; an object, so that Starlette takes it for an ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = context.of_scope(scope)
        try:
            caller = await credentials.agent(scope)
            _require_own(caller, scope["path"])
            count = _take_in(here, caller, await _body(receive))
        except Refusal as refusal:
            await refusals.response(refusal)(scope, receive, send)
            return
        said = b'{"totalInserted":%d}' % count
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": said})


def _require_own(caller: Caller, path: str) -> None:
    """The id in `/v1/agents/{agentID}/metrics` is the token's own; `/v1/agent_metrics` has none."""
    if path == "/v1/agent_metrics":
        return
    id = path.split("/")[3]
    try:
        own = id == str(caller.id) or UUID(id) == caller.id
    except ValueError:
        raise Invalid("invalid agent ID", f"{id[:60]!r} is not a UUID") from None
    if not own:
        raise Forbidden("permission denied", "an agent token speaks for its own agent only")


def _take_in(here: Context, caller: Caller, body: bytes) -> int:
    """Take in cmetrics documents, whatever Content-Type they claim: the Go client sends them as JSON. Returns how many.

    422 makes Fluent Bit drop the payload, so only a body that cannot be decoded gets it.
    """
    try:
        snapshots = cmetrics.decode(body)
    except Invalid:
        here.measures.refused.labels("undecodable").inc()
        raise
    received = clock.seconds()
    here.buffer.put([Post(caller.id, caller.project_id, received, snapshot) for snapshot in snapshots])
    here.measures.samples.inc(len(snapshots))
    here.measures.left_out.inc(sum(snapshot.unknown for snapshot in snapshots))
    return len(snapshots)


async def _body(receive: Receive) -> bytes:
    chunks = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("invalid metrics", "the connection ended before the body did")
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


_endpoint = PostMetrics()
METRICS_ROUTE = AgentRoute("/v1/agents/{agentID}/metrics", _endpoint, methods=["POST"])
ROUTES = (METRICS_ROUTE, AgentRoute("/v1/agent_metrics", _endpoint, methods=["POST"]))
