"""One Fluent Bit of a pipeline: started in its own folder, changed in place, stopped so that it flushes."""

import asyncio
import hashlib
import json
import os
import resource
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nectary.core.runtimes import Deployment, File, complaints
from nectary.core.runtimes.process import children, fluent_bit, procfs, render
from nectary.core.runtimes.process.backoff import Backoff
from nectary.core.runtimes.process.quantities import amount
from nectary.fluentbit.document import ConfigError

START = 30.0
"""Seconds until a Fluent Bit that has started must answer."""
_FLUSH = 5.0
"""Seconds more than its own grace that it gets to stop."""
_CONFIG = "fluent-bit.yaml"
_OVERHEAD = 1024 * 1024 * 1024
"""Address space that threads' stacks and allocators reserve without using it."""
# What Fluent Bit takes from the machine: all else in our own environment is no business of a pipeline.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
           "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")  # fmt: skip


class StartFailedError(Exception):
    """`reason`: one word; the text says what happened."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration in place, and what is remembered of the child that runs it."""

    config: Path
    env: Mapping[str, str]
    facts: Mapping[str, Any]


def environment(deployment_env: Mapping[str, str], folder: Path, http_port: int, number: int) -> dict[str, str]:
    own = {
        "NECTARY_FILES": str(folder / "files"),
        "NECTARY_STORAGE": str(folder / "storage"),
        "NECTARY_HTTP_PORT": str(http_port),
        "NECTARY_REPLICA": str(number),
    }
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | dict(deployment_env) | own


def put_files(folder: Path, files: tuple[File, ...]) -> None:
    """Write files for a Fluent Bit to read. Raises StartFailedError for a name that would lead elsewhere."""
    children.private_folder(folder)
    for file in files:
        if file.name in ("", ".", "..") or "/" in file.name or "\0" in file.name:
            raise StartFailedError(
                "BadFileName", f"a file cannot be called {file.name!r}: it stands in one folder, by its name"
            )
        children.write_private(folder / file.name, file.contents)


class Ports:
    """Free ports on the loopback, all held until all are known, so that none is given twice."""

    def __init__(self, kept: Mapping[tuple[str, int], int]) -> None:
        self._kept, self._stack = kept, ExitStack()

    def take(self, protocol: str, configured: int = 0) -> int:
        if kept := self._kept.get((protocol, configured)):
            return kept
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        self._stack.enter_context(made)
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])

    def let_go(self) -> None:
        self._stack.close()


def limits(deployment: Deployment) -> dict[int, int]:
    """Hard limits of the process. Memory is watched besides, since only what is really used counts against it."""
    found = {resource.RLIMIT_CORE: 0}  # a core file would hold secrets
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    found[resource.RLIMIT_NOFILE] = most if most != resource.RLIM_INFINITY else 1_048_576
    memory = int(amount(deployment.resources.memory_limit))
    if memory > 0:
        found[resource.RLIMIT_DATA] = memory + _OVERHEAD
    return found


def digest(environment: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode()).hexdigest()


def print_of(deployment: Deployment) -> str:
    """What a Fluent Bit would notice of a deployment: a replica more, another name or port do not concern it."""
    seen = hashlib.sha256(
        f"{deployment.config}\0{digest(deployment.environment)}\0{deployment.resources.memory_limit}".encode()
    )
    for file in sorted(deployment.files, key=lambda one: one.name):
        seen.update(f"\0{file.name}\0{len(file.contents)}\0".encode() + file.contents)
    return seen.hexdigest()


