"""Fleet revisions: what a fleet's config and files were after each change, numbered, and never changed again."""

import hashlib
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, delete, select, update

from nectary import clock
from nectary.caller import Caller
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import NotFound
from nectary.fluentbit.document import Format
from nectary.resources import authors
from nectary.resources.authors import Author
from nectary.resources.names import Contents
from nectary.shape import Page, Says, Shape, Time

fleets, files = tables.fleets, tables.fleet_files
revisions, revision_files, blobs = tables.fleet_revisions, tables.fleet_revision_files, tables.fleet_blobs

# created: with the fleet. edited: text or format. file: a file came, changed or went. published: a draft. rolled_back: to an
# older revision, by a person or by a rollout that failed.
Cause = Literal["created", "edited", "file", "published", "rolled_back"]

BAD_FORMAT = "invalid fleet config format"
BAD_CONFIG = "invalid fluentbit config"
MOST_TEXT = 1024 * 1024  # characters; agents take 10 MiB with the headers, a check of this much takes a third of a second

RawConfig = Annotated[str, StringConstraints(max_length=MOST_TEXT), Says(BAD_CONFIG)]
FormatName = Annotated[str, Says(BAD_FORMAT)]
Message = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), Says("invalid message")]
Number = Annotated[int, Field(ge=1, le=2**31 - 1), Says("invalid fleet revision")]


class FleetRevision(Shape):
    id: UUID
    fleet_id: UUID
    number: int
    message: str
    author: Author
    cause: Cause
    based_on: int | None
    config_format: str
    created_at: Time


class KeptFile(Shape):
    """A file as it was: its id, name and times, too."""

    id: UUID
    name: str
    contents: Contents
    created_at: Time
    updated_at: Time


class WholeRevision(FleetRevision):
    raw_config: str
    files: list[KeptFile]


# -- Writing -------------------------------------------------------------------------------------------------------------


async def record(
    tx: WriteTx,
    fleet_id: UUID,
    cause: Cause,
    *,
    author: dict[str, Any] | None = None,
    message: str = "",
    based_on: int | None = None,
) -> int:
    """Keep the fleet as it now is as its next revision, which becomes the newest published. Gives its number.

    The fleet's row is held by the update, so two at once get numbers one after the other.
    """
    counted = update(fleets).where(fleets.c.id == fleet_id).values(revision=fleets.c.revision + 1).returning(fleets)
    fleet = (await tx.execute(counted)).one()
    row = await statements.add(
        tx,
        revisions,
        project_id=fleet.project_id,
        fleet_id=fleet_id,
        number=fleet.revision,
        raw_config=fleet.raw_config,
        config_format=fleet.config_format,
        message=message,
        author=author or authors.NECTARY,
        cause=cause,
        based_on=based_on,
    )
    await _keep_files(tx, fleet, row.id)
    return int(fleet.revision)


async def _keep_files(tx: WriteTx, fleet: Row[Any], revision_id: UUID) -> None:
    """The names and times of the files as they are; contents only of those that the revision before did not have so."""
    columns = (files.c.id, files.c.name, files.c.created_at, files.c.updated_at)
    now = (await tx.execute(select(*columns).where(files.c.fleet_id == fleet.id))).all()
    known = {(row.file_id, row.updated_at): row.sha256 for row in await _files_of(tx, fleet.id, fleet.revision - 1)}
    rows = []
    for file in now:
        sha256 = known.get((file.id, file.updated_at)) or await _keep_contents(tx, fleet, file.id)
        times = {"created_at": file.created_at, "updated_at": file.updated_at}
        held = {"revision_id": revision_id, "name": file.name, "file_id": file.id}
        rows.append({**held, "project_id": fleet.project_id, "sha256": sha256, **times})
    if rows:
        await tx.execute(revision_files.insert(), rows)


async def _keep_contents(tx: WriteTx, fleet: Row[Any], file_id: UUID) -> bytes:
    contents: bytes = (await tx.execute(select(files.c.contents).where(files.c.id == file_id))).scalar_one()
    sha256 = hashlib.sha256(contents).digest()
    statement = dialects.insert(tx.dialect, blobs).on_conflict_do_nothing(index_elements=["fleet_id", "sha256"])
    blob = {"fleet_id": fleet.id, "sha256": sha256, "project_id": fleet.project_id, "contents": contents}
    await tx.execute(statement, blob)
    return sha256


