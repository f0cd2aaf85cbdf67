"""Two inputs (or the built-in HTTP server) that listen on the same port: the second cannot start."""

from nectary.fluentbit.document import Kind, Plugin
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.validate.report import Report, key_place, value_place
from nectary.fluentbit.values import boolean, integer

_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - addresses to compare with, not to bind
_OUTPUT_PORTS = {"prometheus_exporter": 2021, "vivo_exporter": 2025}

_Place = tuple[str, int, int]
_Listener = tuple[str, _Place, str]
"""address, place, subject"""


def check(report: Report) -> None:
    """Compare the listening ports whose numbers are in the text."""
    taken: dict[tuple[int, str], list[_Listener]] = {}
    _service(report, taken)
    for plugin in report.document.plugins_of(Kind.INPUT, Kind.OUTPUT):
        found = _listens(report, plugin)
        if found is None:
            continue
        port, protocol, listener = found
        others = taken.setdefault((port, protocol), [])
        clash = next((other for other in others[:50] if _same(other[0], listener[0])), None)
        if clash is not None:
            message = f"port {port}/{protocol} is already taken by {clash[2].rpartition('.')[0] or clash[2]}"
            report.error(listener[1], "duplicate_port", listener[2], message, "choose another port", Stage.START)
        others.append(listener)


def _same(one: str, other: str) -> bool:
    return one == other or one in _ANY or other in _ANY


def _service(report: Report, taken: dict[tuple[int, str], list[_Listener]]) -> None:
    server = report.document.service_value("http_server")
    if server is None or not boolean(report.final(server.value) or ""):
        return
    port = report.document.service_value("http_port")
    listen = report.document.service_value("http_listen")
    number = integer(report.final(port.value) or "") if port is not None else 2020
    if number:
        place = value_place(port) if port is not None else key_place(server)
        address = report.final(listen.value) if listen is not None else ""
        taken[number, "tcp"] = [(address or "", place, "service.http_port")]


def _listens(report: Report, plugin: Plugin) -> tuple[int, str, _Listener] | None:
    """Port, protocol, and who listens; None when it does not, or nobody can tell."""
    default, protocol = _OUTPUT_PORTS.get(plugin.name, 0), "tcp"
    if plugin.kind is Kind.INPUT:
        schema = report.schema.plugin("input", plugin.name)
        listen = schema.listen if schema is not None else None
        if not listen:
            return None
        default, protocol = listen.get("port") or 0, str(listen.get("protocol") or "tcp")
    elif not default:
        return None
    given = {prop.name: prop for prop in plugin.section.properties if prop.nested is None}
    if "unix_path" in given or ("net.share_port" in given and boolean(given["net.share_port"].value)):
        return None
    if plugin.name == "syslog":
        mode = (report.final(given["mode"].value) or "").lower() if "mode" in given else "unix_udp"
        if mode not in {"tcp", "udp"}:
            return None
        protocol = mode
    address, number = _address(plugin), default
    prop = given.get("port")
    if prop is not None:
        text = report.final(prop.value)
        if text is None:
            return None
        number = integer(text) or default
    elif address[1]:
        number = address[1]
    host = given.get("listen" if plugin.kind is Kind.INPUT else "host")
    at = (report.final(host.value) or "") if host is not None else address[0]
    if not 0 < number < 65536:
        return None
    place = value_place(prop) if prop is not None else value_place(given["name"])
    return number, protocol, (at, place, f"{plugin.kind}.{plugin.name}.port")


def _address(plugin: Plugin) -> tuple[str, int]:
    """Host and port of a name like `tcp://0.0.0.0:9999`."""
    host, _, port = plugin.address.removeprefix("://").partition("/")[0].rpartition(":")
    return host.strip("[]"), integer(port) or 0
