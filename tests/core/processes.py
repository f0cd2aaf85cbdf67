"""A process runtime with a real Fluent Bit, a place that its pipelines deliver to, and clients that send; all on 127.0.0.1."""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nectary.core.runtimes import Deployment, Observed, Port
from nectary.core.runtimes.process import procfs
from nectary.core.runtimes.process.runtime import ProcessRuntime
from tests.harness.listening import listening

T = TypeVar("T")
PATIENCE = 90.0
"""Seconds until a wait is given up. Nothing passes or fails by how fast it is."""


async def until(what: Callable[[], Awaitable[T]], patience: float = PATIENCE) -> T:
    """Ask until the answer is true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while True:
        found = await what()
        if found or loop.time() > end:
            assert found, "it did not come about"
            return found
        await asyncio.sleep(0.05)


@dataclass
class Sink:
    """An HTTP server that takes everything and counts by `id`. `refuse`: answer 503 for so long."""

    port: int = 0
    ids: Counter[int] = field(default_factory=Counter)
    records: list[dict[str, Any]] = field(default_factory=list)
    refuse: bool = False

    @property
    def count(self) -> int:
        return sum(self.ids.values())

    @property
    def doubled(self) -> list[int]:
        return [id for id, times in self.ids.items() if times > 1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if self.refuse:
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            else:
                for line in body.splitlines():
                    record = json.loads(line)
                    self.ids[int(record.get("id", -1))] += 1
                    if len(self.records) < 100:
                        self.records.append(record)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    async with listening(made.serve) as made.port:
        yield made


@asynccontextmanager
async def runtime(folder: Path, program: str) -> AsyncIterator[ProcessRuntime]:
    """A runtime; at the end nothing of it runs, whatever the test did."""
    made = ProcessRuntime(folder, program=program)
    try:
        await made.start()
        yield made
    finally:
        await made.close(stop=True)
        assert not working_in(folder)


def config(to: int, *, mark: str = "1", service: str = "", inputs: str = "", filters: str = "") -> str:
    """http -> modify -> http on the loopback."""
    return f"""service:
  flush: 0.2
  grace: 3
  log_level: info
{service}
pipeline:
  inputs:
    - name: http
      listen: 127.0.0.1
      port: 9880
{inputs}
  filters:
    - name: modify
      match: '*'
      add: mark {mark}
{filters}
  outputs:
    - name: http
      match: '*'
      host: 127.0.0.1
      port: {to}
      format: json_lines
      retry_limit: no_limits
"""


def deployment(id: str, version: str, text: str, front: int, **others: Any) -> Deployment:
    ports = others.pop("ports", (Port(f"{id}-port", "tcp", front, 9880),))
    return Deployment(id, f"name of {id}", version, text, ports=ports, **others)


def working_in(folder: Path) -> list[int]:
    """Processes whose working directory is the folder or below it: all that a runtime there may have started."""
    root, found = str(folder.resolve()), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            where = str((entry / "cwd").readlink()).removesuffix(" (deleted)") if entry.name.isdigit() else ""
            if (where == root or where.startswith(root + "/")) and procfs.started(int(entry.name)) is not None:
                found.append(int(entry.name))
    return found


async def seen(runtime: ProcessRuntime, id: str, what: Callable[[Observed], bool], patience: float = PATIENCE) -> Observed:
    """What is observed of a pipeline once it is like that."""

    async def look() -> Observed | None:
        found = (await runtime.observe()).get(id)
        return found if found is not None and what(found) else None

    try:
        found = await until(look, patience)
    except AssertionError:
        raise AssertionError(f"{await runtime.observe()}\n{await runtime.logs(id, 30)}") from None
    assert found is not None
    return found


async def running(runtime: ProcessRuntime, wanted: Deployment, replicas: int = 1) -> Observed:
    """Apply it, and wait until it runs like that."""
    await runtime.apply(wanted)
    return await seen(
        runtime, wanted.pipeline_id, lambda it: it.state == "STARTED" and it.version == wanted.version and it.ready == replicas
    )


def pids(folder: Path) -> list[int]:
    """The Fluent Bits that run below a folder of a runtime."""
    return sorted(working_in(folder / "pipelines"))


@dataclass
class Client:
    """Sends records one after the other on a connection that it keeps, each with the next `id`; `sent` counts what was taken.

    A connection that breaks is opened again; the records of the request that broke are `unsure`, and are not sent again.
    """

    port: int
    first: int
    each: int = 10
    sent: int = 0
    refused: int = 0
    unsure: set[int] = field(default_factory=set)
    connections: int = 0
    stopped: bool = False

    async def run(self, requests: int = 1_000_000, pause: float = 0.002) -> None:
        writer: asyncio.StreamWriter | None = None
        reader: asyncio.StreamReader | None = None
        for _ in range(requests):
            while (writer is None or reader is None) and not self.stopped:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    self.connections += 1
                except OSError:
                    await asyncio.sleep(0.05)
            if writer is None or reader is None or self.stopped:
                break
            ids = range(self.first, self.first + self.each)
            self.first += self.each
            body = json.dumps([{"id": id} for id in ids]).encode()
            try:
                writer.write(b"POST /a.b HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: ")
                writer.write(str(len(body)).encode() + b"\r\n\r\n" + body)
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 201" in head.partition(b"\r\n")[0]:
                    self.sent += self.each
                else:
                    self.refused += 1
                    length = re.search(rb"(?i)content-length: *(\d+)", head)
                    await reader.readexactly(int(length[1]) if length else 0)
            except (OSError, asyncio.IncompleteReadError):
                self.unsure |= set(ids)
                writer.close()
                writer = None
            if pause:
                await asyncio.sleep(pause)
        if writer is not None:
            writer.close()


@asynccontextmanager
async def load(port: int, clients: int = 4) -> AsyncIterator[list[Client]]:
    """Clients that send all the while."""
    made = [Client(port, first=number * 10_000_000) for number in range(clients)]
    tasks = [asyncio.create_task(one.run()) for one in made]
    try:
        yield made
    finally:
        for one in made:
            one.stopped = True
        await asyncio.gather(*tasks)
        assert not any(one.refused for one in made)
