"""The contract test the API's vendor ran: schemathesis as it was pinned then, in an environment of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.operations import Operation

# Newer hypothesis crashes it: "'many' object has no attribute 'more'".
PACKAGES = ("schemathesis==3.39.16", "hypothesis==6.130.13", "jsonschema==4.26.0")
FOLDER = Path(__file__).parents[2] / ".venv-contract"
_SECONDS_TO_INSTALL = 240
# With many examples of each operation it takes hours on a busy machine.
LONGEST = 1700 if "CONTRACT_STRICT_EXAMPLES" not in os.environ else 6 * 3600


def environment() -> Path:
    """The folder with its programs, made if need be; skips the test where its packages cannot be had."""
    done = FOLDER / ".installed"
    if not done.exists() or done.read_text() != "\n".join(PACKAGES):
        try:
            _run(sys.executable, "-m", "venv", FOLDER)
            _run(FOLDER / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", None) or b""
            pytest.skip(f"SKIPPED: {PACKAGES[0]} cannot be installed for the vendor's contract test: {error} {said[-300:]!r}")
        done.write_text("\n".join(PACKAGES))
    return FOLDER / "bin"


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS_TO_INSTALL)


def run(
    folder: Path, *command: str | Path, told: str = "", longest: float = LONGEST, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run one of its programs in `folder`, whatever it ends with; `longest` in seconds."""
    return subprocess.run(
        command,
        check=False,
        input=told,
        capture_output=True,
        text=True,
        timeout=longest,
        cwd=folder,
        env={**os.environ, **environment},
    )


def published(contract: Path) -> list[dict[str, Any]]:
    """Every operation of the contract: method, path, operationId and more."""
    listed = json.loads((contract / "operations.json").read_text())
    operations: list[dict[str, Any]] = listed["operations"]
    return operations


def served(contract: Path, ours: Iterable[Operation]) -> dict[str, Operation]:
    """The operations of the contract that our route table has, by the contract's operationId."""
    by_address = {(one.method, _bare(one.path)): one for one in reversed(list(ours))}
    found = {one["operationId"]: by_address.get((one["method"].upper(), _bare(one["path"]))) for one in published(contract)}
    return {name: operation for name, operation in found.items() if operation is not None}


def _bare(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)
