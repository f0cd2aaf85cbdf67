"""The page that shows what the API says of itself: /docs, from files of our own and /openapi.json, nothing from elsewhere."""

from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Path, Response

from nectary.edge.callers import OpenToAll, Route
from nectary.errors import NotFound

router = APIRouter(route_class=Route)

_FILES = {"": ("index.html", "text/html"), "reference.js": ("reference.js", "text/javascript")}
_FILES |= {"reference.css": ("reference.css", "text/css")}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@router.get("/docs", include_in_schema=False)
async def page(_: OpenToAll) -> Response:
    """The page."""
    return _file("")


@router.get("/docs/{file}", include_in_schema=False)
async def file(file: Annotated[str, Path()], _: OpenToAll) -> Response:
    """What belongs to the page."""
    return _file(file)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise NotFound("not found", "there is nothing at this address")
    file, kind = _FILES[name]
    text = resources.files("nectary.api").joinpath("reference", file).read_text("utf-8")
    return Response(text, media_type=kind, headers=_HEADERS)
