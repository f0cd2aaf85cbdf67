"""What the API says of itself: FastAPI's description, completed with whom each operation serves and how each refuses."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from nectary.caller import Kind
from nectary.edge import examples
from nectary.edge.callers import Anybody, Guard, Known, May, Route, SignedIn, guard_of

Described = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Path -> method -> operation, as OpenAPI has them."""

# The names of the first two are the contract's.
SCHEMES: dict[Kind, tuple[str, dict[str, Any]]] = {
    Kind.USER: ("user", {"type": "http", "scheme": "bearer", "description": "A session's token, from POST /v1/sign_in."}),
    Kind.PROJECT_TOKEN: (
        "project",
        {"type": "apiKey", "in": "header", "name": "X-Project-Token", "description": "A token of one project, for machines."},
    ),
    Kind.AGENT: (
        "agent",
        {"type": "apiKey", "in": "header", "name": "X-Agent-Token", "description": "What an agent gets when it registers."},
    ),
    Kind.CORE_INSTANCE: (
        "core_instance",
        {
            "type": "apiKey",
            "in": "header",
            "name": "X-Aggregator-Token",
            "description": "What older core instances get when they are made.",
        },
    ),
}
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "Why something was refused.",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "A stable sentence for programs.", "examples": ["fleet not found"]},
        "detail": {"type": "string", "description": "What exactly was wrong, for people."},
        "index": {"type": "integer", "minimum": 0, "description": "Which element of an array was at fault."},
        "quotaLimit": {"type": "integer", "minimum": 0, "description": "How much the project may hold."},
        "quotaRemaining": {"type": "integer", "minimum": 0, "description": "How much of that is left."},
    },
}
_ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
_REFUSALS: dict[int | None, str] = {
    None: "Any other refusal.",
    400: "The body is not JSON.",
    401: "No credential of a kind this takes, or one that is wrong.",
    403: "The caller may not.",
    404: "It is not there, or not the caller's to see.",
    409: "It clashes with what is there, or something there needs it.",
    410: "What it is about, or whose credential is shown, was there once.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "A value is wrong; `error` says which.",
    501: "Knowingly not served.",
}
# What a parameter means everywhere, where its route does not say.
_MEANINGS = {
    "name": "Only those of exactly this name.",
    "kind": "Only those of this kind.",
    "status": "Only those of this status.",
    "url": "Only changes asked for at this address.",
    "action": "Only changes of this kind.",
    "first": "How many rows, oldest first.",
    "after": "Cursor of the row to continue after.",
    "environment_id": "Only those that stand in this environment.",
    "agentType": "What the config is for.",
    **dict.fromkeys(
        ("agent_id", "aggregator_id", "pipeline_id", "cluster_object_id"), "Which ones, by id; give it as often as needed."
    ),
}


