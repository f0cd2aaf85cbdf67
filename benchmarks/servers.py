"""Servers to measure, as their users start them."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Running:
    port: int
    pid: int
    token: str
    password: str
    seconds_to_healthy: float


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def wait_until_healthy(port: int, *, within: float = 120.0) -> None:
    end = time.monotonic() + within
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.01)
    raise TimeoutError(f"no answer on port {port} within {within} s")


@contextlib.contextmanager
def nectary(folder: Path | None = None) -> Iterator[Running]:
    """`nectary serve` on SQLite, in a folder of its own unless one is given."""
    with contextlib.ExitStack() as stack:
        data = folder or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "data"
        port = free_port()
        began = time.monotonic()
        command = [sys.executable, "-m", "nectary", "serve", "--port", str(port), "--data-dir", str(data)]
        out = stack.enter_context(tempfile.TemporaryFile("w+"))
        process = subprocess.Popen(
            command, stdout=out, env=os.environ | {"NECTARY_LOG_LEVEL": "warning", "NECTARY_CORE": "false"}
        )
        try:
            wait_until_healthy(port)
            took = time.monotonic() - began
            out.seek(0)
            password = re.search(r"password +(\S+)", out.read())
            yield Running(port, process.pid, (data / "token").read_text(), password[1] if password else "", took)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextlib.contextmanager
def bare(answer: bytes) -> Iterator[int]:
    """The yardstick, answering these bytes; yields its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(port)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(answer)
    process.stdin.close()
    try:
        wait_until_healthy(port)
        yield port
    finally:
        process.kill()
        process.wait(30)
