"""Core instances' secrets, as the published API asks for them."""

from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import CoreInstanceID, CoreInstanceSecretID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import secrets
from nectary.resources.secrets import CORE_INSTANCES, CoreInstanceSecret, NewSecret, SecretPatch
from nectary.shape import Created, Deleted, Listing, Updated

router = APIRouter(tags=["core_instance_secret"], route_class=Route)


@router.post("/v1/core_instances/{coreInstanceID}/secrets", operation_id="createCoreInstanceSecret", status_code=201)
async def create_core_instance_secret(
    core_instance_id: CoreInstanceID,
    new: NewSecret,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="coreInstanceID")],
    tx: WriteTx,
    settings: Configured,
) -> Created:
    """Give all pipelines of a core instance a secret."""
    return Created.model_validate(await secrets.create(tx, caller, CORE_INSTANCES, core_instance_id, new, settings))


@router.get("/v1/core_instances/{coreInstanceID}/secrets", operation_id="coreInstanceSecrets")
async def list_core_instance_secrets(
    core_instance_id: CoreInstanceID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Listing[CoreInstanceSecret]:
    """A core instance's secrets, newest first."""
    page = await secrets.of_owner(
        tx, caller, CORE_INSTANCES, core_instance_id, last=window.last, before=window.before, counted=True
    )
    return window.listing(page)


@router.patch("/v1/core_instance_secrets/{coreInstanceSecretID}", operation_id="updateCoreInstanceSecret")
async def update_core_instance_secret(
    id: CoreInstanceSecretID,
    patch: SecretPatch,
    caller: Annotated[Caller, may("update:*", tables.core_instance_secrets, at="coreInstanceSecretID")],
    tx: WriteTx,
    settings: Configured,
) -> Updated:
    """Change a secret."""
    return Updated.model_validate(await secrets.change(tx, caller, CORE_INSTANCES, id, patch, settings))


@router.delete("/v1/core_instance_secrets/{coreInstanceSecretID}", operation_id="deleteCoreInstanceSecret")
async def delete_core_instance_secret(
    id: CoreInstanceSecretID,
    caller: Annotated[Caller, may("delete:*", tables.core_instance_secrets, at="coreInstanceSecretID")],
    tx: WriteTx,
) -> Deleted:
    """Delete a secret."""
    await secrets.remove(tx, caller, CORE_INSTANCES, id)
    return Deleted(deleted=True, deleted_at=clock.now())
