"""What Fluent Bit posts of a trace, in any format its http output writes, with the records it breaks put right.

For the first append to a chunk every version writes the key `records` without a value (flb_chunk_trace.c), so that all behind
it shifts by one and the next event is swallowed as a value:

    {"type":1,...,"records":"start_time",A:"end_time",B:["<the swallowed event's time>",{<the swallowed event>}]}

That is no JSON; as MessagePack it is well formed and says the wrong thing. Here both become two events, and none is lost.
Nothing is looked up or kept: bytes in, events out.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgpack

from nectary.errors import Invalid
from nectary.resources.trace_records import bounded

REFUSAL = "invalid trace record"
Event = dict[str, Any]

_DEEPEST = 32
_MOST = 1024 * 1024
"""Bytes of a body after which only events without records are taken, which say what became of them: Fluent Bit copies whole
chunks again and again, up to 2 MB into each event, and the server has others to answer, too."""
_SWALLOWED = "records without a value"
_BROKEN = re.compile(r'"records":"start_time",(\d{1,20}):"end_time",(\d{1,20}):\["((?:\\x[0-9a-f]{2,8})+)",')
_MENDED = rf'"records":[],"start_time":\1,"end_time":\2,"{_SWALLOWED}":["",'
_BEFORE = re.compile(r"\s*\[?\s*")
_BETWEEN = re.compile(r"[\s,]*")


def decode(body: bytes) -> list[Event]:
    """The events of a body, in the order they happened, whatever its Content-Type says: `json` (one array), `json_lines`,
    `json_stream` (objects on end) and `msgpack` (`[time, event]` on end).

    Raises Invalid when there is none; a body cut short gives those before the cut, and of a long one not all that have records
    are given. Of many records an event has the last.
    """
    first = body.lstrip()[:1]
    events = list(_of_json(body) if first in (b"{", b"[") else _of_msgpack(body))
    if not events:
        raise Invalid(REFUSAL, "no trace records in JSON or MessagePack")
    return events


def _of_json(body: bytes) -> Iterator[Event]:
    text = _BROKEN.sub(_MENDED, body.decode("utf-8", "replace"))
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    at = _after(_BEFORE, text, 0)
    while text.startswith("{", at):
        began = at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield from (event for event in _mended(value) if began < _MOST or not event.get("records"))
        at = _after(_BETWEEN, text, at)


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _mended(event: Event) -> Iterator[Event]:
    """The event, and behind it the one it swallowed, which may have swallowed another."""
    waiting: Any = event
    while isinstance(waiting, dict):
        swallowed = waiting.pop(_SWALLOWED, None)
        yield _event(_Pairs(waiting.items()))
        waiting = swallowed[1] if isinstance(swallowed, list) and len(swallowed) == 2 else None


class _Pairs(list[tuple[Any, Any]]):
    """A map as it stands in the bytes: a broken one has the same integer key twice."""


def _of_msgpack(body: bytes) -> Iterator[Event]:
    unpacker = msgpack.Unpacker(
        raw=False,
        unicode_errors="replace",
        strict_map_key=False,
        object_pairs_hook=_Pairs,
        max_buffer_size=max(len(body), 1),
        ext_hook=lambda _code, data: data,
    )
    unpacker.feed(body)
    began = 0
    try:
        for entry in unpacker:
            waiting = entry[1] if isinstance(entry, list) and not isinstance(entry, _Pairs) and len(entry) == 2 else entry
            while isinstance(waiting, _Pairs):
                event, waiting = _unshifted(waiting)
                if began < _MOST or not event.get("records"):
                    yield event
            began = unpacker.tell()
    except (ValueError, msgpack.UnpackException):
        return


def _unshifted(pairs: _Pairs) -> tuple[Event, Any]:
    """An event from its pairs, and the one it swallowed, if any."""
    for place, (key, value) in enumerate(pairs):
        rest = pairs[place + 1 :]
        if key == "records" and value == "start_time" and len(rest) == 2 and rest[0][1] == "end_time":
            (start, _), (end, swallowed) = rest
            whole = _Pairs([*pairs[:place], ("records", []), ("start_time", start), ("end_time", end)])
            inner = swallowed[1] if isinstance(swallowed, list) and len(swallowed) == 2 else None
            return _event(whole), inner
    return _event(pairs), None


def _event(pairs: _Pairs) -> Event:
    """With the last of its records, which are cut before they are looked at one by one."""
    cleaned: Event = _clean(
        _Pairs((key, bounded(value) if key == "records" and type(value) is list else value) for key, value in pairs)
    )
    return cleaned


def _clean(value: Any, depth: int = 0) -> Any:
    """What JSON and every database can hold: no NUL, no half of a surrogate pair, no infinity, nothing bottomless."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, _Pairs):
        return {str(_clean(key, depth + 1)): _clean(inner, depth + 1) for key, inner in value}
    if isinstance(value, dict):
        return {_clean(key): _clean(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, depth + 1) for inner in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | bool) or value is None else str(value)
