"""The audit log's rows, written in the transaction of the change itself: neither is there without the other."""

from fastapi import Request

from nectary.caller import Caller, Person
from nectary.db import statements, tables
from nectary.db.transaction import WriteTx

_ACTIONS = {"POST": "CREATE", "PATCH": "UPDATE", "PUT": "UPDATE", "DELETE": "DELETE"}


async def record(tx: WriteTx, request: Request) -> None:
    """Say who did what to which thing. The things are those of the path, and what the change itself touched.

    The status is the route's own, unless the route said another in `request.state.response_code`.
    """
    caller: Caller | Person | None = getattr(request.state, "caller", None) or getattr(request.state, "person", None)
    touched = {name: str(id) for name, id in tx.touched.items()}
    components = {**request.path_params, **touched, **tx.told}
    route = request.scope.get("route")
    project = caller.project_id if isinstance(caller, Caller) else tx.touched.get("projectID")
    await statements.add(
        tx,
        tables.audit_logs,
        project_id=project,
        action=_ACTIONS[request.method],
        url=request.url.path[:2048],
        components=components | ({"projectID": str(project)} if project else {}),
        identity=caller.identity() if caller else {},
        response_code=getattr(request.state, "response_code", None) or getattr(route, "status_code", None) or 200,
    )
