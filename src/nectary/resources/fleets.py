"""Fleets: agents that run one and the same config, fetched from here."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, Field, StringConstraints
from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, func, not_, null, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.fluentbit.document import Format
from nectary.resources import (
    agent_errors,
    authors,
    config_texts,
    fleet_checks,
    fleet_files,
    fleet_publishing,
    fleet_revisions,
    quotas,
)
from nectary.resources.fleet_checks import Candidate
from nectary.resources.fleet_files import NewFleetFile
from nectary.resources.fleet_publishing import Wish
from nectary.resources.fleet_revisions import BAD_CONFIG, BAD_FORMAT, FormatName, Message, Number, RawConfig
from nectary.resources.rollout_plans import RolloutPlan
from nectary.settings import Settings
from nectary.shape import Page, Patch, Says, Shape, Time

fleets, _agents = tables.fleets, tables.agents


def _folder(name: str) -> str:
    """The agent keeps a fleet's configs in a folder of that name (in_calyptia_fleet), so it must be one."""
    if name in (".", "..") or any(letter in '/\\"' or not letter.isprintable() for letter in name):
        raise ValueError("it must be usable as a folder's name: no slash, backslash, quote or control character")
    return name


FleetName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=32),
    AfterValidator(_folder),
    Says("invalid fleet name"),
]
FleetTag = Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=63), Says("invalid tag")]
FluentBitVersion = Annotated[
    str,
    StringConstraints(pattern=r"^(v?\d+(\.\d+){0,2}([-+][0-9A-Za-z.+-]+)?)?$", max_length=64),
    Says("invalid fluentbit version"),
]


class AgentsCount(Shape):
    active: int
    inactive: int
    with_errors: int
    errors: int  # what the Go client calls `withErrors`


class Fleet(Shape):
    id: UUID
    project_id: UUID
    name: str
    min_fluent_bit_version: str
    raw_config: str
    config_format: str
    tags: list[str]
    agents_count: AgentsCount
    revision: int
    rollout_policy: RolloutPlan | None
    created_at: Time
    updated_at: Time


class NewFleet(Shape):
    name: FleetName
    min_fluent_bit_version: FluentBitVersion | None = None
    raw_config: RawConfig = ""
    config_format: FormatName | None = None
    tags: list[FleetTag] | None = None
    skip_config_validation: bool = False
    # The Go client's own spelling comes first: its field has no tag.
    files: Annotated[list[NewFleetFile] | None, Field(validation_alias=AliasChoices("Files", "files"))] = None
    message: Message | None = None
    rollout_policy: RolloutPlan | None = None


class FleetPatch(Patch):
    name: FleetName | None = None
    raw_config: RawConfig | None = None
    config_format: FormatName | None = None
    tags: list[FleetTag] | None = None
    skip_config_validation: bool = False
    message: Message | None = None
    if_revision: Number | None = None
    urgent: bool = False
    rollout: RolloutPlan | None = None
    rollout_policy: RolloutPlan | None = None  # null takes it away


class FleetsStatus(Shape):
    managed: int
    healthy: int
    in_progress: int
    unhealthy: int


# -- Changing ------------------------------------------------------------------------------------------------------------


async def create(tx: WriteTx, caller: Caller, new: NewFleet, settings: Settings) -> Fleet:
    """A fleet, with its first files. Raises Invalid for a config that its agents could not start with."""
    await quotas.require_room(tx, caller.project_id, fleets, settings.quota_fleets, "fleets quota exceeded")
    format = config_texts.format_named(new.config_format, BAD_FORMAT)
    candidate = Candidate(new.raw_config, format, {file.name: file.contents for file in new.files or ()})
    if new.skip_config_validation:
        fleet_checks.require_no_calyptia(candidate)
    else:
        fleet_checks.require_startable(candidate, new.min_fluent_bit_version or "", settings.schemas)
    row = await statements.add(
        tx,
        fleets,
        project_id=caller.project_id,
        name=new.name,
        min_fluent_bit_version=new.min_fluent_bit_version or "",
        raw_config=new.raw_config,
        config_format=format,
        tags=list(dict.fromkeys(new.tags or ())),
        rollout_policy=_kept(new.rollout_policy),
        config_version=int(clock.seconds()),
        config_changed_at=clock.now(),
    )
    for file in new.files or ():
        await fleet_files.put(tx, caller, row.id, file, settings)
    revision = await fleet_revisions.record(tx, row.id, "created", author=authors.of(caller), message=new.message or "")
    return Fleet.model_validate(
        {**row._mapping, "revision": revision, "agents_count": AgentsCount(active=0, inactive=0, with_errors=0, errors=0)}
    )


