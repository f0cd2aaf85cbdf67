"""Whom an agent's call speaks for."""

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from nectary.caller import Caller, Kind
from nectary.edge import callers
from nectary.errors import Unauthenticated
from nectary.resources import agents, tokens


class AgentRoute(Route):
    """A route off the framework's models; it names itself for the measures, as FastAPI's routes do."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        await super().handle(scope, receive, send)


class FromAgent(AgentRoute):
    """A route for requests that carry X-Agent-Token; the same address without one belongs to the published API."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not any(name == b"x-agent-token" for name, _ in scope["headers"]):
            return Match.NONE, {}
        return super().matches(scope)


async def agent(request: Request) -> Caller:
    """The agent that X-Agent-Token names. Raises Unauthenticated, or Gone for a deleted one."""
    await refuse_false_bearer(request)
    token = request.headers.get("x-agent-token")
    if token is None:
        raise Unauthenticated("unauthenticated", "this needs X-Agent-Token")
    return await callers.remembered(request, token, Kind.AGENT, agents.prove)


async def project(request: Request) -> Caller:
    """The project token that X-Project-Token holds. Raises Unauthenticated."""
    await refuse_false_bearer(request)
    token = request.headers.get("x-project-token")
    if token is None:
        raise Unauthenticated("unauthenticated", "this needs X-Project-Token")
    return await callers.remembered(request, token, Kind.PROJECT_TOKEN, tokens.prove)


async def refuse_false_bearer(request: Request) -> None:
    """Agents send no Authorization; if there is one it must be right, as everywhere."""
    if "authorization" in request.headers:
        await callers.identify(request)
