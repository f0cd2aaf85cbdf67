"""What people note about a pipeline: a JSON object, read and written key by key."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.shape import Says, Shape

pipelines = tables.pipelines


class MetadataPatch(Shape):
    key: Annotated[str, StringConstraints(min_length=1, max_length=255), Says("invalid pipeline metadata key")]
    value: Annotated[dict[str, Any], Says("invalid pipeline metadata value")]


async def get(tx: ReadTx, caller: Caller, pipeline_id: UUID, keys: Sequence[str]) -> dict[str, Any]:
    """All of it, or the named keys of it."""
    metadata: dict[str, Any] = (await statements.get(tx, caller, pipelines, pipeline_id)).metadata
    return {key: value for key, value in metadata.items() if not keys or key in keys}


async def put(tx: WriteTx, caller: Caller, pipeline_id: UUID, patch: MetadataPatch) -> None:
    query = select(pipelines.c.metadata).where(pipelines.c.id == pipeline_id, statements.visible(pipelines, caller))
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise statements.not_found(pipelines)
    changed = row.metadata | {patch.key: patch.value}
    setting = update(pipelines).where(pipelines.c.id == pipeline_id)
    await statements.written(tx, setting.values(metadata=changed, updated_at=clock.now()))
