"""Resource profiles: what the pipelines of a core instance may use of its storage, processors and memory."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Forbidden, NotFound
from nectary.shape import Page, Patch, Says, Shape, Time

core_instances, resource_profiles, pipelines = tables.core_instances, tables.resource_profiles, tables.pipelines

DEFAULT = "best-effort-low-resource"

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), Says("invalid resource profile name")
]
_SPEC = Says("invalid resource profile spec")
Number = Annotated[int, Field(ge=0, lt=2**31), _SPEC]
Switch = Annotated[bool, _SPEC]
# As Kubernetes writes quantities: 500m, 256Mi, 1.5; the original was seen to take `30Mi` for processors, too.
Quantity = Annotated[
    str, StringConstraints(pattern=r"^([0-9]+(\.[0-9]+)?([eE][0-9]{1,3}|[A-Za-z]{1,2})?)?$", max_length=32), _SPEC
]


class ResourceProfile(Shape):
    id: UUID
    name: str
    storage_max_chunks_up: int
    storage_sync_full: bool
    storage_backlog_mem_limit: str
    storage_volume_size: str
    storage_max_chunks_pause: bool
    cpu_buffer_workers: int
    cpu_limit: str
    cpu_request: str
    memory_limit: str
    memory_request: str
    created_at: Time
    updated_at: Time


class NewResourceProfile(Shape):
    """What is left out is as in the profile `best-effort-low-resource`."""

    name: Name
    storage_max_chunks_up: Number = 128
    storage_sync_full: Switch = False
    storage_backlog_mem_limit: Quantity = "5M"
    storage_volume_size: Quantity = "256Mi"
    storage_max_chunks_pause: Switch = False
    cpu_buffer_workers: Number = 1
    cpu_limit: Quantity = "500m"
    cpu_request: Quantity = "100m"
    memory_limit: Quantity = "256Mi"
    memory_request: Quantity = "64Mi"


class ResourceProfilePatch(Patch):
    name: Name | None = None
    storage_max_chunks_up: Number | None = None
    storage_sync_full: Switch | None = None
    storage_backlog_mem_limit: Quantity | None = None
    storage_volume_size: Quantity | None = None
    storage_max_chunks_pause: Switch | None = None
    cpu_buffer_workers: Number | None = None
    cpu_limit: Quantity | None = None
    cpu_request: Quantity | None = None
    memory_limit: Quantity | None = None
    memory_request: Quantity | None = None


# Names and traits are the original's; its numbers are in no public source.
USUAL = (
    NewResourceProfile(
        name="high-performance-guaranteed-delivery",
        storage_max_chunks_up=256,
        storage_sync_full=True,
        storage_backlog_mem_limit="256M",
        storage_volume_size="1Gi",
        storage_max_chunks_pause=True,
        cpu_buffer_workers=2,
        cpu_limit="1000m",
        cpu_request="250m",
        memory_limit="1Gi",
        memory_request="256Mi",
    ),
    NewResourceProfile(
        name="high-performance-optimal-throughput",
        storage_max_chunks_up=512,
        storage_backlog_mem_limit="128M",
        cpu_buffer_workers=2,
        cpu_limit="1000m",
        cpu_request="250m",
        memory_limit="512Mi",
        memory_request="128Mi",
    ),
    NewResourceProfile(name=DEFAULT),
)


async def create_usual(tx: WriteTx, core_instance: Any) -> list[ResourceProfile]:
    """The three that every core instance begins with."""
    return [await _add(tx, core_instance.project_id, core_instance.id, new) for new in USUAL]


async def create(tx: WriteTx, caller: Caller, core_instance_id: UUID, new: NewResourceProfile) -> ResourceProfile:
    await statements.get(tx, caller, core_instances, core_instance_id)
    return await _add(tx, caller.project_id, core_instance_id, new)


async def _add(tx: WriteTx, project_id: UUID, core_instance_id: UUID, new: NewResourceProfile) -> ResourceProfile:
    row = await statements.add(
        tx, resource_profiles, project_id=project_id, core_instance_id=core_instance_id, **new.model_dump()
    )
    return ResourceProfile.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> ResourceProfile:
    return ResourceProfile.model_validate(await statements.get(tx, caller, resource_profiles, id))


async def named(tx: ReadTx, caller: Caller, core_instance_id: UUID, name: str) -> ResourceProfile:
    """The one of a core instance that pipelines call by this name; none called for is the default. Raises NotFound."""
    query = select(resource_profiles).where(
        statements.visible(resource_profiles, caller),
        resource_profiles.c.core_instance_id == core_instance_id,
        resource_profiles.c.name == (name or DEFAULT),
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound("resource profile not found", f"the core instance has none called {name[:60]!r}")
    return ResourceProfile.model_validate(row)


async def of_core_instance(
    tx: ReadTx, caller: Caller, core_instance_id: UUID, *, last: int, before: Place | None
) -> Page[ResourceProfile]:
    await statements.get(tx, caller, core_instances, core_instance_id)
    query = select(resource_profiles).where(
        statements.visible(resource_profiles, caller), resource_profiles.c.core_instance_id == core_instance_id
    )
    return await statements.page(tx, query, resource_profiles, ResourceProfile.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: ResourceProfilePatch) -> None:
    await statements.change(tx, caller, resource_profiles, id, **patch.changes())


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.get(tx, caller, resource_profiles, id)
    using = select(pipelines.c.name).where(pipelines.c.resource_profile_id == id).limit(1)
    if (name := (await tx.execute(using)).scalar_one_or_none()) is not None:
        raise Forbidden("resource profile still in use by pipelines", f"the pipeline {name!r} uses it")
    await statements.remove(tx, caller, resource_profiles, id)