def install(app: FastAPI, routers: Iterable[APIRouter], others: Described) -> None:
    """Have the application describe itself so, once: its routers, and `others`, the operations that are not FastAPI's."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app, routers, others)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to do it


def describe(app: FastAPI, routers: Iterable[APIRouter], others: Described) -> dict[str, Any]:
    said = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes
    )
    schemas = said["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Error"] = ERROR
    said["components"]["responses"] = {
        f"Refused{status or ''}": {"description": what, "content": {"application/json": {"schema": _ERROR_REFERENCE}}}
        for status, what in _REFUSALS.items()
    }
    said["components"]["securitySchemes"] = dict(SCHEMES.values())
    for route, method in _routes(routers):
        _complete(said["paths"][route.path_format][method.lower()], route)
    for path, item in others.items():
        for method, operation in item.items():
            here = said["paths"].setdefault(path, {})
            here[method] = _joined(here[method], operation) if method in here else dict(operation)
    for item in said["paths"].values():
        for operation in item.values():
            _tidy(operation, schemas)
    _untitle(said)
    examples.show(said)
    said["tags"] = [{"name": tag} for tag in sorted({tag for _, op in operations(said) for tag in op.get("tags", ())})]
    said["paths"] = dict(sorted(said["paths"].items()))
    return said


def operations(said: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of a description, with `GET /path`."""
    for path, item in said["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def _routes(routers: Iterable[APIRouter]) -> Iterator[tuple[Route, str]]:
    for route in (route for router in routers for route in router.routes):
        if isinstance(route, Route) and route.include_in_schema:
            for method in sorted(route.methods or ()):
                yield route, method


def _complete(operation: dict[str, Any], route: Route) -> None:
    guard = guard_of(route.dependant)
    operation["security"] = [{SCHEMES[kind][0]: []} for kind in Kind if kind in served(guard)]
    if isinstance(guard, May | Known):
        operation["x-permission"] = guard.permission
    parameters = operation.setdefault("parameters", [])
    for name in route.param_convertors:  # the guard reads those that the route itself has no use for
        if not any(each["name"] == name for each in parameters):
            parameters.append({"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}})
    responses = operation["responses"]
    responses.pop("422", None)
    for status in _statuses(operation, route, guard):
        responses.setdefault(str(status), refusal(status))


def served(guard: Guard) -> frozenset[Kind]:
    """The kinds of caller that a guard lets in; none at all means everybody."""
    match guard:
        case May():
            return guard.kinds
        case SignedIn():
            return frozenset({Kind.USER})
        case Known():
            return frozenset({Kind.USER, Kind.PROJECT_TOKEN})
        case Anybody():
            return frozenset()


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """An operation that is served by two routes, to different callers."""
    both = {"security": [*one["security"], *other["security"]], "description": f"{one['description']} {other['description']}"}
    return {**one, **both}


def _statuses(operation: dict[str, Any], route: Route, guard: Guard) -> Iterator[int]:
    if not isinstance(guard, Anybody):
        yield 401
    if isinstance(guard, May | Known):
        yield from (403, 410)
    if isinstance(guard, May):
        yield 404
    if set(route.methods or ()) - {"GET"}:
        yield 409
    if route.body_field is not None:
        yield from (400, 413, 415)
    if route.body_field is not None or operation.get("parameters"):
        yield 422


def refusal(status: int | None) -> dict[str, Any]:
    """A reference to how a refusal is described; None: any other."""
    return {"$ref": f"#/components/responses/Refused{status or ''}"}


def _tidy(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("description", _meaning(parameter))
    for status, response in operation["responses"].items():
        if response.get("description") == "Successful Response":
            response["description"] = f"{HTTPStatus(int(status)).phrase}."
        if status == "501":
            operation["responses"][status] = refusal(501)
    operation["responses"]["default"] = refusal(None)
    ok = operation["responses"].get("200", {})
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "before" in names and ok.get("content", {}).get("application/json", {}).get("schema", {}).get("type") == "array":
        link = {"description": 'How to get the next rows: `</path?before=...>; rel="next"`.', "schema": {"type": "string"}}
        ok.setdefault("headers", {})["Link"] = link
    if body := operation.get("requestBody"):
        # As in the contract: no body is an empty one, wrong only where a field is needed.
        schema = next(iter(body["content"].values()))["schema"]
        schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        body["required"] = bool(schema.get("required")) or schema.get("type") == "array"


def _untitle(said: Any) -> None:
    """Drop the titles that Pydantic makes of the names of fields: they say nothing more."""
    for inner in said.values() if isinstance(said, dict) else said:
        if isinstance(inner, dict) and isinstance(inner.get("title"), str) and "version" not in inner:
            del inner["title"]
        if isinstance(inner, dict | list):
            _untitle(inner)


def _meaning(parameter: Mapping[str, Any]) -> str:
    name = parameter["name"]
    if name not in _MEANINGS and parameter["in"] == "path":
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name.removesuffix("ID"))
        return f"Id of the {words.replace('_', ' ').strip() or 'thing'}."
    return _MEANINGS.get(name, "")
