"""The status history of a pipeline, as the published API asks for it. Core instances report with PATCH of the pipeline."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineInHistory
from nectary.edge.paging import AskedFor
from nectary.edge.pipeline_questions import InFormat
from nectary.edge.transaction import ReadTx
from nectary.resources import pipeline_statuses
from nectary.resources.pipeline_statuses import ASKABLE, PipelineStatus

router = APIRouter(tags=["pipeline_status"], route_class=Route)


# `{pipeline}`, where everything else says `{pipelineID}`: the published contract has it so.
@router.get("/v1/aggregator_pipelines/{pipeline}/status_history", operation_id="pipelineStatusHistory")
async def list_pipeline_statuses(
    pipeline_id: PipelineInHistory,
    window: AskedFor,
    format: InFormat,
    caller: Annotated[Caller, may("read:*", tables.pipelines, at="pipeline", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
    status: Annotated[str | None, Query(json_schema_extra={"enum": list(ASKABLE)})] = None,
) -> Sequence[PipelineStatus]:
    """Every status the pipeline had, newest first, with its events and the configuration it was about."""
    page = await pipeline_statuses.of_pipeline(
        tx, caller, pipeline_id, status=status, format=format, last=window.last, before=window.before
    )
    return window.of(page)
