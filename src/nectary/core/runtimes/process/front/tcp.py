"""Connections between clients and Fluent Bits: kept alive, balanced, moved to another Fluent Bit between two messages."""

import asyncio
import contextlib
import socket
import time
from typing import cast

from nectary.core.runtimes.process.front import framing
from nectary.core.runtimes.process.front.backs import Back, Counts, choose, excess, update

HOLD = 30.0
"""Seconds that a client waits while no Fluent Bit takes its data; then its connection is closed."""
_QUIET = 0.3
"""An opaque connection on which nothing was said for so many seconds is taken to be between two messages."""


class Conversation(asyncio.Protocol):
    """A client's connection, and the Fluent Bit it is with now, if any."""

    def __init__(self, door: "Door") -> None:
        self.door, self.framing = door, framing.of(door.framing)
        self.client: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self.back: Back | None = None
        self.heard = time.monotonic()
        self._pending = bytearray()
        self._moving = self._leaving = self._ended = False
        self._seeking: asyncio.Task[None] | None = None
        self._paused: set[str] = set()

    # The client's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.client = cast("asyncio.Transport", transport)
        self.door.conversations.add(self)
        self.door.counts.connections += 1
        if self.framing.opaque:  # Fluent Bit may speak first
            self._seek()

    def data_received(self, data: bytes) -> None:
        self.heard = time.monotonic()
        self.door.counts.bytes_in += len(data)
        if self.server is None or self._leaving or self._pending:
            self._pending += data
            self._pause("pending")
            self._seek()
        else:
            self._pass_on(data)

    def eof_received(self) -> bool:
        self._ended = True
        if self.server is not None and not self._pending and not self._leaving:
            self.server.write_eof()
        elif self.server is None and not self._pending:
            return False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.conversations.discard(self)
        if self._seeking is not None:
            self._seeking.cancel()
        if self.server is None:
            self._release()
        elif exc is not None and self.framing.acknowledged:
            self.server.abort()  # it broke off, and will say it again
        elif not self._ended and not self._leaving:
            self._ended = True
            self.server.write_eof()  # what was said is still read; Fluent Bit counts as busy until it closes

    def pause_writing(self) -> None:
        if self.server is not None:
            self.server.pause_reading()

    def resume_writing(self) -> None:
        if self.server is not None:
            self.server.resume_reading()

    # Fluent Bit's side.

    def answered(self, data: bytes) -> None:
        self.heard = time.monotonic()
        self.framing.answered(data)
        if self.client is not None:
            self.client.write(data)
        if self._moving and self.framing.settled and not self._leaving:
            self._leave()

    def server_ended(self, server: asyncio.Transport) -> None:
        """Fluent Bit closed the connection, or died."""
        if server is not self.server:
            return
        # Without answers nobody knows what it had read: then the client should know that something happened.
        whole = self.framing.acknowledged and self.framing.settled and not self.framing.closing and not self._ended
        moved = self._leaving
        self.server, self._moving, self._leaving = None, False, False
        self._release()
        self._resume("slow")
        if self.client is None or self.client.is_closing():
            return
        if moved or whole:
            self.door.counts.moved += moved
            self.framing.renew()
            self._seek()
            return
        if not self._ended and not self.framing.closing:
            self.door.counts.cut += 1
        self.client.close()

    def slow(self, *, is_slow: bool) -> None:
        self._pause("slow") if is_slow else self._resume("slow")

    # Between the two.

    def _pass_on(self, data: bytes) -> None:
        assert self.server is not None
        taken = self.framing.said(data, stop=self._moving and not self.framing.opaque)
        self.server.write(data[:taken] if taken < len(data) else data)
        if taken < len(data):
            self._pending += data[taken:]
            self._pause("pending")
        if self._moving and self.framing.settled:
            self._leave()

    def move(self) -> None:
        """Go on with another Fluent Bit as soon as a message is over."""
        self._moving = True
        if self.framing.settled and self.server is not None and not self._leaving:
            self._leave()

    def _leave(self) -> None:
        """Everything that belongs to this Fluent Bit is said: end it, and wait until it has read it all."""
        assert self.server is not None
        self._leaving = True
        self._pause("pending")
        if self.framing.acknowledged:
            server = self.server
            server.close()  # all was answered: nothing is under way
            self.server_ended(server)
        else:
            self.server.write_eof()  # it closes once it has read up to here

    def finish_if_quiet(self) -> None:
        """End an opaque connection in a pause."""
        if self.framing.opaque and self.server is not None and time.monotonic() - self.heard > _QUIET and not self._ended:
            self._ended = True
            self._pause("ended")
            self.server.write_eof()

    def cut(self) -> None:
        """End it now, whatever is under way."""
        self.door.counts.cut += 1
        for transport in (self.server, self.client):
            if transport is not None:
                transport.abort()

    def _seek(self) -> None:
        if self.server is None and (self._pending or self.framing.opaque) and self._seeking is None:
            self._seeking = asyncio.get_running_loop().create_task(self._find())
        elif self.server is None and not self._pending:
            if self._ended and self.client is not None:
                self.client.close()
            self._resume("pending")

    async def _find(self) -> None:
        """Connect to the best Fluent Bit; wait while there is none."""
        loop = asyncio.get_running_loop()
        until = time.monotonic() + HOLD
        while True:
            back = choose(self.door.backs, time.monotonic())
            if back is not None:
                back.conversations.add(self)
                self.back = back
                try:
                    made, _ = await loop.create_connection(lambda: Server(self), "127.0.0.1", back.port)
                    break
                except OSError:
                    back.failed_at = time.monotonic()
                    self._release()
                    continue
                except asyncio.CancelledError:
                    self._release()
                    raise
            if time.monotonic() >= until:
                self.door.counts.refused += 1
                self._seeking = None
                if self.client is not None:
                    self.client.abort()
                return
            await self.door.change(0.2)
        self._seeking, self.server = None, made
        self._connected()

    def _connected(self) -> None:
        assert self.back is not None
        assert self.server is not None
        self._moving = not self.back.is_open  # it closed meanwhile
        data, self._pending = bytes(self._pending), bytearray()
        if data:
            self._pass_on(data)
        if not self._pending and not self._leaving:
            if self._ended and self.server is not None:
                self.server.write_eof()
            self._resume("pending")

    def _release(self) -> None:
        if self.back is not None:
            self.back.conversations.discard(self)
            self.back = None

    def _pause(self, why: str) -> None:
        if not self._paused and self.client is not None and not self.client.is_closing():
            self.client.pause_reading()
        self._paused.add(why)

    def _resume(self, why: str) -> None:
        if why in self._paused:
            self._paused.discard(why)
            if not self._paused and self.client is not None and not self.client.is_closing():
                self.client.resume_reading()


