"""The process in which other people's Lua runs: reads one request, answers with one line of JSON, and knows nothing else.

Started by path with ``python -I``, so it imports only the standard library and lupa, never the rest of Nectary.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lupa import luajit21

_MARGIN = 64 * 1024 * 1024
# LuaJIT ends runaway recursion by the size of its own stack; string.gsub calling itself needs this much of ours until then.
_STACK = 112 * 1024 * 1024
_INTEGER_LIMIT = 2**63
_LARGEST = 2**1024 - 2**970


class _TooLargeError(Exception):
    """The answer is beyond its limit."""


class _BadRecordError(Exception):
    """A record that cannot be written as JSON."""


class Machine:
    """A LuaJIT without its compiler, in which a script has only what the sandbox gives it."""

    def __init__(self, limits: dict[str, Any]) -> None:
        self._lua: Any = luajit21.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=limits["memory"],
        )
        self._depth: int = limits["depth"]
        source = Path(__file__).with_name("sandbox.lua").read_bytes()
        self._kit: Any = self._lua.execute(source, limits["instructions"])
        # A C function: it can be called when every Lua instruction already raises the time-out.
        self._unhook: Callable[[], None] = self._lua.globals()[b"debug"][b"sethook"]

    def load(self, code: str, call: str) -> str | None:
        """Compile and run the script; the error, or None."""
        problem = self._guarded(self._kit[b"load"], code.encode("utf-8", "surrogatepass"), call.encode())
        return None if problem is None else _text(problem)

    def call(self, event: dict[str, Any]) -> dict[str, Any]:
        """One event through the script's function: ``{"result": [code, ts, record or records]}`` or ``{"error": text}``."""
        tag = event["tag"].encode("utf-8", "surrogatepass")
        timestamp = float(event["timestamp"])
        answer = self._guarded(self._kit[b"call"], tag, timestamp, self.to_lua(event["record"]))
        failed, code, ts, record = answer
        if failed is not None:
            return {"error": _text(failed)}
        code = int(code) if isinstance(code, int | float) and math.isfinite(code) else 0
        try:
            if code == -1:
                return {"result": [-1, event["timestamp"], event["record"]]}
            if code not in (1, 2):
                return {"result": [0, event["timestamp"], event["record"]]}
            time = self._time(ts, event["timestamp"]) if code == 1 else event["timestamp"]
            return {"result": [code, time, self._records(record)]}
        except _BadRecordError as problem:
            return {"error": str(problem)}

    def flush(self) -> list[Any]:
        """Records that a compiled rule list still holds back: ``[ts, record]`` each."""
        held = self._guarded(self._kit[b"flush"])
        return [] if held is None else [self.to_python(pair) for pair in held.values()]

    def _records(self, record: Any) -> Any:
        if self._kit[b"kind"](record) not in (b"map", b"list"):
            raise _BadRecordError("the function returned no record")
        found = self.to_python(record)
        if isinstance(found, list) and not all(isinstance(each, dict) for each in found):
            raise _BadRecordError("the function returned a list with something else than records")
        return found

    @staticmethod
    def _time(ts: Any, given: float) -> float:
        # Fluent Bit takes what is no number as 0 (lua_tonumber); a time that JSON cannot say stays as it was.
        if not isinstance(ts, int | float):
            return 0
        return ts if math.isfinite(ts) else given

    def _guarded(self, function: Any, *arguments: Any) -> Any:
        self._kit[b"hook"]()
        try:
            return function(*arguments)
        finally:
            self._unhook()

    def to_lua(self, value: Any) -> Any:
        """A JSON value as Fluent Bit would push it: tables marked array or map, null as flb_null, numbers as doubles."""
        if value is None:
            return self._kit[b"null"]
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            # Whole numbers beyond every double would raise.
            return float(value) if abs(value) < _LARGEST else (math.inf if value > 0 else -math.inf)
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        table = self._lua.table()
        if isinstance(value, list):
            for place, item in enumerate(value, 1):
                table[place] = self.to_lua(item)
            return self._kit[b"array"](table)
        for name, item in value.items():
            table[name.encode("utf-8", "surrogatepass")] = self.to_lua(item)
        return self._kit[b"map"](table)

    def to_python(self, value: Any, depth: int = 0) -> Any:
        """A Lua value as Fluent Bit would pack it (flb_lua_tomsgpack): whole numbers as integers, tables by their mark."""
        if depth > self._depth:
            raise _BadRecordError(f"the record is nested deeper than {self._depth}")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            if not math.isfinite(value):
                return None
            return int(value) if value == int(value) and abs(value) < _INTEGER_LIMIT else value
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        kind = self._kit[b"kind"](value)
        if kind == b"list":
            return [
                self.to_python(self._kit[b"at"](value, place), depth + 1) for place in range(1, self._kit[b"length"](value) + 1)
            ]
        if kind == b"map":
            return {_key(name): self.to_python(item, depth + 1) for name, item in value.items()}
        if kind == b"null":
            return None
        raise _BadRecordError(f"a record cannot hold a {_text(kind)}")


def _key(name: Any) -> str:
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    if isinstance(name, int | float) and not isinstance(name, bool):
        return repr(name)
    raise _BadRecordError("a key of the record is neither a text nor a number")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def confine(limits: dict[str, Any]) -> None:
    """Ask the system to hold this process to its limits: address space, CPU, no files, no children, no core dumps."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    room = pages * resource.getpagesize() + 2 * limits["memory"] + _MARGIN + _STACK
    seconds = math.ceil(limits["seconds"])
    wanted = [
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, 3, 3),
        (resource.RLIMIT_NPROC, 0, 0),
    ]
    if pages:
        wanted.append((resource.RLIMIT_AS, room, room))
    for what, soft, hard in wanted:
        resource.setrlimit(what, (soft, hard))
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK if most == resource.RLIM_INFINITY else min(_STACK, most), most))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request: ``{"results", "held"}``, or one of ``script``, ``timed_out`` and ``too_large``."""
    limits = request["limits"]
    machine = Machine(limits)
    confine(limits)
    try:
        problem = machine.load(request["code"], request["call"])
        return _run(machine, request) if problem is None else {"script": problem}
    except (luajit21.LuaMemoryError, MemoryError):
        return {"too_large": "memory"}
    except luajit21.LuaError as failure:
        return (
            {"timed_out": True}
            if "nectary: out of instructions" in _text(failure.args[0])
            else {"script": _text(failure.args[0])}
        )
    except (_TooLargeError, _BadRecordError, RecursionError):
        return {"too_large": "output"}


def _run(machine: Machine, request: dict[str, Any]) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    size = 0
    for event in request["events"]:
        results.append(machine.call(event))
        size = _weighed(size, results[-1], request)
    held = machine.flush() if request["flush"] else []
    _weighed(size, held, request)
    return {"results": results, "held": held}


def _weighed(size: int, part: Any, request: dict[str, Any]) -> int:
    size += len(json.dumps(part))
    if size > request["limits"]["output"]:
        raise _TooLargeError
    return size


def main() -> None:
    """Read the request from standard input and write the answer to standard output."""
    request = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(answer(request)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
