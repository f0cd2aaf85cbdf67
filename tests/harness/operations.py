"""Every operation the server answers, read from the route table: what the walks walk over."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from sqlalchemy import Table
from starlette.routing import BaseRoute
from starlette.routing import Route as PlainRoute

from nectary import agent_api, api
from nectary.agent_api.credentials import AgentRoute
from nectary.caller import Kind
from nectary.db import tables
from nectary.edge.callers import PEOPLE_AND_TOKENS, Anybody, Guard, Known, May, SignedIn, guard_of

# Words of path and query parameters whose table is called otherwise.
_OTHERWISE = {"aggregators": "core_instances", "members": "memberships", "project_tokens": "tokens"}


@dataclass(frozen=True)
class Operation:
    """One method at one address. `guard` is None for the agents' own routes, which check their callers themselves."""

    id: str
    method: str
    path: str
    guard: Guard | None
    said: dict[str, Any]  # its part of our OpenAPI document; {} for the agents' own routes
    schemas: dict[str, Any]

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of its JSON body, if it has one."""
        schema: dict[str, Any] | None = (
            self.said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        )
        return schema

    @property
    def parameters(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def query(self) -> list[dict[str, Any]]:
        return [parameter for parameter in self.said.get("parameters", []) if parameter["in"] == "query"]

    @property
    def kinds(self) -> frozenset[Kind]:
        """Whose credentials it takes; none of them for one that is open to all."""
        if self.guard is None or isinstance(self.guard, Anybody):
            return frozenset()
        if isinstance(self.guard, SignedIn):
            return frozenset({Kind.USER})
        return getattr(self.guard, "kinds", PEOPLE_AND_TOKENS)

    @property
    def open_to_all(self) -> bool:
        return isinstance(self.guard, Anybody)

    @property
    def changes_nothing(self) -> bool:
        """Whether its guard says that it only reads."""
        return self.method == "GET" or (isinstance(self.guard, May | Known) and self.guard.permission == "read:*")

    def __str__(self) -> str:
        return f"{self.id} ({self.method} {self.path})"


def api_routes() -> list[APIRoute]:
    """The published API's routes and our own beside them."""
    routes = [route for router in api.ROUTES for route in router.routes]
    assert all(isinstance(route, APIRoute) for route in routes), "a route of another kind stands in api.ROUTES"
    return [route for route in routes if isinstance(route, APIRoute)]


def agent_routes() -> list[PlainRoute]:
    return list(agent_api.ROUTES)


def strays(app: FastAPI) -> list[str]:
    """Routes of the application that neither api/ nor agent_api/ lists, but for the OpenAPI document."""
    known: list[BaseRoute] = [*api_routes(), *agent_routes()]
    return [
        f"{type(route).__name__} {path}"
        for route in app.routes
        if (path := getattr(route, "path", None)) and path != app.openapi_url and route not in known
    ]


def _described() -> dict[str, Any]:
    """The OpenAPI document of all routes, also of those that ours leaves out: old names of what has a newer one."""
    routes = api_routes()
    hidden = [route for route in routes if not route.include_in_schema]
    try:
        for route in hidden:
            route.include_in_schema = True
        return get_openapi(title="", version="", routes=routes)
    finally:
        for route in hidden:
            route.include_in_schema = False


@cache
def operations() -> tuple[Operation, ...]:
    """All of them; each method of a route is one. HEAD answers as GET does and is left out."""
    document = _described()
    schemas = document["components"]["schemas"]
    found = []
    for route in api_routes():
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            said = document["paths"][route.path][method.lower()]
            name = route.operation_id or f"{route.name} at {route.path}"
            found.append(Operation(name, method, route.path, guard_of(route.dependant), said, schemas))
    for plain in agent_routes():
        assert isinstance(plain, AgentRoute), f"{plain.path} does not say who it is for"
        found += [
            Operation(plain.name, method, plain.path, None, {}, {}) for method in sorted((plain.methods or set()) - {"HEAD"})
        ]
    return tuple(found)


def table_named(word: str) -> Table | None:
    """The table that `agentID`, `agent_id` or `aggregatorID` names a row of; None if there is none (yet)."""
    bare = re.sub(r"(_id|IDs?|_ids)$", "", word)
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", bare).lower()
    many = _OTHERWISE.get(f"{snake}s", f"{snake}s")
    return tables.metadata.tables.get(many)


def table_of(operation: Operation, parameter: str) -> Table | None:
    """The table whose row a path parameter names: the guard's, where it says so."""
    guard = operation.guard
    if isinstance(guard, May) and guard.at == parameter:
        return guard.of
    return table_named(parameter)


def with_bodies(operations: Iterable[Operation]) -> list[Operation]:
    return [operation for operation in operations if operation.body is not None]
