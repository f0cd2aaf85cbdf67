"""What a core instance costs: its first sync, a change to all its pipelines, and above all doing nothing."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import servers
from benchmarks.servers import Running

MANY, REAL = 200, 20
IDLE_SECONDS = 30.0
_PATIENCE = 300.0
CONFIG = (
    "[INPUT]\n    Name dummy\n    Rate 1\n[FILTER]\n    Name modify\n    Match *\n    Add number {n}\n[OUTPUT]\n    Name null\n"
)
CONFIG += "    Match *\n"


@dataclass
class Asked:
    """A server to ask with its default project's token."""

    http: httpx.Client
    project_id: str

    def core_instance(self) -> str:
        found = _eventually(lambda: self.http.get(f"/v1/projects/{self.project_id}/core_instances").json()["items"])
        return str(found[0]["id"])

    def make(self, core_instance_id: str, count: int) -> list[str]:
        path = f"/v1/aggregators/{core_instance_id}/pipelines"
        bodies = [{"rawConfig": CONFIG.format(n=n), "name": f"bench-{n}"} for n in range(count)]
        return [self.http.post(path, json=body).raise_for_status().json()["id"] for body in bodies]

    def started(self, core_instance_id: str, count: int) -> bool:
        rows = self.http.get(f"/v1/core_instances/{core_instance_id}/pipelines", params={"last": 500}).json()["items"]
        return count == len([row for row in rows if row["status"]["status"] == "STARTED"])


@contextlib.contextmanager
def asked(server: Running) -> Iterator[Asked]:
    headers = {"X-Project-Token": server.token}
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=60) as http:
        yield Asked(http, _project(server.token))


def _project(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["ProjectID"])


@contextlib.contextmanager
def core_instance(server: Running, runtime: str, folder: Path) -> Iterator[psutil.Process]:
    environment = os.environ | {
        "NECTARY_URL": f"http://127.0.0.1:{server.port}",
        "NECTARY_TOKEN": server.token,
        "NECTARY_NAME": "bench",
        "NECTARY_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "nectary", "core", "run", "--runtime", runtime, "--state-dir", str(folder)]
    process = subprocess.Popen([*command, "--stop-pipelines"], env=environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _eventually(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + _PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_PATIENCE:.0f} s")
        time.sleep(0.2)
    return found


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(letter: str, runtime: str, count: int) -> None:
    """One server, one core instance, `count` pipelines; everything of it in a folder that goes afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(servers.nectary())
        api = stack.enter_context(asked(server))
        process = stack.enter_context(core_instance(server, runtime, folder / "state"))
        me = api.core_instance()
        empty = process.memory_info().rss
        began, busy = time.monotonic(), _busy(process)
        api.make(me, count)
        _eventually(lambda: api.started(me, count))
        took, spent = time.monotonic() - began, _busy(process) - busy
        time.sleep(5)
        ours, theirs = _at_rest(process, psutil.Process(server.pid))
        full = process.memory_info().rss
        each = (full - empty) / count / 1024
    what = f"({letter}) {count} pipelines, {runtime} runtime"
    print(f"{what:<44} {took:5.1f} s until all are made and STARTED, {spent:.1f} s of them busy")
    print(f"{'    at rest, of one core':<44} {ours:5.1%} core instance, {theirs:.1%} server")
    print(f"{'    memory of the core instance':<44} {full / 2**20:5.0f} MB, {each:.0f} kB a pipeline")


def _at_rest(*processes: psutil.Process) -> list[float]:
    """The share of one core that each takes while nobody does anything."""
    before = [_busy(process) for process in processes]
    time.sleep(IDLE_SECONDS)
    return [(_busy(process) - was) / IDLE_SECONDS for process, was in zip(processes, before, strict=True)]


def main() -> None:
    measure("f", "fake", MANY)
    if shutil.which("fluent-bit") or os.environ.get("NECTARY_FLUENT_BIT"):
        measure("g", "process", REAL)
    else:
        print("(g) SKIPPED: no fluent-bit found to run real pipelines with")


if __name__ == "__main__":
    main()
