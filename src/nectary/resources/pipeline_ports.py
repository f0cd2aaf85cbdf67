"""Ports a pipeline listens on, and the address its runtime gave each of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import Row, Select, delete, func, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict
from nectary.resources.pipeline_text import OpenPort
from nectary.shape import UNSAID, Page, Patch, Says, Shape, Time

ports, pipelines = tables.pipeline_ports, tables.pipelines

_lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)
Protocol = Annotated[Literal["tcp", "udp"], _lower, Says("invalid pipeline port protocol")]
Number = Annotated[int, Field(ge=0, le=65535), Says("invalid pipeline port number")]
Kind = Annotated[Literal["LoadBalancer", "ClusterIP", "NodePort"] | None, UNSAID, Says("invalid pipeline port type")]
Endpoint = Annotated[str, StringConstraints(max_length=1024), Says("invalid pipeline port endpoint")]


class Port(Shape):
    id: UUID
    protocol: str
    kind: str
    frontend_port: int
    backend_port: int
    endpoint: str
    plugin_id: str | None
    plugin_name: str | None
    plugin_alias: str | None
    created_at: Time
    updated_at: Time


class NewPort(Shape):
    protocol: Protocol
    frontend_port: Number
    backend_port: Number
    endpoint: Endpoint = ""
    kind: Kind = None


class PortPatch(Patch):
    protocol: Protocol | None = None
    frontend_port: Number | None = None
    backend_port: Number | None = None
    endpoint: Endpoint | None = None
    kind: Kind = None


def _listed() -> Select[Any]:
    """A port's kind is its pipeline's, unless a client of the time when each had its own said otherwise."""
    kind = func.coalesce(ports.c.kind, pipelines.c.port_kind).label("kind")
    columns = [column for column in ports.c if column.name != "kind"]
    return select(*columns, kind).join(pipelines, pipelines.c.id == ports.c.pipeline_id)


async def add(tx: WriteTx, caller: Caller, pipeline_id: UUID, new: NewPort) -> Port:
    await statements.get(tx, caller, pipelines, pipeline_id)
    try:
        row = await statements.add(
            tx, ports, project_id=caller.project_id, pipeline_id=pipeline_id, from_config=False, **new.model_dump()
        )
    except Conflict as taken:
        raise _told(taken, new.protocol, new.frontend_port) from None
    return await get(tx, caller, row.id)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> Port:
    row = (await tx.execute(_listed().where(ports.c.id == id, statements.visible(ports, caller)))).one_or_none()
    if row is None:
        raise statements.not_found(ports)
    return Port.model_validate(row)


async def of_pipeline(tx: ReadTx, caller: Caller, pipeline_id: UUID, *, last: int, before: Place | None) -> Page[Port]:
    await statements.get(tx, caller, pipelines, pipeline_id)
    query = _listed().where(statements.visible(ports, caller), ports.c.pipeline_id == pipeline_id)
    return await statements.page(tx, query, ports, Port.model_validate, last=last, before=before)


async def of_pipelines(tx: ReadTx, pipeline_ids: Sequence[UUID]) -> dict[UUID, list[Port]]:
    """The ports of each of these pipelines, newest first, in one query."""
    query = _listed().where(ports.c.pipeline_id.in_(pipeline_ids)).order_by(ports.c.created_at.desc(), ports.c.id.desc())
    found: dict[UUID, list[Port]] = {id: [] for id in pipeline_ids}
    for row in await tx.execute(query):
        found[row.pipeline_id].append(Port.model_validate(row))
    return found


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: PortPatch) -> None:
    after = {**(await statements.get(tx, caller, ports, id))._mapping, **patch.changes()}
    try:
        await statements.change(tx, caller, ports, id, **patch.changes())
    except Conflict as taken:
        raise _told(taken, after["protocol"], after["frontend_port"]) from None


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    await statements.remove(tx, caller, ports, id)


async def follow(tx: WriteTx, project_id: UUID, pipeline_id: UUID, wanted: Sequence[OpenPort]) -> tuple[list[Port], list[Port]]:
    """Make the ports found in the configuration those that it has now; gives the added and the removed ones.

    Ports that stay keep their id and address; ports opened by hand stay as they are.
    """
    here = ports.c.pipeline_id == pipeline_id
    rows = (await tx.execute(_listed().where(here).order_by(ports.c.created_at, ports.c.id))).all()
    asked = {(port.protocol, port.number): port for port in wanted}
    standing = {(row.protocol, row.backend_port): row for row in rows if row.from_config}
    removed = [row for row in rows if row.from_config and (row.protocol, row.backend_port) not in asked]
    if removed:
        await tx.execute(delete(ports).where(ports.c.id.in_([row.id for row in removed])))
    left = [row for row in rows if row not in removed]
    taken = {(row.protocol, row.frontend_port) for row in left}
    added = []
    for at, port in asked.items():
        if at in standing:
            await _renamed(tx, standing[at], port)
        elif at not in taken:
            added.append((await _open(tx, project_id, pipeline_id, port)).id)
    fresh = (await tx.execute(_listed().where(ports.c.id.in_(added)).order_by(ports.c.created_at, ports.c.id))).all()
    return [Port.model_validate(row) for row in fresh], [Port.model_validate(row) for row in removed]


async def _open(tx: WriteTx, project_id: UUID, pipeline_id: UUID, port: OpenPort) -> Row[Any]:
    return await statements.add(
        tx,
        ports,
        project_id=project_id,
        pipeline_id=pipeline_id,
        protocol=port.protocol,
        frontend_port=port.number,
        backend_port=port.number,
        endpoint="",
        from_config=True,
        plugin_id=port.plugin_id,
        plugin_name=port.plugin_name,
        plugin_alias=port.plugin_alias,
    )


async def _renamed(tx: WriteTx, row: Row[Any], port: OpenPort) -> None:
    """The plugin behind a port may have moved or been renamed."""
    of_plugin = {"plugin_id": port.plugin_id, "plugin_name": port.plugin_name, "plugin_alias": port.plugin_alias}
    if any(row._mapping[name] != value for name, value in of_plugin.items()):
        await tx.execute(update(ports).where(ports.c.id == row.id).values(**of_plugin, updated_at=clock.now()))


def _told(taken: Conflict, protocol: str, number: int) -> Conflict:
    return Conflict(taken.error, f"protocol {protocol}, port {number}")
