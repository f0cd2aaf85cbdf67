"""Understands what Fluent Bit says on its standard error, and says it in words a person can act on.

The sentences looked for are those of Fluent Bit 5.1.1: src/flb_engine.c (retries), src/flb_input*.c (pauses), the plugins'
own words in `[output:NAME:NAME.N]` lines, chunkio's (storage).
"""

import re
import signal
from collections import deque
from dataclasses import dataclass, field

_STAMP = re.compile(r"^\[\d{4}/\d\d/\d\d [\d:.]+\] ")
_PLUGIN = re.compile(r"\[(error| warn)\] \[(input|filter|output):[^:\]]+:([^\]]+)\] (.*)")
_RETRY = re.compile(r"\[ warn\] \[engine\] failed to flush chunk '.*', retry in .*> output=(\S+)")
_DROPPED = re.compile(r"\[error\] \[engine\] chunk '.*' cannot be retried:.*> output=(\S+)")
_PAUSED = re.compile(r"\[ ?warn\] \[input\] (\S+) paused \((.*)\)")
_ADDRESS = re.compile(r"\b((?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):(\d{1,5})\b")
_NO_CONNECTION = "no upstream connections available"
_FULL = "No space left on device"
WINDOW = 60.0
TAP = "nectary-tap"
"""What the output of a live tap is called."""
# Of a tap nobody has to know more than what it shows; its input is called so by Fluent Bit (flb_chunk_trace_context_new).
_OF_TAP = re.compile(rf"\b({TAP}|trace-emitter)\b")


@dataclass(slots=True)
class _Output:
    retries: deque[float] = field(default_factory=deque)
    dropped: deque[float] = field(default_factory=deque)
    cause: str = ""
    first: float = 0.0
    last: float = 0.0

    def since(self, now: float) -> None:
        for times in (self.retries, self.dropped):
            while times and now - times[0] > WINDOW:
                times.popleft()


@dataclass(frozen=True, slots=True)
class Complaint:
    """`about`: what it concerns, e.g. `output http.0`. address: where it could not connect to, "" if nothing of that."""

    reason: str
    about: str
    message: str
    address: str = ""


class Tally:
    """Counts what one Fluent Bit complains of. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._outputs: dict[str, _Output] = {}
        self._others: dict[tuple[str, str], str] = {}

    def read(self, line: str, now: float) -> None:
        """Take in one line."""
        text = _STAMP.sub("", line.strip())
        if _OF_TAP.search(text):
            return
        if match := _RETRY.match(text):
            self._output(match[1], now).retries.append(now)
        elif match := _DROPPED.match(text):
            self._output(match[1], now).dropped.append(now)
        elif _FULL in text:
            self._others["DiskFull", "storage"] = (
                "no space left where this pipeline buffers its data; free some, or it loses data"
            )
        elif match := _PAUSED.match(text):
            self._others["InputPaused", f"input {match[1]}"] = (
                f"input {match[1]} takes nothing more for now ({match[2]}): outputs do not keep up with it"
            )
        elif match := _PLUGIN.match(text):
            self._plugin(match[1].strip(), match[2], match[3], match[4], now)

    def _plugin(self, level: str, kind: str, name: str, said: str, now: float) -> None:
        if kind == "output" and level == "error":
            self._output(name, now).cause = said
        elif level == "error":
            self._others["PluginError", f"{kind} {name}"] = f"{kind} {name}: {said}"

    def _output(self, name: str, now: float) -> _Output:
        output = self._outputs.setdefault(name, _Output(first=now))
        output.last = now
        return output

    def complaints(self, now: float, wait: float = 10.0) -> list[Complaint]:
        """What should be told now: of each output what went wrong in the last minute, once it has lasted `wait` seconds."""
        told = [Complaint(reason, about, message) for (reason, about), message in self._others.items()]
        self._others.clear()
        for name, output in self._outputs.items():
            output.since(now)
            if now - output.first >= wait and now - output.last < WINDOW:
                told.append(_about_output(name, output, now))
        return told

    def recovered(self, now: float) -> list[str]:
        """Outputs that have not complained for two minutes, each told once."""
        well = [name for name, output in self._outputs.items() if now - output.last >= 2 * WINDOW]
        for name in well:
            del self._outputs[name]
        return well


def _about_output(name: str, output: _Output, now: float) -> Complaint:
    seconds = round(min(WINDOW, max(1.0, now - output.first)))
    address, cause = "", output.cause
    if cause.startswith(_NO_CONNECTION):
        match = _ADDRESS.search(cause)
        address = match[0] if match else "?"
        cause = f"no connection to {address}" if match else "no connection"
    parts = [cause] if cause else []
    counts = []
    if output.retries:
        counts.append(f"{len(output.retries)} {'retry' if len(output.retries) == 1 else 'retries'} in {seconds} s")
    if output.dropped:
        counts.append(f"{len(output.dropped)} {'chunk' if len(output.dropped) == 1 else 'chunks'} of records given up and lost")
    message = "; ".join([*parts, *counts]) or "errors"
    return Complaint("OutputFails", f"output {name}", f"output {name}: {message}", address)


def end(code: int | None, said: str) -> tuple[str, str]:
    """Reason and sentence for a Fluent Bit that ended by itself, from its exit code and its last words."""
    errors = []
    for line in said.splitlines():
        text = _STAMP.sub("", line).strip()
        if (text.startswith(("[error]", "Error:")) or "[error]" in text[:20]) and not _OF_TAP.search(text):
            errors.append(text.partition("[error]")[2].strip() or text)
    words = "; ".join(list(dict.fromkeys(errors))[-6:])
    if _FULL in said:
        return "DiskFull", f"no space left on the disk: {words or _FULL}"
    if "could not bind" in said or "Address already in use" in said:
        return "PortInUse", words
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = "; if nobody did that on purpose, the machine may be short of memory" if -code == signal.SIGKILL else ""
        return "Killed", f"Fluent Bit was ended by signal {name}{hint}{': ' + words if words and not hint else ''}"
    how = "Fluent Bit ended" if code is None else f"Fluent Bit ended with exit code {code}"
    return "Exited", f"{how}: {words}" if words else how
