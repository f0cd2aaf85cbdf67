"""Resource profiles, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import AggregatorID, ResourceProfileID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import resource_profiles
from nectary.resources.resource_profiles import NewResourceProfile, ResourceProfile, ResourceProfilePatch
from nectary.shape import Created

router = APIRouter(tags=["resource_profile"], route_class=Route)


@router.post("/v1/aggregators/{aggregatorID}/resource_profiles", operation_id="createResourceProfile", status_code=201)
async def create_resource_profile(
    aggregator_id: AggregatorID,
    new: NewResourceProfile,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="aggregatorID")],
    tx: WriteTx,
) -> Created:
    """Add a profile that pipelines of the core instance can name."""
    return Created.model_validate(await resource_profiles.create(tx, caller, aggregator_id, new))


@router.get("/v1/aggregators/{aggregatorID}/resource_profiles", operation_id="resourceProfiles")
async def list_resource_profiles(
    aggregator_id: AggregatorID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[ResourceProfile]:
    """A core instance's profiles, newest first; it begins with three."""
    return window.of(
        await resource_profiles.of_core_instance(tx, caller, aggregator_id, last=window.last, before=window.before)
    )


@router.get("/v1/resource_profiles/{resourceProfileID}", operation_id="resourceProfile")
async def get_resource_profile(
    id: ResourceProfileID,
    caller: Annotated[Caller, may("read:*", tables.resource_profiles, at="resourceProfileID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> ResourceProfile:
    """One resource profile."""
    return await resource_profiles.get(tx, caller, id)


@router.patch("/v1/resource_profiles/{resourceProfileID}", operation_id="updateResourceProfile", status_code=204)
async def update_resource_profile(
    id: ResourceProfileID,
    patch: ResourceProfilePatch,
    caller: Annotated[Caller, may("update:*", tables.resource_profiles, at="resourceProfileID")],
    tx: WriteTx,
) -> None:
    """Change a profile; pipelines that use it follow."""
    await resource_profiles.change(tx, caller, id, patch)


@router.delete("/v1/resource_profiles/{resourceProfileID}", operation_id="deleteResourceProfile", status_code=204)
async def delete_resource_profile(
    id: ResourceProfileID,
    caller: Annotated[Caller, may("delete:*", tables.resource_profiles, at="resourceProfileID")],
    tx: WriteTx,
) -> None:
    """Delete a profile that no pipeline uses."""
    await resource_profiles.remove(tx, caller, id)
