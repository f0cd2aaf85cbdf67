"""Cluster objects: the namespaces that a core instance finds in its cluster, for pipelines to be narrowed to."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.shape import Page, Patch, Says, Shape, Time

core_instances, cluster_objects = tables.core_instances, tables.cluster_objects

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# As Kubernetes names namespaces, and whatever else has a DNS name there.
Name = Annotated[
    str, StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253), Says("invalid cluster object name")
]
Kind = Annotated[Literal["namespace"], Says("invalid cluster object kind")]


class ClusterObject(Shape):
    id: UUID
    name: str
    kind: str
    created_at: Time
    updated_at: Time


class NewClusterObject(Shape):
    name: Name
    kind: Kind = "namespace"


class ClusterObjectPatch(Patch):
    name: Name | None = None
    kind: Kind | None = None


async def create(tx: WriteTx, caller: Caller, core_instance_id: UUID, new: NewClusterObject) -> ClusterObject:
    await statements.get(tx, caller, core_instances, core_instance_id)
    row = await statements.add(
        tx,
        cluster_objects,
        project_id=caller.project_id,
        core_instance_id=core_instance_id,
        name=new.name,
        kind=new.kind,
    )
    return ClusterObject.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> ClusterObject:
    return ClusterObject.model_validate(await statements.get(tx, caller, cluster_objects, id))


async def of_core_instance(
    tx: ReadTx, caller: Caller, core_instance_id: UUID, *, kind: str | None, name: str | None, last: int, before: Place | None
) -> Page[ClusterObject]:
    await statements.get(tx, caller, core_instances, core_instance_id)
    query = select(cluster_objects).where(
        statements.visible(cluster_objects, caller), cluster_objects.c.core_instance_id == core_instance_id
    )
    if kind:
        query = query.where(cluster_objects.c.kind == kind)
    if name:
        query = query.where(cluster_objects.c.name == name)
    return await statements.page(tx, query, cluster_objects, ClusterObject.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: ClusterObjectPatch) -> ClusterObject:
    return ClusterObject.model_validate(await statements.change(tx, caller, cluster_objects, id, **patch.changes()))


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, cluster_objects, id)
