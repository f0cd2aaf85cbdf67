"""Config sections: inputs, filters and outputs that a project keeps for itself and lends to any of its pipelines."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import Row, delete, insert, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.fluentbit.document import ConfigError, Format
from nectary.resources import config_texts, pipeline_text, uses
from nectary.shape import Created, Page, Patch, Says, Shape, Time, Updated

sections, sets, pipelines = tables.config_sections, tables.pipeline_config_sections, tables.pipelines

MOST_IN_A_SET = 50

_REFUSAL = "unsupported config section"
Scalar = bool | int | float | str


def _plain(value: Any) -> Any:
    """A scalar or a list of texts, whatever JSON was sent: numbers in a list become texts, null an empty one."""
    if value is None:
        return ""
    if isinstance(value, list):
        return [text for item in value for text in pipeline_text.texts(item)]
    return value


class Property(Shape):
    key: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]
    value: Annotated[Scalar | list[str], BeforeValidator(_plain)]


Properties = Annotated[list[Property], Field(max_length=1000), Says(_REFUSAL)]
Kind = Annotated[Literal["input", "filter", "output", "service"], Says("invalid config section kind")]


class ConfigSection(Shape):
    id: UUID
    project_id: UUID
    processing_rule_id: UUID | None
    kind: str
    properties: list[Property]
    created_at: Time
    updated_at: Time


class NewConfigSection(Shape):
    kind: Kind
    properties: Properties = []
    skip_config_validation: bool | None = None


class ConfigSectionPatch(Patch):
    properties: Properties | None = None
    skip_config_validation: bool | None = None


def require_sound(kind: str, properties: Sequence[Property]) -> None:
    """A section alone must be one that Fluent Bit takes: a plugin of that kind, with options it knows. Raises Invalid."""
    given = [{"key": one.key, "value": one.value} for one in properties]
    if kind != "service" and not any(one.key.lower() == "name" for one in properties):
        raise Invalid(_REFUSAL, "it needs a property `name`")
    try:
        text = pipeline_text.rendered("", Format.YAML, [(kind, given)])  # the format that holds any text
    except ConfigError as error:
        raise Invalid(_REFUSAL, error.problems[0].message) from None
    config_texts.require_sound(text, Format.YAML, _REFUSAL, product=True)


async def create(tx: WriteTx, project_id: UUID, new: NewConfigSection, *, processing_rule_id: UUID | None = None) -> Created:
    if not new.skip_config_validation:
        require_sound(new.kind, new.properties)
    row = await statements.add(
        tx,
        sections,
        project_id=project_id,
        processing_rule_id=processing_rule_id,
        kind=new.kind,
        properties=[one.model_dump(mode="json") for one in new.properties],
    )
    return Created.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> ConfigSection:
    return ConfigSection.model_validate(await statements.get(tx, caller, sections, id))


async def of_project(
    tx: ReadTx, caller: Caller, *, include_processing_rules: bool, last: int, before: Place | None
) -> Page[ConfigSection]:
    query = select(sections).where(statements.visible(sections, caller))
    if not include_processing_rules:
        query = query.where(sections.c.processing_rule_id.is_(None))
    return await statements.page(tx, query, sections, ConfigSection.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: ConfigSectionPatch) -> Updated:
    row = await statements.get(tx, caller, sections, id)
    uses.require_made_by_hand(row)
    if patch.properties is None:
        return Updated.model_validate(await statements.change(tx, caller, sections, id, kind=row.kind))
    if not patch.skip_config_validation:
        require_sound(row.kind, patch.properties)
    properties = [one.model_dump(mode="json") for one in patch.properties]
    await _touch_users(tx, id)
    return Updated.model_validate(await statements.change(tx, caller, sections, id, properties=properties))


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    """Deleting what is not there succeeds, as the original was seen to do."""
    row = await statements.find(tx, caller, sections, id)
    tx.idle = row is None
    if row is not None:
        uses.require_made_by_hand(row)
        await _touch_users(tx, id)
        await statements.remove(tx, caller, sections, id)


async def _touch_users(tx: WriteTx, id: UUID) -> None:
    """The pipelines that a section is lent to are about to be others."""
    users = select(sets.c.pipeline_id).where(sets.c.config_section_id == id)
    await tx.execute(update(pipelines).where(pipelines.c.id.in_(users)).values(updated_at=clock.now()))


# -- Sets: the sections lent to one pipeline --------------------------------------------------------------------------------


async def set_of(tx: WriteTx, caller: Caller, pipeline_id: UUID, ids: Sequence[UUID]) -> None:
    """Lend a pipeline these sections, in this order, and no others. Those of its processing rules are not the caller's to take
    away, and stay."""
    await statements.get(tx, caller, pipelines, pipeline_id)
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MOST_IN_A_SET:
        raise Invalid("config section set size overflow", f"at most {MOST_IN_A_SET}")
    mine = select(sections.c.id).where(statements.visible(sections, caller), sections.c.id.in_(wanted))
    if len((await tx.execute(mine)).all()) < len(wanted):
        raise statements.not_found(sections)
    rule_ids = select(tables.processing_rules.c.id).where(tables.processing_rules.c.pipeline_id == pipeline_id)
    generated = select(sections.c.id).where(sections.c.processing_rule_id.in_(rule_ids)).order_by(sections.c.created_at)
    kept = [id for id in (await tx.execute(generated)).scalars() if id not in wanted]
    await tx.execute(delete(sets).where(sets.c.pipeline_id == pipeline_id))
    rows = [
        {"pipeline_id": pipeline_id, "config_section_id": id, "position": position}
        for position, id in enumerate([*wanted, *kept])
    ]
    if rows:
        await tx.execute(insert(sets), rows)
    await touch(tx, pipeline_id)


async def lend(tx: WriteTx, pipeline_id: UUID, id: UUID) -> None:
    """Add one section to a pipeline's set, as its last."""
    positions = select(sets.c.position).where(sets.c.pipeline_id == pipeline_id).order_by(sets.c.position.desc()).limit(1)
    last = (await tx.execute(positions)).scalar_one_or_none()
    await tx.execute(
        insert(sets).values(pipeline_id=pipeline_id, config_section_id=id, position=0 if last is None else last + 1)
    )
    await touch(tx, pipeline_id)


async def touch(tx: WriteTx, pipeline_id: UUID) -> None:
    """A pipeline with another set is another pipeline: its core instance must see so."""
    await tx.execute(update(pipelines).where(pipelines.c.id == pipeline_id).values(updated_at=clock.now()))


async def of_pipelines(tx: ReadTx, pipeline_ids: Sequence[UUID]) -> dict[UUID, list[ConfigSection]]:
    """The set of each of these pipelines, in its order, in one query."""
    query = select(sections, sets.c.pipeline_id).join(sets, sets.c.config_section_id == sections.c.id)
    query = query.where(sets.c.pipeline_id.in_(pipeline_ids)).order_by(sets.c.position)
    found: dict[UUID, list[ConfigSection]] = {id: [] for id in pipeline_ids}
    rows: Sequence[Row[Any]] = (await tx.execute(query)).all()
    for row in rows:
        found[row.pipeline_id].append(ConfigSection.model_validate(row))
    return found
