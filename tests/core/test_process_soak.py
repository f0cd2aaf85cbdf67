"""One change after the other under load of four protocols: every record comes out once, and no client notices."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from nectary.core.runtimes import Port, Scaling
from tests.core.processes import config, deployment, load, running, runtime, sink, until
from tests.harness.ports import free_port

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(300)]

INPUTS = """\
    - {name: tcp, listen: 127.0.0.1, port: 5171, format: json}
    - {name: forward, listen: 127.0.0.1, port: 24224}
    - {name: udp, listen: 127.0.0.1, port: 5170, format: json}"""
LINES, FORWARD, DATAGRAMS = 1_000_000_000, 2_000_000_000, 3_000_000_000


def as_line(id: int) -> bytes:
    return b'{"id": %d}\n' % id


def as_message(id: int) -> bytes:
    return b"\x93\xa1t\xce\x65\x00\x00\x00\x81\xa2id\xce" + id.to_bytes(4, "big")


class Stream:
    """Messages one after the other on one connection, cut into pieces anywhere."""

    def __init__(self, port: int, first: int, make: Callable[[int], bytes], chance: random.Random) -> None:
        self.port, self.first, self.next, self._make, self._chance = port, first, first, make, chance
        self.stopped = False

    async def run(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        pending = b""
        while not self.stopped:
            for _ in range(self._chance.randint(1, 20)):
                pending += self._make(self.next)
                self.next += 1
            cut = self._chance.randint(0, len(pending))
            writer.write(pending[:cut])
            pending = pending[cut:]
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(pending)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("seed", [1, 2])
async def test_many_changes_lose_and_double_nothing(tmp_path: Path, fluent_bit: str, seed: int) -> None:
    chance = random.Random(seed)
    http, tcp, forward, udp = (free_port() for _ in range(4))
    ports = (
        Port("h", "tcp", http, 9880),
        Port("t", "tcp", tcp, 5171),
        Port("f", "tcp", forward, 24224),
        Port("u", "udp", udp, 5170),
    )
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:

        async def change(number: int) -> None:
            mark, replicas = str(number // 2), chance.randint(1, 3)
            text = config(place.port, mark=mark, inputs=INPUTS, service="  storage.path: ${NECTARY_STORAGE}")
            strategy = chance.choice(["hotReload", "recreate"])
            wanted = deployment("p", f"{number}", text, http, ports=ports, scaling=Scaling(replicas), strategy=strategy)
            await running(here, wanted, replicas)

        await change(0)
        streams = [Stream(tcp, LINES, as_line, chance), Stream(forward, FORWARD, as_message, chance)]
        sending = [asyncio.create_task(one.run()) for one in streams]
        sender, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", udp)
        )
        datagrams = 0
        async with load(http, 3) as clients:
            for number in range(1, 9):
                changing = asyncio.create_task(change(number))
                while not changing.done():
                    sender.sendto(as_line(DATAGRAMS + datagrams))
                    datagrams += 1
                    await asyncio.sleep(0.01)
                await changing
        for one in streams:
            one.stopped = True
        await asyncio.gather(*sending)
        sent = sum(one.sent for one in clients) + sum(one.next - one.first for one in streams) + datagrams

        async def all_there() -> bool:
            return place.count >= sent

        with contextlib.suppress(AssertionError):  # it is better said what is missing
            await until(all_there)
        wanted = {one.first: range(one.first, one.next) for one in streams} | {
            DATAGRAMS: range(DATAGRAMS, DATAGRAMS + datagrams)
        }
        missing = {first: [id for id in ids if id not in place.ids] for first, ids in wanted.items()}
        assert missing == {first: [] for first in wanted}
        assert place.count == sent
        assert place.doubled == []
        assert [(one.connections, one.unsure) for one in clients] == [(1, set())] * 3
        sender.close()
