"""Fleets, as the published API asks for them. Agents' own polls come in through agent_api/fleet_config.py."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.edge import context, fleet_answers
from nectary.edge.callers import Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import FleetID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.fluentbit.document import Format
from nectary.resources import agent_errors, fleet_configs, fleet_statuses, fleets
from nectary.resources.agent_errors import AgentError
from nectary.resources.fleet_statuses import MemberStatus
from nectary.resources.fleets import Fleet, FleetPatch, FleetsStatus, NewFleet
from nectary.shape import Created, Deleted, Updated

router = APIRouter(tags=["fleet"], route_class=Route)

Creator = Annotated[Caller, may("create:*", tables.projects)]
InProject = Annotated[Caller, may("read:*", tables.projects)]
Reader = Annotated[Caller, may("read:*", tables.fleets)]


async def _silent_after(request: Request) -> timedelta:
    return timedelta(seconds=context.of(request).settings.agent_silent_after)


SilentAfter = Annotated[timedelta, Depends(_silent_after)]
_FORMATS = {"enum": ["classic", "json", "yaml"]}
ConfigFormat = Annotated[
    str | None,
    Query(
        description="Format to write configs in; none: as they were given. `ini` means `classic`.", json_schema_extra=_FORMATS
    ),
]


@router.post("/v1/projects/{projectID}/fleets", operation_id="createFleet", status_code=201)
async def create_fleet(new: NewFleet, caller: Creator, tx: WriteTx, settings: Configured) -> Created:
    """Make a fleet. Its config is checked, unless told otherwise, against the Fluent Bit version the fleet names."""
    return Created.model_validate(await fleets.create(tx, caller, new, settings))


@router.get("/v1/projects/{projectID}/fleets", operation_id="fleets")
async def list_fleets(
    window: AskedFor,
    caller: InProject,
    tx: ReadTx,
    silent_after: SilentAfter,
    name: Annotated[str | None, Query(description="Only the fleet of this name.", max_length=32)] = None,
    tags_query: Annotated[str | None, Query(description="Tags joined by ` AND `; all must be there.")] = None,
    config_format: ConfigFormat = None,
) -> Sequence[Fleet]:
    """The project's fleets, newest first, with how many agents each has."""
    page = await fleets.of_project(
        tx,
        caller,
        name=name,
        tags_query=tags_query,
        to=config_format,
        last=window.last,
        before=window.before,
        silent_after=silent_after,
    )
    return window.of(page)


@router.get("/v1/projects/{projectID}/fleets/status", operation_id="fleetsstatus")
async def fleets_status(caller: InProject, tx: ReadTx, silent_after: SilentAfter) -> FleetsStatus:
    """How the agents of all the project's fleets are doing."""
    return await fleet_statuses.of_fleets(tx, caller, None, silent_after=silent_after)


@router.get("/v1/fleets/{fleetID}", operation_id="fleet")
async def get_fleet(
    fleet_id: FleetID, caller: Reader, tx: ReadTx, silent_after: SilentAfter, config_format: ConfigFormat = None
) -> Fleet:
    """One fleet, with its config as it was given and how many agents it has."""
    return await fleets.get(tx, caller, fleet_id, to=config_format, silent_after=silent_after)


@router.patch("/v1/fleets/{fleetID}", operation_id="updateFleet")
async def update_fleet(
    fleet_id: FleetID,
    patch: FleetPatch,
    caller: Annotated[Caller, may("update:*", tables.fleets)],
    tx: WriteTx,
    settings: Configured,
) -> Updated:
    """Change a fleet. When text or format of its config change, its agents fetch and load it within their poll interval."""
    return Updated(updated_at=await fleets.change(tx, caller, fleet_id, patch, settings))


@router.delete("/v1/fleets/{fleetID}", operation_id="deleteFleet")
async def delete_fleet(fleet_id: FleetID, caller: Annotated[Caller, may("delete:*", tables.fleets)], tx: WriteTx) -> Deleted:
    """Delete a fleet with its files. Its agents stay, in no fleet, and keep running what they have."""
    await fleets.delete(tx, caller, fleet_id)
    return Deleted(deleted=True, deleted_at=clock.now())


@router.get("/v1/fleets/{fleetID}/status", operation_id="fleetstatus")
async def fleet_status(fleet_id: FleetID, caller: Reader, tx: ReadTx, silent_after: SilentAfter) -> FleetsStatus:
    """How the fleet's agents are doing: each is healthy, in progress (its config is older than the fleet's) or unhealthy."""
    return await fleet_statuses.of_fleets(tx, caller, fleet_id, silent_after=silent_after)


@router.get("/v1/fleets/{fleetID}/stragglers", operation_id="fleetStragglers")
async def list_stragglers(fleet_id: FleetID, window: AskedFor, caller: Reader, tx: ReadTx) -> Sequence[MemberStatus]:
    """The fleet's agents that do not run what they should, newest first, and how far each has come."""
    return window.of(await fleet_statuses.stragglers(tx, caller, fleet_id, last=window.last, before=window.before))


_CONFIG: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The config.",
        "headers": {"Last-Modified": {"description": "Its version.", "schema": {"type": "string"}}},
        "content": {
            kind: {"schema": {"type": "string" if format is Format.CLASSIC else "object"}}
            for format, kind in fleet_answers.TYPES.items()
        },
    }
}


@router.get("/v1/fleets/{fleetID}/config", operation_id="fleetConfig", response_class=Response, responses=_CONFIG)
async def get_fleet_config(
    fleet_id: FleetID,
    caller: Reader,
    tx: ReadTx,
    config_format: ConfigFormat = None,
    format: Annotated[
        str | None, Query(description="The older name of `config_format`.", deprecated=True, json_schema_extra=_FORMATS)
    ] = None,
) -> Response:
    """What the fleet's agents get: its newest config, with `hot_reload on` where it says nothing of it, and its version as
    Last-Modified."""
    published = await fleet_configs.load(tx, fleet_id)
    if published is None or published.project_id != caller.project_id:
        raise statements.not_found(tables.fleets)
    given, config = published.to(None)
    to = fleet_answers.format_asked(config_format, format, config.format)
    return fleet_answers.config(config, given.version, to).response()


@router.get("/v1/fleets/{fleetID}/agent_errors", operation_id="fleetAgentErrors", tags=["agent_error"])
async def list_fleet_agent_errors(
    fleet_id: FleetID,
    window: AskedFor,
    caller: Reader,
    tx: ReadTx,
    dismissed: Annotated[bool | None, Query(description="Only dismissed ones, or only those that stand; none: both.")] = None,
) -> Sequence[AgentError]:
    """The errors of all the fleet's agents, newest first."""
    page = await agent_errors.of_fleet(tx, caller, fleet_id, dismissed=dismissed, last=window.last, before=window.before)
    return window.of(page)
