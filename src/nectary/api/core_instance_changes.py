"""Changes that a core instance waits for, so that it need not ask every second."""

import asyncio
import contextlib
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request

from nectary.caller import Caller
from nectary.db import cursors, tables
from nectary.edge import context
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import CoreInstanceID
from nectary.resources import core_instance_changes
from nectary.resources.core_instance_changes import CoreInstanceChanges, cursor

router = APIRouter(tags=["core_instance"], route_class=Route)

_LONGEST = 55  # seconds: proxies give up on an answer after a minute
_LOOK_AGAIN = 1.0


@router.get("/v1/core_instances/{coreInstanceID}/changes", operation_id="coreInstanceChanges")
async def wait_for_changes(
    core_instance_id: CoreInstanceID,  # noqa: ARG001 - the guard looked it up
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    request: Request,
    after: Annotated[str | None, Query(description="The last cursor; none: answers at once with the first.")] = None,
    wait: Annotated[int, Query(ge=0, le=_LONGEST, description="Seconds to wait for a change before saying there is none.")] = 0,
) -> CoreInstanceChanges:
    """Wait until something changes in the project that may concern what the core instance runs. Looks no transaction open
    meanwhile, and asking costs the database one short question a second."""
    here = context.of(request)
    if after is None:
        async with here.database.read() as tx:
            return CoreInstanceChanges(cursor=cursor(await core_instance_changes.newest(tx, caller)), changed=True)
    place = cursors.decode(after) if after else None
    until = time.monotonic() + wait
    while True:
        async with here.database.read() as tx:
            changed, place = await core_instance_changes.since(tx, caller, place)
        if changed or time.monotonic() >= until or here.stopping.is_set():
            return CoreInstanceChanges(cursor=cursor(place), changed=changed)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN):
                await here.stopping.wait()
