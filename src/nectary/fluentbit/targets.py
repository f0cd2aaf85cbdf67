"""The hosts a configuration would talk to."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from nectary.fluentbit.document import Document, Kind, Place, Plugin
from nectary.fluentbit.ports import name_address
from nectary.fluentbit.references import Text, texts
from nectary.fluentbit.schema import PluginSchema, Schema, load
from nectary.fluentbit.values import boolean, integer
from nectary.fluentbit.variables import TEMPLATE, expand

Final = Callable[[str], str]
"""A value with its variables put in, or as it is where they are not known."""


class Target(NamedTuple):
    """One host. port: 0 when not known. owner: `output:http:http.0`. origin: "set", "default", or "service" for a vendor's own.

    host: as written when it holds a template or a variable that is not known here.
    """

    host: str
    port: int
    tls: bool
    owner: str
    origin: str
    place: Place


# Vendors' hosts that plugins go to when nothing else is set (the plugins' own headers in Fluent Bit 5.1.1); {x} is an option.
_SERVICES = {
    "datadog": "http-intake.logs.datadoghq.com",
    "nrlogs": "log-api.newrelic.com",
    "stackdriver": "logging.googleapis.com",
    "bigquery": "bigquery.googleapis.com",
    "gcs": "storage.googleapis.com",
    "chronicle": "malachiteingestion-pa.googleapis.com",
    "azure": "{customer_id}.ods.opinsights.azure.com",
    "cloudwatch_logs": "logs.{region}.amazonaws.com",
    "kinesis_firehose": "firehose.{region}.amazonaws.com",
    "kinesis_streams": "kinesis.{region}.amazonaws.com",
    "s3": "s3.{region}.amazonaws.com",
    "calyptia": "cloud-api.calyptia.com",
}
_HOST_OPTIONS = ("host", "endpoint", "calyptia_host", "dd_hostname", "logdna_host")
_URL = re.compile(r"(?:https?|wss?|grpcs?|nats)://[^\s,'\"]+", re.IGNORECASE)
_LISTS = frozenset({"brokers"})


def find(document: Document, schema: Schema | None = None, env: Mapping[str, str] | None = None) -> tuple[Target, ...]:
    """Targets of outputs, of inputs and customs that ask elsewhere, of upstream nodes, and of every value that is a URL."""
    known = schema or load()
    defined: dict[str, str | None] = {one.name: None if one.uri else one.value for one in document.variables}

    def final(value: str) -> str:
        text = None if TEMPLATE.search(value) else expand(value, defined, env)
        return value if text is None else text

    found: list[Target] = []
    for plugin in document.plugins:
        target = _of_plugin(plugin, known.plugin(plugin.kind, plugin.name), final)
        if target is not None:
            found.append(target)
    for section in document.of(Kind.UPSTREAM, Kind.NODE):
        nodes = [group.properties for group in section.groups if group.name == "node"]
        for properties in [*nodes, section.properties] if section.kind is Kind.NODE else nodes:
            given = {prop.name: prop for prop in properties}
            host = given.get("host")
            if host is not None:
                port = integer(final(given["port"].value)) if "port" in given else 0
                tls = boolean(final(given["tls"].value)) if "tls" in given else False
                found.append(Target(final(host.value), port or 0, bool(tls), str(section.kind), "set", host.value_place))
    for text in texts(document):
        found += _urls(text, final(text.value))
    return tuple(dict.fromkeys(found))


def _of_plugin(plugin: Plugin, schema: PluginSchema | None, final: Final) -> Target | None:
    if schema is None or schema.listen:
        return None
    section = plugin.section
    talks = plugin.kind is Kind.OUTPUT and "net_target" in schema.groups
    if not (talks or schema.role == "client" or plugin.name in _SERVICES) or section.get("unix_path"):
        return None
    place = section.find("name")
    assert place is not None
    default = schema.target_default or {}
    host, port = name_address(plugin)
    origin = "set" if host else "default"
    for option in _HOST_OPTIONS:
        prop = section.find(option)
        if prop is not None and prop.value and not _URL.match(prop.value) and not host:
            host, origin, place = final(prop.value), "set", prop
            break
    service = _SERVICES.get(plugin.name, "")
    if not host:
        host = str(default.get("host") or "") or re.sub(r"\{(\w+)\}", lambda name: section.get(name[1]) or name[0], service)
        origin = "service" if service and not default else "default"
    if not host:
        return None
    set_port = section.find("port")
    number = integer(final(set_port.value)) if set_port is not None else port
    tls = boolean(final(section.get("tls") or "")) is True or (origin == "service")
    return Target(
        host, number or int(default.get("port") or (443 if service else 0)), tls, plugin.owner, origin, place.value_place
    )


def _urls(text: Text, value: str) -> list[Target]:
    if text.kind not in (Kind.INPUT, Kind.FILTER, Kind.OUTPUT, Kind.CUSTOM):
        return []
    if text.option in _LISTS:
        pairs = (part.strip().rpartition(":") for part in value.split(",") if part.strip())
        return [Target(host or port, integer(port) or 0, False, text.owner, "set", text.place) for host, _, port in pairs]
    if text.option != "proxy" and not re.search(r"url|uri|endpoint|webhook|host|server|proxy", text.option):
        return []
    found = []
    for match in _URL.finditer(value[:10_000]):
        try:
            url = urlsplit(match[0])
            tls = url.scheme.lower() in ("https", "wss", "grpcs")
            port = url.port or (443 if tls else 80)
        except ValueError:
            continue
        if url.hostname:
            found.append(Target(url.hostname, port, tls, text.owner, "set", text.place))
    return found
