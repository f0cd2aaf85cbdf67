"""Previews in a child process each: started, bounded, and ended whatever the script does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from nectary.preview.errors import BusyError, ChildError, ScriptError, TimedOutError, TooLargeError
from nectary.preview.limits import DEFAULT, Limits

_CHILD: Final = Path(__file__).with_name("child.py")
# A child needs this long to start and to say what it found; it is not the script's time.
_START_SECONDS: Final = 2.0
AT_ONCE: Final = 2
WAITING: Final = 32


@dataclass(frozen=True)
class Answer:
    """Results per event, and the records that rules still held back after the last one."""

    results: list[dict[str, Any]]
    held: list[Any]


class Room:
    """How many children run at once, and how many callers may wait for one."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._inside, self._most = 0, at_once + waiting

    @contextlib.asynccontextmanager
    async def turn(self) -> Any:
        """A place for one child. Raises BusyError at once when too many wait."""
        if self._inside >= self._most:
            raise BusyError("too many previews are running; try again in a moment")
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1


async def ask(code: str, events: Sequence[Mapping[str, Any]], call: str, limits: Limits, *, flush: bool, room: Room) -> Answer:
    """Run a script over events in a child. Raises a PreviewError when there are no results to give."""
    if len(events) > limits.events:
        raise TooLargeError(f"{len(events)} events are more than the {limits.events} of one preview")
    request = {"code": code, "call": call, "flush": flush, "events": list(events), "limits": asdict(limits)}
    try:
        body = json.dumps(request, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise TooLargeError("the events are not JSON: a number that is none, or nested too deep") from None
    if len(body) > limits.input:
        raise TooLargeError(f"{len(body)} bytes of code and events are more than the {limits.input} of one preview")
    async with room.turn():
        raw = await _run_child(body, limits)
    return _read(raw, limits)


async def _run_child(body: bytes, limits: Limits) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(_CHILD),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd="/", env={}, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(limits.seconds + _START_SECONDS):
            raw = await _talk(child, body, limits.output + 64 * 1024)
            await child.wait()
    except TimeoutError:
        raise TimedOutError(f"the script ran longer than {limits.seconds:g} s") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()
        _close(child)
    if child.returncode != 0:
        if child.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
            raise TimedOutError(f"the script used more than {limits.seconds:g} s of CPU")
        if child.returncode in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS):
            raise TooLargeError("the script needs more memory than one preview may")
        raise ChildError(f"the preview process ended with {child.returncode}")
    return raw


async def _talk(child: asyncio.subprocess.Process, body: bytes, most: int) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(body)
        await child.stdin.drain()
        child.stdin.close()
    parts: list[bytes] = []
    size = 0
    while part := await child.stdout.read(64 * 1024):
        size += len(part)
        if size > most:
            raise TooLargeError("the answer is larger than one preview may be")
        parts.append(part)
    return b"".join(parts)


def _close(child: asyncio.subprocess.Process) -> None:
    # The transport holds the pipes; without this they would be closed by the garbage collector, with a warning.
    transport = getattr(child, "_transport", None)
    if transport is not None:
        transport.close()


def _read(raw: bytes, limits: Limits) -> Answer:
    try:
        found = json.loads(raw)
    except ValueError:
        raise ChildError("the preview process gave no answer") from None
    if "script" in found:
        raise ScriptError(found["script"])
    if "timed_out" in found:
        raise TimedOutError(f"the script took more than {limits.instructions} instructions")
    if "too_large" in found:
        bound = limits.memory if found["too_large"] == "memory" else limits.output
        raise TooLargeError(f"the script needs more {found['too_large']} than the {bound} bytes of one preview")
    return Answer(found["results"], found["held"])


# Semaphores belong to the loop that first waits on them, so each loop has its own room.
_ROOMS: WeakKeyDictionary[asyncio.AbstractEventLoop, Room] = WeakKeyDictionary()


def default_room() -> Room:
    """The room shared by all previews of the running event loop."""
    return _ROOMS.setdefault(asyncio.get_running_loop(), Room())


__all__ = ["AT_ONCE", "DEFAULT", "WAITING", "Answer", "Room", "ask", "default_room"]
