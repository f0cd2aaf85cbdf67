"""Processing rules of the first version: actions on a pipeline's records, kept as a Lua file and a section that runs it."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, ScalarSelect, Select, Table, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.fluentbit.processing import ActionError, Materialised, materialise, read_action_rule
from nectary.fluentbit.processing.actions import KINDS
from nectary.resources import config_sections
from nectary.resources.config_sections import NewConfigSection, Property
from nectary.shape import Page, Patch, Says, Shape, Time, Updated

rules, pipelines = tables.processing_rules, tables.pipelines
_files, _sections = tables.pipeline_files, tables.config_sections

_Match = Annotated[str, Says("invalid processing rule match")]
_Language = Annotated[str, Says("invalid processing rule language"), Field(json_schema_extra={"enum": ["lua"]})]


class Selector(Shape):
    """Which keys an action is for."""

    kind: Annotated[str, Says("invalid processing rule action selector kind"), Field(json_schema_extra={"enum": ["key"]})] = ""
    op: Annotated[str, Says("invalid processing rule action selector op"), Field(json_schema_extra={"enum": ["equal"]})] = ""
    expr: Annotated[str, Says("invalid processing rule action selector expr")] = ""


class Attribute(Shape):
    key: str = ""
    value: str = ""


class Action(Shape):
    """One step on a record; what else it needs is named after its kind."""

    kind: Annotated[str, Says("invalid processing rule action kind"), Field(json_schema_extra={"enum": list(KINDS)})] = ""
    description: Annotated[str, Says("invalid processing rule action desc")] = ""
    enabled: bool = False
    selectors: Annotated[list[Selector], Field(max_length=1000)] = []
    add: Annotated[Attribute, Says("invalid processing rule action args")] | None = None
    rename_to: Annotated[str, Says("invalid processing rule action args")] | None = None
    copy_as: Annotated[str, Says("invalid processing rule action args")] | None = None
    mask_with: Annotated[str, Says("invalid processing rule action args")] | None = None


Actions = Annotated[list[Action], Field(max_length=1000)]


class ProcessingRule(Shape):
    id: UUID
    pipeline_id: UUID
    config_section_id: UUID
    file_id: UUID
    match: str
    is_match_regexp: bool
    language: str
    actions: list[Action]
    created_at: Time
    updated_at: Time


class NewProcessingRule(Shape):
    match: _Match = ""
    is_match_regexp: bool = False
    language: _Language = ""
    actions: Actions = []


class ProcessingRulePatch(Patch):
    match: _Match | None = None
    is_match_regexp: bool | None = None
    language: _Language | None = None
    actions: Actions | None = None


class CreatedProcessingRule(Shape):
    id: UUID
    config_section_id: UUID
    file_id: UUID
    created_at: Time


async def create(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewProcessingRule) -> CreatedProcessingRule:
    """A pipeline's one rule, with the file and the section it becomes. Raises Conflict when there is one already."""
    await statements.get(tx, caller, pipelines, pipeline_id)
    made = _materialised(new)
    rule = await statements.add(tx, rules, project_id=caller.project_id, pipeline_id=pipeline_id, **new.model_dump(mode="json"))
    file = await statements.add(
        tx,
        _files,
        project_id=caller.project_id,
        pipeline_id=pipeline_id,
        processing_rule_id=rule.id,
        name=made.file_name,
        contents=made.contents.encode(),
        encrypted=False,
    )
    section = await config_sections.create(
        tx,
        caller.project_id,
        NewConfigSection(kind="filter", properties=_properties(made), skip_config_validation=True),
        processing_rule_id=rule.id,
    )
    await config_sections.lend(tx, pipeline_id, section.id)
    return CreatedProcessingRule(id=rule.id, config_section_id=section.id, file_id=file.id, created_at=rule.created_at)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> ProcessingRule:
    return await _one(tx, _with_parts(caller).where(rules.c.id == id))


async def of_pipeline(tx: ReadTx, caller: Caller, pipeline_id: UUID) -> ProcessingRule:
    """The pipeline's one rule. Raises NotFound when it has none."""
    await statements.get(tx, caller, pipelines, pipeline_id)
    return await _one(tx, _with_parts(caller).where(rules.c.pipeline_id == pipeline_id))


async def page_of_pipeline(
    tx: ReadTx, caller: Caller, pipeline_id: UUID, *, last: int, before: Place | None
) -> Page[ProcessingRule]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = _with_parts(caller).where(rules.c.pipeline_id == pipeline_id)
    return await statements.page(tx, query, rules, ProcessingRule.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: ProcessingRulePatch) -> Updated:
    """Change a rule, and with it the file and the section it became."""
    rule = await get(tx, caller, id)
    given = {name: value for name, value in patch.model_dump(mode="json").items() if value is not None}
    after = NewProcessingRule.model_validate(rule.model_dump(include=set(NewProcessingRule.model_fields)) | given)
    made = _materialised(after)
    properties = [one.model_dump(mode="json") for one in _properties(made)]
    await statements.change(tx, caller, _files, rule.file_id, contents=made.contents.encode())
    await statements.change(tx, caller, _sections, rule.config_section_id, properties=properties)
    await config_sections.touch(tx, rule.pipeline_id)
    return Updated.model_validate(await statements.change(tx, caller, rules, id, **after.model_dump(mode="json")))


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    """Delete a rule with what it became. Deleting what is not there succeeds, as the original was seen to do."""
    row = await statements.find(tx, caller, rules, id)
    tx.idle = row is None
    if row is not None:
        await statements.remove(tx, caller, rules, id)
        await config_sections.touch(tx, row.pipeline_id)


def _materialised(rule: NewProcessingRule) -> Materialised:
    """Raises Invalid in the contract's words, with the index of the action at fault."""
    try:
        return materialise(read_action_rule(rule.model_dump(mode="json", by_alias=True)))
    except ActionError as error:
        raise Invalid(error.sentence, index=error.index) from None


def _properties(made: Materialised) -> list[Property]:
    return [Property(key=key, value=value) for key, value in made.properties]


def _with_parts(caller: Caller) -> Select[Any]:
    parts = (_part(_sections).label("config_section_id"), _part(_files).label("file_id"))
    return select(rules, *parts).where(statements.visible(rules, caller))


def _part(table: Table) -> ScalarSelect[Any]:
    return select(table.c.id).where(table.c.processing_rule_id == rules.c.id).correlate(rules).limit(1).scalar_subquery()


async def _one(tx: ReadTx, query: Select[Any]) -> ProcessingRule:
    row: Row[Any] | None = (await tx.execute(query)).one_or_none()
    if row is None:
        raise statements.not_found(rules)
    return ProcessingRule.model_validate(row)
