"""Refusals, rendered: every failure leaves as the published error body."""

import typing
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from nectary import log
from nectary.db import statements
from nectary.errors import Invalid, Malformed, MethodNotAllowed, NotFound, Refusal, Unavailable
from nectary.shape import Says, wire_name

_log = log.logger("nectary")


def install(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """`routes`: all there are, since the application itself keeps those of its routers to itself."""
    app.state.routes = [route for route in routes if isinstance(route, Route)]
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(ClientDisconnect, _cut_short)
    app.add_exception_handler(Exception, _surprise)


def response(refusal: Refusal) -> Response:
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(refusal.body(), refusal.status, headers)


async def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return response(error)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        refused = response(MethodNotAllowed("method not allowed", f"{request.method} is not served here"))
        refused.headers["Allow"] = ", ".join(_methods_at(request))
        return refused
    if error.status_code == 404:
        return response(NotFound("not found", "there is nothing at this address"))
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def _methods_at(request: Request) -> list[str]:
    """What is served at this address: the framework tells only of the first of its routes."""
    here = [route for route in request.app.state.routes if route.path_regex.match(request.scope["path"])]
    return sorted({method for route in here for method in route.methods or ()})


async def _database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    if refused := statements.refused(error):
        return response(refused)
    if error.connection_invalidated or "database is locked" in str(error.orig):
        _log.warning("database unavailable", path=request.url.path, reason=str(error.orig))
        return response(Unavailable("unavailable", "the database cannot be reached", retry_after=5))
    return await _surprise(request, error)


async def _cut_short(_request: Request, _error: Exception) -> Response:
    """Somebody hung up in the middle, or sent chunks that are none; whoever still listens is told."""
    return response(Malformed("malformed request", "the body ended before it was whole"))


async def _surprise(request: Request, error: Exception) -> Response:
    _log.error("internal server error", method=request.method, path=request.url.path, exc_info=error)
    return JSONResponse({"error": "internal server error"}, 500)


async def _validation(request: Request, error: Exception) -> Response:
    """A wrong parameter or field: the contract's sentence for it, and in `detail` what was wrong with the value."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *path = first["loc"]
    what = first["msg"].removeprefix("Value error, ")
    said = f"{'.'.join(str(step) for step in path)}: {what}" if path else what
    body = getattr(request.scope.get("route"), "body_field", None)
    if where == "body" and body is not None:
        sentence = sentence_for(body.field_info.annotation, path)
    else:
        sentence = f"invalid {str(path[0]).replace('_', ' ').replace(' id', ' ID')}" if path else None
    index = next((step for step in path if isinstance(step, int)), None)
    return response(Invalid(sentence or "invalid argument", said, index=index))


def sentence_for(annotation: Any, path: Sequence[str | int]) -> str | None:
    """The innermost `Says` on the way to a field: project tokens' `permissions.0` -> `invalid permission`."""
    found = next((mark.sentence for mark in _marks(annotation)), None)
    if not path:
        return found
    step, rest = path[0], path[1:]
    for model in _models(annotation):
        for name, field in model.model_fields.items():
            if step in _spellings(name, field):
                return sentence_for(_annotated(field), rest) or found
    if isinstance(step, int):
        return next((s for inner in _inner(annotation) if (s := sentence_for(inner, rest))), found)
    return next((s for inner in _inner(annotation) if (s := sentence_for(inner, path))), found)


def _spellings(name: str, field: FieldInfo) -> tuple[object, ...]:
    others = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ()
    return (name, wire_name(name), field.alias, *others)


def _annotated(field: FieldInfo) -> Any:
    return typing.Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _inner(annotation: Any) -> tuple[Any, ...]:
    return tuple(inner for inner in typing.get_args(annotation) if inner is not type(None))


def _marks(annotation: Any) -> list[Says]:
    here = [mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, Says)]
    optional = [mark for inner in _inner(annotation) if typing.get_origin(inner) is typing.Annotated for mark in _marks(inner)]
    return here or optional


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in _inner(annotation) for model in _models(inner)]
