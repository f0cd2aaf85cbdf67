"""What one preview may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one run; crossing one ends the run, never the caller.

    `seconds`: wall clock from start to answer, and CPU rounded up. `memory`: bytes Lua may hold, and about as much again for
    the process around it. `instructions`: of the Lua machine, over all events. `output`: bytes of JSON answered.
    `input`: bytes of code and events. `events`: how many. `depth`: how deep a record may nest.
    """

    seconds: float = 3.0
    memory: int = 64 * 1024 * 1024
    instructions: int = 50_000_000
    output: int = 4 * 1024 * 1024
    input: int = 4 * 1024 * 1024
    events: int = 10_000
    depth: int = 60


DEFAULT = Limits()
