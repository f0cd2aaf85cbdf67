"""Previews: a script or a rule list over sample records, run in LuaJIT in a process of its own that can harm nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nectary.fluentbit.processing import CALL, Rule, script
from nectary.preview.errors import BusyError, ChildError, PreviewError, ScriptError, TimedOutError, TooLargeError
from nectary.preview.limits import DEFAULT, Limits
from nectary.preview.process import Room, ask, default_room

__all__ = [
    "DEFAULT", "BusyError", "ChildError", "Limits", "Preview", "PreviewError", "RecordError", "Room", "ScriptError",
    "TimedOutError", "TooLargeError", "preview", "preview_script", "run",
]  # fmt: skip

Log = tuple[float, dict[str, Any]]


@dataclass(frozen=True)
class RecordError:
    """What went wrong with the record at `index` (from 0) of a preview's input."""

    index: int
    error: str


@dataclass(frozen=True)
class Preview:
    """What comes out: records with their times, the records that rules hold back until more come, and errors by record."""

    logs: list[Log]
    held: list[Log]
    errors: list[RecordError]


async def run(
    code: str,
    events: Sequence[Mapping[str, Any]],
    limits: Limits = DEFAULT,
    *,
    call: str = CALL,
    room: Room | None = None,
) -> list[dict[str, Any]]:
    """Run a Lua script over events ``{"timestamp", "record", "tag"}``, as the sandbox's ``run`` did.

    The script defines ``cb_filter(tag, ts, record)``, or what `call` names, and answers as a lua filter does. The results are
    in the order of the events: ``{"result": [code, ts, record or list of records]}`` (code -1 drop, 0 kept as it was, 1 new
    time and record, 2 new record; with -1 and 0 the time and record are the original ones), or ``{"error": text}``. An empty
    table of the script's own making is a map, as in Fluent Bit; an empty array of the input stays one. Whole numbers are
    integers.

    Raises ScriptError (does not compile or load), TimedOutError, TooLargeError, BusyError or ChildError.
    """
    complete = [
        {"timestamp": event.get("timestamp") or 0, "tag": event.get("tag") or "", "record": event["record"]} for event in events
    ]
    return (await ask(code, complete, call, limits, flush=False, room=room or default_room())).results


async def preview(
    rules: Sequence[Rule],
    logs: Sequence[Log | Sequence[Any]],
    *,
    tag: str = "preview",
    limits: Limits = DEFAULT,
    room: Room | None = None,
) -> Preview:
    """What the rules make of ``[ts, record]`` logs. Raises as `run` does."""
    return await preview_script(script(rules), logs, tag=tag, limits=limits, room=room)


async def preview_script(
    code: str,
    logs: Sequence[Log | Sequence[Any]],
    *,
    call: str = CALL,
    tag: str = "preview",
    limits: Limits = DEFAULT,
    room: Room | None = None,
) -> Preview:
    """What a compiled script makes of ``[ts, record]`` logs. Raises as `run` does."""
    events = [{"timestamp": ts, "tag": tag, "record": record} for ts, record in logs]
    answer = await ask(code, events, call, limits, flush=True, room=room or default_room())
    out: list[Log] = []
    errors: list[RecordError] = []
    for index, result in enumerate(answer.results):
        if "error" in result:
            errors.append(RecordError(index, result["error"]))
            continue
        kind, ts, record = result["result"]
        if kind != -1:
            out.extend((ts, each) for each in (record if isinstance(record, list) else [record]))
    return Preview(out, [(ts, record) for ts, record in answer.held], errors)
