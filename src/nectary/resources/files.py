"""Files of pipelines and core instances, sealed where their maker said so: one thing on two shelves."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import AliasChoices, Field
from sqlalchemy import Row, Table, delete, select

from nectary import sealing
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.resources import quotas, uses
from nectary.resources.names import Bytes, Contents, FileName
from nectary.settings import Settings
from nectary.shape import Page, Patch, Shape, Time


@dataclass(frozen=True, slots=True)
class Shelf:
    """A table of files, the table of things that own them, and the column that says which."""

    files: Table
    owners: Table
    owner_id: str


# Every pipeline begins with this file, whether it was sent or not.
PARSERS = "parsers"
PARSERS_TEXT = b"# Parsers of this pipeline: [PARSER] and [MULTILINE_PARSER] sections.\n"

CORE_INSTANCES = Shelf(tables.core_instance_files, tables.core_instances, "core_instance_id")
PIPELINES = Shelf(tables.pipeline_files, tables.pipelines, "pipeline_id")


class _File(Shape):
    id: UUID
    name: str
    contents: Bytes  # sealed where `encrypted`
    encrypted: bool
    created_at: Time
    updated_at: Time


class CoreInstanceFile(_File):
    core_instance_id: UUID


class PipelineFile(_File):
    processing_rule_id: UUID | None
    # The Go client's own spelling.
    procesing_rule_id: UUID | None = Field(validation_alias=AliasChoices("processing_rule_id"), alias="procesingRuleID")


class NewFile(Shape):
    name: FileName
    contents: Contents
    encrypted: bool | None = None


class FilePatch(Patch):
    name: FileName | None = None
    contents: Contents | None = None
    encrypted: bool | None = None


async def create(tx: WriteTx, caller: Caller, shelf: Shelf, owner_id: UUID, new: NewFile, settings: Settings) -> Row[Any]:
    owner = await statements.get(tx, caller, shelf.owners, owner_id)
    key = await uses.key_of(tx, shelf.owners, owner)
    if shelf is PIPELINES and new.name == PARSERS:
        await _make_room_for_parsers(tx, owner_id)
    return (await put(tx, shelf, caller.project_id, owner_id, [new], key, settings))[0]


async def _make_room_for_parsers(tx: WriteTx, pipeline_id: UUID) -> None:
    """The file that every pipeline begins with gives way to the one that somebody made, as scripts of the original's command
    line expect (`create pipeline_file --file parsers.conf`), unless it was changed already."""
    files = PIPELINES.files
    untouched = (files.c.name == PARSERS, files.c.contents == PARSERS_TEXT, files.c.encrypted.is_(False))
    await tx.execute(delete(files).where(files.c.pipeline_id == pipeline_id, *untouched))


async def put(
    tx: WriteTx,
    shelf: Shelf,
    project_id: UUID,
    owner_id: UUID,
    files: list[NewFile],
    key: str,
    settings: Settings,
    *,
    counted: bool = True,
) -> list[Row[Any]]:
    """Add files to an owner known to be there; `key` is the public one of its core instance. Those of the system's own
    pipelines count for no quota, and are added whether it is full or not unless `counted`."""
    if shelf is PIPELINES and counted:
        quota, own = settings.quota_pipeline_files, select(tables.pipelines.c.id).where(tables.pipelines.c.internal.isnot(None))
        others = shelf.files.c.pipeline_id.notin_(own.where(tables.pipelines.c.project_id == project_id))
        await quotas.require_room(tx, project_id, shelf.files, quota, "pipeline files quota exceeded", others, more=len(files))
    rows = []
    for file in files:
        values = {"name": file.name, "encrypted": bool(file.encrypted), shelf.owner_id: owner_id}
        values["contents"] = _kept(file.contents, sealed=bool(file.encrypted), key=key, settings=settings)
        rows.append(await statements.add(tx, shelf.files, project_id=project_id, **values))
    return rows


async def get(tx: ReadTx, caller: Caller, shelf: Shelf, id: UUID) -> Row[Any]:
    return await statements.get(tx, caller, shelf.files, id)


async def of_owner(
    tx: ReadTx, caller: Caller, shelf: Shelf, owner_id: UUID, *, last: int, before: Place | None, counted: bool = False
) -> Page[Any]:
    await statements.get(tx, caller, shelf.owners, owner_id)
    query = select(shelf.files).where(statements.visible(shelf.files, caller), shelf.files.c[shelf.owner_id] == owner_id)
    shape = CoreInstanceFile if shelf is CORE_INSTANCES else PipelineFile
    return await statements.page(tx, query, shelf.files, shape.model_validate, last=last, before=before, counted=counted)


async def change(tx: WriteTx, caller: Caller, shelf: Shelf, id: UUID, patch: FilePatch, settings: Settings) -> Row[Any]:
    """Change a file. One that is sealed stays so without new contents: nobody here can open it."""
    row = await statements.get(tx, caller, shelf.files, id)
    uses.require_made_by_hand(row)
    given = patch.changes()
    sealed = row.encrypted if patch.encrypted is None else patch.encrypted
    if row.encrypted and not sealed and patch.contents is None:
        raise Invalid("file contents required", "the file is sealed; only new contents can be left open")
    if patch.contents is not None or sealed != row.encrypted:
        owner = await statements.get(tx, caller, shelf.owners, row._mapping[shelf.owner_id])
        key = await uses.key_of(tx, shelf.owners, owner)
        given["contents"] = _kept(patch.contents or row.contents, sealed=sealed, key=key, settings=settings)
    if shelf is PIPELINES and patch.name not in (None, row.name):
        await uses.require_unused(tx, row.pipeline_id, "files", row.name)
    return await statements.change(tx, caller, shelf.files, id, **given)


async def remove(tx: WriteTx, caller: Caller, shelf: Shelf, id: UUID) -> None:
    """Delete a file, unless its pipeline's config still names it."""
    row = await statements.get(tx, caller, shelf.files, id)
    uses.require_made_by_hand(row)
    if shelf is PIPELINES:
        await uses.require_unused(tx, row.pipeline_id, "files", row.name)
    await statements.remove(tx, caller, shelf.files, id)


def _kept(contents: bytes, *, sealed: bool, key: str, settings: Settings) -> bytes:
    if len(contents) > settings.file_limit:
        raise Invalid("file size exceeded", f"{len(contents)} bytes, more than {settings.file_limit}")
    return sealing.seal(key, contents) if sealed else contents
