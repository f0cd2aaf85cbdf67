"""Fleet polls: every 15 seconds from every agent that belongs to a fleet, answered from memory.

Machines that show a project token are answered here; people, and lists by the page, by api/fleets.py, with the same bytes.
"""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from nectary.agent_api import credentials
from nectary.agent_api.credentials import AgentRoute
from nectary.edge import context, fleet_answers
from nectary.errors import Invalid, NotFound
from nectary.resources import fleet_configs
from nectary.resources.fleet_configs import FleetConfig


async def poll_config(request: Request) -> Response:
    """Always 200 with the whole config: a 304 fills the agent's log with errors (in_calyptia_fleet takes nothing but 200)."""
    config = await _config(request)
    return fleet_answers.config(config, request.query_params.get("config_format"), request.query_params.get("format"))


async def fetch_files(request: Request) -> Response:
    return fleet_answers.files(await _config(request), request.url.path)


async def _config(request: Request) -> FleetConfig:
    """The fleet's config. Raises NotFound also for another project's: the token says which is the caller's."""
    caller = await credentials.project(request.scope)
    given = request.path_params["fleetID"]
    try:
        id = UUID(given)
    except ValueError:
        raise Invalid("invalid fleet ID", f"{given[:60]!r} is not a UUID") from None
    caller.require("read:*")
    here = context.of(request)
    config = here.fleet_configs.find(id)
    if config is None:
        async with here.database.read() as tx:
            config = await fleet_configs.load(tx, id)
        if config is not None:
            here.fleet_configs.remember(id, config)
    if config is None or config.project_id != caller.project_id:
        raise NotFound("fleet not found")
    return config


class Poll(AgentRoute):
    """A route for requests with a project token and nothing else, who want the whole."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        headers = {name for name, _ in scope["headers"]}
        paged = any(part.startswith((b"last=", b"before=")) for part in scope["query_string"].split(b"&"))
        if b"x-project-token" not in headers or b"authorization" in headers or paged:
            return Match.NONE, {}
        return super().matches(scope)


ROUTES = (
    Poll("/v1/fleets/{fleetID}/config", poll_config, methods=["GET"]),
    Poll("/v1/fleets/{fleetID}/files", fetch_files, methods=["GET"]),
)
