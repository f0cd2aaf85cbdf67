"""Datagrams from clients to Fluent Bits: one client's stay together, none is dropped while Fluent Bits change."""

import asyncio
import contextlib
import socket
import time
import zlib
from collections import deque

from nectary.core.runtimes.process import procfs
from nectary.core.runtimes.process.front.backs import Back, Counts, update

_HELD = 8 * 1024 * 1024
"""Bytes of datagrams that are kept while no Fluent Bit takes them."""
_BUFFER = 4 * 1024 * 1024
_RETRY_AFTER = 0.2
_BATCH, _PAUSE = 50, 0.005
"""How held datagrams are let go, so that others get their turn."""
_UNREAD, _OWN = 64 * 1024, 1024
"""Bytes that may wait for a Fluent Bit to read them, and what the kernel counts for each datagram besides, about: what does not
fit into its socket's buffer (net.core.rmem_default, 212,992 as a rule) is lost without a word while it is busy or starts."""


class Door(asyncio.DatagramProtocol):
    """A UDP port that people send to. Nothing is ever sent back: no UDP input of Fluent Bit answers."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.backs: dict[int, Back] = {}
        self._transport: asyncio.BaseTransport | None = None
        self._sockets: dict[Back, socket.socket] = {}
        self._unread: dict[Back, int] = {}  # what a Fluent Bit has not read yet, at most
        self._held: deque[tuple[bytes, str]] = deque()
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int) -> None:
        """Raises OSError when the port cannot be had."""
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            made.bind((host, port))
            made.setblocking(False)
            self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=made)
        except OSError:
            made.close()
            raise

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.counts.datagrams += 1
        self.counts.bytes_in += len(data)
        client = f"{addr[0]}:{addr[1]}"
        wait = _PAUSE if self._held else self._send(data, client)
        if wait:
            self._hold(data, client)
            self._later(wait)

    def error_received(self, exc: Exception) -> None:
        pass  # somebody's earlier datagram could not be delivered; nothing to do about it here

    def _send(self, data: bytes, client: str) -> float:
        """Seconds until it should be tried again; 0 when it is sent."""
        now = time.monotonic()
        able = [back for back in self.backs.values() if back.is_open and now - back.failed_at >= _RETRY_AFTER]
        if not able:
            return _RETRY_AFTER
        # The same client goes to the same Fluent Bit while that is there, and only its clients move when it is not.
        back = max(able, key=lambda one: zlib.crc32(f"{client}>{one.replica}".encode()))
        if not self._has_room(back, len(data)):
            return _PAUSE
        made = self._sockets.get(back)
        if made is None:
            made = self._sockets[back] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setblocking(False)
            made.connect(("127.0.0.1", back.port))
        try:
            made.send(data)
        except ConnectionRefusedError:
            # Linux tells of the datagram before this one: nobody listens, so this one would be lost, too.
            back.failed_at = now
            return self._send(data, client)
        except OSError:
            self.counts.dropped += 1
        return 0.0

    def _has_room(self, back: Back, size: int) -> bool:
        unread, more = self._unread.get(back, 0), _OWN + size
        if unread + more > _UNREAD:  # looked up only then, which takes longer than to send some
            unread = procfs.unread_datagrams(back.port)
        has_room = unread == 0 or unread + more <= _UNREAD
        self._unread[back] = unread + more if has_room else unread
        return has_room

    def _hold(self, data: bytes, client: str) -> None:
        self._held.append((data, client))
        self._held_bytes += len(data)
        while self._held_bytes > _HELD:
            self._held_bytes -= len(self._held.popleft()[0])
            self.counts.dropped += 1

    def _later(self, seconds: float) -> None:
        if self._timer is None and self._held:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._let_go)

    def _let_go(self) -> None:
        self._timer = None
        for _ in range(min(_BATCH, len(self._held))):
            data, client = self._held[0]
            if wait := self._send(data, client):
                return self._later(wait)
            self._held.popleft()
            self._held_bytes -= len(data)
        return self._later(_PAUSE)

    def update(self, ports: dict[int, int]) -> None:
        for back in update(self.backs, ports):
            self._forget(back)
        if self._timer is not None:
            self._timer.cancel()
        self._let_go()

    async def drain(self, replica: int, until: float) -> None:
        """Send a Fluent Bit nothing more, and wait until it has read what was sent."""
        back = self.backs.get(replica)
        if back is None:
            return
        back.is_open = False
        while time.monotonic() < until and procfs.unread_datagrams(back.port) > 0:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.02)
        self._forget(back)

    def _forget(self, back: Back) -> None:
        self._unread.pop(back, None)
        if made := self._sockets.pop(back, None):
            made.close()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        for made in self._sockets.values():
            with contextlib.suppress(OSError):
                made.close()
