"""Sidecars: containers that run beside a pipeline's own in each of its pods."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.resources.kubernetes import (
    ContainerPort,
    EnvVar,
    Lifecycle,
    Probe,
    ResourceRequirements,
    Volume,
    VolumeMount,
    as_sent,
)
from nectary.resources.names import IMAGE, LABEL
from nectary.shape import Created, Page, Says, Shape, Time, Updated

sidecars, pipelines = tables.sidecars, tables.pipelines

Name = Annotated[str, StringConstraints(pattern=LABEL)]
Image = Annotated[str, StringConstraints(pattern=IMAGE, max_length=1024), Says("invalid docker image")]
_Words = Annotated[list[Annotated[str, StringConstraints(max_length=64 * 1024)]], Field(max_length=1000)]


class Container(Shape):
    """All of a container but its name and image."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    command: _Words | None = None
    args: _Words | None = None
    env: Annotated[list[EnvVar], Field(max_length=1000)] | None = None
    resources: ResourceRequirements | None = None
    ports: Annotated[list[ContainerPort], Field(max_length=1000)] | None = None
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=1000)] | None = None
    volumes: Annotated[list[Volume], Field(max_length=1000)] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None

    def sent(self) -> dict[str, Any]:
        return as_sent(Container.model_validate({name: getattr(self, name) for name in Container.model_fields}))


class NewSidecar(Container):
    name: Name
    image: Image


class SidecarPatch(Container):
    """The contract demands a name here; those who leave it out keep the old one."""

    name: Name | None = None
    image: Image | None = None


class Sidecar(Container):
    """What was never set is left out: much of it knows no null."""

    id: UUID
    pipeline_id: UUID
    name: str
    image: str
    created_at: Time
    updated_at: Time


def _shape(row: Row[Any]) -> Sidecar:
    return Sidecar.model_validate({**row._mapping, **row.container})


async def create(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewSidecar) -> Created:
    await statements.get(tx, caller, pipelines, pipeline_id)
    row = await statements.add(
        tx,
        sidecars,
        project_id=caller.project_id,
        pipeline_id=pipeline_id,
        name=new.name,
        image=new.image,
        container=new.sent(),
    )
    return Created.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> Sidecar:
    return _shape(await statements.get(tx, caller, sidecars, id))


async def of_pipeline(tx: ReadTx, caller: Caller, pipeline_id: UUID, *, last: int, before: Place | None) -> Page[Sidecar]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = select(sidecars).where(statements.visible(sidecars, caller), sidecars.c.pipeline_id == pipeline_id)
    return await statements.page(tx, query, sidecars, _shape, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: SidecarPatch) -> Updated:
    before = await statements.get(tx, caller, sidecars, id)
    row = await statements.change(
        tx,
        caller,
        sidecars,
        id,
        name=patch.name or before.name,
        image=patch.image or before.image,
        container={**before.container, **patch.sent()},
    )
    return Updated.model_validate(row)


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> bool:
    """Whether there was one."""
    if await statements.find(tx, caller, sidecars, id) is None:
        return False
    await statements.remove(tx, caller, sidecars, id)
    return True