async def _files_of(tx: ReadTx, fleet_id: UUID, number: int) -> list[Row[Any]]:
    query = (
        select(revision_files)
        .join(revisions, revisions.c.id == revision_files.c.revision_id)
        .where(revisions.c.fleet_id == fleet_id, revisions.c.number == number)
    )
    return list((await tx.execute(query)).all())


async def restore(tx: WriteTx, fleet_id: UUID, number: int) -> None:
    """Give the fleet the text, format and files of one of its revisions again. Raises NotFound.

    A file keeps its id where one of that name is there, and gets its old one back where it is not.
    """
    old = await _row(tx, fleet_id, number)
    kept = {row.name: row for row in await _files_of(tx, fleet_id, number)}
    contents = await _contents(tx, fleet_id, {row.sha256 for row in kept.values()})
    here = (await tx.execute(select(files.c.id, files.c.name).where(files.c.fleet_id == fleet_id))).all()
    if gone := [row.id for row in here if row.name not in kept]:
        await tx.execute(delete(files).where(files.c.id.in_(gone)))
    for row in here:
        if row.name in kept:
            was = contents[kept[row.name].sha256]
            changed = update(files).where(files.c.id == row.id, files.c.contents != was)
            await tx.execute(changed.values(contents=was, updated_at=clock.now()))
    for name in kept.keys() - {row.name for row in here}:
        was = contents[kept[name].sha256]
        values = {"fleet_id": fleet_id, "project_id": old.project_id, "name": name, "contents": was}
        await statements.add(tx, files, id=kept[name].file_id, **values)
    text = {"raw_config": old.raw_config, "config_format": old.config_format, "updated_at": clock.now()}
    await tx.execute(update(fleets).where(fleets.c.id == fleet_id).values(text))


async def _contents(tx: ReadTx, fleet_id: UUID, those: set[bytes]) -> dict[bytes, bytes]:
    query = select(blobs.c.sha256, blobs.c.contents).where(blobs.c.fleet_id == fleet_id, blobs.c.sha256.in_(those))
    return {row.sha256: row.contents for row in await tx.execute(query)}


# -- Asking --------------------------------------------------------------------------------------------------------------


async def _row(tx: ReadTx, fleet_id: UUID, number: int) -> Row[Any]:
    query = select(revisions).where(revisions.c.fleet_id == fleet_id, revisions.c.number == number)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise NotFound("fleet revision not found", f"the fleet has no revision {number}")
    return row


async def get(tx: ReadTx, caller: Caller, fleet_id: UUID, number: int) -> WholeRevision:
    """One revision with its text and files. Raises NotFound."""
    await statements.get(tx, caller, fleets, fleet_id)
    row = await _row(tx, fleet_id, number)
    return WholeRevision.model_validate({**row._mapping, "files": await files_of(tx, fleet_id, number)})


async def of_fleet(tx: ReadTx, caller: Caller, fleet_id: UUID, *, last: int, before: Place | None) -> Page[FleetRevision]:
    await statements.get(tx, caller, fleets, fleet_id)
    query = select(revisions).where(revisions.c.fleet_id == fleet_id, statements.visible(revisions, caller))
    return await statements.page(tx, query, revisions, FleetRevision.model_validate, last=last, before=before)


async def files_of(tx: ReadTx, fleet_id: UUID, number: int) -> tuple[KeptFile, ...]:
    """The files of a revision, newest first, as its agents get them."""
    rows = await _files_of(tx, fleet_id, number)
    contents = await _contents(tx, fleet_id, {row.sha256 for row in rows})
    rows.sort(key=lambda row: (row.created_at, row.file_id.hex), reverse=True)
    return tuple(
        KeptFile(
            id=row.file_id,
            name=row.name,
            contents=contents[row.sha256],
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    )


async def text_of(tx: ReadTx, fleet_id: UUID, number: int) -> tuple[str, Format]:
    """A revision's text and its format. Raises NotFound."""
    row = await _row(tx, fleet_id, number)
    return row.raw_config, Format(row.config_format)


async def told(tx: ReadTx, fleet_id: UUID, number: int) -> str:
    """Which revision that is, for a refusal: its number, author and time."""
    row = await _row(tx, fleet_id, number)
    return f"revision {number} was published by {row.author['name']} at {row.created_at:%Y-%m-%d %H:%M:%S} UTC"
