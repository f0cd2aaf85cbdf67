"""How a fleet's config and files are put on the wire, for agents and people alike: the same bytes, made once."""

from dataclasses import dataclass
from email.utils import formatdate
from uuid import UUID

import msgspec
from starlette.responses import Response

from nectary.db import cursors
from nectary.fluentbit.document import Format
from nectary.resources import config_texts
from nectary.resources.fleet_configs import FleetConfig
from nectary.resources.fleet_revisions import BAD_FORMAT

# The Go client picks its decoder by these exact values; a charset would be another.
TYPES = {Format.CLASSIC: "text/plain", Format.YAML: "application/yaml", Format.JSON: "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of status 200, as ASGI sends it."""

    headers: list[tuple[bytes, bytes]]
    body: bytes

    def response(self) -> Response:
        response = Response(self.body)
        response.raw_headers = list(self.headers)
        return response


def format_asked(config_format: str | None, format: str | None, otherwise: Format) -> Format:
    """`format` is the older name of `config_format`; Fluent Bit sends both. None of them: the format it was written in.

    Raises Invalid.
    """
    named = config_format or format
    return otherwise if not named else config_texts.format_named(named, BAD_FORMAT)


def config(config: FleetConfig, version: int, to: Format) -> Answer:
    """Raises Invalid when the config cannot be said in that format."""
    body = config.written(to)
    headers = {
        "content-type": TYPES[to],
        # IMF-fixdate: agents read no other form, and take a config only when this is later than what they have.
        "last-modified": formatdate(version, usegmt=True),
        "cache-control": "no-cache",
        "content-length": str(len(body)),
    }
    return Answer([(name.encode(), value.encode()) for name, value in headers.items()], body)


def files(config: FleetConfig, fleet_id: UUID) -> Answer:
    """All files in one array, never an empty body, which an agent takes for an error."""
    body = msgspec.json.encode([file.model_dump(mode="json", by_alias=True) for file in config.files])
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    if config.files:
        last = config.files[-1]
        cursor = cursors.encode(last.created_at, last.id)
        headers["link"] = f'</v1/fleets/{fleet_id}/files?before={cursor}>; rel="next"'
    return Answer([(name.encode(), value.encode()) for name, value in headers.items()], body)
