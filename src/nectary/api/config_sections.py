"""Config sections and the sets of them that pipelines use, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import ConfigSectionID, PipelineID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import config_sections
from nectary.resources.config_sections import ConfigSection, ConfigSectionPatch, NewConfigSection
from nectary.shape import Created, Says, Updated

router = APIRouter(tags=["config_section"], route_class=Route)


@router.post("/v1/projects/{projectID}/config_sections", operation_id="createConfigSection", status_code=201)
async def create_config_section(
    new: NewConfigSection, caller: Annotated[Caller, may("create:*", tables.projects)], tx: WriteTx
) -> Created:
    """Keep an input, filter or output that any pipeline of the project can be given."""
    return await config_sections.create(tx, caller.project_id, new)


@router.get("/v1/projects/{projectID}/config_sections", operation_id="configSections")
async def list_config_sections(
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.projects)],
    tx: ReadTx,
    include_processing_rules: Annotated[bool, Query(description="Also those that processing rules were turned into.")] = False,
) -> Sequence[ConfigSection]:
    """The project's config sections, newest first."""
    page = await config_sections.of_project(
        tx, caller, include_processing_rules=include_processing_rules, last=window.last, before=window.before
    )
    return window.of(page)


@router.get("/v1/config_sections/{configSectionID}", operation_id="configSection")
async def get_config_section(
    section_id: ConfigSectionID, caller: Annotated[Caller, may("read:*", tables.config_sections)], tx: ReadTx
) -> ConfigSection:
    """One config section."""
    return await config_sections.get(tx, caller, section_id)


@router.patch("/v1/config_sections/{configSectionID}", operation_id="updateConfigSection")
async def update_config_section(
    section_id: ConfigSectionID,
    patch: ConfigSectionPatch,
    caller: Annotated[Caller, may("update:*", tables.config_sections)],
    tx: WriteTx,
) -> Updated:
    """Give a config section other properties; every pipeline that uses it follows."""
    return await config_sections.change(tx, caller, section_id, patch)


# 204 also when there was none: the original was seen to do so. A section of another project counts as none.
@router.delete("/v1/config_sections/{configSectionID}", operation_id="deleteConfigSection", status_code=204)
async def delete_config_section(
    section_id: ConfigSectionID, caller: Annotated[Caller, may("delete:*", tables.config_sections, absent=True)], tx: WriteTx
) -> None:
    """Delete a config section; pipelines that used it go on without."""
    await config_sections.remove(tx, caller, section_id)


# The body is a bare array, and Go clients send `null` for an empty one.
@router.patch(
    "/v1/pipelines/{pipelineID}/config_section_set",
    operation_id="updateConfigSectionSet",
    status_code=204,
    response_class=Response,
)
async def update_config_section_set(
    pipeline_id: PipelineID,
    ids: Annotated[list[Annotated[UUID, Says("invalid config section ID")]] | None, Body()],
    caller: Annotated[Caller, may("update:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Give a pipeline exactly these config sections, in this order; none takes all away."""
    await config_sections.set_of(tx, caller, pipeline_id, ids or [])
