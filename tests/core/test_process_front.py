"""The front: connections are balanced, and go on with another Fluent Bit between two messages; no Fluent Bit is needed here."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import pytest

from nectary.core.runtimes import RuntimeUnavailableError
from nectary.core.runtimes.process.front import tcp, udp
from nectary.core.runtimes.process.front.caller import Front
from nectary.core.runtimes.process.front.doors import Doors
from tests.core.processes import until
from tests.harness.ports import free_port


@dataclass
class Behind:
    """Something that listens where a Fluent Bit would, and keeps what it reads. answer: sent after each request of HTTP."""

    name: str
    http: bool = True
    port: int = 0
    read: bytearray = field(default_factory=bytearray)
    slow: float = 0.0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: "set[asyncio.Task[None] | None]" = field(default_factory=set)

    async def open(self) -> "Behind":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while data := await (reader.readuntil(b"\r\n\r\n") if self.http else reader.read(65536)):
                self.read += data
                if self.http:
                    await asyncio.sleep(self.slow)
                    body = self.name.encode()
                    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(task for task in self._tasks if task is not None))


@asynccontextmanager
async def behind(*names: str, http: bool = True) -> AsyncIterator[list[Behind]]:
    made = [await Behind(name, http).open() for name in names]
    try:
        yield made
    finally:
        for one in made:
            await one.close()


@asynccontextmanager
async def opened(kind: str, *backs: Behind) -> AsyncIterator[tuple[Doors, int, dict[str, Any]]]:
    """Doors with one open, its port, and how it was asked for."""
    doors, port = Doors(), free_port()
    asked = {
        "id": "a", "protocol": "tcp", "host": "127.0.0.1", "port": port, "framing": kind,
        "backs": {str(number): one.port for number, one in enumerate(backs)},
    }  # fmt: skip
    assert await doors.route("p", [asked]) == {}
    try:
        yield doors, port, asked
    finally:
        doors.close()


_SPEAKERS: "list[Speaker]" = []


@pytest.fixture(autouse=True)
async def hang_up() -> AsyncIterator[None]:
    yield
    while _SPEAKERS:
        writer = _SPEAKERS.pop().writer
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Speaker:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Speaker":
        made = cls(*await asyncio.open_connection("127.0.0.1", port))
        _SPEAKERS.append(made)
        return made

    async def ask(self, path: str = "/") -> str:
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return await self.answer()

    async def answer(self) -> str:
        head = await self.reader.readuntil(b"\r\n\r\n")
        return (await self.reader.readexactly(int(head.rpartition(b":")[2]))).decode()


async def test_connections_are_spread_over_what_is_there() -> None:
    async with behind("one", "two", "three") as backs, opened("http", *backs) as (_, port, _asked):
        speakers = [await Speaker.to(port) for _ in range(6)]
        said = [await one.ask() for one in speakers]
        assert sorted(said) == ["one"] * 2 + ["three"] * 2 + ["two"] * 2
        assert [await one.ask() for one in speakers] == said, "each stays where it is"


async def test_a_kept_connection_moves_to_a_replica_that_came_later() -> None:
    async with behind("one", "two") as backs, opened("http", backs[0]) as (doors, port, asked):
        speakers = [await Speaker.to(port) for _ in range(4)]
        assert [await one.ask() for one in speakers] == ["one"] * 4
        await doors.route("p", [asked | {"backs": {"0": backs[0].port, "1": backs[1].port}}])
        assert sorted([await one.ask() for one in speakers]) == ["one", "one", "two", "two"]


async def test_a_request_under_way_is_answered_before_its_replica_is_let_go() -> None:
    async with behind("one", "two") as backs, opened("http", backs[0]) as (doors, port, asked):
        backs[0].slow = 0.3
        speaker = await Speaker.to(port)
        asking = asyncio.create_task(speaker.ask())

        async def under_way() -> bool:
            return bool(backs[0].read)

        await until(under_way)
        draining = asyncio.create_task(doors.drain("p", 0, 10))
        assert await asking == "one"
        assert (await draining)["cut"] == 0
        waiting = asyncio.create_task(speaker.ask())
        await asyncio.sleep(0.1)
        assert not waiting.done(), "nobody is there, so it waits"
        await doors.route("p", [asked | {"backs": {"1": backs[1].port}}])
        assert await waiting == "two"


async def test_a_request_cut_in_two_goes_whole_to_one_replica() -> None:
    async with behind("one", "two") as backs, opened("http", backs[0]) as (doors, port, asked):
        speaker = await Speaker.to(port)
        speaker.writer.write(b"GET /first HTTP/1.1\r\nHo")

        async def under_way() -> bool:
            return bool(doors.status()["p"]["a"]["bytes_in"])

        await until(under_way)
        await asyncio.sleep(0.05)
        draining = asyncio.create_task(doors.drain("p", 0, 10))
        await asyncio.sleep(0.05)
        speaker.writer.write(b"st: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await speaker.answer() == "one"
        await draining
        await doors.route("p", [asked | {"backs": {"1": backs[1].port}}])
        assert await speaker.answer() == "two"
        assert b"/second" not in backs[0].read
        assert bytes(backs[1].read).startswith(b"GET /second")


async def test_what_is_never_finished_is_cut_in_the_end() -> None:
    async with behind("one") as backs, opened("http", *backs) as (doors, port, _):
        speaker = await Speaker.to(port)
        speaker.writer.write(b"GET /first HTTP/1.1\r\nHo")

        async def under_way() -> bool:
            return bool(doors.status()["p"]["a"]["bytes_in"])

        await until(under_way)
        await asyncio.sleep(0.05)
        assert (await doors.drain("p", 0, 0.1))["cut"] == 1
        assert await speaker.reader.read() == b""


async def test_a_kept_connection_outlives_the_replica_it_was_with() -> None:
    async with behind("one", "two") as backs, opened("http", backs[0]) as (doors, port, asked):
        speaker = await Speaker.to(port)
        assert await speaker.ask() == "one"
        await backs[0].close()
        await asyncio.sleep(0.1)
        await doors.route("p", [asked | {"backs": {"0": backs[1].port}}])
        assert await speaker.ask() == "two"


@pytest.mark.parametrize(
    ("kind", "message"), [("lines", b"<1>line %04d\n"), ("msgpack", b"\x93\xa1t\xce\x65\x00\x00\x00\x81\xa1n\xa4%04d")]
)
async def test_a_stream_goes_on_with_another_replica_between_two_messages(kind: str, message: bytes) -> None:
    everything = b"".join(message % number for number in range(2000))
    async with behind("one", "two", http=False) as backs, opened(kind, backs[0]) as (doors, port, asked):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def change() -> int:
            cut = int((await doors.drain("p", 0, 30))["cut"])
            await doors.route("p", [asked | {"backs": {"1": backs[1].port}}])
            return cut

        for start in range(0, len(everything), 997):
            writer.write(everything[start : start + 997])
            await asyncio.sleep(0.005)
            if start == 997 * 10:
                changing = asyncio.create_task(change())
        assert await changing == 0

        async def all_there() -> bool:
            return sum(len(one.read) for one in backs) == len(everything)

        await until(all_there)
        assert bytes(backs[0].read + backs[1].read) == everything
        assert len(backs[0].read) % len(message % 0) == 0, "no message was torn"
        assert backs[0].read
        assert backs[1].read
        writer.close()
        assert reader is not None


async def test_an_unknown_protocol_stays_and_is_ended_in_a_pause() -> None:
    async with behind("one", http=False) as backs, opened("opaque", *backs) as (doors, port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01 something")
        assert (await doors.drain("p", 0, 3600))["cut"] == 0, "and does not wait until the end"
        assert bytes(backs[0].read) == b"\x16\x03\x01 something"
        assert await reader.read() == b""
        writer.close()


async def test_what_a_client_said_before_it_left_is_delivered() -> None:
    async with behind("one", http=False) as backs, opened("lines") as (doors, port, asked):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"last words\n")
        writer.close()
        await asyncio.sleep(0.1)
        await doors.route("p", [asked | {"backs": {"0": backs[0].port}}])

        async def there() -> bool:
            return bytes(backs[0].read) == b"last words\n"

        await until(there)


async def test_much_data_flows_both_ways_with_little_kept() -> None:
    async with behind("one", http=False) as backs, opened("lines", *backs) as (doors, port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        line = b"x" * 1023 + b"\n"
        for _ in range(64):
            writer.write(line * 256)
            await writer.drain()

        async def there() -> bool:
            return len(backs[0].read) == 64 * 256 * 1024

        await until(there)
        assert doors.status()["p"]["a"]["bytes_in"] == 64 * 256 * 1024
        writer.close()


async def test_datagrams_wait_in_order_while_nobody_is_there_and_are_not_lost() -> None:
    received: list[bytes] = []

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            received.append(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
    back = transport.get_extra_info("sockname")[1]
    door, port = udp.Door(), free_port()
    await door.open("127.0.0.1", port)
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))
    sent = [b"%d" % number for number in range(300)]
    for number, data in enumerate(sent):
        if number == 100:
            await asyncio.sleep(0.05)
            door.update({0: back})
        if number == 200:
            await asyncio.sleep(0.05)
            await door.drain(0, time.monotonic() + 5)
        sender.sendto(data)
    await asyncio.sleep(0.05)
    assert len(received) < 300
    door.update({0: back})

    async def all_there() -> bool:
        return len(received) == 300

    await until(all_there)
    assert received == sent
    assert door.counts.dropped == 0
    for one in (sender, transport):
        one.close()
    door.close()


@pytest.mark.parametrize(("size", "many"), [(10, 3000), (8_000, 200)])
async def test_datagrams_wait_for_a_fluent_bit_that_is_busy(size: int, many: int) -> None:
    busy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    busy.bind(("127.0.0.1", 0))
    busy.setblocking(False)
    door, port = udp.Door(), free_port()
    await door.open("127.0.0.1", port)
    door.update({0: busy.getsockname()[1]})
    loop = asyncio.get_running_loop()
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))
    sent = [b"%d" % number + b"." * size for number in range(many)]
    for number, data in enumerate(sent):
        sender.sendto(data)
        if number % 20 == 0:
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.2)
    received: list[bytes] = []

    async def all_there() -> bool:
        with contextlib.suppress(BlockingIOError):
            while True:
                received.append(busy.recv(65536))
        return len(received) >= many

    await until(all_there, 30)
    assert received == sent
    assert door.counts.dropped == 0
    sender.close()
    door.close()
    busy.close()


async def test_a_port_that_is_taken_is_told_and_the_others_are_open() -> None:
    async with behind("one") as backs, opened("http", *backs) as (doors, port, asked):
        other = asked | {"id": "b", "port": free_port()}
        errors = await doors.route("q", [asked, other])
        assert set(errors) == {"a"}
        assert errors["a"]["errno"] == 98
        assert errors["a"]["holder"] == "p"
        assert await (await Speaker.to(other["port"])).ask() == "one"
        assert await doors.route("p", []) == {}
        assert await doors.route("q", [asked, other]) == {}
        assert await (await Speaker.to(port)).ask() == "one"


async def test_questions_that_make_no_sense_are_answered() -> None:
    doors = Doors()
    assert "cannot be asked for" in (await doors.answer({"do": "dance"}))["error"]
    assert await doors.drain("unknown", 0, 1) == {"cut": 0}
    assert await doors.answer({"do": "forget", "pipeline": "unknown"}) == {}


async def test_the_front_is_started_found_again_and_stopped(tmp_path: Path) -> None:
    async with behind("one") as backs:
        first, port = Front(tmp_path), free_port()
        await first.find()
        asked = {
            "id": "a",
            "protocol": "tcp",
            "host": "127.0.0.1",
            "port": port,
            "framing": "http",
            "backs": {"0": backs[0].port},
        }
        assert await first.route("p", [asked]) == {}
        pid = first.pid
        await first.close(stop=False)
        speaker = await Speaker.to(port)
        assert await speaker.ask() == "one", "it serves on"
        second = Front(tmp_path)
        await second.find()
        assert second.pid == pid
        assert (await second.status())["p"]["a"]["connections"] == 1
        await second.close(stop=True)
        with pytest.raises(OSError, match="Connect call failed"):
            await Speaker.to(port)


async def test_a_front_that_cannot_start_is_not_tried_in_a_frenzy(tmp_path: Path) -> None:
    front = Front(tmp_path)
    (tmp_path / "front/control.sock/in-the-way").mkdir(parents=True)  # so it cannot listen
    with pytest.raises(RuntimeUnavailableError, match="does not start: "):
        await front.route("p", [])
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(RuntimeUnavailableError, match="does not start: "):
            await front.route("p", [])
    lines = (tmp_path / "front/said.log").read_text().count("Traceback")
    assert lines <= 2 + int(time.monotonic() - began)
    await front.close(stop=True)


def test_the_least_busy_is_chosen_and_a_failed_one_left_alone_for_a_moment() -> None:
    from nectary.core.runtimes.process.front.backs import Back, choose

    one, two = Back(0, 1000), Back(1, 1001, failed_at=99.9)
    one.conversations.add(tcp.Conversation(tcp.Door("opaque")))
    assert choose({0: one, 1: two}, 100.0) is one
    assert choose({0: one, 1: two}, 100.2) is two
    two.is_open = False
    assert choose({0: one, 1: two}, 100.2) is one
    assert choose({}, 0.0) is None


def test_messagepack_is_there_for_the_front() -> None:
    assert msgpack.packb([1]) == b"\x91\x01"
