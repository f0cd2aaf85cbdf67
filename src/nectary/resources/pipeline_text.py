"""What a pipeline's configuration says: whether it is sound, what it listens on, talks to and refers to, in any format."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from nectary.errors import Invalid
from nectary.fluentbit import edit, ports, references, schema, targets
from nectary.fluentbit.document import ConfigError, Document, Format, Kind
from nectary.fluentbit.formats import format_named
from nectary.fluentbit.validate import published
from nectary.resources import config_texts
from nectary.shape import Says

REFUSAL = "invalid pipeline config"

# `ini` was classic's name until April 2025; the CLI and Fluent Bit still say it.
ConfigFormat = Annotated[
    Format, BeforeValidator(lambda value: format_named(value.strip()) if isinstance(value, str) else value),
    Says("invalid pipeline config format"),
]  # fmt: skip

_CACHED_LENGTH = 32 * 1024
_SECTION_ORDER = {"service": 0, "input": 1, "filter": 2, "output": 3}


class OpenPort(NamedTuple):
    """A port that a configuration listens on, and whose it is; no plugin means the service's own HTTP server."""

    protocol: str
    number: int
    plugin_id: str | None
    plugin_name: str | None
    plugin_alias: str | None


class Endpoint(NamedTuple):
    """Somewhere that an output sends to."""

    protocol: str
    host: str
    port: int


def read(raw_config: str, format: Format) -> Document | None:
    """The configuration, or None where it cannot be read: it was taken unchecked."""
    try:
        return config_texts.parse(raw_config, format)
    except ConfigError:
        return None


def require_sound(raw_config: str, format: Format, *, limit: int) -> Document:
    """Read and check. Raises Invalid with the first error, in the contract's words where it has such."""
    require_size(raw_config, limit)
    return config_texts.require_sound(raw_config, format, REFUSAL, product=True)


def require_size(raw_config: str, limit: int) -> None:
    if len(raw_config.encode()) > limit:
        raise Invalid(REFUSAL, f"it is longer than {limit} bytes")


def require_hosts(document: Document) -> None:
    """Every output that sends to a host of the user's own says which: checks are made of them."""
    ours = numbered(document, Kind.OUTPUT)
    for sentence in published.undefined_hosts(document, _schema()):
        id = sentence.split('"')[1]
        raise Invalid(REFUSAL, sentence.replace(f'"{id}"', f'"{ours.get(id, id)}"'))


def detected(raw_config: str, likely: Format) -> Format:
    """The format of a text that came without its name: `likely`, unless only another can be read. Clients roll back so."""
    return next((format for format in (likely, *Format) if read(raw_config, format) is not None), likely)


def open_ports(document: Document) -> list[OpenPort]:
    """Each protocol and port once, in the configuration's order."""
    ids = {kind: numbered(document, kind) for kind in (Kind.INPUT, Kind.OUTPUT)}
    found: dict[tuple[str, int], OpenPort] = {}
    for port in ports.find(document, _schema()):
        if port.protocol not in ("tcp", "udp"):
            continue
        kind = Kind(port.kind)
        plugin = next((one for one in document.plugins_of(kind) if one.id == port.id), None) if port.id else None
        opened = OpenPort(
            port.protocol,
            port.port,
            ids[kind].get(port.id) if plugin else None,
            plugin.name if plugin else None,
            (plugin.alias or None) if plugin else None,
        )
        found.setdefault((port.protocol, port.port), opened)
    return list(found.values())


def endpoints(document: Document) -> list[Endpoint]:
    """Where outputs send to, each once; hosts that are templates, variables or a vendor's own are left out."""
    outputs = {plugin.owner: plugin for plugin in document.plugins_of(Kind.OUTPUT)}
    found = []
    for target in targets.find(document, _schema()):
        plugin = outputs.get(target.owner)
        if plugin is None or target.origin != "set" or not _is_host(target.host) or not 0 < target.port <= 65535:
            continue
        # out_syslog and out_gelf speak udp unless told otherwise (their `mode`); their `tls` is tcp underneath.
        mode = plugin.section.get("mode") or "udp"
        udp = plugin.name == "udp" or (plugin.name in ("syslog", "gelf") and mode.lower() == "udp")
        found.append(Endpoint("udp" if udp else "tcp", target.host, target.port))
    return list(dict.fromkeys(found))


def plugin_names(document: Document) -> set[str]:
    """Every name a plugin answers to: the contract's id, Fluent Bit's id, the alias."""
    names = {name for plugin in document.plugins for name in (plugin.id, plugin.alias) if name}
    for kind in (Kind.INPUT, Kind.FILTER, Kind.OUTPUT):
        names.update(numbered(document, kind).values())
    return names


def referred(document: Document) -> tuple[list[str], list[str]]:
    """Keys of secrets and names of files that the configuration's templates use, each once."""
    found = references.find(document, _schema())
    return list(dict.fromkeys(use.name for use in found.secrets)), list(dict.fromkeys(use.name for use in found.files))


def converted(raw_config: str, format: Format, to: Format) -> str:
    """The text in another format. Raises Invalid where it cannot be read or the format cannot hold it."""
    return (_cached if len(raw_config) <= _CACHED_LENGTH else _converted)(raw_config, format, to)


def rendered(raw_config: str, format: Format, sections: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """The text with config sections (kind, properties) behind what it says. Raises ConfigError.

    Sections go by kind, filters called `kubernetes` first among theirs, else in the order given (the Go client's own order).
    """
    document = config_texts.parse(raw_config, format)
    for kind, properties in sorted(sections, key=_place):
        pairs = [(str(pair["key"]), text) for pair in properties for text in texts(pair["value"])]
        service = document.of(Kind.SERVICE) if kind == "service" and format is not Format.CLASSIC else ()
        if service:
            for key, value in pairs:
                document = edit.set_property(document, document.of(Kind.SERVICE)[0], key, value)
        else:
            document = edit.add_section(document, Kind(kind), pairs)
    return document.text


def texts(value: Any) -> list[str]:
    """A property's value as Fluent Bit is told it: a list is the same key again and again."""
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return ["" if value is None else str(value)]


def numbered(document: Document, kind: Kind) -> dict[str, str]:
    """Fluent Bit's id of each plugin -> the contract's. Fluent Bit numbers all inputs in one row (flb_input.c: instance_id), so
    that a forward after a tcp is `forward.1`; the contract counts each plugin's name for itself and says `forward.0`."""
    seen: dict[str, int] = {}
    ids = {}
    for plugin in document.plugins_of(kind):
        ids[plugin.id] = f"{plugin.name}.{seen.get(plugin.name, 0)}"
        seen[plugin.name] = seen.get(plugin.name, 0) + 1
    return ids


def _place(section: tuple[str, Iterable[Mapping[str, Any]]]) -> tuple[int, bool]:
    kind, properties = section
    name = next((pair["value"] for pair in properties if str(pair["key"]).lower() == "name"), None)
    return _SECTION_ORDER.get(kind, 9), not (kind == "filter" and name == "kubernetes")


def _is_host(host: str) -> bool:
    return 0 < len(host) <= 253 and all(letter.isalnum() or letter in ".-_:" for letter in host)


def _converted(raw_config: str, format: Format, to: Format) -> str:
    return config_texts.converted(raw_config, format, to, REFUSAL)


# A core instance asks for all its pipelines as YAML every 15 seconds, and they seldom change.
_cached = lru_cache(maxsize=1024)(_converted)


def _schema() -> schema.Schema:
    """With the plugins of the original's own images: pipelines written for them are pipelines here."""
    return schema.load(product=True)
