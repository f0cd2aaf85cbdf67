"""Projects, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import PEOPLE, Route, SignedInPerson, may
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import projects
from nectary.resources.projects import CreatedProject, NewProject, Project, ProjectPatch
from nectary.shape import Deleted

router = APIRouter(tags=["project"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.projects)]
Writer = Annotated[Caller, may("update:*", tables.projects)]
Deleter = Annotated[Caller, may("delete:*", tables.projects, by=PEOPLE)]


@router.post("/v1/projects", operation_id="createProject", status_code=201)
async def create_project(new: NewProject, person: SignedInPerson, tx: WriteTx) -> CreatedProject:
    """Make a project of your own, with a first token and environment, both called `default`."""
    return await projects.create(tx, person.id, new)


@router.get("/v1/projects", operation_id="projects", response_model_exclude_none=True)
async def list_projects(
    window: AskedFor, person: SignedInPerson, tx: ReadTx, name: Annotated[str | None, Query()] = None
) -> Sequence[Project]:
    """The projects you are a member of, newest first."""
    return window.of(await projects.of_person(tx, person, name=name, last=window.last, before=window.before))


@router.get("/v1/projects/{projectID}", operation_id="project", response_model_exclude_none=True)
async def get_project(caller: Reader, tx: ReadTx) -> Project:
    """One project, with how much is in it."""
    return await projects.get(tx, caller)


@router.patch("/v1/projects/{projectID}", operation_id="updateProject", status_code=204)
async def update_project(patch: ProjectPatch, caller: Writer, tx: WriteTx) -> None:
    """Rename a project, or set and unset its settings."""
    await projects.change(tx, caller, patch)


@router.delete("/v1/projects/{projectID}", operation_id="deleteProject")
async def delete_project(caller: Deleter, tx: WriteTx) -> Deleted:
    """Delete a project and everything in it; only its creator may."""
    await projects.remove(tx, caller)
    return Deleted(deleted=True, deleted_at=clock.now())
