"""Runs somebody's program within limits of time, memory and output, in a process group of its own that ends with it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The new process sets its own limits and then becomes the program: doing so between fork and exec is not safe beside threads.
_LAUNCH = """
import os, resource, signal, sys
for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(ignored_by_python, signal.SIG_DFL)
seconds, memory, output = map(int, sys.argv[1:4])
for kind, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, output),
                   (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 256)):
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most, most) if hard == resource.RLIM_INFINITY else (min(most, hard), hard))
try:
    os.execv(sys.argv[4], sys.argv[4:])
except OSError as error:
    sys.exit(f"cannot run {sys.argv[4]}: {error.strerror}")
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. code: negative for a signal, None when its time was over. out, err: what it wrote."""

    code: int | None
    out: str
    err: str


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: int = 10,
    memory: int = 2 * 1024**3,
    output: int = 1024**2,
) -> Ended:
    """Run a program to its end or for `seconds`. memory: bytes of address space. output: bytes that any file may grow to."""
    launch = [sys.executable, "-I", "-c", _LAUNCH, str(seconds), str(memory), str(output), *command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(  # noqa: S603 - running what was named is the point
            launch,
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, env=dict(environment), start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = child.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        written = []
        for file in (out, err):
            file.seek(0)
            written.append(file.read(output).decode("utf-8", "replace"))
    return Ended(code, *written)


def program(path: str) -> str | None:
    """The absolute path of a program by its path or, without a slash, its name on the PATH; None when there is none to run."""
    found = shutil.which(path)
    return None if found is None else str(Path(found).absolute())


def without_network() -> list[str]:
    """What to put before a command so that it has no network; nothing where this machine does not let us."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    prefix = [unshare, "--map-root-user", "--net"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=10)  # noqa: S603
    return prefix if tried.returncode == 0 else []
