"""`python -m nectary.core.runtimes.process.front FOLDER`: holds a folder's pipelines' ports open until it is told to stop."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from nectary.core.runtimes.process.front.doors import Doors

PROTOCOL = 1
"""Of the control socket; a core instance replaces a front that speaks another."""
SOCKET = "control.sock"
_LONGEST_LOG, _KEPT_LOG = 4 * 1024 * 1024, 1024 * 1024
_TRIM_EVERY, _IDLE_END, _REOPEN_AFTER = 5.0, 60.0, 10.0


def near(folder: Path) -> tuple[int, str]:
    """A short path of the control socket (they may have 107 bytes), and the open folder it goes through."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return handle, f"/proc/self/fd/{handle}/{SOCKET}"


class Front:
    """The running front."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.doors, self.stopped = folder, Doors(), asyncio.Event()
        self._callers = 0
        self._alone_since = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopped.set)
        self._alone_since = loop.time()
        own = Path.cwd()
        (own / SOCKET).unlink(missing_ok=True)
        handle, path = near(own)
        server = await asyncio.start_unix_server(self._serve, path, limit=16 * 1024 * 1024)
        try:
            while not self.stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_TRIM_EVERY):
                        await self.stopped.wait()
                self._trim()
                self._watch(loop.time())
        finally:
            server.close()
            self.doors.close()
            os.close(handle)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        tasks: set[asyncio.Task[None]] = set()
        try:
            while line := await reader.readline():
                # Each on its own: draining one pipeline takes seconds, and another must not wait for it.
                task = asyncio.create_task(self._answer(json.loads(line), writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except (ConnectionError, ValueError):
            pass
        finally:
            self._callers -= 1
            self._alone_since = asyncio.get_running_loop().time()
            writer.close()
            if not self._callers:
                asyncio.get_running_loop().call_later(_REOPEN_AFTER, self._reopen)

    async def _answer(self, asked: dict[str, object], writer: asyncio.StreamWriter) -> None:
        if asked.get("do") == "hello":
            said: dict[str, object] = {"protocol": PROTOCOL}
        elif asked.get("do") == "stop":
            self.stopped.set()
            said = {}
        else:
            try:
                said = await self.doors.answer(asked)
            except (KeyError, TypeError, ValueError) as error:
                said = {"error": repr(error)}
        with contextlib.suppress(ConnectionError):
            writer.write(json.dumps({"id": asked.get("id"), **said}).encode() + b"\n")
            await writer.drain()

    def _reopen(self) -> None:
        if not self._callers:
            self.doors.reopen()

    def _watch(self, now: float) -> None:
        """Nobody asks and nothing is open: there is nothing to live for."""
        if not self._callers and self.doors.is_empty and now - self._alone_since > _IDLE_END:
            self.stopped.set()

    def _trim(self) -> None:
        """Keep what Fluent Bits say short: they write to files, which nobody else cuts while the core instance is away."""
        for path in self.folder.glob("pipelines/*/replicas/*/said.log"):
            with contextlib.suppress(OSError):
                if path.stat().st_size > _LONGEST_LOG:
                    with path.open("r+b") as file:
                        file.seek(-_KEPT_LOG, os.SEEK_END)
                        kept = file.read().partition(b"\n")[2]
                        # They append, so after this they go on from the new start.
                        file.truncate(0)
                    older = path.with_name("said.older.log")
                    older.unlink(missing_ok=True)
                    older.touch(mode=0o600)
                    older.write_bytes(kept)


def main() -> None:
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - where there is none, asyncio's own loop does

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(Front(Path(sys.argv[1])).run())


if __name__ == "__main__":
    main()
