"""A PostgreSQL of the tests' own, on loopback, in a temporary folder, without fsync."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The folder of Debian's newest PostgreSQL, or of the one on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server in `folder`; yields its URL without a database name."""
    bin_ = programs()
    assert bin_ is not None
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # PostgreSQL refuses to run as root
    if as_user:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        for parent in folder.parents:
            if parent.stat().st_uid == os.getuid() and str(parent) not in ("/", "/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
    port = free_port()
    data = folder / "data"
    made: list[str | Path] = ["-D", data, "-U", "nectary", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
    _run(folder, *as_user, bin_ / "initdb", *made)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c full_page_writes=off"
    _run(folder, *as_user, bin_ / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
    try:
        yield f"postgresql://nectary@127.0.0.1:{port}"
    finally:
        _run(folder, *as_user, bin_ / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(folder: Path, *command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port
