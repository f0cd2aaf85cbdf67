"""The network ports a configuration would listen on."""

from collections.abc import Mapping
from typing import NamedTuple

from nectary.fluentbit.document import Document, Kind, Place, Plugin, Property
from nectary.fluentbit.schema import PluginSchema, Schema, load
from nectary.fluentbit.values import boolean, integer
from nectary.fluentbit.variables import TEMPLATE, expand, references


class Port(NamedTuple):
    """One listening port. protocol: "tcp" or "udp". kind: "service", "input" or "output"; id: `tcp.0`, "" for the service.

    address: "0.0.0.0" unless the configuration says otherwise, "" when nobody here can tell. origin: "set", "default", "env
    default" or "default: ..." with the reason why what was set is not known. place: of the value, else of the plugin's name.
    """

    port: int
    protocol: str
    kind: str
    id: str
    plugin: str
    address: str
    origin: str
    place: Place


_EVERYWHERE = "0.0.0.0"  # noqa: S104  Fluent Bit's default, not a socket of ours
_HTTP_PORT = 2020


def find(document: Document, schema: Schema | None = None, env: Mapping[str, str] | None = None) -> tuple[Port, ...]:
    """The ports of the built-in server, then of inputs, then of outputs, in order.

    env: the process environment it will run in; None when unknown: then defaults and the document's own variables are put in.
    """
    known = schema or load()
    read = _Reader(document, env)
    inputs = document.plugins_of(Kind.INPUT)
    found = [_service(document, read), *(_input(plugin, known.plugin("input", plugin.name), read) for plugin in inputs)]
    for plugin in document.plugins_of(Kind.OUTPUT):
        listens = known.plugin("output", plugin.name)
        if listens is not None and listens.listen:
            found.append(_port(plugin, listens, "tcp", "host", read))
    return tuple(port for port in found if port is not None)


class _Reader:
    """Values with their variables put in."""

    def __init__(self, document: Document, env: Mapping[str, str] | None) -> None:
        self.env = env
        self.defined: dict[str, str | None] = {one.name: None if one.uri else one.value for one in document.variables}

    def text(self, prop: Property | None) -> str | None:
        """The final text; None when there is none or nobody can tell."""
        if prop is None or prop.nested is not None or TEMPLATE.search(prop.value):
            return None
        return expand(prop.value, self.defined, self.env)

    def number(self, prop: Property, default: int) -> tuple[int, str]:
        """A port and where it came from. 0 and what is no number mean the default, as for Fluent Bit."""
        if TEMPLATE.search(prop.value):
            word = "secret" if "secrets." in prop.value else "file"
            return default, f"default: the set port is a {word}"
        text = expand(prop.value, self.defined, self.env)
        used = list(references(prop.value))
        if text is None or (used and not text):
            return default, "default: variable not set"
        number = integer(text)
        if not number:
            return default, "default"
        from_default = any(one.default is not None and one.name not in self.defined for one in used) and self.env is None
        return number, "env default" if from_default else "set"


def _service(document: Document, read: _Reader) -> Port | None:
    server = document.service_value("http_server")
    if server is None or not boolean(read.text(server) or ""):
        return None
    prop = document.service_value("http_port")
    number, origin = read.number(prop, _HTTP_PORT) if prop is not None else (_HTTP_PORT, "default")
    listen = document.service_value("http_listen")
    address = _EVERYWHERE if listen is None else read.text(listen) or ""
    place = (prop or server).value_place
    return Port(number, "tcp", "service", "", "", address, origin, place) if 0 < number < 65536 else None


def _input(plugin: Plugin, schema: PluginSchema | None, read: _Reader) -> Port | None:
    if schema is None or not schema.listen:
        return None
    section = plugin.section
    protocol = str(schema.listen.get("protocol") or "tcp")
    if section.get("unix_path"):
        return None
    if plugin.name == "syslog":
        mode = read.text(section.find("mode"))
        protocol = (mode or "unix_udp").lower()
        if protocol not in ("tcp", "udp"):
            return None
    if plugin.name == "cloudflare":
        return _addressed(plugin, schema, protocol, read)
    return _port(plugin, schema, protocol, "listen", read)


def _port(plugin: Plugin, schema: PluginSchema, protocol: str, host_option: str, read: _Reader) -> Port | None:
    assert schema.listen is not None
    section = plugin.section
    default = int(schema.listen.get("port") or 0)
    host, named = name_address(plugin)
    prop = section.find("port")
    if prop is not None:
        number, origin = read.number(prop, default)
    else:
        number, origin = (named, "set") if named else (default, "default")
    listen = section.find(host_option)
    address = (read.text(listen) or "") if listen is not None else host or _EVERYWHERE
    name = section.find("name")
    assert name is not None
    place = (prop or name).value_place
    if not 0 < number < 65536:
        return None
    return Port(number, protocol, str(plugin.kind), plugin.id, plugin.name, address, origin, place)


def _addressed(plugin: Plugin, schema: PluginSchema, protocol: str, read: _Reader) -> Port | None:
    """The product's cloudflare input takes `addr host:port`."""
    prop = plugin.section.find("addr")
    text = read.text(prop)
    if prop is None or text is None:
        return _port(plugin, schema, protocol, "listen", read)
    host, _, port = text.rpartition(":")
    number = integer(port) or int((schema.listen or {}).get("port") or 0)
    if not 0 < number < 65536:
        return None
    place = prop.value_place
    return Port(number, protocol, "input", plugin.id, plugin.name, host.strip("[]") or _EVERYWHERE, "set", place)


def name_address(plugin: Plugin) -> tuple[str, int]:
    """Host and port of a name such as `tcp://0.0.0.0:9999/x`; "" and 0 where there is none."""
    written = plugin.address.removeprefix("://").partition("/")[0]
    if written.startswith("["):
        host, _, port = written[1:].partition("]")
        return host, integer(port.removeprefix(":")) or 0
    host, _, port = written.partition(":")
    return host, integer(port) or 0
