"""Fleet configs: what the agents of a fleet are given, its version, and its text in the format they ask for."""

import posixpath
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from nectary.db import tables
from nectary.db.transaction import ReadTx
from nectary.errors import Refusal
from nectary.fluentbit import edit
from nectary.fluentbit.document import ConfigError, Format, Kind
from nectary.resources import config_texts, fleet_files
from nectary.resources.fleet_files import FleetFile

fleets = tables.fleets

BAD_FORMAT = "invalid fleet config format"
BAD_CONFIG = "invalid fluentbit config"


@dataclass(frozen=True)
class FleetConfig:
    """A fleet's config as it was at one version (seconds since the epoch), with its files; written out once a format."""

    project_id: UUID
    version: int
    format: Format
    text: str
    files: tuple[FleetFile, ...]
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
        text = config_texts.converted(_reloadable(self.text, self.format), self.format, to, BAD_CONFIG, read=self._read)
        return text.encode() or b"\n"  # an empty body is an error to the agent

    def _read(self, path: str) -> bytes | None:
        """Includes of a fleet's config are its own files: they lie beside it on the agent."""
        name = posixpath.normpath(path)
        return next((file.contents for file in self.files if file.name == name), None)


def _reloadable(text: str, format: Format) -> str:
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


async def load(tx: ReadTx, fleet_id: UUID) -> FleetConfig | None:
    """The config as it is now; None when there is no such fleet. Whose it is, is the caller's to check."""
    row = (await tx.execute(select(fleets).where(fleets.c.id == fleet_id))).one_or_none()
    if row is None:
        return None
    files = await fleet_files.all_of(tx, fleet_id)
    return FleetConfig(row.project_id, row.config_version, Format(row.config_format), row.raw_config, files)
