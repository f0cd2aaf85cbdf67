"""The configurations a pipeline had, newest first, each as it was written."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.fluentbit.document import Format
from nectary.resources import pipeline_text
from nectary.shape import Page, Shape, Time

configs, pipelines = tables.pipeline_configs, tables.pipelines


class PipelineConfig(Shape):
    id: UUID
    raw_config: str
    config_format: Format
    created_at: Time

    def in_format(self, to: Format | None) -> "PipelineConfig":
        """The same in another format. Raises Invalid where it cannot be."""
        if to is None or to is self.config_format:
            return self
        text = pipeline_text.converted(self.raw_config, self.config_format, to)
        return self.model_copy(update={"raw_config": text, "config_format": to})


async def add(tx: WriteTx, project_id: UUID, pipeline_id: UUID, raw_config: str, format: Format) -> Row[Any]:
    return await statements.add(
        tx, configs, project_id=project_id, pipeline_id=pipeline_id, raw_config=raw_config, config_format=str(format)
    )


async def of_pipeline(
    tx: ReadTx, caller: Caller, pipeline_id: UUID, *, format: Format | None, last: int, before: Place | None
) -> Page[PipelineConfig]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = select(configs).where(statements.visible(configs, caller), configs.c.pipeline_id == pipeline_id)

    def shape(row: Row[Any]) -> PipelineConfig:
        return PipelineConfig.model_validate(row).in_format(format)

    return await statements.page(tx, query, configs, shape, last=last, before=before)


async def format_of(tx: ReadTx, pipeline_id: UUID, raw_config: str, stored: Format) -> Format:
    """The format of a text that came without one: of the same text in this pipeline's history (a client rolling back sends no
    more than that), else what it can be read as, the stored format first."""
    same = select(configs.c.config_format).where(configs.c.pipeline_id == pipeline_id, configs.c.raw_config == raw_config)
    known = (await tx.execute(same.order_by(configs.c.created_at.desc(), configs.c.id.desc()).limit(1))).scalar_one_or_none()
    return Format(known) if known is not None else pipeline_text.detected(raw_config, stored)
