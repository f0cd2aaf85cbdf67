"""The configuration history of a pipeline, as the published API asks for it."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineInHistory
from nectary.edge.paging import AskedFor
from nectary.edge.pipeline_questions import InFormat
from nectary.edge.transaction import ReadTx
from nectary.resources import pipeline_configs
from nectary.resources.pipeline_configs import PipelineConfig

router = APIRouter(tags=["pipeline_config"], route_class=Route)


# `{pipeline}`, where everything else says `{pipelineID}`: the published contract has it so.
@router.get("/v1/aggregator_pipelines/{pipeline}/config_history", operation_id="pipelineConfigHistory")
async def list_pipeline_configs(
    pipeline_id: PipelineInHistory,
    window: AskedFor,
    format: InFormat,
    caller: Annotated[Caller, may("read:*", tables.pipelines, at="pipeline", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[PipelineConfig]:
    """Every configuration the pipeline had, newest first. To go back, send an old one as the new."""
    page = await pipeline_configs.of_pipeline(tx, caller, pipeline_id, format=format, last=window.last, before=window.before)
    return window.of(page)
