"""Turns what an agent reports since it started into totals that only ever grow, however often it restarts or reloads.

Fluent Bit counts from zero again after every start and every hot reload. What is remembered of an agent between two posts is
one small value, `Counters`; everything else (agent, pipeline, core instance, project) adds up increments.
"""

from typing import Any, Final, NoReturn

import msgspec

from nectary.metrics.cmetrics import CEILING, FIELDS, MAX_PLUGINS, OTHER, Readings, Snapshot

#: A start that moved less than this many seconds is the same start: the time is told in whole seconds.
SAME_START: Final = 1.0
#: A post older than the one before by up to this many seconds is a late retry. Older still, the agent's clock was set back.
LATE: Final = 600.0


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """Counts since first sight: plugin instance -> one whole number per field of `FIELDS`, in that order; never goes down."""

    input: dict[str, tuple[int, ...]] = {}
    filter: dict[str, tuple[int, ...]] = {}
    output: dict[str, tuple[int, ...]] = {}


class Counters(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one agent: its latest raw readings, when they were taken and counted from, and its totals.

    Times are epoch seconds by the agent's clock, as in `Snapshot`.
    """

    taken_at: float
    started_at: float | None
    last: Readings
    totals: Totals


class Advance(msgspec.Struct, frozen=True):
    """What one post changes.

    counters    to be remembered instead of the previous ones
    increments  what was counted since the previous post; for adding to the totals of project, pipeline and core instance
    counted     False for a post that was counted before, or that a newer one has overtaken: nothing has changed
    zero_at     epoch seconds by the agent's clock: when its process started, if that was after the previous post or this is the
                first. The totals were the previous ones until then: a sample that says so gives the true rate from the first
                post on
    """

    counters: Counters
    increments: Totals
    counted: bool
    zero_at: float | None


def advance(previous: Counters | None, snapshot: Snapshot, limit: int = MAX_PLUGINS) -> Advance:
    """Count `snapshot`, which the agent posted after `previous` (None for the first one ever).

    After a start or reload (`started_at` moved) all of its counters count from zero; otherwise one that went down does so by
    itself. A series missing from one post keeps its last reading. `limit` is that of `add`.
    """
    if previous is not None and _is_counted(previous, snapshot):
        return Advance(counters=previous, increments=Totals(), counted=False, zero_at=None)
    restarted = previous is None or _moved(previous.started_at, snapshot.started_at)
    before = Readings() if previous is None or restarted else previous.last
    increments, last = [], []
    for kind in FIELDS:
        counted, readings = _count(getattr(before, kind), getattr(snapshot.values, kind), limit)
        increments.append(counted)
        last.append(readings)
    counted_now = Totals(*increments)
    zero_at = snapshot.started_at if restarted else None
    if zero_at is not None and not (0.0 if previous is None else previous.taken_at) < zero_at < snapshot.taken_at:
        zero_at = None
    started_at = snapshot.started_at
    if started_at is None and previous is not None:
        started_at = previous.started_at
    counters = Counters(
        taken_at=snapshot.taken_at,
        started_at=started_at,
        last=Readings(*last),
        totals=add(Totals() if previous is None else previous.totals, counted_now, limit),
    )
    return Advance(counters=counters, increments=counted_now, counted=True, zero_at=zero_at)


def add(totals: Totals, increments: Totals, limit: int = MAX_PLUGINS) -> Totals:
    """Return `totals` with `increments` added; both stay as they are.

    A kind holds at most `limit` plugins: what further ones count goes to the plugin `other`. Sums stay at `CEILING`.
    """
    return Totals(*(_added(getattr(totals, kind), getattr(increments, kind), limit) for kind in FIELDS))


def encode(totals: Totals) -> bytes:
    """Return `totals` as few bytes: MessagePack arrays without field names, about 20 to 40 bytes per plugin."""
    return _encoder.encode(totals)


def decode_totals(blob: bytes) -> Totals:
    """Return what `encode` was given; rows written when there were fewer fields get zeros. ValueError otherwise."""
    try:
        totals = _totals.decode(blob)
    except (msgspec.MsgspecError, RecursionError) as fault:
        _not_ours("totals", fault)
    return Totals(*(_widened(getattr(totals, kind), len(fields), 0) for kind, fields in FIELDS.items()))


def encode_counters(counters: Counters) -> bytes:
    """Return `counters` as few bytes, in the manner of `encode`."""
    return _encoder.encode(counters)


def decode_counters(blob: bytes) -> Counters:
    """Return what `encode_counters` was given, widened as by `decode_totals`. ValueError otherwise."""
    try:
        counters = _counters.decode(blob)
    except (msgspec.MsgspecError, RecursionError) as fault:
        _not_ours("counters", fault)
    last, totals = counters.last, counters.totals
    return Counters(
        taken_at=counters.taken_at,
        started_at=counters.started_at,
        last=Readings(*(_widened(getattr(last, kind), len(fields), None) for kind, fields in FIELDS.items())),
        totals=Totals(*(_widened(getattr(totals, kind), len(fields), 0) for kind, fields in FIELDS.items())),
    )


_encoder = msgspec.msgpack.Encoder()
_totals = msgspec.msgpack.Decoder(Totals)
_counters = msgspec.msgpack.Decoder(Counters)

_Rows = dict[str, tuple[int, ...]]
_RawRows = dict[str, tuple[int | None, ...]]


def _not_ours(what: str, fault: Exception) -> NoReturn:
    raise ValueError(f"no stored {what}: {fault}") from None


def _is_counted(previous: Counters, snapshot: Snapshot) -> bool:
    """Whether `previous` includes this post already: the same one again, or one that a later post has overtaken."""
    if not snapshot.taken_at or not previous.taken_at or snapshot.taken_at > previous.taken_at:
        return False
    if snapshot.taken_at == previous.taken_at:
        return True
    if previous.taken_at - snapshot.taken_at > LATE:
        return False
    return not (_moved(previous.started_at, snapshot.started_at) and _later(snapshot.started_at, previous.started_at))


def _moved(before: float | None, now: float | None) -> bool:
    return before is not None and now is not None and abs(now - before) > SAME_START


def _later(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


def _count(before: _RawRows, now: _RawRows, limit: int) -> tuple[_Rows, _RawRows]:
    """What one kind of plugin counted since `before`, and what to remember of it."""
    increments: _Rows = {}
    last = dict(now)
    for name, row in now.items():
        old = before.get(name)
        if old is None:
            increments[name] = tuple([value or 0 for value in row])
            continue
        increments[name] = tuple([_since(then, value) for then, value in zip(old, row, strict=True)])
        if None in row:
            last[name] = tuple([then if value is None else value for then, value in zip(old, row, strict=True)])
    for name, old in before.items():
        if name not in last and len(last) < limit:
            last[name] = old
    return increments, last


def _since(then: int | None, value: int | None) -> int:
    if value is None:
        return 0
    return value - then if then is not None and then <= value else value


def _added(totals: _Rows, increments: _Rows, limit: int) -> _Rows:
    rows = dict(totals)
    for plugin, row in increments.items():
        name = plugin
        if name not in rows and len(rows) + (OTHER not in rows) >= limit:
            name = OTHER
        old = rows.get(name)
        rows[name] = row if old is None else tuple([min(a + b, CEILING) for a, b in zip(old, row, strict=True)])
    return rows


def _widened(rows: dict[str, Any], width: int, filler: int | None) -> dict[str, Any]:
    for name, row in rows.items():
        if len(row) != width:
            rows[name] = (row + (filler,) * width)[:width]
    return rows
