"""Runs a real Fluent Bit over files of records, and collects what it writes."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.fluent_bit import required

_LINE = re.compile(r"\[(\d+\.\d+), (.*)\]\Z")
_PARSERS = "[PARSER]\n    Name records\n    Format json\n    Time_Key __time\n    Time_Format %s.%L\n    Time_Keep Off\n"

Log = tuple[float, dict[str, Any]]


@dataclass(frozen=True)
class Stream:
    """Records that go in under a tag, and what is done to them: processor units, or a script file with its filter's options."""

    given: Sequence[Log]
    units: Sequence[Mapping[str, str]] = ()
    script: str = ""
    options: Mapping[str, str] | None = None


def _config(streams: Sequence[Stream], folder: Path) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = []
    filters: list[dict[str, Any]] = []
    for place, stream in enumerate(streams):
        lines = [json.dumps({"__time": f"{ts:.6f}", **record}) + "\n" for ts, record in stream.given]
        (folder / f"in_{place}.log").write_text("".join(lines))
        tail: dict[str, Any] = {
            "name": "tail", "path": str(folder / f"in_{place}.log"), "tag": f"s.{place}", "parser": "records",
            "read_from_head": "true", "refresh_interval": "1",
        }  # fmt: skip
        if stream.units:
            tail["processors"] = {"logs": list(stream.units)}
        if stream.script:
            (folder / f"script_{place}.lua").write_text(stream.script, encoding="utf-8")
            options = {"match": f"s.{place}", "script": str(folder / f"script_{place}.lua"), **(stream.options or {})}
            filters.append({"name": "lua", **options})
        inputs.append(tail)
    outputs = [{"name": "file", "match": "s.*", "path": str(folder / "out")}]
    service = {"flush": "0.2", "grace": "1", "log_level": "info", "parsers_file": str(folder / "parsers.conf")}
    return {"service": service, "pipeline": {"inputs": inputs, "filters": filters, "outputs": outputs}}


def run(streams: Sequence[Stream], expected: int, folder: Path, *, seconds: float = 20.0) -> tuple[list[list[Log]], str]:
    """What comes out of each stream, and what Fluent Bit said; waits until `expected` records came, and a moment for more."""
    program = required()
    (folder / "out").mkdir()
    (folder / "parsers.conf").write_text(_PARSERS)
    # JSON is YAML, and says exactly what each value is.
    (folder / "fluent-bit.yaml").write_text(json.dumps(_config(streams, folder), indent=1), encoding="utf-8")
    with (folder / "said.log").open("wb") as said:
        child = subprocess.Popen([program, "-c", str(folder / "fluent-bit.yaml")], stdout=said, stderr=said, cwd=folder)
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and child.poll() is None and _count(folder) < expected:
                time.sleep(0.1)
            time.sleep(1.0)
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    return [_written(folder / "out" / f"s.{place}") for place in range(len(streams))], (folder / "said.log").read_text()


def _count(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in (folder / "out").iterdir())


def _written(path: Path) -> list[Log]:
    if not path.exists():
        return []
    logs: list[Log] = []
    # Only a newline ends a line here: out_file leaves other separators inside texts as they are.
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line:
            continue
        found = _LINE.search(line.partition(": ")[2])
        assert found, line
        logs.append((float(found[1]), json.loads(found[2])))
    return logs
