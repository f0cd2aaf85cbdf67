"""What a core instance says of a pipeline, newest first, each with the configuration it was said of."""

from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import Row, delete, func, select, update

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.fluentbit.document import Format
from nectary.resources.pipeline_configs import PipelineConfig
from nectary.shape import Page, Says, Shape, Time

statuses, configs, pipelines = tables.pipeline_statuses, tables.pipeline_configs, tables.pipelines

_Word = Literal["NEW", "FAILED", "STARTING", "STARTED", "SCALING", "CHECKS_OK", "CHECKS_FAILED"]
WORDS: tuple[str, ...] = get_args(_Word)
# The published enumeration holds `CHECKS_FAILED            -` by a slip, which generated clients may send.
StatusWord = Annotated[
    _Word,
    BeforeValidator(lambda value: value.rstrip(" -") if isinstance(value, str) else value),
    Says("invalid pipeline status"),
]
# The history may also be asked for a status that nothing has had since 2022.
ASKABLE = (*WORDS, "DELETED")


class Event(Shape):
    # The first two are the contract's; a core instance that runs child processes speaks of them as processes.
    source: Literal["k8s:deployment", "k8s:pod", "process", "core"]
    reason: Annotated[str, StringConstraints(max_length=1024)]
    message: Annotated[str, StringConstraints(max_length=64 * 1024)] = ""
    logged_at: Time


Events = Annotated[list[Event], Field(max_length=1000)]


class PipelineStatus(Shape):
    id: UUID
    config: PipelineConfig
    status: str
    events: list[Event]
    created_at: Time


async def add(tx: WriteTx, project_id: UUID, pipeline_id: UUID, config_id: UUID, status: str, events: list[Any]) -> Row[Any]:
    return await statements.add(
        tx, statuses, project_id=project_id, pipeline_id=pipeline_id, config_id=config_id, status=status, events=events
    )


async def forget(tx: WriteTx, *, keep: int, most: int) -> int:
    """Delete all but the newest `keep` statuses of pipelines that have more, `most` of those at a time. Gives how many."""
    many = select(statuses.c.pipeline_id).group_by(statuses.c.pipeline_id).having(func.count() > keep).limit(most)
    ids = list((await tx.execute(many)).scalars())
    for id in ids:
        mine = statuses.c.pipeline_id == id
        kept = select(statuses.c.id).where(mine).order_by(statuses.c.created_at.desc(), statuses.c.id.desc()).limit(keep)
        await tx.execute(delete(statuses).where(mine, statuses.c.id.notin_(kept)))
    return len(ids)


async def events_of(tx: ReadTx, status_id: UUID) -> list[Any]:
    events: list[Any] = (await tx.execute(select(statuses.c.events).where(statuses.c.id == status_id))).scalar_one()
    return events


async def set_events(tx: WriteTx, status_id: UUID, events: list[Any]) -> None:
    await statements.written(tx, update(statuses).where(statuses.c.id == status_id).values(events=events))


async def of_pipeline(
    tx: ReadTx,
    caller: Caller,
    pipeline_id: UUID,
    *,
    status: str | None,
    format: Format | None,
    last: int,
    before: Place | None,
) -> Page[PipelineStatus]:
    if status and status not in ASKABLE:
        raise Invalid("invalid pipeline status", f"{status[:60]!r} is none of {', '.join(ASKABLE)}")
    await statements.get(tx, caller, pipelines, pipeline_id)
    of_config = [column.label(f"config_{column.name}_") for column in configs.c]
    query = select(statuses, *of_config).join(configs, configs.c.id == statuses.c.config_id)
    query = query.where(statements.visible(statuses, caller), statuses.c.pipeline_id == pipeline_id)
    if status:
        query = query.where(statuses.c.status == status)

    def shape(row: Row[Any]) -> PipelineStatus:
        config = PipelineConfig.model_validate({column.name: row._mapping[f"config_{column.name}_"] for column in configs.c})
        return PipelineStatus.model_validate({**row._mapping, "config": config.in_format(format)})

    return await statements.page(tx, query, statuses, shape, last=last, before=before)
