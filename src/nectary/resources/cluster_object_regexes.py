"""Patterns of names: cluster objects that come later are a pipeline's too when their name matches."""

from itertools import accumulate
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from sqlalchemy import select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.patterns import Pattern, compiled
from nectary.resources.cluster_objects import ClusterObject
from nectary.shape import Created, Page, Patch, Says, Shape, Time, Updated

regexes, pipelines, objects = tables.cluster_object_regexes, tables.pipelines, tables.cluster_objects

# What is looked through for one pattern: as many names, and of an enormous pattern less, so that nobody else waits for it.
_MOST = 10_000
_MOST_WORK = 10_000_000


def _understood(regex: str) -> str:
    Pattern(regex)
    return regex


Regex = Annotated[str, AfterValidator(_understood), Says("invalid cluster object regex")]
Description = Annotated[str, StringConstraints(max_length=100), Says("invalid cluster object regex description")]


class ClusterObjectRegex(Shape):
    id: UUID
    pipeline_id: UUID
    regex: str
    description: str
    cluster_objects: list[ClusterObject] | None = None  # those that match now; lists leave it out
    created_at: Time
    updated_at: Time


class NewClusterObjectRegex(Shape):
    regex: Regex
    description: Description = ""


class ClusterObjectRegexPatch(Patch):
    regex: Regex | None = None
    description: Description | None = None


async def create(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewClusterObjectRegex) -> Created:
    await statements.get(tx, caller, pipelines, pipeline_id)
    row = await statements.add(
        tx, regexes, project_id=caller.project_id, pipeline_id=pipeline_id, regex=new.regex, description=new.description
    )
    return Created.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> ClusterObjectRegex:
    """With the cluster objects of the pipeline's core instance that match now."""
    row = await statements.get(tx, caller, regexes, id)
    of_core_instance = select(pipelines.c.core_instance_id).where(pipelines.c.id == row.pipeline_id).scalar_subquery()
    query = select(objects).where(statements.visible(objects, caller), objects.c.core_instance_id == of_core_instance)
    found = (await tx.execute(query.order_by(objects.c.name, objects.c.id).limit(_MOST))).all()
    pattern = compiled(row.regex)
    letters = accumulate(len(each.name) + 1 for each in found)
    within = [each for each, so_far in zip(found, letters, strict=True) if so_far * pattern.size <= _MOST_WORK]
    matching = [ClusterObject.model_validate(each) for each in within if pattern.found_in(each.name)]
    return ClusterObjectRegex.model_validate({**row._mapping, "cluster_objects": matching})


async def of_pipeline(
    tx: ReadTx, caller: Caller, pipeline_id: UUID, *, last: int, before: Place | None
) -> Page[ClusterObjectRegex]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = select(regexes).where(statements.visible(regexes, caller), regexes.c.pipeline_id == pipeline_id)
    return await statements.page(tx, query, regexes, ClusterObjectRegex.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: ClusterObjectRegexPatch) -> Updated:
    changed: Any = await statements.change(tx, caller, regexes, id, **patch.changes())
    return Updated.model_validate(changed)


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, regexes, id)