class Replica:
    """The place of one Fluent Bit of a pipeline. `on_end` is called when it ends without being asked to."""

    def __init__(
        self,
        program: fluent_bit.Program,
        folder: Path,
        number: int,
        on_end: Callable[[], None],
        fit: render.Fit = render.for_child,
    ) -> None:
        self.program, self.folder, self.number, self._fit = program, folder, number, fit
        self.child: children.Child | None = None
        self.backoff = Backoff()
        self.ready = False
        self.started_at = 0.0
        self._on_end = on_end
        self._ending: asyncio.Task[bool] | None = None

    @property
    def runs(self) -> str:
        """The print of what it runs."""
        return "" if self.child is None else str(self.child.record.facts.get("print", ""))

    @property
    def http_port(self) -> int:
        return 0 if self.child is None else int(self.child.record.facts.get("http", 0))

    @property
    def address(self) -> str:
        """Where its HTTP server is, as an URL."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def sockets(self) -> list[render.Socket]:
        return [] if self.child is None else [render.Socket(**one) for one in self.child.record.facts.get("sockets", ())]

    @property
    def grace(self) -> float:
        return _FLUSH + (5.0 if self.child is None else float(self.child.record.facts.get("grace", 5)))

    def said(self, last: int = 64 * 1024, since: int = 0) -> str:
        """The newest of what it said: `last` bytes at most, and none before place `since`."""
        return _tail(self.folder / children.SAID, last, since)

    def said_length(self) -> int:
        with suppress(OSError):
            return (self.folder / children.SAID).stat().st_size
        return 0

    async def inherit(self) -> None:
        """Take over the Fluent Bit that an earlier run left here."""
        self.child = children.inherit(self.folder)
        if self.child is not None:
            self.child.on_end = self._on_end
            self.ready = await fluent_bit.answers(self.http_port)
            self.started_at = time.monotonic()

    def bury(self) -> tuple[str, str] | None:
        """If it ended by itself: why. Then there is none here any more."""
        if self.child is None or not self.child.gone.is_set():
            return None
        child, self.child, self.ready = self.child, None, False
        if child.killed_for:
            return child.killed_for
        return complaints.end(child.code, self.said(8 * 1024))

    async def start(self, deployment: Deployment) -> None:
        """Raises StartFailedError; then nothing runs here."""
        for last in (False, False, True):
            mark = self.said_length()
            child = self._spawn(deployment)
            failure = await self._until_ready(child)
            if failure is None:
                return
            reason, message = failure
            self.child = None
            # Between our looking for a free port and its taking it, somebody else may have.
            if last or reason != "PortInUse" or not self._is_own_port(child, mark):
                raise StartFailedError(reason, message)

    def _is_own_port(self, child: children.Child, mark: int) -> bool:
        ports = [child.record.facts["http"], *(one["back"] for one in child.record.facts["sockets"])]
        return any(f":{port}" in self.said(8192, mark) for port in ports)

    def _spawn(self, deployment: Deployment) -> children.Child:
        try:
            ready = self._prepare(deployment, {})
            arguments = [self.program.path, "--config", str(ready.config)]
            child = children.start(self.folder, arguments, ready.env, ready.facts, limits(deployment))
        except children.OccupiedError as error:
            children.clear(self.folder)
            raise StartFailedError("Occupied", str(error)) from error
        except ValueError as error:  # a null byte, which no variable can hold
            raise StartFailedError("BadEnvironment", f"a secret cannot be given to Fluent Bit: {error}") from error
        except OSError as error:
            if error.filename == self.program.path:
                what = f"{self.program.path} cannot be started: {error.strerror}; is Fluent Bit still installed?"
                raise StartFailedError("BinaryMissing", what) from error
            raise StartFailedError("DiskFull" if error.errno == 28 else "FolderUnusable", f"{self.folder}: {error}") from error
        self.child, self.ready = child, False
        child.on_end = self._on_end
        return child

    async def dry_run(self, deployment: Deployment) -> str:
        """Why Fluent Bit does not take the deployment's configuration, or "". Raises OSError, StartFailedError."""
        ready = self._prepare(deployment, {}, render.for_child)
        return await fluent_bit.dry_run(self.program, ready.config, dict(ready.env))

    def _prepare(self, deployment: Deployment, kept: Mapping[tuple[str, int], int], fit: render.Fit | None = None) -> Prepared:
        """Write everything down. `kept`: ports that a running child has already, and `("http", 0)`."""
        children.private_folder(self.folder)
        children.private_folder(self.folder / "storage")
        name = f"files-{print_of(deployment)[:16]}"
        put_files(self.folder / name, tuple(deployment.files))
        ports = Ports(kept)
        http = ports.take("http", 0) if ("http", 0) in kept else ports.take("tcp")
        env = environment(deployment.environment, self.folder, http, self.number)
        try:
            rendered = (fit or self._fit)(deployment.config, env, http, ports.take)
        except ConfigError as error:
            raise StartFailedError("ConfigRefused", f"the configuration cannot be read: {render.refusal(error)}") from error
        finally:
            ports.let_go()
        _point(self.folder / "files", name)
        children.write_private(self.folder / _CONFIG, rendered.text.encode())
        facts = {
            "print": print_of(deployment), "said": self.said_length(), "http": http, "grace": rendered.grace,
            "sockets": [asdict(one) for one in rendered.sockets], "environment": digest(deployment.environment),
        }  # fmt: skip
        return Prepared(self.folder / _CONFIG, env, facts)

    async def _until_ready(self, child: children.Child) -> tuple[str, str] | None:
        mark = max(0, self.said_length() - 32 * 1024)
        until = time.monotonic() + START
        wait = 0.02
        while time.monotonic() < until:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await child.gone.wait()
            if child.gone.is_set():
                return complaints.end(child.code, _after_start(self.said(32 * 1024, mark), child.pid))
            if await fluent_bit.answers(self.http_port) and self._listens():
                self.ready, self.started_at = True, time.monotonic()
                return None
            wait = min(0.25, wait * 1.5)
        await child.kill()
        return "NoAnswer", f"Fluent Bit did not come up within {START:g} s: {fluent_bit.reason(self.said(8192, mark))}"

    def _listens(self) -> bool:
        wanted = {one.back for one in self.sockets if one.protocol == "tcp"}
        return wanted <= procfs.listening()

    def can_reload(self, deployment: Deployment) -> bool:
        """A running process cannot be given another environment, so a changed secret needs a new one."""
        return self.child is not None and self.child.record.facts.get("environment") == digest(deployment.environment)

    async def reload(self, deployment: Deployment) -> str:
        """Change the running Fluent Bit in place: "" or why it did not work; then it goes on as it was, or should be replaced.

        Fluent Bit stops taking records in, delivers what it has for as long as that takes (`hot_reload.ensure_thread_safety`),
        and starts again with the new configuration; only its count of reloads says that it worked (flb_reload.c).
        """
        assert self.child is not None
        child, before = self.child, await fluent_bit.reload_count(self.http_port)
        if before is None:
            return "its HTTP server does not answer"
        old, old_files = (self.folder / _CONFIG).read_bytes(), (self.folder / "files").readlink()
        known = child.record.facts
        try:
            ready = self._prepare(
                deployment, {(one.protocol, one.port): one.back for one in self.sockets} | {("http", 0): self.http_port}
            )
        except OSError as error:
            return f"{self.folder}: {error}"
        child.note({**known, "print": f"{known['print']} > {print_of(deployment)}"})  # neither, should we die meanwhile
        mark = self.said_length()
        why, runs_on = await self._ask_for_reload(child, before, mark)
        if not why:
            child.note(ready.facts)
            self.ready = True
        elif runs_on:
            _point(self.folder / "files", str(old_files))
            children.write_private(self.folder / _CONFIG, old)
            child.note(known)
        return why

    async def _ask_for_reload(self, child: children.Child, before: int, mark: int) -> tuple[str, bool]:
        status, body = await fluent_bit.ask(self.http_port, "/api/v2/reload", "POST")
        if status != 200 or b'"status":0' not in body.replace(b" ", b""):
            return f"it did not take the request: {body.decode(errors='replace')[:200] or 'no answer'}", True
        until = time.monotonic() + max(START, self.grace)
        while time.monotonic() < until:
            if child.gone.is_set():
                return complaints.end(child.code, self.said(16 * 1024, mark))[1], False
            said = self.said(16 * 1024, mark)
            if "Reloading is halted" in said:
                return fluent_bit.reason(said), True
            if await fluent_bit.reload_count(self.http_port) == before + 1:
                return "", True
            await asyncio.sleep(0.05)
        return f"outputs did not take what was left within {max(START, self.grace):g} s", False

    def give_up(self, reason: str, message: str) -> None:
        """End it because something is wrong with it; it is buried with that reason when it is gone."""
        child = self.child
        if child is None or child.killed_for is not None:
            return
        child.killed_for, self.ready = (reason, message), False
        self._ending = asyncio.create_task(child.stop(self.grace))

    async def stop(self) -> bool:
        """End it, flushing. False if it had to be killed, and may have lost what it had in memory."""
        child, self.child, self.ready = self.child, None, False
        if child is None:
            return True
        child.on_end = None
        facts = child.record.facts
        return await child.stop(_FLUSH + float(facts.get("grace", 5)))

    def tidy(self) -> None:
        """Remove files that no longer belong to what runs."""
        with suppress(OSError):
            used = str((self.folder / "files").readlink())
            for path in self.folder.glob("files-*"):
                if path.name != used:
                    shutil.rmtree(path, ignore_errors=True)

    def unsent(self) -> int:
        """How many buffered chunks lie on its disk."""
        return sum(1 for _ in (self.folder / "storage").rglob("*.flb"))

    def let_go(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self.child is not None:
            self.child.let_go()


def _point(link: Path, to: str) -> None:
    """Let a link lead elsewhere, in one step."""
    beside = link.with_name(link.name + ".new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(to)
    beside.replace(link)


def _after_start(said: str, pid: int) -> str:
    """What was said since the process started: it names its number in one of its first lines."""
    return said.rpartition(f"pid={pid}")[2]


def _tail(path: Path, last: int, since: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(size - last, since if since <= size else 0)
            file.seek(start)
            return file.read(last).decode(errors="replace")
    except OSError:
        return ""
