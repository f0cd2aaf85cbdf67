"""Environments, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import EnvironmentID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import environments
from nectary.resources.environments import Environment, EnvironmentPatch, NewEnvironment
from nectary.shape import Created

router = APIRouter(tags=["environment"], route_class=Route)


@router.get("/v1/projects/{projectID}/environments", operation_id="projectEnvironments")
async def list_environments(
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.projects)],
    tx: ReadTx,
    name: Annotated[str | None, Query()] = None,
) -> Sequence[Environment]:
    """The project's environments, newest first."""
    return window.of(await environments.of_project(tx, caller, name=name, last=window.last, before=window.before))


@router.post("/v1/projects/{projectID}/environments", operation_id="createEnvironment", status_code=201)
async def create_environment(
    new: NewEnvironment, caller: Annotated[Caller, may("create:*", tables.projects)], tx: WriteTx
) -> Created:
    """Make an environment; its name is one DNS label."""
    return Created.model_validate(await environments.create(tx, caller.project_id, new))


# 200 with an empty body, both: the published contract has them so.
@router.patch("/v1/environments/{environmentID}", operation_id="updateEnvironments", response_class=Response)
async def update_environment(
    environment_id: EnvironmentID,
    patch: EnvironmentPatch,
    caller: Annotated[Caller, may("update:*", tables.environments)],
    tx: WriteTx,
) -> None:
    """Rename an environment; `default` keeps its name."""
    await environments.change(tx, caller, environment_id, patch)


@router.delete("/v1/environments/{environmentID}", operation_id="deleteEnvironment", response_class=Response)
async def delete_environment(
    environment_id: EnvironmentID, caller: Annotated[Caller, may("delete:*", tables.environments, denies=True)], tx: WriteTx
) -> None:
    """Delete an environment that nothing stands in. One that is not there is 403: the original was seen to answer so."""
    await environments.delete(tx, caller, environment_id)
