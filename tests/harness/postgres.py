"""A PostgreSQL of the tests' own, on loopback, in a temporary folder, without fsync."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.harness.ports import free_port


def programs() -> Path | None:
    """The folder of Debian's newest PostgreSQL, or of the one on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running() -> Iterator[str]:
    """Run a server; yields its URL without a database name."""
    bin_ = programs()
    assert bin_ is not None
    # A folder of its own straight in /tmp: PostgreSQL refuses to run as root, and its user may not look into pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="nectary-postgres-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
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
        shutil.rmtree(folder)


def _run(folder: Path, *command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
