"""Fleet drafts: what somebody prepares for a fleet and has not published; no agent sees it."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, NotFound
from nectary.fluentbit.document import Format
from nectary.resources import authors, config_texts, fleet_checks, fleet_publishing, fleet_revisions
from nectary.resources.authors import Author
from nectary.resources.fleet_checks import Candidate
from nectary.resources.fleet_publishing import PublishedRevision, Wish
from nectary.resources.fleet_revisions import BAD_FORMAT, FormatName, Message, Number, RawConfig
from nectary.resources.rollout_plans import RolloutPlan
from nectary.settings import Settings
from nectary.shape import Shape, Time

drafts, fleets = tables.fleet_drafts, tables.fleets


class FleetDraft(Shape):
    fleet_id: UUID
    raw_config: str
    config_format: str
    message: str
    author: Author
    based_on: int
    created_at: Time
    updated_at: Time


class NewFleetDraft(Shape):
    """`basedOn`: the revision it was made from; else that of the draft that is there, or the newest."""

    raw_config: RawConfig
    config_format: FormatName | None = None
    message: Message = ""
    based_on: Number | None = None


class Publication(Shape):
    """`force`: also when the fleet has moved on since the draft was begun."""

    message: Message | None = None
    if_revision: Number | None = None
    urgent: bool = False
    rollout: RolloutPlan | None = None
    force: bool = False
    skip_config_validation: bool = False


async def put(tx: WriteTx, caller: Caller, fleet_id: UUID, new: NewFleetDraft) -> FleetDraft:
    """Keep a draft, in place of one that is there. It may be as wrong as it likes until it is published."""
    fleet = await fleet_publishing.hold(tx, caller, fleet_id)
    format = Format(fleet.config_format)
    if new.config_format is not None:
        format = config_texts.format_named(new.config_format, BAD_FORMAT)
    if new.based_on is not None:
        await fleet_revisions.text_of(tx, fleet_id, new.based_on)
    values: dict[str, Any] = {
        "raw_config": new.raw_config,
        "config_format": format,
        "message": new.message,
        "author": authors.of(caller),
    }
    row = await _find(tx, fleet_id)
    if row is None:
        of = {"project_id": fleet.project_id, "fleet_id": fleet_id, "based_on": new.based_on or fleet.revision}
        return FleetDraft.model_validate(await statements.add(tx, drafts, **of, **values))
    if new.based_on is not None:
        values["based_on"] = new.based_on
    return FleetDraft.model_validate(await statements.change(tx, caller, drafts, row.id, **values))


async def get(tx: ReadTx, caller: Caller, fleet_id: UUID) -> FleetDraft:
    await statements.get(tx, caller, fleets, fleet_id)
    row = await _find(tx, fleet_id)
    if row is None:
        raise NotFound("fleet draft not found", "nothing is being prepared for this fleet")
    return FleetDraft.model_validate(row)


async def discard(tx: WriteTx, caller: Caller, fleet_id: UUID) -> None:
    """Throw the draft away. Raises NotFound when there is none."""
    await get(tx, caller, fleet_id)
    await tx.execute(delete(drafts).where(drafts.c.fleet_id == fleet_id))


async def publish(tx: WriteTx, caller: Caller, fleet_id: UUID, asked: Publication, settings: Settings) -> PublishedRevision:
    """Make the draft the fleet's newest revision, and no draft any more. A draft that says what is published already is only
    thrown away.

    Raises Conflict when there is no draft, or when the fleet moved on since it was begun, naming the newer revision; Invalid
    when agents could not run it.
    """
    before = await fleet_publishing.hold(tx, caller, fleet_id, asked.if_revision)
    draft = await _find(tx, fleet_id)
    if draft is None:
        raise Conflict("no fleet draft", "there is nothing to publish: put a draft first")
    if draft.based_on != before.revision and not asked.force:
        newer = await fleet_revisions.told(tx, fleet_id, before.revision)
        detail = f"the draft was made from revision {draft.based_on}, and {newer}; look at that first, or say force"
        raise Conflict("fleet revision conflict", detail)
    await tx.execute(delete(drafts).where(drafts.c.id == draft.id))
    if (draft.raw_config, draft.config_format) != (before.raw_config, before.config_format):
        candidate = Candidate(draft.raw_config, Format(draft.config_format), await fleet_checks.files_of(tx, fleet_id))
        await fleet_publishing.require_fit(tx, before, candidate, settings.schemas, skip=asked.skip_config_validation)
        text = {"raw_config": draft.raw_config, "config_format": draft.config_format}
        await statements.change(tx, caller, fleets, fleet_id, **text)
        message = draft.message if asked.message is None else asked.message
        wish = Wish(authors.of(caller), message, urgent=asked.urgent, rollout=asked.rollout)
        await fleet_publishing.publish(tx, before, "published", wish, based_on=draft.based_on)
    return await fleet_publishing.told(tx, fleet_id)


async def _find(tx: ReadTx, fleet_id: UUID) -> Row[Any] | None:
    return (await tx.execute(select(drafts).where(drafts.c.fleet_id == fleet_id))).one_or_none()
