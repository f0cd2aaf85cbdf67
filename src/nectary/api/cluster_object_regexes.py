"""Cluster-object regexes of pipelines, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import ClusterObjectRegexID, PipelineID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import cluster_object_regexes
from nectary.resources.cluster_object_regexes import ClusterObjectRegex, ClusterObjectRegexPatch, NewClusterObjectRegex
from nectary.shape import Created, Shape, Updated

router = APIRouter(tags=["cluster_object_regex"], route_class=Route)


class ClusterObjectRegexes(Shape):
    """An object without `count`, unlike its kin: the published contract has it so."""

    items: Sequence[ClusterObjectRegex]
    end_cursor: str | None


@router.post("/v1/pipelines/{pipelineID}/cluster_object_regexes", operation_id="createClusterObjectRegex", status_code=201)
async def create_cluster_object_regex(
    pipeline_id: PipelineID,
    new: NewClusterObjectRegex,
    caller: Annotated[Caller, may("create:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Created:
    """Narrow a pipeline to cluster objects whose names match, whenever they come."""
    return await cluster_object_regexes.create(tx, caller, pipeline_id, new)


@router.get("/v1/pipelines/{pipelineID}/cluster_object_regexes", operation_id="clusterObjectRegexes")
async def list_cluster_object_regexes(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> ClusterObjectRegexes:
    """A pipeline's patterns, newest first, without what they match."""
    page = await cluster_object_regexes.of_pipeline(tx, caller, pipeline_id, last=window.last, before=window.before)
    return ClusterObjectRegexes(items=page.items, end_cursor=page.cursor)


@router.get("/v1/cluster_object_regexes/{regexID}", operation_id="clusterObjectRegex")
async def get_cluster_object_regex(
    regex_id: ClusterObjectRegexID,
    caller: Annotated[Caller, may("read:*", tables.cluster_object_regexes, at="regexID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> ClusterObjectRegex:
    """One pattern, with the cluster objects that match it now."""
    return await cluster_object_regexes.get(tx, caller, regex_id)


@router.patch("/v1/cluster_object_regexes/{regexID}", operation_id="updateClusterObjectRegex")
async def update_cluster_object_regex(
    regex_id: ClusterObjectRegexID,
    patch: ClusterObjectRegexPatch,
    caller: Annotated[Caller, may("update:*", tables.cluster_object_regexes, at="regexID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> Updated:
    """Change a pattern or what is said of it."""
    return await cluster_object_regexes.change(tx, caller, regex_id, patch)


@router.delete("/v1/cluster_object_regexes/{regexID}", operation_id="deleteClusterObjectRegex", status_code=204)
async def delete_cluster_object_regex(
    regex_id: ClusterObjectRegexID,
    caller: Annotated[Caller, may("delete:*", tables.cluster_object_regexes, at="regexID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Delete a pattern."""
    await cluster_object_regexes.remove(tx, caller, regex_id)
