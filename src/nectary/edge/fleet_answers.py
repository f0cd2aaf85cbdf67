"""How a fleet's config and files are put on the wire, for agents and people alike."""

from email.utils import formatdate

import msgspec
from starlette.responses import Response

from nectary.db import cursors
from nectary.fluentbit.document import Format
from nectary.resources import config_texts
from nectary.resources.fleet_configs import BAD_FORMAT, FleetConfig

# The Go client picks its decoder by these exact values; a charset would be another.
TYPES = {Format.CLASSIC: "text/plain", Format.YAML: "application/yaml", Format.JSON: "application/json"}


def config(config: FleetConfig, config_format: str | None, format: str | None) -> Response:
    """`format` is the older name of `config_format`; Fluent Bit sends both. None of them: the format it was written in."""
    named = config_format or format
    to = config.format if not named else config_texts.format_named(named, BAD_FORMAT)
    headers = {
        "Content-Type": TYPES[to],
        # IMF-fixdate: agents read no other form, and take a config only when this is later than what they have.
        "Last-Modified": formatdate(config.version, usegmt=True),
        "Cache-Control": "no-cache",
    }
    return Response(config.written(to), headers=headers)


def files(config: FleetConfig, path: str) -> Response:
    """All files in one array, never an empty body, which an agent takes for an error."""
    headers = {"Content-Type": "application/json"}
    if config.files:
        last = config.files[-1]
        headers["Link"] = f'<{path}?before={cursors.encode(last.created_at, last.id)}>; rel="next"'
    return Response(
        msgspec.json.encode([file.model_dump(mode="json", by_alias=True) for file in config.files]), headers=headers
    )