def _kept(policy: RolloutPlan | None) -> Any:
    return null() if policy is None else policy.model_dump(mode="json", by_alias=True)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: FleetPatch, settings: Settings) -> Any:
    """Change a fleet; its agents get another config when text or format are others than before. Gives the moment."""
    before = await fleet_publishing.hold(tx, caller, id, patch.if_revision)
    given = patch.changes()
    for said in ("message", "if_revision", "urgent", "rollout"):
        given.pop(said, None)
    if "rollout_policy" in patch.model_fields_set:
        given["rollout_policy"] = _kept(patch.rollout_policy)
    skip = given.pop("skip_config_validation", False)
    if "config_format" in given:
        given["config_format"] = config_texts.format_named(given["config_format"], BAD_FORMAT)
    if "tags" in given:
        given["tags"] = list(dict.fromkeys(given["tags"]))
    text, format = given.get("raw_config", before.raw_config), Format(given.get("config_format", before.config_format))
    another = (text, format) != (before.raw_config, before.config_format)
    if another:
        candidate = Candidate(text, format, await fleet_checks.files_of(tx, id))
        await fleet_publishing.require_fit(tx, before, candidate, settings.schemas, skip=skip)
    moment = (await statements.change(tx, caller, fleets, id, **given)).updated_at
    if another:
        wish = Wish(authors.of(caller), patch.message or "", urgent=patch.urgent, rollout=patch.rollout)
        await fleet_publishing.publish(tx, before, "edited", wish)
    return moment


async def delete(tx: WriteTx, caller: Caller, id: UUID) -> None:
    """Delete a fleet; its agents stay, in none."""
    await statements.remove(tx, caller, fleets, id)
    await statements.revoke(tx, [id])


# -- Asking --------------------------------------------------------------------------------------------------------------


async def get(tx: ReadTx, caller: Caller, id: UUID, *, to: str | None, silent_after: timedelta) -> Fleet:
    """`to`: the format its config is written in; None: as it was given."""
    query = _counted(silent_after).where(fleets.c.id == id, statements.visible(fleets, caller))
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise statements.not_found(fleets)
    return _shape(row, to)


async def of_project(
    tx: ReadTx,
    caller: Caller,
    *,
    name: str | None,
    tags_query: str | None,
    to: str | None,
    last: int,
    before: Place | None,
    silent_after: timedelta,
) -> Page[Fleet]:
    query = _counted(silent_after).where(statements.visible(fleets, caller))
    if name:
        query = query.where(fleets.c.name == name)
    for tag in (tags_query or "").split(" AND "):
        if tag.strip():
            query = query.where(dialects.has_tag(tx.dialect, fleets.c.tags, tag.strip()))
    return await statements.page(tx, query, fleets, lambda row: _shape(row, to), last=last, before=before)


def _shape(row: Row[Any], to: str | None) -> Fleet:
    counts = AgentsCount(active=row.active, inactive=row.inactive, with_errors=row.with_errors, errors=row.with_errors)
    text, format = row.raw_config, Format(row.config_format)
    if to is not None:
        wanted = config_texts.format_named(to, BAD_FORMAT)
        text, format = config_texts.converted(text, format, wanted, BAD_CONFIG), wanted
    return Fleet.model_validate({**row._mapping, "raw_config": text, "config_format": format, "agents_count": counts})


def _counted(silent_after: timedelta) -> Select[Any]:
    heard = _agents.c.seen_at >= clock.now() - silent_after
    return select(
        fleets,
        _how_many(heard).label("active"),
        _how_many(not_(heard)).label("inactive"),
        _how_many(agent_errors.standing()).label("with_errors"),
    )


def _how_many(of: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).where(_agents.c.fleet_id == fleets.c.id, of).correlate(fleets).scalar_subquery()
