"""Audit logs, as the published API asks for them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from nectary.caller import Caller
from nectary.db import cursors, tables
from nectary.edge.callers import Route, may
from nectary.edge.paging import MOST, USUAL
from nectary.edge.transaction import ReadTx
from nectary.resources import audit_logs
from nectary.resources.audit_logs import AuditLog
from nectary.shape import Shape

router = APIRouter(tags=["audit_log"], route_class=Route)


class AuditLogs(Shape):
    items: list[AuditLog]
    end_cursor: str | None = None  # left out on an empty page: the contract has it a string, never null


# Read from the query by hand: `components[fleetID]=...`.
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_KEYED = {
    "parameters": [
        {"in": "query", "name": name, "style": "deepObject", "explode": True, "schema": _TEXTS, "description": what}
        for name, what in (
            ("components", "Only changes that touched these things, such as `components[fleetID]=...`."),
            ("identity", "Only changes by these, such as `identity[user]=...`: a caller's kind and id."),
        )
    ]
}


@router.get(
    "/v1/projects/{projectID}/audit_logs", operation_id="auditLogs", response_model_exclude_none=True, openapi_extra=_KEYED
)
async def list_audit_logs(
    request: Request,
    caller: Annotated[Caller, may("read:*", tables.projects)],
    tx: ReadTx,
    url: Annotated[str | None, Query()] = None,
    action: Annotated[str | None, Query()] = None,
    first: Annotated[int, Query(ge=0)] = 0,
    after: Annotated[str | None, Query()] = None,
) -> AuditLogs:
    """What was changed, by whom, oldest first; the one list that pages forward."""
    page = await audit_logs.of_project(
        tx,
        caller,
        # The contract writes `components[key]`, the Go client `component[key]`.
        components=_keyed(request, "components") | _keyed(request, "component"),
        identity=_keyed(request, "identity"),
        url=url,
        action=action,
        first=min(first or USUAL, MOST),
        after=cursors.decode(after) if after else None,
    )
    return AuditLogs(items=list(page.items), end_cursor=page.cursor)


def _keyed(request: Request, name: str) -> dict[str, str]:
    """`name[key]=value` parameters as a dictionary."""
    pairs = request.query_params.multi_items()
    return {key[len(name) + 1 : -1]: value for key, value in pairs if key.startswith(f"{name}[") and key.endswith("]")}
