"""Fits a pipeline's configuration to one child on this machine: its own ports on the loopback, its own HTTP server.

Many children share one machine, so none may listen where its configuration says: the front does, and each child gets ports of
its own. A rehearsal has besides no way to take anything in but through those, and no way to send anything out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from nectary.fluentbit import edit, ports, yaml
from nectary.fluentbit.document import ConfigError, Document, Kind, Plugin, Section
from nectary.fluentbit.values import boolean, integer

Framing = Literal["http", "lines", "msgpack", "opaque"]
Take = Callable[[str, int], int]
"""Protocol and the port as configured -> a free port."""

_FRAMINGS: Mapping[str, Framing] = {
    "http": "http",
    "splunk": "http",
    "elasticsearch": "http",
    "opentelemetry": "http",
    "prometheus_remote_write": "http",
    "prometheus_exporter": "http",
    "syslog": "lines",
    "tcp": "lines",
    "forward": "msgpack",
}
# With one of these a connection is more than the messages on it: it cannot go on with another Fluent Bit.
_BINDING = ("tls", "shared_key", "security.users", "separator", "frame")
_NOWHERE = "nectary-rehearsal"
_GRACE = 5


@dataclass(frozen=True, slots=True)
class Socket:
    """Where a configuration listens (`protocol`, `port`, `address`), how messages follow each other there, and the port that
    a child took instead."""

    protocol: str
    port: int
    address: str
    framing: Framing
    back: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A configuration for one child, and where it listens. `grace`: seconds that it takes to flush at most when stopped."""

    text: str
    sockets: tuple[Socket, ...]
    grace: int


Fit = Callable[[str, Mapping[str, str], int, Take], Rendered]
"""Configuration, environment, port of its HTTP server, free ports -> what one child runs."""


def for_child(config: str, env: Mapping[str, str], http_port: int, take: Take) -> Rendered:
    """Raises ConfigError when the text is no configuration."""
    document, sockets = _with_own_ports(yaml.parse(config), env, take)
    document = _with_own_server(document, http_port)
    return Rendered(document.text, sockets, _grace(document))


def for_rehearsal(config: str, env: Mapping[str, str], http_port: int, take: Take) -> Rendered:
    """The configuration as it starts, cut off from the world: it proves that everything in it can be set up.

    Inputs that fetch by themselves (tail, kafka, exec, ...) would take records away or give them twice, so they are left out;
    outputs are set up, and match nothing.
    """
    document, sockets = _with_own_ports(yaml.parse(config), env, take)
    listening = {plugin.owner for plugin in document.plugins_of(Kind.INPUT) if _listens(document, plugin, env)}
    document = _without(document, lambda one: one.kind is Kind.CUSTOM)
    document = _without(document, lambda one: one.kind is Kind.INPUT and one.owner not in listening)
    document = _stripped(document, Kind.INPUT, ("routes",))
    document = _stripped(document, Kind.OUTPUT, ("match", "match_regex", "route", "routes"))
    for at in range(len(document.of(Kind.OUTPUT))):
        document = edit.set_property(document, document.of(Kind.OUTPUT)[at], "match", _NOWHERE)
    if not document.of(Kind.INPUT):  # Fluent Bit does not start without one
        document = edit.add_section(document, Kind.INPUT, [("name", "dummy"), ("tag", "nowhere"), ("samples", "1")])
    document = _with_own_server(document, http_port)
    return Rendered(document.text, sockets, _grace(document))


def _grace(document: Document) -> int:
    prop = document.service_value("grace")
    number = integer(prop.value) if prop is not None else None
    return _GRACE if number is None else max(0, number)


def _listens(document: Document, plugin: Plugin, env: Mapping[str, str]) -> bool:
    return any(port.kind == "input" and port.id == plugin.id for port in ports.find(document, env=env))


def _without(document: Document, unwanted: Callable[[Plugin], bool]) -> Document:
    # From the last to the first: a removed section renumbers those after it.
    for plugin in reversed(document.plugins):
        if unwanted(plugin):
            document = edit.remove_section(document, plugin.section)
    return document


def _stripped(document: Document, kind: Kind, names: tuple[str, ...]) -> Document:
    """Without some options of every section of a kind; each removal makes a new document, so sections go by their place."""
    for at in range(len(document.of(kind))):
        for name in names:
            while prop := document.of(kind)[at].find(name):
                document = edit.remove_property(document, document.of(kind)[at], prop)
    return document


def _with_own_ports(document: Document, env: Mapping[str, str], take: Take) -> tuple[Document, tuple[Socket, ...]]:
    sockets = []
    for port in ports.find(document, env=env):
        if port.kind == "service":
            continue
        plugin = next(one for one in document.plugins_of(Kind(port.kind)) if one.id == port.id)
        back = take(port.protocol, port.port)
        sockets.append(Socket(port.protocol, port.port, port.address or "127.0.0.1", _framing(plugin), back))
        if plugin.name == "cloudflare":
            document = edit.set_property(document, plugin.section, "addr", f"127.0.0.1:{back}")
            continue
        document = edit.set_property(document, plugin.section, "port", str(back))
        plugin = next(one for one in document.plugins_of(Kind(port.kind)) if one.id == port.id)
        host = "host" if port.kind == "output" else "listen"
        document = edit.set_property(document, plugin.section, host, "127.0.0.1")
    return document, tuple(sockets)


def _framing(plugin: Plugin) -> Framing:
    section = plugin.section
    for name in _BINDING:
        value = section.get(name)
        if value is not None and (name != "tls" or boolean(value)):
            return "opaque"
    return _FRAMINGS.get(plugin.name, "opaque")


def _with_own_server(document: Document, http_port: int) -> Document:
    wanted = {"http_server": "on", "http_listen": "127.0.0.1", "http_port": str(http_port), "hot_reload": "on"}
    if document.service_value("daemon") is not None:
        wanted["daemon"] = "off"  # it would go out of sight
    if not document.of(Kind.SERVICE):
        return edit.add_section(document, Kind.SERVICE, list(wanted.items()))
    for name, value in wanted.items():
        document = edit.set_property(document, _service(document, name), name, value)
    return document


def _service(document: Document, name: str) -> Section:
    """The service section where a value counts: the last that has it, else the first."""
    sections = document.of(Kind.SERVICE)
    return next((one for one in reversed(sections) if one.find(name)), sections[0])


def refusal(error: ConfigError) -> str:
    """What is wrong with a configuration, in one line."""
    return "; ".join(f"line {problem.place.line}: {problem.message}" for problem in error.problems[:5])
