"""Fleet configs: what the agents of a fleet are given, and the text of each revision in the format they ask for."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from nectary.db import tables
from nectary.db.transaction import ReadTx
from nectary.errors import Refusal
from nectary.fluentbit import edit
from nectary.fluentbit.document import ConfigError, Format, Kind
from nectary.resources import config_texts, fleet_revisions
from nectary.resources.fleet_revisions import BAD_CONFIG, KeptFile
from nectary.resources.fleet_serving import Served, Serving, Split, revisions_of, served

fleets, rollouts = tables.fleets, tables.rollouts

# Rollouts that each began while the one before, rolled back or cancelled, had the last word. Further back, those out of reach
# get what they had then: the same text, for it was rolled back to.
_MOST_SPLITS = 20


@dataclass(frozen=True)
class FleetConfig:
    """A revision of a fleet's config with its files; written out once a format."""

    format: Format
    text: str
    files: tuple[KeptFile, ...]
    _written: dict[Format, bytes | Refusal] = field(default_factory=dict, repr=False)

    @property
    def weight(self) -> int:
        """Roughly its bytes in memory, each format written out and the files as they are sent."""
        return 1024 + 4 * len(self.text) + 3 * sum(len(file.contents) for file in self.files)

    def written(self, to: Format) -> bytes:
        """What an agent that asks for `to` gets. Raises Invalid when the config cannot be said in that format without loss:
        the agent then logs an error and keeps running what it has, which is better than half a config."""
        if to not in self._written:
            try:
                self._written[to] = self._write(to)
            except Refusal as refusal:
                self._written[to] = refusal
        found = self._written[to]
        if isinstance(found, Refusal):
            raise found
        return found

    def _write(self, to: Format) -> bytes:
        text = config_texts.converted(reloadable(self.text, self.format), self.format, to, BAD_CONFIG, read=self._read)
        return text.encode() or b"\n"  # an empty body is an error to the agent

    def _read(self, path: str) -> bytes | None:
        """Includes of a fleet's config are its own files: they lie beside it on the agent."""
        name = posixpath.normpath(path)
        return next((file.contents for file in self.files if file.name == name), None)


def reloadable(text: str, format: Format) -> str:
    """The config with `hot_reload on`, unless it says something about it: an agent without it can end up refusing every later
    reload ("reloading in progress"). Text that cannot be read was let pass on purpose and stays as it is."""
    try:
        document = config_texts.parse(text, format)
        if document.service_value("hot_reload") is not None:
            return text
        if own := [section for section in document.of(Kind.SERVICE) if section.file == document.file]:
            return edit.add_property(document, own[-1], "hot_reload", "on").text
        return edit.add_section(document, Kind.SERVICE, [("hot_reload", "on")]).text
    except ConfigError:
        return text


@dataclass(frozen=True)
class Published:
    """Everything that a fleet's agents may be served now: who gets what, and the configs by their revision's number."""

    fleet_id: UUID
    project_id: UUID
    newest: Served
    serving: Serving
    configs: Mapping[int, FleetConfig]

    def to(self, key: str | None) -> tuple[Served, FleetConfig]:
        """What a poll with this key gets; None: what somebody gets who is no agent, the newest."""
        given = self.newest if key is None else served(self.serving, key)
        return given, self.configs[given.revision]

    @property
    def weight(self) -> int:
        return sum(config.weight for config in self.configs.values())


async def load(tx: ReadTx, fleet_id: UUID) -> Published | None:
    """What is published now; None when there is no such fleet. Whose it is, is the caller's to check."""
    row = (await tx.execute(select(fleets).where(fleets.c.id == fleet_id))).one_or_none()
    if row is None:
        return None
    newest = Served(row.revision, row.config_version)
    serving = await _serving(tx, row, newest)
    configs = {}
    for number in {newest.revision, *revisions_of(serving)}:
        text, format = await fleet_revisions.text_of(tx, fleet_id, number)
        configs[number] = FleetConfig(format, text, await fleet_revisions.files_of(tx, fleet_id, number))
    return Published(fleet_id, row.project_id, newest, serving, configs)


async def _serving(tx: ReadTx, fleet: Row[Any], newest: Served) -> Serving:
    """As the rollout says that has the last word, and those it came after; the newest to all where there is none."""
    found: list[Row[Any]] = []
    next_id = fleet.rollout_id
    while next_id is not None and len(found) < _MOST_SPLITS:
        row = (await tx.execute(select(rollouts).where(rollouts.c.id == next_id))).one()
        found.append(row)
        next_id = row.after_id
    if not found:
        return newest
    serving: Serving = Served(found[-1].from_revision, found[-1].from_version)
    for row in reversed(found):
        to, back = Served(row.to_revision, row.to_version), Served(row.back_revision, row.back_version)
        inside = to if row.back_version is None else back
        serving = Split(row.reach, frozenset(row.canary_keys), inside, outside=serving)
    return serving
