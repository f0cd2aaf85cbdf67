"""Fleet files: what lies beside a fleet's config on each of its agents."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from sqlalchemy import func, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.resources import fleet_checks, fleet_publishing, quotas
from nectary.resources.fleet_publishing import AT_ONCE, Wish
from nectary.resources.fleet_revisions import KeptFile
from nectary.resources.names import Contents
from nectary.settings import Settings
from nectary.shape import Page, Patch, Says, Shape

files, fleets = tables.fleet_files, tables.fleets

# Agents take 10 MiB in one answer (fleet.max_http_buffer_size), in which base64 makes four bytes of three.
MOST_TOGETHER = 7 * 1024 * 1024
# in_calyptia_fleet keeps the config itself in the same folder under this name.
_ITS_OWN = "config.yaml"


def _flat(name: str) -> str:
    """An agent writes a file wherever its name leads (in_calyptia_fleet: `../up.txt` is followed), so it may lead nowhere."""
    if any(letter in "/\\" or not letter.isprintable() for letter in name) or ".." in name or name in (".", _ITS_OWN):
        raise ValueError(f"a plain file name: no slash, backslash, `..` or control character, and not {_ITS_OWN}")
    return name


FileName = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_flat), Says("invalid fleet file name")
]


class FleetFile(KeptFile):
    """A file as it now is."""


class NewFleetFile(Shape):
    name: FileName
    contents: Contents


class FleetFilePatch(Patch):
    name: FileName | None = None
    contents: Contents | None = None


async def create(
    tx: WriteTx, caller: Caller, fleet_id: UUID, new: NewFleetFile, settings: Settings, wish: Wish = AT_ONCE
) -> FleetFile:
    """Add a file to a fleet that is there; its agents fetch it with the config, which counts as changed."""
    before = await fleet_publishing.hold(tx, caller, fleet_id, wish.if_revision)
    file = await put(tx, caller, fleet_id, new, settings)
    await fleet_publishing.publish(tx, before, "file", wish)
    return file


async def put(tx: WriteTx, caller: Caller, fleet_id: UUID, new: NewFleetFile, settings: Settings) -> FleetFile:
    await quotas.require_room(tx, caller.project_id, files, settings.quota_fleet_files, "fleet files quota exceeded")
    _require_small(new.contents, settings)
    row = await statements.add(tx, files, project_id=caller.project_id, fleet_id=fleet_id, name=new.name, contents=new.contents)
    await _require_carried(tx, fleet_id)
    return FleetFile.model_validate(row)


async def get(tx: ReadTx, caller: Caller, id: UUID) -> FleetFile:
    return FleetFile.model_validate(await statements.get(tx, caller, files, id))


async def of_fleet(tx: ReadTx, caller: Caller, fleet_id: UUID, *, last: int, before: Place | None) -> Page[FleetFile]:
    await statements.get(tx, caller, fleets, fleet_id)
    query = select(files).where(files.c.fleet_id == fleet_id, statements.visible(files, caller))
    return await statements.page(tx, query, files, FleetFile.model_validate, last=last, before=before)


async def change(
    tx: WriteTx,
    caller: Caller,
    id: UUID,
    patch: FleetFilePatch,
    settings: Settings,
    wish: Wish = AT_ONCE,
    *,
    skip: bool = False,
) -> None:
    """Rename a file, or replace its contents. Raises Invalid where the config beside it could not be started with any more,
    unless `skip`."""
    if patch.contents is not None:
        _require_small(patch.contents, settings)
    fleet = await fleet_publishing.hold(tx, caller, (await statements.get(tx, caller, files, id)).fleet_id, wish.if_revision)
    before, beside = await statements.get(tx, caller, files, id), await fleet_checks.files_of(tx, fleet.id)
    after = await statements.change(tx, caller, files, id, **patch.changes())
    await _require_carried(tx, after.fleet_id)
    if (after.name, after.contents) != (before.name, before.contents):
        if not skip:
            await fleet_checks.require_still_sound(tx, fleet, beside, settings.schemas)
        await fleet_publishing.publish(tx, fleet, "file", wish)


async def remove(
    tx: WriteTx, caller: Caller, id: UUID, settings: Settings, wish: Wish = AT_ONCE, *, skip: bool = False
) -> None:
    """Delete a file, unless the config needs it; `skip`: all the same."""
    fleet = await fleet_publishing.hold(tx, caller, (await statements.get(tx, caller, files, id)).fleet_id, wish.if_revision)
    beside = await fleet_checks.files_of(tx, fleet.id)
    await statements.remove(tx, caller, files, id)
    if not skip:
        await fleet_checks.require_still_sound(tx, fleet, beside, settings.schemas)
    await fleet_publishing.publish(tx, fleet, "file", wish)


def _require_small(contents: bytes, settings: Settings) -> None:
    if len(contents) > settings.file_limit:
        raise Invalid("fleet file size exceeded", f"{len(contents)} bytes are more than {settings.file_limit}")


async def _require_carried(tx: ReadTx, fleet_id: UUID) -> None:
    """All files of a fleet travel in one answer, which agents read to a limit."""
    query = select(func.sum(func.length(files.c.contents))).where(files.c.fleet_id == fleet_id)
    size = (await tx.execute(query)).scalar_one() or 0
    if size > MOST_TOGETHER:
        raise Invalid("fleet file size exceeded", f"the fleet's files together have at most {MOST_TOGETHER} bytes")
