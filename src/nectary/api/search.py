"""Search, as the published API asks for it, in both of its versions."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.transaction import ReadTx
from nectary.errors import Invalid
from nectary.resources import search
from nectary.resources.search import RESOURCES, Found
from nectary.shape import Shape

router = APIRouter(tags=["search"], route_class=Route)

Searcher = Annotated[Caller, may("read:*", tables.projects, at="project_id", hosts=True)]


class FoundV1(Shape):
    """Version 1 says both twice: clients of 2022 read the capitals."""

    id: UUID
    name: str
    capital_id: Annotated[UUID, Field(alias="ID")]
    capital_name: Annotated[str, Field(alias="Name")]


Term = Annotated[str, Query(description="Name, part of a name, or id; none finds everything.")]
Exact = Annotated[bool, Query(description="The whole name, or id, only.")]
Kind = Annotated[str, Query(description="What to look for.", json_schema_extra={"enum": list(RESOURCES)})]
# The guard reads it; a project token need not say which project.
InProject = Annotated[UUID | None, Query(alias="project_id", description="The project to look in; a token has but one.")]


@router.get("/v1/search", operation_id="searchV1", deprecated=True)
async def search_v1(
    request: Request,
    caller: Searcher,
    tx: ReadTx,
    _project_id: InProject = None,
    resource: Kind = "",
    term: Term = "",
    exact: Exact = False,
) -> Sequence[FoundV1]:
    """Things of a project by name or id. Fluent Bit finds its fleet here, and reads the first row; the CLI calls two rows
    ambiguous, so that what has exactly this name or id stands alone."""
    as_written = _written_by_an_agent(request)
    kind, words = _known(resource), term if as_written is None else as_written
    found = await search.search(tx, caller, kind, words, exact=True)
    if not (found or exact):
        found = await search.search(tx, caller, kind, words, exact=False)
    return [FoundV1(id=one.id, name=one.name, capital_id=one.id, capital_name=one.name) for one in found]


def _written_by_an_agent(request: Request) -> str | None:
    """The term as Fluent Bit puts it there: last but for `exact`, and letter for letter (get_calyptia_fleet_id_by_name escapes
    nothing), so that `a&b` and `50%+` are one name. None where somebody else asks, who escapes as usual."""
    if "user-agent" in request.headers or "fleet-config-version" not in request.headers:
        return None
    query = request.scope["query_string"].decode("utf-8", "replace")
    _, told, term = query.partition("&term=")
    return term.removesuffix("&exact=true") if told else None


@router.get("/v2/search", operation_id="search")
async def search_v2(
    caller: Searcher,
    tx: ReadTx,
    _project_id: InProject = None,
    resource: Kind = "",
    term: Term = "",
    exact: Exact = False,
) -> Sequence[Found]:
    """Things of a project by name or id."""
    return await search.search(tx, caller, _known(resource), term, exact=exact)


def _known(resource: str) -> search.Resource:
    if resource not in RESOURCES:
        raise Invalid("unknown search resource", f"{resource[:60]!r} is none of {', '.join(RESOURCES)}")
    return resource
