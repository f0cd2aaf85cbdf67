"""Two plugins (or the built-in HTTP server) that listen on the same port: the second cannot start."""

from nectary.fluentbit import ports
from nectary.fluentbit.document import Kind
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.ports import Port
from nectary.fluentbit.validate.report import Report
from nectary.fluentbit.values import boolean

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - addresses to compare with, not to bind
_MOST_ON_ONE_PORT = 50


def check(report: Report) -> None:
    """Compare the listening ports whose numbers and addresses can be told from the text."""
    taken: dict[tuple[int, str], list[Port]] = {}
    shared = {
        plugin.id for plugin in report.document.plugins_of(Kind.INPUT) if boolean(plugin.section.get("net.share_port") or "")
    }
    for port in ports.find(report.document, report.schema, report.around.env):
        if not port.address or port.origin.startswith("default:") or (port.kind == "input" and port.id in shared):
            continue
        others = taken.setdefault((port.port, port.protocol), [])
        clash = next((other for other in others[:_MOST_ON_ONE_PORT] if _same(other.address, port.address)), None)
        if clash is not None:
            subject = f"{port.kind}.{port.plugin}.port"
            by = f"{clash.kind} {clash.id}" if clash.id else "the HTTP server of the service"
            message = f"port {port.port}/{port.protocol} is already taken by {by}"
            report.error(port.place, "duplicate_port", subject, message, "choose another port", Stage.START)
        others.append(port)


def _same(one: str, other: str) -> bool:
    return one == other or one in _ANY or other in _ANY
