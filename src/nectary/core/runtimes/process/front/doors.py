"""Every port that the front holds open, by pipeline, and what the core instance may ask about them."""

import asyncio
import errno
import time
from dataclasses import asdict, dataclass
from typing import Any

from nectary.core.runtimes.process.front import tcp, udp


@dataclass(slots=True)
class _Open:
    protocol: str
    host: str
    port: int
    framing: str
    door: tcp.Door | udp.Door


class Doors:
    """All pipelines' ports. Asked in plain words and values, as they come over the wire."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, _Open]] = {}

    async def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """`{"do": "route" | "drain" | "forget" | "status", "pipeline": id, ...}` -> what came of it."""
        match asked.get("do"):
            case "route":
                return {"errors": await self.route(str(asked["pipeline"]), asked["ports"])}
            case "drain":
                return await self.drain(str(asked["pipeline"]), int(asked["replica"]), float(asked["seconds"]))
            case "forget":
                await self.route(str(asked["pipeline"]), [])
                return {}
            case "status":
                return {"pipelines": self.status()}
            case _:
                return {"error": f"{asked.get('do')!r} cannot be asked for"}

    async def route(self, pipeline: str, ports: list[dict[str, Any]]) -> dict[str, Any]:
        """Make a pipeline's ports exactly these; port id -> why it could not be opened.

        A port: `{"id", "protocol", "host", "port", "framing", "backs": {replica: port}}`.
        """
        mine = self._open.setdefault(pipeline, {})
        wanted = {str(port["id"]): port for port in ports}
        for id, one in list(mine.items()):
            if id not in wanted or (one.protocol, one.host, one.port, one.framing) != _address(wanted[id]):
                one.door.close()
                del mine[id]
        errors: dict[str, Any] = {}
        for id, port in wanted.items():
            if id not in mine:
                protocol, host, number, framing = _address(port)
                door = tcp.Door(framing) if protocol == "tcp" else udp.Door()
                try:
                    await door.open(host, number)
                except OSError as error:
                    errors[id] = {"errno": error.errno or 0, "text": error.strerror or str(error)}
                    if error.errno == errno.EADDRINUSE:
                        errors[id]["holder"] = self._holder(protocol, number)
                    continue
                mine[id] = _Open(protocol, host, number, framing, door)
            mine[id].door.update({int(replica): int(back) for replica, back in port["backs"].items()})
        if not mine:
            del self._open[pipeline]
        return errors

    def _holder(self, protocol: str, port: int) -> str:
        for pipeline, ports in self._open.items():
            if any((one.protocol, one.port) == (protocol, port) for one in ports.values()):
                return pipeline
        return ""

    async def drain(self, pipeline: str, replica: int, seconds: float) -> dict[str, Any]:
        """Give one Fluent Bit nothing new, and wait until it has all that is under way: how much moved on, how much was cut."""
        until = time.monotonic() + seconds
        doors = [one.door for one in self._open.get(pipeline, {}).values()]
        cut = sum(door.counts.cut for door in doors)
        await asyncio.gather(*(door.drain(replica, until) for door in doors))
        return {"cut": sum(door.counts.cut for door in doors) - cut}

    def reopen(self) -> None:
        """Give all Fluent Bits work again: whoever was changing them is gone."""
        for ports in self._open.values():
            for one in ports.values():
                one.door.update({replica: back.port for replica, back in one.door.backs.items()})

    def status(self) -> dict[str, Any]:
        return {
            pipeline: {
                id: {**asdict(one.door.counts), "backs": {str(n): back.port for n, back in one.door.backs.items()}}
                for id, one in ports.items()
            }
            for pipeline, ports in self._open.items()
        }

    @property
    def is_empty(self) -> bool:
        return not self._open

    def close(self) -> None:
        for ports in self._open.values():
            for one in ports.values():
                one.door.close()
        self._open.clear()


def _address(port: dict[str, Any]) -> tuple[str, str, int, str]:
    return str(port["protocol"]), str(port["host"]), int(port["port"]), str(port["framing"])
