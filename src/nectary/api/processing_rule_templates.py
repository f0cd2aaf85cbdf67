"""Processing rule templates, as both versions of the published API ask for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from nectary import clock
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import TemplateID
from nectary.edge.paging import MOST, USUAL
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.fluentbit.processing import STATIC_TEMPLATES
from nectary.resources import processing_rule_templates as templates
from nectary.resources.processing_rule_templates import (
    NewTemplate,
    NewTemplateV1,
    StaticTemplateV1,
    Template,
    TemplatePatch,
    TemplateV1,
    TemplateV1Patch,
)
from nectary.shape import Created, Deleted, Listing, Updated

router = APIRouter(tags=["processing_rule_template"], route_class=Route)

Creator = Annotated[Caller, may("create:*", tables.projects)]
InProject = Annotated[Caller, may("read:*", tables.projects)]
Reader = Annotated[Caller, may("read:*", tables.processing_rule_templates, at="templateID")]
Writer = Annotated[Caller, may("update:*", tables.processing_rule_templates, at="templateID")]
Deleter = Annotated[Caller, may("delete:*", tables.processing_rule_templates, at="templateID")]

Last = Annotated[int, Query(ge=0, description=f"How many rows, newest first; 0 or none: {USUAL}.")]
Before = Annotated[str | None, Query(description="Cursor of the row to continue after: its id.")]
Name = Annotated[str | None, Query(description="Only the template of this name.")]


class TemplatesV1(Listing[TemplateV1]):
    """A page of the project's templates, and those that come with the product."""

    static: Sequence[StaticTemplateV1]


def _window(last: int) -> int:
    return min(last or USUAL, MOST)


def _cursor(items: Sequence[TemplateV1 | Template]) -> str | None:
    """The contract has the cursor of these two lists as a UUID, so it is the last row's id."""
    return str(items[-1].id) if items else None


@router.post(
    "/v1/projects/{projectID}/processing_rule_templates",
    operation_id="createProcessingRuleTemplateV1",
    status_code=201,
    deprecated=True,
)
async def create_template_v1(new: NewTemplateV1, caller: Creator, tx: WriteTx) -> Created:
    """Keep a Lua script as a template."""
    return await templates.create(tx, caller, new)


@router.get("/v1/projects/{projectID}/processing_rule_templates", operation_id="processingRuleTemplatesV1", deprecated=True)
async def list_templates_v1(
    caller: InProject, tx: ReadTx, last: Last = 0, before: Before = None, name: Name = None
) -> TemplatesV1:
    """The project's Lua templates, newest first, and the ones that come with Nectary in `static`."""
    page = await templates.of_project_v1(tx, caller, name=name, last=_window(last), before=before)
    assert page.count is not None
    static = [StaticTemplateV1.model_validate(each) for each in STATIC_TEMPLATES]
    return TemplatesV1(items=page.items, end_cursor=_cursor(page.items), count=page.count, static=static)


@router.patch("/v1/processing_rule_templates/{templateID}", operation_id="updateProcessingRuleTemplateV1", deprecated=True)
async def update_template_v1(template_id: TemplateID, patch: TemplateV1Patch, caller: Writer, tx: WriteTx) -> Updated:
    """Change a Lua template."""
    return await templates.change(tx, caller, template_id, patch)


@router.delete("/v1/processing_rule_templates/{templateID}", operation_id="deleteProcessingRuleTemplateV1", deprecated=True)
async def delete_template_v1(template_id: TemplateID, caller: Deleter, tx: WriteTx) -> Deleted:
    """Delete a Lua template; rules made from it stay."""
    await templates.remove(tx, caller, template_id, version=1)
    return Deleted(deleted=True, deleted_at=clock.now())


@router.post("/v2/projects/{projectID}/processing_rule_templates", operation_id="createProcessingRuleTemplate", status_code=201)
async def create_template(new: NewTemplate, caller: Creator, tx: WriteTx) -> Created:
    """Keep a list of processing rules, or any other object, as a template."""
    return await templates.create(tx, caller, new)


@router.get("/v2/projects/{projectID}/processing_rule_templates", operation_id="processingRuleTemplates")
async def list_templates(
    caller: InProject, tx: ReadTx, name: Name = None, last: Last = 0, before: Before = None
) -> Listing[Template]:
    """The project's templates, newest first."""
    page = await templates.of_project(tx, caller, name=name, last=_window(last), before=before)
    assert page.count is not None
    return Listing(items=page.items, end_cursor=_cursor(page.items), count=page.count)


@router.get("/v2/processing_rule_templates/{templateID}", operation_id="processingRuleTemplate")
async def get_template(template_id: TemplateID, caller: Reader, tx: ReadTx) -> Template:
    """One template."""
    return await templates.get(tx, caller, template_id)


@router.patch("/v2/processing_rule_templates/{templateID}", operation_id="updateProcessingRuleTemplate")
async def update_template(template_id: TemplateID, patch: TemplatePatch, caller: Writer, tx: WriteTx) -> Updated:
    """Change a template."""
    return await templates.change(tx, caller, template_id, patch)


@router.delete("/v2/processing_rule_templates/{templateID}", operation_id="deleteProcessingRuleTemplate")
async def delete_template(template_id: TemplateID, caller: Deleter, tx: WriteTx) -> Deleted:
    """Delete a template; rules made from it stay."""
    await templates.remove(tx, caller, template_id, version=2)
    return Deleted(deleted=True, deleted_at=clock.now())
