"""Ports of pipelines, as the published API asks for them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from nectary.caller import Caller
from nectary.db import tables
from nectary.edge.callers import WITH_CORE_INSTANCES, Route, may
from nectary.edge.ids import PipelineID, PipelinePortID
from nectary.edge.paging import AskedFor
from nectary.edge.transaction import ReadTx, WriteTx
from nectary.resources import pipeline_ports
from nectary.resources.pipeline_ports import NewPort, Port, PortPatch
from nectary.shape import Shape, Time

router = APIRouter(tags=["pipeline_port"], route_class=Route)


class OpenedPort(Shape):
    """The contract's smaller answer."""

    id: str
    kind: str
    plugin_id: str | None
    plugin_name: str | None
    plugin_alias: str | None
    created_at: Time


@router.post("/v1/aggregator_pipelines/{pipelineID}/ports", operation_id="createPipelinePort", status_code=201)
async def create_pipeline_port(
    pipeline_id: PipelineID,
    new: NewPort,
    caller: Annotated[Caller, may("create:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> OpenedPort:
    """Open a port of a pipeline; each protocol and frontend port once."""
    port = await pipeline_ports.add(tx, caller, pipeline_id, new)
    return OpenedPort.model_validate(port.model_dump(mode="json"))


@router.get("/v1/aggregator_pipelines/{pipelineID}/ports", operation_id="pipelinePorts")
async def list_pipeline_ports(
    pipeline_id: PipelineID,
    window: AskedFor,
    caller: Annotated[Caller, may("read:*", tables.pipelines, by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Sequence[Port]:
    """A pipeline's ports, newest first."""
    return window.of(await pipeline_ports.of_pipeline(tx, caller, pipeline_id, last=window.last, before=window.before))


@router.get("/v1/pipeline_ports/{portID}", operation_id="pipelinePort")
async def get_pipeline_port(
    port_id: PipelinePortID,
    caller: Annotated[Caller, may("read:*", tables.pipeline_ports, at="portID", by=WITH_CORE_INSTANCES)],
    tx: ReadTx,
) -> Port:
    """One port, with its address once the core instance told it."""
    return await pipeline_ports.get(tx, caller, port_id)


@router.patch("/v1/pipeline_ports/{portID}", operation_id="updatePipelinePort", status_code=204)
async def update_pipeline_port(
    port_id: PipelinePortID,
    patch: PortPatch,
    caller: Annotated[Caller, may("update:*", tables.pipeline_ports, at="portID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Change a port; core instances report its address so."""
    await pipeline_ports.change(tx, caller, port_id, patch)


@router.delete("/v1/pipeline_ports/{portID}", operation_id="deletePipelinePort", status_code=204)
async def delete_pipeline_port(
    port_id: PipelinePortID,
    caller: Annotated[Caller, may("delete:*", tables.pipeline_ports, at="portID", by=WITH_CORE_INSTANCES)],
    tx: WriteTx,
) -> None:
    """Close a port."""
    await pipeline_ports.remove(tx, caller, port_id)
