"""Which cluster objects a pipeline that runs on every node is narrowed to."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import delete, insert, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict
from nectary.resources.cluster_objects import ClusterObject
from nectary.shape import Page, Says, Shape

related, objects, pipelines = tables.pipeline_cluster_objects, tables.cluster_objects, tables.pipelines


class ClusterObjectsPatch(Shape):
    cluster_objects_ids: Annotated[
        list[Annotated[UUID, Says("invalid cluster object ID")]],
        Field(min_length=1, max_length=1000, alias="clusterObjectsIDs"),
        Says("zero cluster object IDs"),
    ]


async def relate(tx: WriteTx, caller: Caller, pipeline_id: UUID, patch: ClusterObjectsPatch) -> None:
    """Relate a pipeline to these objects of its core instance as well; those it was related to before stay."""
    pipeline = await statements.get(tx, caller, pipelines, pipeline_id)
    if pipeline.kind != "daemonSet":
        raise Conflict("conflict", f"only pipelines of kind daemonSet relate to cluster objects; this is a {pipeline.kind}")
    wanted = list(dict.fromkeys(patch.cluster_objects_ids))
    query = select(objects).where(
        statements.visible(objects, caller),
        objects.c.core_instance_id == pipeline.core_instance_id,
        objects.c.id.in_(wanted),
    )
    found = (await tx.execute(query)).all()
    if len(found) < len(wanted):
        raise statements.not_found(objects)
    already = set((await tx.execute(select(related.c.cluster_object_id).where(related.c.pipeline_id == pipeline_id))).scalars())
    rows = [{"pipeline_id": pipeline_id, "cluster_object_id": id} for id in wanted if id not in already]
    if rows:
        await statements.written(tx, insert(related), rows)


async def of_pipeline(tx: ReadTx, caller: Caller, pipeline_id: UUID, *, last: int, before: Place | None) -> Page[ClusterObject]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = select(objects).join(related, related.c.cluster_object_id == objects.c.id)
    query = query.where(statements.visible(objects, caller), related.c.pipeline_id == pipeline_id)
    return await statements.page(tx, query, objects, ClusterObject.model_validate, last=last, before=before)


async def part(tx: WriteTx, caller: Caller, pipeline_id: UUID, ids: Sequence[UUID]) -> None:
    """A pipeline is no longer related to these."""
    await statements.get(tx, caller, pipelines, pipeline_id)
    await tx.execute(delete(related).where(related.c.pipeline_id == pipeline_id, related.c.cluster_object_id.in_(ids)))
