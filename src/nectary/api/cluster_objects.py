"""Cluster objects, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import ClusterObjectID, CoreInstanceID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.resources import cluster_objects
from nectary.resources.cluster_objects import ClusterObject, ClusterObjectPatch, NewClusterObject
from nectary.shape import Created, Updated

router = APIRouter(tags=["cluster_object"], route_class=Route)


@router.post("/v1/core_instances/{coreInstanceID}/cluster_objects", operation_id="createClusterObject", status_code=201)
async def create_cluster_object(
    core_instance_id: CoreInstanceID,
    new: NewClusterObject,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Created:
    """Report a namespace of the core instance's cluster."""
    return Created.model_validate(await cluster_objects.create(tx, caller, core_instance_id, new))


@router.get("/v1/core_instances/{coreInstanceID}/cluster_objects", operation_id="clusterObjects")
async def list_cluster_objects(
    core_instance_id: CoreInstanceID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
    kind: Annotated[str | None, Query(json_schema_extra={"enum": ["namespace"]})] = None,
    name: Annotated[str | None, Query()] = None,
) -> Sequence[ClusterObject]:
    """What a core instance found in its cluster, newest first."""
    if kind not in (None, "", "namespace"):
        raise Invalid("invalid cluster object kind", f"{kind[:60]!r} is not namespace")
    page = await cluster_objects.of_core_instance(
        tx, caller, core_instance_id, kind=kind, name=name, last=window.last, before=window.before
    )
    return window.of(page)


# Unpublished, and called by the Go client.
@router.get("/v1/cluster_objects/{clusterObjectID}", operation_id="clusterObject")
async def get_cluster_object(
    id: ClusterObjectID,
    caller: Annotated[Caller, may("read:*", tables.cluster_objects, at="clusterObjectID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> ClusterObject:
    """One cluster object."""
    return await cluster_objects.get(tx, caller, id)


@router.patch("/v1/cluster_objects/{clusterObjectID}", operation_id="updateClusterObject")
async def update_cluster_object(
    id: ClusterObjectID,
    patch: ClusterObjectPatch,
    caller: Annotated[Caller, may("update:*", tables.cluster_objects, at="clusterObjectID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Updated:
    """Change a cluster object."""
    return Updated.model_validate(await cluster_objects.change(tx, caller, id, patch))


# 200 with an empty body: the published contract has it so.
@router.delete("/v1/cluster_objects/{clusterObjectID}", operation_id="deleteClusterObject", response_class=Response)
async def delete_cluster_object(
    id: ClusterObjectID,
    caller: Annotated[Caller, may("delete:*", tables.cluster_objects, at="clusterObjectID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Delete a cluster object; pipelines are no longer narrowed to it."""
    await cluster_objects.remove(tx, caller, id)
