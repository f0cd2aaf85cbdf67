"""A pipeline's configuration on its way in: it is sound, what it names is there, and checks follow from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Table, delete, select

from nectary.db import tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid, NotFound
from nectary.fluentbit.document import Document, Format
from nectary.resources import checks, pipeline_text
from nectary.resources.checks import Check, NewPipelineCheck
from nectary.resources.pipeline_text import Endpoint
from nectary.settings import Settings

_checks = tables.pipeline_checks


@dataclass(frozen=True, slots=True)
class Text:
    """`document` is None where the text was taken unchecked and cannot be read."""

    raw_config: str
    format: Format
    document: Document | None


def read(raw_config: str, format: Format, *, with_checks: bool, skip: bool, settings: Settings) -> Text:
    """Read and, unless told to skip that, check. Raises Invalid."""
    if skip:
        pipeline_text.require_size(raw_config, settings.config_limit)
        return Text(raw_config, format, pipeline_text.read(raw_config, format))
    document = pipeline_text.require_sound(raw_config, format, limit=settings.config_limit)
    if with_checks:
        pipeline_text.require_hosts(document)
    return Text(raw_config, format, document)


async def require_defined(
    tx: ReadTx, text: Text, core_instance_id: UUID, *, secrets: Iterable[str], files: Iterable[str]
) -> None:
    """Every secret and file that the configuration names is the pipeline's own, or its core instance's.

    Raises NotFound for a secret (the contract's 404) and Invalid for a file.
    """
    if text.document is None:
        return
    keys, names = pipeline_text.referred(text.document)
    lent_keys, lent_names = tables.core_instance_secrets, tables.core_instance_files
    if missing := set(keys) - set(secrets):
        missing -= await _held(tx, lent_keys, "key", core_instance_id)
    if missing:
        raise NotFound("undefined pipeline secret", min(missing))
    if missing := set(names) - set(files):
        missing -= await _held(tx, lent_names, "name", core_instance_id)
    if missing:
        raise Invalid(pipeline_text.REFUSAL, f"undefined pipeline file {min(missing)!r}")


async def _held(tx: ReadTx, table: Table, column: str, core_instance_id: UUID) -> set[str]:
    query = select(table.c[column]).where(table.c.core_instance_id == core_instance_id)
    return set((await tx.execute(query)).scalars())


async def follow_checks(
    tx: WriteTx, project_id: UUID, pipeline_id: UUID, old: Sequence[Endpoint], new: Sequence[Endpoint]
) -> tuple[list[Check], list[Check]]:
    """Replace the checks that came from the old configuration by those of the new one, also where they are the same: what was
    found of a configuration that is gone says nothing of this one. Checks made by hand stay. Gives the added and the removed.
    """
    here = _checks.c.pipeline_id == pipeline_id
    rows = (await tx.execute(select(_checks).where(here).order_by(_checks.c.created_at, _checks.c.id))).all()
    removed = [row for row in rows if Endpoint(row.protocol, row.host, row.port) in old]
    if removed:
        await tx.execute(delete(_checks).where(_checks.c.id.in_([row.id for row in removed])))
    by_hand = {Endpoint(row.protocol, row.host, row.port) for row in rows if row not in removed}
    added = [
        await checks.put(tx, checks.PIPELINES, project_id, pipeline_id, check)
        for endpoint in new
        if endpoint not in by_hand and (check := _check(endpoint)) is not None
    ]
    return added, [Check.model_validate(row) for row in removed]


def _check(endpoint: Endpoint) -> NewPipelineCheck | None:
    """None for what no check can be made of: a host that is no host's name is the plugin's affair."""
    try:
        return NewPipelineCheck.model_validate(endpoint._asdict())
    except ValidationError:
        return None
