"""The Fluent Bit program on this machine: where it is, its version, what it takes, and what its HTTP server says."""

import asyncio
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nectary.core.runtimes import RuntimeUnavailableError

OLDEST = (3, 0, 0)
"""YAML with processors, hot reload and chunk trace are all there from this version on."""
_STILL, _MOST_STILL = 1.2, 3.0
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_PLACES = ("fluent-bit", "/opt/fluent-bit/bin/fluent-bit", "/usr/local/bin/fluent-bit")
_STAMP = re.compile(r"^\[\d{4}/\d\d/\d\d [\d:.]+\] ")


@dataclass(frozen=True, slots=True)
class Program:
    """A fluent-bit that can run pipelines."""

    path: str
    version: str


async def find(given: str | None = None) -> Program:
    """The program given, or the first found. Raises RuntimeUnavailableError when there is none, or one too old."""
    path = next((found for name in ([given] if given else _PLACES) if (found := shutil.which(name))), None)
    if path is None:
        where = f"at {given}" if given else "on the PATH or in /opt/fluent-bit/bin"
        raise RuntimeUnavailableError(
            f"no fluent-bit program {where}; install it (https://docs.fluentbit.io/manual/installation) or name its path"
        )
    try:
        code, said = await _run(path, "--version", seconds=10)
    except OSError as error:
        raise RuntimeUnavailableError(f"{path} cannot be run: {error.strerror}") from error
    match = _VERSION.search(said)
    if code != 0 or match is None:
        raise RuntimeUnavailableError(f"{path} --version does not answer as Fluent Bit does; is it the right program?")
    version = (int(match[1]), int(match[2]), int(match[3]))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise RuntimeUnavailableError(f"{path} is Fluent Bit {match[0]}; pipelines need {oldest} or newer: please update it")
    return Program(path, ".".join(map(str, version)))


async def _run(*arguments: str, seconds: float, cwd: Path | None = None, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and what was said; killed after the time, which counts as -1."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=cwd, env=env
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await child.communicate()
    except TimeoutError:
        return -1, f"no answer within {seconds:g} s"
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode or 0, said.decode(errors="replace")


async def dry_run(program: Program, config: Path, env: dict[str, str]) -> str:
    """Why Fluent Bit does not take this configuration, or "".

    A dry run that crashes says nothing: 5.1.1 aborts on sound configurations with some plugins (nats, kafka-rest, azure_blob).
    """
    code, said = await _run(program.path, "--dry-run", "--config", str(config), seconds=20, cwd=config.parent, env=env)
    return "" if code == 0 or code < 0 else reason(said)


def reason(said: str) -> str:
    """The sentences of an error among all that Fluent Bit said."""
    lines = [_STAMP.sub("", line).strip() for line in said.splitlines()]
    errors = [line for line in lines if line.startswith(("[error]", "Error:", "[ error]"))]
    texts = dict.fromkeys(line.partition("]")[2].strip() if line.startswith("[") else line for line in errors)
    return "; ".join(list(texts)[:5]) or next((line for line in reversed(lines) if line), "it said nothing")


async def ask(port: int, path: str, method: str = "GET", *, seconds: float = 5.0) -> tuple[int, bytes]:
    """Status and body of a call to the HTTP server of a Fluent Bit on this machine; status 0 when it does not answer."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                return int(head.split(b" ", 2)[1][:3]), body
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
        return 0, b""


async def answers(port: int) -> bool:
    """Whether it has started: its HTTP server comes up after every input, filter and output did (flb_engine_start)."""
    return (await ask(port, "/api/v1/uptime", seconds=2.0))[0] == 200


async def reload_count(port: int) -> int | None:
    status, body = await ask(port, "/api/v2/reload")
    try:
        return int(json.loads(body)["hot_reload_count"]) if status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


async def metrics(port: int) -> dict[str, Any]:
    """`{"input": {name: {...}}, "filter": ..., "output": ...}`; empty before the first second."""
    status, body = await ask(port, "/api/v1/metrics")
    try:
        return dict(json.loads(body)) if status == 200 else {}
    except ValueError:
        return {}


async def still(port: int) -> None:
    """Wait until it counts no more, for a moment at most: it tells its counts once a second, and nothing before the first
    (flb_me_fd_event)."""
    until, since, said = time.monotonic() + _MOST_STILL, time.monotonic(), await metrics(port)
    while (now := time.monotonic()) < until and (not said or now < since + _STILL):
        await asyncio.sleep(0.1)
        if (newer := await metrics(port)) != said:
            since, said = time.monotonic(), newer
