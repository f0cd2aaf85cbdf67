"""Tries the addresses that pipelines and the core instance itself are to reach: a TCP connection, or a UDP datagram sent.

A check that is new is tried as often as it says, one second and more apart; one that failed, again every minute, so that a
pipeline that waits for it starts by itself once the other side is there.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterable
from functools import partial

from nectary.client import Refused, Unreachable
from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.client.core_things import KnownCheck

CONNECT_SECONDS = 5.0
# How long an answer that nobody listens (ICMP port unreachable) may take. Silence is taken for success: UDP knows no other.
REFUSAL_SECONDS = 0.5
AGAIN_SECONDS = 60.0
_MOST_TRIES = 10
_LONGEST_PAUSE = 5.0
_AT_ONCE = 32


async def reachable(protocol: str, host: str, port: int) -> bool:
    """Whether a TCP connection is taken, or a UDP datagram can be sent and is not refused."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if protocol == "udp":
                return await _sendable(host, port)
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True
    except (OSError, TimeoutError, ValueError):
        return False


async def _sendable(host: str, port: int) -> bool:
    loop = asyncio.get_running_loop()
    family, _, _, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0]
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.connect(address)
        sender.send(b"")  # carries nothing that a receiver could take for a record
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFUSAL_SECONDS):
                await loop.sock_recv(sender, 1)  # raises ConnectionRefusedError
        return True


class Checker:
    """Tries what is due, in the background, and reports each outcome once. `done` is called when one was reported."""

    def __init__(self, done: "asyncio.Event") -> None:
        self._done = done
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, float] = {}  # check -> when, by the monotonic clock
        self._limit = asyncio.Semaphore(_AT_ONCE)

    def is_due(self, ids: Iterable[str]) -> bool:
        """Whether one of these failed long enough ago to be tried again."""
        return any(time.monotonic() - self._failed[id] >= AGAIN_SECONDS for id in ids if id in self._failed)

    def take(self, asking: Asking, checks: Iterable[KnownCheck], *, own: bool) -> None:
        """Begin what is due of these."""
        for check in checks:
            if check.status == "ok":
                self._failed.pop(check.id, None)
                continue
            again = check.status == "failed" and check.id in self._failed
            if check.id in self._running or (again and not self.is_due([check.id])):
                continue
            task = asyncio.create_task(self._run(asking, check, own=own))
            self._running[check.id] = task
            task.add_done_callback(partial(self._ended, check.id))

    def _ended(self, id: str, _: "asyncio.Task[None]") -> None:
        self._running.pop(id, None)

    async def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _run(self, asking: Asking, check: KnownCheck, *, own: bool) -> None:
        try:
            async with self._limit:
                # One that failed before is tried quietly: only another outcome is news.
                if check.status != "failed":
                    await calls.report_check(asking, check.id, "running", own=own)
                ok = await self._tried(check)
            if not ok:
                self._failed[check.id] = time.monotonic()
            if ok or check.status != "failed":
                await calls.report_check(asking, check.id, "ok" if ok else "failed", own=own)
                self._done.set()
        except (Refused, Unreachable):
            pass  # the check is gone, or the server away: what it says then is tried then

    async def _tried(self, check: KnownCheck) -> bool:
        tries = 1 if check.status == "failed" else min(max(check.retries, 1), _MOST_TRIES)
        for attempt in range(tries):
            if attempt:
                await asyncio.sleep(min(float(attempt), _LONGEST_PAUSE))
            if await reachable(check.protocol, check.host, check.port):
                return True
        return False