class Server(asyncio.Protocol):
    """The connection to a Fluent Bit."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.conversation.server in (None, self.transport):
            self.conversation.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.transport is not None:
            self.conversation.server_ended(self.transport)

    def pause_writing(self) -> None:
        self.conversation.slow(is_slow=True)

    def resume_writing(self) -> None:
        self.conversation.slow(is_slow=False)


class Door:
    """A TCP port that people send to."""

    def __init__(self, kind: str) -> None:
        self.framing, self.counts = kind, Counts()
        self.backs: dict[int, Back] = {}
        self.conversations: set[Conversation] = set()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    async def open(self, host: str, port: int) -> None:
        """Raises OSError when the port cannot be had."""
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            self._server = await asyncio.get_running_loop().create_server(lambda: Conversation(self), sock=made, backlog=1024)
        except OSError:
            made.close()
            raise

    def update(self, ports: dict[int, int]) -> None:
        for back in update(self.backs, ports):
            for one in list(back.conversations):
                one.move()
        for one in excess(self.backs):
            one.move()
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, seconds: float) -> None:
        """Wait for other backs, for a time at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def drain(self, replica: int, until: float) -> None:
        """Let a Fluent Bit finish what it has; what is not over by then (monotonic) is cut."""
        back = self.backs.get(replica)
        if back is None:
            return
        back.is_open = False
        for one in list(back.conversations):
            one.move()
        while back.conversations and time.monotonic() < until:
            for one in list(back.conversations):
                one.finish_if_quiet()
            await asyncio.sleep(0.01)
        for one in list(back.conversations):
            one.cut()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for one in list(self.conversations):
            one.cut()
