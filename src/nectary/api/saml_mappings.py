"""SAML mappings, as the published API asks for them."""

from typing import Annotated

from fastapi import APIRouter

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import SamlMappingID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import saml_mappings
from nectary.resources.saml_mappings import NewSamlMapping, SamlMapping, SamlMappingPatch
from nectary.shape import Created, Deleted, Listing, Updated

router = APIRouter(tags=["saml_mapping"], route_class=Route)


@router.get("/v1/projects/{projectID}/saml_mappings", operation_id="samlMappings")
async def list_saml_mappings(
    window: AskedFor, caller: Annotated[Caller, may("read:*", tables.projects)], tx: ReadTx
) -> Listing[SamlMapping]:
    """The project's mappings, newest first."""
    return window.listing(await saml_mappings.of_project(tx, caller, last=window.last, before=window.before))


@router.post("/v1/projects/{projectID}/saml_mappings", operation_id="createSAMLMapping", status_code=201)
async def create_saml_mapping(
    new: NewSamlMapping, caller: Annotated[Caller, may("create:*", tables.projects)], tx: WriteTx
) -> Created:
    """Give everybody with a claim a role in the project."""
    return Created.model_validate(await saml_mappings.create(tx, caller, new))


@router.patch("/v1/saml_mappings/{id}", operation_id="updateSAMLMapping")
async def update_saml_mapping(
    id: SamlMappingID,
    patch: SamlMappingPatch,
    caller: Annotated[Caller, may("update:*", tables.saml_mappings, at="id")],
    tx: WriteTx,
) -> Updated:
    """Change a mapping."""
    return Updated.model_validate(await saml_mappings.change(tx, caller, id, patch))


@router.delete("/v1/saml_mappings/{id}", operation_id="deleteSAMLMapping")
async def delete_saml_mapping(
    id: SamlMappingID, caller: Annotated[Caller, may("delete:*", tables.saml_mappings, at="id")], tx: WriteTx
) -> Deleted:
    """Delete a mapping."""
    await saml_mappings.remove(tx, caller, id)
    return Deleted(deleted=True, deleted_at=clock.now())
