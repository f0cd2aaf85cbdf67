"""Checks: whether a core instance can reach an address, for one of its pipelines or for itself."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, Table, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.resources.names import HOSTNAME
from nectary.shape import UNSAID, Page, Patch, Says, Shape, Time


@dataclass(frozen=True, slots=True)
class List:
    """A table of checks, the table of things they are for, and the column that says which."""

    checks: Table
    owners: Table
    owner_id: str


CORE_INSTANCES = List(tables.core_instance_checks, tables.core_instances, "core_instance_id")
PIPELINES = List(tables.pipeline_checks, tables.pipelines, "pipeline_id")

RETRIES = 3

# A host name, an IPv4 address, or an IPv6 address: what an output may be told.
Host = Annotated[str, StringConstraints(pattern=rf"{HOSTNAME}|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$", max_length=253)]
Port = Annotated[int, Field(ge=0, le=65535)]
Protocol = Literal["tcp", "udp"]
Word = Literal["new", "failed", "running", "ok"]
Status = Annotated[Word | None, UNSAID]
Retries = Annotated[int, Field(ge=0, le=1_000_000)]


class Check(Shape):
    id: UUID
    protocol: Protocol
    status: Word
    retries: int
    host: str
    port: int
    created_at: Time
    updated_at: Time


class NewPipelineCheck(Shape):
    protocol: Annotated[Protocol, Says("invalid pipeline check protocol")]
    host: Annotated[Host, Says("invalid pipeline check host")]
    port: Annotated[Port, Says("invalid pipeline check port")]
    status: Annotated[Status, Says("invalid pipeline check status")] = None
    retries: Retries | None = None


class NewCoreInstanceCheck(Shape):
    protocol: Annotated[Protocol, Says("invalid core instance check protocol")]
    host: Annotated[Host, Says("invalid core instance check host")]
    port: Annotated[Port, Says("invalid core instance check port")]
    status: Annotated[Status, Says("invalid core instance check status")] = None
    retries: Retries | None = None


class PipelineCheckPatch(Patch):
    protocol: Annotated[Protocol, Says("invalid pipeline check protocol")] | None = None
    host: Annotated[Host, Says("invalid pipeline check host")] | None = None
    port: Annotated[Port, Says("invalid pipeline check port")] | None = None
    status: Annotated[Status, Says("invalid pipeline check status")] = None
    retries: Retries | None = None


class CoreInstanceCheckPatch(Patch):
    protocol: Annotated[Protocol, Says("invalid core instance check protocol")] | None = None
    host: Annotated[Host, Says("invalid core instance check host")] | None = None
    port: Annotated[Port, Says("invalid core instance check port")] | None = None
    status: Annotated[Status, Says("invalid core instance check status")] = None
    retries: Retries | None = None


async def create(
    tx: WriteTx, caller: Caller, those: List, owner_id: UUID, new: NewPipelineCheck | NewCoreInstanceCheck
) -> Check:
    await statements.get(tx, caller, those.owners, owner_id)
    return await put(tx, those, caller.project_id, owner_id, new)


async def put(
    tx: WriteTx, those: List, project_id: UUID, owner_id: UUID, new: NewPipelineCheck | NewCoreInstanceCheck
) -> Check:
    """Add a check for an owner known to be there."""
    values: dict[str, Any] = {"protocol": new.protocol, "host": new.host, "port": new.port, those.owner_id: owner_id}
    values |= {"status": new.status or "new", "retries": RETRIES if new.retries is None else new.retries}
    return _shape(await statements.add(tx, those.checks, project_id=project_id, **values))


async def get(tx: ReadTx, caller: Caller, those: List, id: UUID) -> Check:
    return _shape(await statements.get(tx, caller, those.checks, id))


async def of_owner(tx: ReadTx, caller: Caller, those: List, owner_id: UUID, *, last: int, before: Place | None) -> Page[Check]:
    await statements.get(tx, caller, those.owners, owner_id)
    query = select(those.checks).where(statements.visible(those.checks, caller), those.checks.c[those.owner_id] == owner_id)
    return await statements.page(tx, query, those.checks, _shape, last=last, before=before)


async def change(
    tx: WriteTx, caller: Caller, those: List, id: UUID, patch: PipelineCheckPatch | CoreInstanceCheckPatch
) -> None:
    await statements.change(tx, caller, those.checks, id, **patch.changes())


async def remove(tx: WriteTx, caller: Caller, those: List, id: UUID) -> None:
    await statements.remove(tx, caller, those.checks, id)


def _shape(row: Row[Any]) -> Check:
    return Check.model_validate(row)
