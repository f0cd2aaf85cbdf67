"""Pipelines' secrets, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import PipelineID, PipelineSecretID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import secrets
from nectary.resources.secrets import PIPELINES, NewSecret, PipelineSecret, SecretPatch
from nectary.shape import Created

router = APIRouter(tags=["pipeline_secret"], route_class=Route)


@router.post("/v1/aggregator_pipelines/{pipelineID}/secrets", operation_id="createPipelineSecret", status_code=201)
async def create_pipeline_secret(
    pipeline_id: PipelineID,
    new: NewSecret,
    caller: Annotated[Caller, may("create:*", tables.pipelines, at="pipelineID")],
    tx: WriteTx,
    settings: Configured,
) -> Created:
    """Give a pipeline a secret."""
    return Created.model_validate(await secrets.create(tx, caller, PIPELINES, pipeline_id, new, settings))


@router.get("/v1/aggregator_pipelines/{pipelineID}/secrets", operation_id="pipelineSecrets")
async def list_pipeline_secrets(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, at="pipelineID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[PipelineSecret]:
    """A pipeline's secrets, newest first."""
    return window.of(await secrets.of_owner(tx, caller, PIPELINES, pipeline_id, last=window.last, before=window.before))


@router.get("/v1/pipeline_secrets/{secretID}", operation_id="pipelineSecret")
async def get_pipeline_secret(
    id: PipelineSecretID,
    caller: Annotated[Caller, may("read:*", tables.pipeline_secrets, at="secretID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> PipelineSecret:
    """One secret of a pipeline."""
    return PipelineSecret.model_validate(await secrets.get(tx, caller, PIPELINES, id))


@router.patch("/v1/pipeline_secrets/{secretID}", operation_id="updatePipelineSecret", status_code=204)
async def update_pipeline_secret(
    id: PipelineSecretID,
    patch: SecretPatch,
    caller: Annotated[Caller, may("update:*", tables.pipeline_secrets, at="secretID")],
    tx: WriteTx,
    settings: Configured,
) -> None:
    """Change a secret; its name only while the pipeline's config does not say it."""
    await secrets.change(tx, caller, PIPELINES, id, patch, settings)


@router.delete("/v1/pipeline_secrets/{secretID}", operation_id="deletePipelineSecret", status_code=204)
async def delete_pipeline_secret(
    id: PipelineSecretID,
    caller: Annotated[Caller, may("delete:*", tables.pipeline_secrets, at="secretID")],
    tx: WriteTx,
) -> None:
    """Delete a secret that the pipeline's config does not name."""
    await secrets.remove(tx, caller, PIPELINES, id)
