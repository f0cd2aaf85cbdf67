"""Core instances over the fake runtime and a real server in this process, turned by hand."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from nectary.core.identity import FileKeep, Wanted, make_folder
from nectary.core.pace import Pace
from nectary.core.runtimes.fake import FakeRuntime, Machine
from nectary.core.server import Server
from nectary.core.sync import CoreInstance
from tests.harness.world import World

NAME = "here"
PATIENCE = 60.0


class Wire(httpx.AsyncBaseTransport):
    """The way to the server: it can be cut, and remembers what went over it."""

    def __init__(self, world: World) -> None:
        self._inner = world.anyone._transport
        self.cut = False
        self.asked: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("connection refused")
        self.asked.append((request.method, request.url.path))
        return await self._inner.handle_async_request(request)

    def written(self) -> list[tuple[str, str]]:
        """What changed something there; pings aside."""
        return [(method, path) for method, path in self.asked if method != "GET" and not path.endswith("/ping")]


def instance(
    world: World, folder: Path, machine: Machine | None = None, *, name: str = NAME, wire: Wire | None = None, **others: Any
) -> CoreInstance:
    """One with its state in a folder; the same folder and machine again is the same one after a crash."""
    make_folder(folder)
    server = Server("http://127.0.0.1:5000", others.pop("token", world.token), transport=wire or Wire(world))
    pace = others.pop("pace", Pace(turn=0.0))  # every turn by hand looks at everything
    wanted = Wanted(name, others.pop("environment", "default"), version="v1.0", **others)
    return CoreInstance(server, wanted, FakeRuntime(machine), FileKeep(folder), pace=pace)


@contextlib.asynccontextmanager
async def opened(*args: Any, **kwargs: Any) -> AsyncIterator[CoreInstance]:
    made = instance(*args, **kwargs)
    try:
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def running(*args: Any, **kwargs: Any) -> AsyncIterator[CoreInstance]:
    """One at work by itself, for the length of a block."""
    made, stop = instance(*args, **{"pace": Pace(turn=0.2, soon=0.05), **kwargs}), asyncio.Event()
    work = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await work


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, as soon as it is something."""
    end = time.monotonic() + PATIENCE
    while not (found := await look()):
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.05)
    return found
