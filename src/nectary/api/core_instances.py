"""Core instances, as the published API asks for them: by that name, and by the older one, aggregators."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from nectary import sealing
from nectary.caller import Caller
from nectary.db import tables
from nectary.edge import context
from nectary.edge.callers import TOKENS, WITH_CORE_INSTANCES, Route, may
from nectary.edge.context import Configured
from nectary.edge.ids import AggregatorID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx, audited
from nectary.resources import core_instances
from nectary.resources.core_instances import CoreInstance, CoreInstancePatch, CreatedCoreInstance, NewCoreInstance, Wanted
from nectary.shape import Listing, Shape

router = APIRouter(tags=["core_instance"], route_class=Route)

InProject = Annotated[Caller, may("read:*", tables.projects, by=WITH_CORE_INSTANCES)]


async def _ping_interval(request: Request) -> timedelta:
    return timedelta(seconds=context.of(request).settings.ping_interval)


PingInterval = Annotated[timedelta, Depends(_ping_interval)]
ExcludeInternal = Annotated[bool, Query(description="Leave the system's own pipelines out of `pipelinesCount`.")]


class Ping(Shape):
    """Nanoseconds, as the published clients decode it, whatever the published schema says."""

    next_ping: int


@router.post("/v1/aggregators", operation_id="createAggregator", status_code=201)
async def create_aggregator(
    new: NewCoreInstance, caller: Annotated[Caller, may("create:*", by=TOKENS)], request: Request
) -> CreatedCoreInstance:
    """Make a core instance with its key pair and resource profiles. Its private key and token are told here only."""
    keys = await asyncio.to_thread(sealing.generate)  # before the transaction: nothing waits for it there
    async with audited(request) as tx:
        return await core_instances.create(tx, caller, new, keys, context.of(request).settings)


async def _wanted(
    name: Annotated[str | None, Query()] = None,
    tags_query: Annotated[str | None, Query(description="Tags joined by ` AND `; all must be there.")] = None,
    environment_id: Annotated[UUID | None, Query()] = None,
    exclude_internal: ExcludeInternal = False,
) -> Wanted:
    return Wanted(name, tags_query, environment_id, exclude_internal)


Filter = Annotated[Wanted, Depends(_wanted)]


@router.get("/v1/projects/{projectID}/aggregators", operation_id="aggregators", deprecated=True)
async def list_aggregators(
    window: AskedFor, wanted: Filter, caller: InProject, tx: ReadTx, interval: PingInterval
) -> Sequence[CoreInstance]:
    """The project's core instances, newest first, as a bare list."""
    page = await core_instances.of_project(tx, caller, wanted, ping_interval=interval, last=window.last, before=window.before)
    return window.of(page)


@router.get("/v1/projects/{projectID}/core_instances", operation_id="coreInstances")
async def list_core_instances(
    window: AskedFor, wanted: Filter, caller: InProject, tx: ReadTx, interval: PingInterval
) -> Listing[CoreInstance]:
    """The project's core instances, newest first."""
    page = await core_instances.of_project(
        tx, caller, wanted, ping_interval=interval, last=window.last, before=window.before, counted=True
    )
    return window.listing(page)


@router.delete("/v1/projects/{projectID}/aggregators", operation_id="deleteAggregators", status_code=204)
async def delete_aggregators(
    caller: Annotated[Caller, may("delete:*", tables.projects)],
    tx: WriteTx,
    aggregator_id: Annotated[tuple[UUID, ...], Query()] = (),
) -> None:
    """Delete the named core instances with their pipelines; none named deletes none."""
    await core_instances.remove(tx, caller, list(aggregator_id), must_exist=False)


@router.post("/v1/aggregators/{aggregatorID}/ping", operation_id="aggregatorPing")
async def ping_aggregator(
    aggregator_id: AggregatorID,
    caller: Annotated[Caller, may("update:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    request: Request,
) -> Ping:
    """Say that a core instance is there; the answer says when to say so again."""
    here = context.of(request)
    async with here.database.write() as tx:  # no audit row: it comes every half minute, and is no news
        await core_instances.ping(tx, caller, aggregator_id)
    return Ping(next_ping=here.settings.ping_interval * 1_000_000_000)


@router.get("/v1/aggregators/{aggregatorID}", operation_id="aggregator")
async def get_aggregator(
    aggregator_id: AggregatorID,
    caller: Annotated[Caller, may("read:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
    interval: PingInterval,
    exclude_internal: ExcludeInternal = False,
) -> CoreInstance:
    """One core instance: what it is, and whether it is heard of."""
    return await core_instances.get(tx, caller, aggregator_id, exclude_internal=exclude_internal, ping_interval=interval)


@router.patch("/v1/aggregators/{aggregatorID}", operation_id="updateAggregator", status_code=204)
async def update_aggregator(
    aggregator_id: AggregatorID,
    patch: CoreInstancePatch,
    caller: Annotated[Caller, may("update:*", tables.core_instances, at="aggregatorID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
    settings: Configured,
) -> None:
    """Change a core instance; cluster logging on or off makes or deletes its pipeline."""
    await core_instances.change(tx, caller, aggregator_id, patch, settings)


@router.delete("/v1/aggregators/{aggregatorID}", operation_id="deleteAggregator", status_code=204)
async def delete_aggregator(
    aggregator_id: AggregatorID,
    caller: Annotated[Caller, may("delete:*", tables.core_instances, at="aggregatorID")],
    tx: WriteTx,
) -> None:
    """Delete a core instance with its pipelines."""
    await core_instances.remove(tx, caller, [aggregator_id], must_exist=True)
