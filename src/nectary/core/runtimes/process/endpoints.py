"""Which ports the front opens for a pipeline, and where people reach them."""

from collections.abc import Mapping, Sequence
from typing import Any

from nectary.core.runtimes import Deployment, Port
from nectary.core.runtimes.process import procfs
from nectary.core.runtimes.process.render import Socket
from nectary.core.runtimes.process.replica import Replica

_LOOPBACK = ("127.", "::1", "localhost")
_EVERYWHERE = "0.0.0.0"  # noqa: S104  Fluent Bit's default for its own HTTP server
_HTTP_SERVER = (0, 2020)
"""How a port says that it is Fluent Bit's own HTTP server's (health checks): by 0, or by that server's default."""
_IN_USE, _DENIED, _NO_ADDRESS = 98, 13, 99


def fronts(deployment: Deployment, replicas: Sequence[Replica], listen: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """The ports as the front takes them, and sentences about those that nothing listens on."""
    ports, missing = [], []
    for port in deployment.ports:
        found = [(replica.number, one) for replica in replicas for one in _listening(replica, port)]
        if not found:
            if replicas:
                missing.append(f"{port.protocol} port {port.back} is declared, but nothing in the configuration listens on it")
            continue
        one = found[0][1]
        ports.append({
            "id": port.id, "protocol": port.protocol, "host": _host(port, one.address, listen), "port": port.front,
            "framing": one.framing, "backs": {str(number): socket.back for number, socket in found},
        })  # fmt: skip
    return ports, missing


def _listening(replica: Replica, port: Port) -> list[Socket]:
    if port.back == 0:
        return [Socket("tcp", 0, _EVERYWHERE, "http", replica.http_port)]
    return [one for one in replica.sockets if (one.protocol, one.port) == (port.protocol, port.back)][:1]


def _host(port: Port, configured: str, listen: str | None) -> str:
    """ClusterIP means reachable from within: here, from this machine."""
    if port.kind == "ClusterIP":
        return "127.0.0.1"
    return listen if listen is not None else configured


def reached(
    deployment: Deployment, ports: Sequence[Mapping[str, Any]], closed: Mapping[str, Any], advertise: str
) -> dict[str, str]:
    """Port id -> `host:port` for the open ones."""
    known = {port.id for port in deployment.ports}
    found = {}
    for port in ports:
        if port["id"] in known and port["id"] not in closed:
            host = str(port["host"])
            host = "127.0.0.1" if host.startswith(_LOOPBACK) else advertise
            found[str(port["id"])] = f"[{host}]:{port['port']}" if ":" in host else f"{host}:{port['port']}"
    return found


def why_closed(deployment: Deployment, id: str, error: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Why the front could not open a port, and what would help."""
    port = next(one for one in deployment.ports if one.id == id)
    what = f"{port.protocol} port {port.front}"
    if error["errno"] == _IN_USE:
        other = error.get("holder", "")
        if other:
            holder = f"by the pipeline {names.get(other, other)}"
        else:
            holder = f"by {procfs.holder(port.protocol, port.front) or 'another program'}"
        return f"{what} is taken {holder}; free it, or give this pipeline another port"
    if error["errno"] == _DENIED:
        return f"{what} may not be opened by this user; take a port above 1023, or allow it to (CAP_NET_BIND_SERVICE)"
    if error["errno"] == _NO_ADDRESS:
        return f"{what} cannot be opened: the address to listen on is not of this machine"
    return f"{what} cannot be opened: {error['text']}"
