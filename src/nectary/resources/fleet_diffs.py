"""Fleet diffs: what changed between two revisions of a fleet, or a revision and the draft, by meaning."""

import re
from dataclasses import dataclass
from uuid import UUID

from pydantic import Field

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx
from nectary.errors import Invalid
from nectary.fluentbit import diff as by_meaning
from nectary.fluentbit.diff import Change
from nectary.fluentbit.document import ConfigError, Document, Format, Place
from nectary.resources import config_texts, fleet_drafts, fleet_revisions
from nectary.shape import Shape

DRAFT = "draft"
BAD_SIDE = "invalid fleet revision"
_MOST_CHANGES = 2000


class DiffChange(Shape):
    """`change`: added, removed, changed or moved. `subject`: such as `input.tail.path`. Lines: of each text, if any."""

    change: str
    what: str
    subject: str
    old: str
    new: str
    old_line: int | None
    new_line: int | None


class DiffFile(Shape):
    change: str
    name: str


class FleetDiff(Shape):
    """`text`: the changes, a line each. `unreadable`: why a text could not be read, so that only its files were compared."""

    from_: str = Field(alias="from")
    to: str
    same_text: bool
    changes: list[DiffChange]
    files: list[DiffFile]
    text: str
    unreadable: str | None


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    text: str
    format: Format
    files: dict[str, bytes]


async def diff(tx: ReadTx, caller: Caller, fleet_id: UUID, from_: str | None, to: str | None) -> FleetDiff:
    """Sides are revisions' numbers, or `draft`. `to`: the newest if none is given; `from_`: the one before it, or what the
    draft was made from. Raises Invalid for another word, NotFound for a number there is not."""
    fleet = await statements.get(tx, caller, tables.fleets, fleet_id)
    new = await _side(tx, caller, fleet_id, to or str(fleet.revision))
    if from_ is None:
        draft = (await fleet_drafts.get(tx, caller, fleet_id)).based_on if new.name == DRAFT else max(int(new.name) - 1, 1)
        from_ = str(draft)
    old = await _side(tx, caller, fleet_id, from_)
    unreadable, changes = _changes(old, new)
    found = [_change(change) for change in changes[:_MOST_CHANGES]]
    files = _files(old.files, new.files)
    lines = by_meaning.as_text(changes[:_MOST_CHANGES]) + "".join(f"{_SIGNS[one.change]} file {one.name}\n" for one in files)
    same = (old.text, old.format) == (new.text, new.format)
    return FleetDiff(from_=old.name, to=new.name, same_text=same, changes=found, files=files, text=lines, unreadable=unreadable)


_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


async def _side(tx: ReadTx, caller: Caller, fleet_id: UUID, named: str) -> _Side:
    if named == DRAFT:
        draft = await fleet_drafts.get(tx, caller, fleet_id)
        newest = (await statements.get(tx, caller, tables.fleets, fleet_id)).revision
        files = await fleet_revisions.files_of(tx, fleet_id, newest)
        return _Side(DRAFT, draft.raw_config, Format(draft.config_format), {file.name: file.contents for file in files})
    if not re.fullmatch(r"[1-9][0-9]{0,8}", named):
        raise Invalid(BAD_SIDE, f"{named[:60]!r} is neither a revision's number nor `draft`")
    text, format = await fleet_revisions.text_of(tx, fleet_id, int(named))
    files = await fleet_revisions.files_of(tx, fleet_id, int(named))
    return _Side(named, text, format, {file.name: file.contents for file in files})


def _changes(old: _Side, new: _Side) -> tuple[str | None, tuple[Change, ...]]:
    if (old.text, old.format) == (new.text, new.format):
        return None, ()
    documents: list[Document] = []
    for side in (old, new):
        try:
            documents.append(config_texts.parse(side.text, side.format))
        except ConfigError as error:
            problem = error.problems[0]
            return f"{side.name}, line {problem.place.line}: {problem.message}", ()
    return None, by_meaning.diff(*documents)


def _change(change: Change) -> DiffChange:
    return DiffChange(
        change=change.change,
        what=change.what,
        subject=change.subject,
        old=change.old,
        new=change.new,
        old_line=_line(change.old_place),
        new_line=_line(change.new_place),
    )


def _line(place: Place | None) -> int | None:
    return None if place is None else place.line


def _files(old: dict[str, bytes], new: dict[str, bytes]) -> list[DiffFile]:
    words = dict.fromkeys(old.keys() - new.keys(), "removed")
    words |= dict.fromkeys(new.keys() - old.keys(), "added")
    words |= {name: "changed" for name in old.keys() & new.keys() if old[name] != new[name]}
    return [DiffFile(change=words[name], name=name) for name in sorted(words)]
