"""Whether the server lives, whether it can serve, and what it measures of itself."""

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from sqlalchemy import text
from starlette.responses import JSONResponse, Response

import nectary
from nectary.edge import context
from nectary.edge.callers import OpenToAll, Route
from nectary.errors import Refusal

router = APIRouter(tags=["health"], route_class=Route)


_WELL: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {"application/json": {"schema": {"type": "object"}}}}
    for status, what in ((200, "All is well."), (503, "Not all is well; which is, the answer tells."))
}


@router.get("/healthz", operation_id="healthz", responses=_WELL)
async def healthz(request: Request, _: OpenToAll) -> JSONResponse:
    """Alive, in the union of the shapes that the original's clients read in 2022, 2023 and 2024."""
    well = await _database_answers(request)
    database = {"ok": well}
    return JSONResponse(
        {"ok": well, "version": nectary.__version__, "postgres": database, "influx": database}, 200 if well else 503
    )


@router.get("/readyz", operation_id="readyz", responses=_WELL)
async def readyz(request: Request, _: OpenToAll) -> JSONResponse:
    """Ready for traffic: the database answers, and metrics have room."""
    checks = {"database": await _database_answers(request), "metrics": not context.of(request).buffer.full}
    return JSONResponse({"ok": all(checks.values()), **checks}, 200 if all(checks.values()) else 503)


_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", operation_id="serverMetrics", response_class=Response, responses=_TEXT)
async def server_metrics(request: Request, _: OpenToAll) -> Response:
    """The server's own measures, in the Prometheus text format."""
    registry = context.of(request).measures.registry
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _database_answers(request: Request) -> bool:
    try:
        async with context.of(request).database.read() as tx:
            await tx.execute(text("SELECT 1"))
    except Refusal:
        return False
    return True
