"""Processing rules of the first version, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import Route, may
from nectary.edge.ids import PipelineID, ProcessingRuleID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import processing_rules
from nectary.resources.processing_rules import (
    CreatedProcessingRule,
    NewProcessingRule,
    ProcessingRule,
    ProcessingRulePatch,
)
from nectary.shape import Updated

router = APIRouter(tags=["processing_rule"], route_class=Route)

Reader = Annotated[Caller, may("read:*", tables.processing_rules)]
OfPipeline = Annotated[Caller, may("read:*", tables.pipelines)]


@router.post(
    "/v1/pipelines/{pipelineID}/processing_rules", operation_id="createProcessingRuleV1", status_code=201, deprecated=True
)
async def create_processing_rule(
    pipeline_id: PipelineID,
    new: NewProcessingRule,
    caller: Annotated[Caller, may("create:*", tables.pipelines)],
    tx: WriteTx,
) -> CreatedProcessingRule:
    """Give a pipeline its rule: a Lua file and a filter section that runs it, added to its config when that is rendered."""
    return await processing_rules.create(tx, caller, pipeline_id, new)


@router.get("/v1/pipelines/{pipelineID}/processing_rules", operation_id="processingRulesV1", deprecated=True)
async def list_processing_rules(
    pipeline_id: PipelineID, window: AskedFor, caller: OfPipeline, tx: ReadTx
) -> Sequence[ProcessingRule]:
    """A pipeline's rules: one, or none."""
    page = await processing_rules.page_of_pipeline(tx, caller, pipeline_id, last=window.last, before=window.before)
    return window.of(page)


# Before lists there was this; clients of September 2022 call it.
@router.get("/v1/pipelines/{pipelineID}/processing_rule", operation_id="pipelineProcessingRule", deprecated=True)
async def get_pipelines_processing_rule(pipeline_id: PipelineID, caller: OfPipeline, tx: ReadTx) -> ProcessingRule:
    """A pipeline's rule."""
    return await processing_rules.of_pipeline(tx, caller, pipeline_id)


@router.get("/v1/processing_rules/{processingRuleID}", operation_id="processingRuleV1", deprecated=True)
async def get_processing_rule(rule_id: ProcessingRuleID, caller: Reader, tx: ReadTx) -> ProcessingRule:
    """One rule, with the file and the section it became."""
    return await processing_rules.get(tx, caller, rule_id)


@router.patch("/v1/processing_rules/{processingRuleID}", operation_id="updateProcessingRuleV1", deprecated=True)
async def update_processing_rule(
    rule_id: ProcessingRuleID,
    patch: ProcessingRulePatch,
    caller: Annotated[Caller, may("update:*", tables.processing_rules)],
    tx: WriteTx,
) -> Updated:
    """Change a rule; its file and section are written anew."""
    return await processing_rules.change(tx, caller, rule_id, patch)


@router.delete(
    "/v1/processing_rules/{processingRuleID}", operation_id="deleteProcessingRuleV1", status_code=204, deprecated=True
)
async def delete_processing_rule(
    rule_id: ProcessingRuleID, caller: Annotated[Caller, may("delete:*", tables.processing_rules, absent=True)], tx: WriteTx
) -> None:
    """Delete a rule with its file and section. A project token that deletes one that is not there is told the same."""
    await processing_rules.remove(tx, caller, rule_id)
