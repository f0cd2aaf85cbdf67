"""How a core instance finds its front, starts it when there is none, and tells it what to hold open."""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nectary import log
from nectary.core.runtimes import RuntimeUnavailableError
from nectary.core.runtimes.process import children
from nectary.core.runtimes.process.backoff import Backoff
from nectary.core.runtimes.process.front.__main__ import PROTOCOL, near
from nectary.core.runtimes.process.tasks import end

_log = log.logger(__name__)
_START = 15.0
_ANSWER = 10.0


class Front:
    """The front of one folder. Started at the first call that needs it, and again when it is gone.

    `lost`: called after a front ended by itself; whoever has ports then asks for them again.
    """

    def __init__(self, folder: Path) -> None:
        self._root, self._folder = folder, folder / "front"
        self._child: children.Child | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()
        self._backoff, self._trouble = Backoff(longest=60.0, steady=10.0), ""
        self.lost = asyncio.Event()

    async def find(self) -> None:
        """Take over the front of an earlier run, if it lives and speaks our language."""
        self._child = children.inherit(self._folder)
        if self._child is None:
            return
        try:
            async with asyncio.timeout(_START):
                await self._connect()
                said = await self._ask({"do": "hello"})
            if said.get("protocol") == PROTOCOL:
                self._child.on_end = self._on_end
                return
        except (OSError, TimeoutError):
            pass
        await self._drop()
        await self._child.stop(2.0)
        self._child = None

    async def route(self, pipeline: str, ports: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Port id -> why it is not open: `{"errno", "text", "holder"}`."""
        return dict((await self._call({"do": "route", "pipeline": pipeline, "ports": list(ports)})).get("errors", {}))

    async def drain(self, pipeline: str, replica: int, seconds: float) -> int:
        """How many connections had to be cut in the end."""
        said = await self._call(
            {"do": "drain", "pipeline": pipeline, "replica": replica, "seconds": seconds}, seconds + _ANSWER
        )
        return int(said.get("cut", 0))

    async def forget(self, pipeline: str) -> None:
        if self._child is not None:
            await self._call({"do": "forget", "pipeline": pipeline})

    async def status(self) -> dict[str, Any]:
        return dict((await self._call({"do": "status"})).get("pipelines", {}))

    @property
    def pid(self) -> int | None:
        return None if self._child is None or self._child.gone.is_set() else self._child.pid

    async def close(self, *, stop: bool) -> None:
        await self._drop()
        if self._child is not None:
            self._child.on_end = None
            if stop:
                await self._child.stop(5.0)
            else:
                self._child.let_go()
            self._child = None

    async def _call(self, asked: dict[str, Any], seconds: float = _ANSWER) -> dict[str, Any]:
        for last in (False, True):
            await self._be_there()
            try:
                async with asyncio.timeout(seconds):
                    return await self._ask(asked)
            except (ConnectionError, TimeoutError):
                await self._drop()
                if last:
                    raise
        raise AssertionError

    async def _be_there(self) -> None:
        """Raises RuntimeUnavailableError when it does not start; then it is not tried again at once."""
        async with self._starting:
            if self._child is not None and self._child.gone.is_set():
                await self._drop()
                self._child = None
            if self._child is None:
                if not self._backoff.is_due(time.monotonic()):
                    raise RuntimeUnavailableError(self._trouble)
                self._child = self._start()
            if self._writer is None:
                try:
                    async with asyncio.timeout(_START):
                        await self._connect()
                except TimeoutError as error:
                    await self._child.kill()
                    self._backoff.failed(time.monotonic())
                    said = (self._folder / children.SAID).read_text(errors="replace")[-500:]
                    self._trouble = f"the process that holds pipelines' ports does not start: {said}"
                    raise RuntimeUnavailableError(self._trouble) from error
                self._backoff.worked(time.monotonic())
                self._child.on_end = self._on_end

    def _start(self) -> children.Child:
        """Raises RuntimeUnavailableError."""
        # Only what Python itself needs: the front has no business with anybody's secrets.
        env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        arguments = [sys.executable, "-m", "nectary.core.runtimes.process.front", str(self._root)]
        try:
            return children.start(self._folder, arguments, env, {}, {})
        except (OSError, children.OccupiedError) as error:
            raise RuntimeUnavailableError(f"the process that holds pipelines' ports cannot be started: {error}") from error

    def _on_end(self) -> None:
        _log.warning("the front ended and is started again")
        self.lost.set()

    async def _connect(self) -> None:
        while True:
            handle, path = near(self._folder)
            try:
                reader, writer = await asyncio.open_unix_connection(path, limit=16 * 1024 * 1024)
            except OSError:
                if self._child is None or self._child.gone.is_set():
                    raise TimeoutError from None
                await asyncio.sleep(0.05)
            else:
                self._writer = writer
                self._reading = asyncio.create_task(self._read(reader))
                return
            finally:
                os.close(handle)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                said = json.loads(line)
                waiting = self._waiting.pop(said.get("id"), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(said)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the front is gone"))
        self._waiting.clear()

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self._writer is None:
            raise ConnectionResetError
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(json.dumps({"id": number, **asked}).encode() + b"\n")
            await self._writer.drain()
            return await self._waiting[number]
        finally:
            self._waiting.pop(number, None)

    async def _drop(self) -> None:
        await end(self._reading)
        if self._writer is not None:
            self._writer.close()
        self._writer = self._reading = None
