"""Processing rule templates: rules a project keeps to start others from. Each API version has its own, and sees no other's."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import Row, Select, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.shape import Created, Page, Patch, Says, Shape, Time, Updated

templates = tables.processing_rule_templates

_BAD_DEFINITION = Says("invalid processing rule template definition")
_Text = Annotated[str, StringConstraints(min_length=1)]

NameV1 = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=30), Says("invalid processing rule template name")
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), Says("invalid processing rule template name")
]
PipelineVersion = Annotated[
    str,
    StringConstraints(pattern=r"^(v?\d+(\.\d+){0,2}([-+][0-9A-Za-z.+-]+)?)?$", max_length=64),
    Says("invalid processing rule template pipeline version"),
]
Input = Annotated[str, StringConstraints(max_length=1_048_576), Says("invalid processing rule template input")]


class DefinitionV1(Shape):
    """A Lua script, the tags it is for, and the function to call in it."""

    name: Literal["lua"] = "lua"
    match: _Text
    code: _Text
    call: _Text


class TemplateV1(Shape):
    id: UUID
    project_id: UUID
    name: str
    definition: DefinitionV1
    pipeline_version: str
    input: str
    is_raw_input: bool
    created_at: Time
    updated_at: Time


class NewTemplateV1(Shape):
    name: NameV1
    definition: Annotated[DefinitionV1, _BAD_DEFINITION]
    pipeline_version: PipelineVersion | None = None
    input: Input | None = None
    is_raw_input: bool = False


class TemplateV1Patch(Patch):
    name: NameV1 | None = None
    definition: Annotated[DefinitionV1, _BAD_DEFINITION] | None = None
    pipeline_version: PipelineVersion | None = None
    input: Input | None = None
    is_raw_input: bool | None = None


class StaticTemplateV1(Shape):
    """A template that comes with the product."""

    name: str
    definition: DefinitionV1


class Template(Shape):
    id: UUID
    project_id: UUID
    name: str
    pipeline_version: str | None
    definition: dict[str, Any]
    created_at: Time
    updated_at: Time


class NewTemplate(Shape):
    name: Name
    pipeline_version: PipelineVersion | None = None
    definition: Annotated[dict[str, Any], _BAD_DEFINITION]


class TemplatePatch(Patch):
    name: Name | None = None
    pipeline_version: PipelineVersion | None = None
    definition: Annotated[dict[str, Any], _BAD_DEFINITION] | None = None


def _shape_v1(row: Row[Any]) -> TemplateV1:
    # The contract has no nulls here.
    return TemplateV1.model_validate({**row._mapping, "pipeline_version": row.pipeline_version or "", "input": row.input or ""})


async def create(tx: WriteTx, caller: Caller, new: NewTemplateV1 | NewTemplate) -> Created:
    values = {"is_raw_input": False, "version": 1 if isinstance(new, NewTemplateV1) else 2, **new.model_dump()}
    return Created.model_validate(await statements.add(tx, templates, project_id=caller.project_id, **values))


async def get(tx: ReadTx, caller: Caller, id: UUID) -> Template:
    return Template.model_validate(await _get(tx, caller, id, 2))


async def of_project_v1(tx: ReadTx, caller: Caller, *, name: str | None, last: int, before: str | None) -> Page[TemplateV1]:
    place = await _place(tx, caller, before)
    query = _of(caller, 1, name)
    return await statements.page(tx, query, templates, _shape_v1, last=last, before=place, counted=True)


async def of_project(tx: ReadTx, caller: Caller, *, name: str | None, last: int, before: str | None) -> Page[Template]:
    place = await _place(tx, caller, before)
    query = _of(caller, 2, name)
    return await statements.page(tx, query, templates, Template.model_validate, last=last, before=place, counted=True)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: TemplateV1Patch | TemplatePatch) -> Updated:
    row = await _get(tx, caller, id, 1 if isinstance(patch, TemplateV1Patch) else 2)
    given = patch.changes()
    if isinstance(patch, TemplateV1Patch) and patch.definition is not None:
        given["definition"] = patch.definition.model_dump()
    # With its own name, if nothing else is given: a PATCH counts as an update whatever it says.
    return Updated.model_validate(await statements.change(tx, caller, templates, id, **({"name": row.name} | given)))


async def remove(tx: WriteTx, caller: Caller, id: UUID, *, version: int) -> None:
    await _get(tx, caller, id, version)
    await statements.remove(tx, caller, templates, id)


def _of(caller: Caller, version: int, name: str | None) -> Select[Any]:
    query = select(templates).where(statements.visible(templates, caller), templates.c.version == version)
    return query.where(templates.c.name == name) if name else query


async def _get(tx: ReadTx, caller: Caller, id: UUID, version: int) -> Row[Any]:
    row = await statements.get(tx, caller, templates, id)
    if row.version != version:
        raise statements.not_found(templates)
    return row


async def _place(tx: ReadTx, caller: Caller, before: str | None) -> Place | None:
    """Here a cursor is the id of the row it names: the contract has `endCursor` as a UUID. Raises Invalid("decode cursor")."""
    if not before:
        return None
    try:
        row = await statements.find(tx, caller, templates, UUID(before))
    except ValueError:
        row = None
    if row is None:
        raise Invalid("decode cursor", f"{before[:60]!r} is not a cursor this server gave, or what it named is gone")
    return row.created_at, row.id
