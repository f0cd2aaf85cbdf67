"""What binds files and secrets to pipelines: the key they are sealed with, and the configuration that names them."""

import json
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, Table, select

from nectary.db import tables
from nectary.db.transaction import ReadTx
from nectary.errors import Conflict
from nectary.fluentbit.document import Format
from nectary.fluentbit.variables import TEMPLATE
from nectary.resources import pipeline_text

core_instances, pipelines, configs = tables.core_instances, tables.pipelines, tables.pipeline_configs
sections, attached = tables.config_sections, tables.pipeline_config_sections

Kind = Literal["files", "secrets"]


async def key_of(tx: ReadTx, owners: Table, owner: Row[Any]) -> str:
    """The public key of a core instance, or of the one that a pipeline belongs to."""
    if owners is core_instances:
        return str(owner.public_key)
    query = select(core_instances.c.public_key).where(core_instances.c.id == owner.core_instance_id)
    return str((await tx.execute(query)).scalar_one())


def require_made_by_hand(row: Row[Any]) -> None:
    """Raises Conflict for a file or section that a processing rule was turned into: the rule would write it anew."""
    if row._mapping.get("processing_rule_id") is not None:
        raise Conflict("conflict", "a processing rule was turned into it; change or delete the rule")


async def require_unused(tx: ReadTx, pipeline_id: UUID, kind: Kind, name: str) -> None:
    """Raises Conflict when the pipeline's present config, or a config section attached to it, names this file or secret."""
    query = select(configs.c.raw_config, configs.c.config_format).join(pipelines, pipelines.c.config_id == configs.c.id)
    config = (await tx.execute(query.where(pipelines.c.id == pipeline_id))).one_or_none()
    found = _names(config.raw_config, Format(config.config_format), kind) if config is not None else set()
    query = select(sections.c.properties).join(attached, attached.c.config_section_id == sections.c.id)
    for properties in (await tx.execute(query.where(attached.c.pipeline_id == pipeline_id))).scalars():
        found |= _templates(json.dumps(properties, ensure_ascii=False), kind)
    if name in found:
        raise Conflict("conflict", f"the pipeline's config still says {{{{{kind}.{name}}}}}")


def _names(raw_config: str, format: Format, kind: Kind) -> set[str]:
    document = pipeline_text.read(raw_config, format)
    if document is None:
        return _templates(raw_config, kind)
    secrets, files = pipeline_text.referred(document)
    return set(files if kind == "files" else secrets)


def _templates(text: str, kind: Kind) -> set[str]:
    return {match[2] for match in TEMPLATE.finditer(text) if match[1] == kind}
