"""The real program, `nectary serve`, in a process of its own on loopback."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.harness.ports import free_port
from tests.harness.world import ADMIN, PASSWORD

_PATIENCE = 120.0  # the machine may be busy with other tests


@dataclass
class Served:
    """A running server: where it is, and what its first start handed over."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The default project's token."""
        return (self.folder / "project-token").read_text()

    def bearer(self) -> str:
        """A session of the administrator."""
        answer = httpx.post(f"{self.url}/v1/sign_in", json={"email": ADMIN, "password": PASSWORD}, timeout=_PATIENCE)
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """kill -9: nothing is finished."""
        self.process.kill()
        self.process.wait(_PATIENCE)


def start(folder: Path, **settings: str) -> Served:
    """Start on the data in `folder`, on a free port unless NECTARY_PORT says which, and wait until it answers."""
    port = int(settings.get("NECTARY_PORT") or free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NECTARY_")}
    environment |= {
        "NECTARY_HOST": "127.0.0.1",
        "NECTARY_PORT": str(port),
        "NECTARY_DATA_DIR": str(folder / "data"),
        "NECTARY_ADMIN_EMAIL": ADMIN,
        "NECTARY_ADMIN_PASSWORD": PASSWORD,
        "NECTARY_LOG_LEVEL": "warning",
        "NECTARY_CORE": "false",  # unless the test is about it
        "DEFAULT_TOKEN_FILE": str(folder / "project-token"),
        "ALLOWED_ORIGINS": "http://127.0.0.1:5000",
        **settings,
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "nectary", "serve"], env=environment, stdout=log, stderr=log)
    served = Served(process, port, folder)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, served.log()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{served.url}/healthz", timeout=1).status_code == 200:
                return served
        time.sleep(0.05)
    served.kill()
    raise AssertionError(f"nectary serve did not answer within {_PATIENCE} s: {served.log()}")


@contextlib.contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Served]:
    """A server for the length of a block; it must end well when it is told to."""
    served = start(folder, **settings)
    try:
        yield served
        served.process.terminate()
        assert served.process.wait(_PATIENCE) == 0, served.log()
    finally:
        served.kill()
