"""Ingest checks. No longer published, and still called by the command line and by core instances."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import CoreInstanceID, IngestCheckID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import ingest_checks
from nectary.resources.ingest_checks import IngestCheck, IngestCheckPatch, NewIngestCheck
from nectary.shape import Created

router = APIRouter(tags=["ingest_check"], route_class=Route)


@router.post("/v1/core_instances/{coreInstanceID}/ingest_checks", operation_id="createIngestCheck", status_code=201)
async def create_ingest_check(
    core_instance_id: CoreInstanceID,
    new: NewIngestCheck,
    caller: Annotated[Caller, may("create:*", tables.core_instances, at="coreInstanceID")],
    tx: WriteTx,
) -> Created:
    """Have a core instance try an input or output for a while."""
    return await ingest_checks.create(tx, caller, core_instance_id, new)


@router.get("/v1/core_instances/{coreInstanceID}/ingest_checks", operation_id="ingestChecks")
async def list_ingest_checks(
    core_instance_id: CoreInstanceID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="coreInstanceID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[IngestCheck]:
    """A core instance's ingest checks, newest first."""
    page = await ingest_checks.of_core_instance(tx, caller, core_instance_id, last=window.last, before=window.before)
    return window.of(page)


@router.get("/v1/ingest_checks/{ingestCheckID}", operation_id="ingestCheck")
async def get_ingest_check(
    id: IngestCheckID,
    caller: Annotated[Caller, may("read:*", tables.ingest_checks, at="ingestCheckID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> IngestCheck:
    """One ingest check: what it tries, how it stands, and what Fluent Bit said."""
    return await ingest_checks.get(tx, caller, id)


@router.patch("/v1/ingest_checks/{ingestCheckID}", operation_id="updateIngestCheck", status_code=204)
async def update_ingest_check(
    id: IngestCheckID,
    patch: IngestCheckPatch,
    caller: Annotated[Caller, may("update:*", tables.ingest_checks, at="ingestCheckID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Report how an ingest check goes."""
    await ingest_checks.change(tx, caller, id, patch)


@router.delete("/v1/ingest_checks/{ingestCheckID}", operation_id="deleteIngestCheck", status_code=204)
async def delete_ingest_check(
    id: IngestCheckID,
    caller: Annotated[Caller, may("delete:*", tables.ingest_checks, at="ingestCheckID")],
    tx: WriteTx,
) -> None:
    """Delete an ingest check."""
    await ingest_checks.remove(tx, caller, id)
