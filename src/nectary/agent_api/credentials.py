"""Whom an agent's call speaks for."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from nectary.caller import Caller, Kind
from nectary.db.transaction import ReadTx
from nectary.edge import callers, context
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


async def agent(scope: Scope) -> Caller:
    """The agent that X-Agent-Token names. Raises Unauthenticated, or Gone for a deleted one."""
    return await _proven(scope, b"x-agent-token", Kind.AGENT, agents.prove)


async def project(scope: Scope) -> Caller:
    """The project token that X-Project-Token holds. Raises Unauthenticated."""
    return await _proven(scope, b"x-project-token", Kind.PROJECT_TOKEN, tokens.prove)


async def refuse_false_bearer(scope: Scope) -> None:
    """Agents send no Authorization; if there is one it must be right, as everywhere."""
    if any(name == b"authorization" for name, _ in scope["headers"]):
        await callers.identify(Request(scope))


async def _proven(scope: Scope, header: bytes, kind: Kind, prove: Callable[[ReadTx, str], Awaitable[Caller]]) -> Caller:
    await refuse_false_bearer(scope)
    given = next((value for name, value in scope["headers"] if name == header), None)
    if given is None:
        raise Unauthenticated("unauthenticated", f"this needs {header.decode().title()}")
    return await callers.remembered(context.of_scope(scope), given.decode("latin-1"), kind, prove)
