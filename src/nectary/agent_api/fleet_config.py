"""Fleet polls: every 15 seconds from every agent that belongs to a fleet."""

from starlette.requests import Request
from starlette.responses import Response

from nectary.agent_api import credentials
from nectary.agent_api.credentials import AgentRoute
from nectary.errors import NotFound


async def poll(request: Request) -> Response:
    """There are no fleets yet, so none is found: the agent logs it, keeps running what it has, and asks again."""
    caller = await credentials.project(request.scope)
    caller.require("read:*")
    raise NotFound("fleet not found")


ROUTES = (
    AgentRoute("/v1/fleets/{fleetID}/config", poll, methods=["GET"]),
    AgentRoute("/v1/fleets/{fleetID}/files", poll, methods=["GET"]),
)
