"""Fluent Bit processes that outlive us: started in a folder of their own, found again there, stopped in peace.

Each child holds a lock on its folder for as long as it lives (it inherits the open file), so that no second one can be started
there, whoever dies when. A process is known again by its number, its start time and the start of the machine.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nectary import log
from nectary.core.runtimes.process import procfs

_log = log.logger(__name__)
_LOCK, _RECORD, SAID = "lock", "child.json", "said.log"


class OccupiedError(Exception):
    """Something that was started here before still runs, and cannot be stopped."""


@dataclass(frozen=True, slots=True)
class Record:
    """What must be known of a child to take it over. `facts`: what its owner wants to find again."""

    pid: int
    started: int
    boot: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Child:
    """A running process, ours or inherited. `gone` is set when it ends; `code` is its exit code, or None if nobody can know."""

    def __init__(self, folder: Path, record: Record, pidfd: int, process: "subprocess.Popen[bytes] | None") -> None:
        self.folder, self.record, self.gone = folder, record, asyncio.Event()
        self.code: int | None = None
        self.on_end: Callable[[], None] | None = None
        self.killed_for: tuple[str, str] | None = None  # reason and sentence, when it was our idea
        self._pidfd, self._process = pidfd, process
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._ended)

    @property
    def is_inherited(self) -> bool:
        """Whether an earlier run started it."""
        return self._process is None

    @property
    def pid(self) -> int:
        return self.record.pid

    def _ended(self) -> None:
        if self.gone.is_set():
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # What it started itself (exec inputs) would keep the folder's lock. Its number is its group's, and free for others only
        # once we waited for it.
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self.code = self._process.wait()
        else:
            clear(self.folder)
        self.gone.set()
        if self.on_end is not None:
            self.on_end()

    def signal(self, number: signal.Signals) -> None:
        if not self.gone.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def stop(self, grace: float) -> bool:
        """End it: ask, wait, kill. False if it had to be killed."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.gone.wait()
        except TimeoutError:
            await self.kill()
            return False
        return True

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.gone.wait()

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keep other facts about it from now on."""
        self.record = Record(self.record.pid, self.record.started, self.record.boot, facts)
        _keep(self.folder, self.record)

    def let_go(self) -> None:
        """Look after it no longer; it runs on."""
        if not self.gone.is_set():
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self.gone.set()
        if self._process is not None and self._process.returncode is None:
            self._process.returncode = 0  # else Popen warns that a process nobody waits for still runs


def write_private(path: Path, contents: bytes) -> None:
    """Put a file in place at once and whole, readable by us alone."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def private_folder(path: Path) -> Path:
    """The folder, and each above it that was not there, for us alone."""
    for missing in reversed([one for one in path.parents if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    return path


def _keep(folder: Path, record: Record) -> None:
    write_private(folder / _RECORD, json.dumps(asdict(record)).encode())


def lock(path: Path) -> int | None:
    """An open file with the lock of that path on it, or None if somebody else has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def start(
    folder: Path, arguments: Sequence[str], env: Mapping[str, str], facts: Mapping[str, Any], limits: Mapping[int, int]
) -> Child:
    """Start a process in its folder; what it says goes to SAID there. limits: resource -> most.

    Raises OccupiedError when one runs there already, OSError when the program cannot be started.
    """
    private_folder(folder)
    held = lock(folder / _LOCK)
    if held is None:
        raise OccupiedError(f"a process of an earlier start still runs in {folder}")
    said = os.open(folder / SAID, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
            list(arguments), cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            pass_fds=(held,), start_new_session=True, umask=0o077,
        )  # fmt: skip
    finally:
        os.close(said)
        os.close(held)
    for kind, most in limits.items():
        with contextlib.suppress(ProcessLookupError, ValueError, PermissionError):
            resource.prlimit(process.pid, kind, (most, most))
    try:
        record = Record(process.pid, procfs.started(process.pid) or 0, procfs.boot(), facts)
        _keep(folder, record)
        return Child(folder, record, os.pidfd_open(process.pid), process)
    except OSError:
        process.kill()  # nobody would find it again
        process.wait()
        raise


def inherit(folder: Path) -> Child | None:
    """The child of an earlier run that still lives in this folder; what cannot be told for one is ended."""
    if not (folder / _LOCK).exists():
        return None
    held = lock(folder / _LOCK)
    if held is not None:
        os.close(held)
        return None
    try:
        record = Record(**json.loads((folder / _RECORD).read_text()))
        pidfd = os.pidfd_open(record.pid)
    except (OSError, ValueError, TypeError):
        clear(folder)
        return None
    # The start time is read after the process is held fast, so that its number cannot change hands between.
    if record.boot == procfs.boot() and procfs.started(record.pid) == record.started:
        return Child(folder, record, pidfd, None)
    os.close(pidfd)
    clear(folder)
    return None


def clear(folder: Path) -> None:
    """End whatever still runs here, at once: what has the folder's lock open, which is the child and what it started itself."""
    for pid in procfs.holding(folder / _LOCK):
        if pid != os.getpid():
            _log.warning("ended a process of an earlier start", pid=pid, folder=str(folder))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
