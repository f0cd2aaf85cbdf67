"""Turns stored totals into what people look at: current rates, rates over time, and the sums of the older API.

Everything here takes the samples of one owner (an agent, pipeline, core instance or project): `[(at, totals)]`, `at` in epoch
seconds, in order of time. Between two samples a counter is taken to have grown evenly.

A window is cut where the clock shows whole multiples of the interval, so that buckets stay in place while time goes on; the
first and the last one are the shorter for it. Each carries the time of its **end**, the last one that of the window's, as in
the published example of the older API, where an hourly series ends 11:00, 12:00, 12:55:20. Times are RFC 3339 in UTC.

Shapes: MetricsSummary, MetricsByPlugin, MetricsOvertime, MetricsOverTimeByPlugin, AgentMetrics, ProjectMetrics and
AggregatorMetrics of the published API. Lists are never null.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, isfinite
from typing import Any, Final

from nectary.errors import Invalid
from nectary.metrics.cmetrics import FIELDS, Readings
from nectary.metrics.counters import Totals

MAX_BUCKETS: Final = 11_000
#: Points of one answer, over all plugins and fields.
MAX_POINTS: Final = 1_000_000
TOP_PLUGINS: Final = 10

Sample = tuple[float, Totals]
Json = dict[str, Any]

_Row = tuple[int, ...]
_Pick = Callable[[Totals], _Row]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


#: Kind -> names of its fields in the older API ("drop_records") and in the newer one ("dropRecords"), in the order of `FIELDS`.
OLD_NAMES: Final = {
    kind: tuple(field.removeprefix("proc_").removesuffix("_total") for field in fields) for kind, fields in FIELDS.items()
}
NEW_NAMES: Final = {kind: tuple(map(_camel, names)) for kind, names in OLD_NAMES.items()}
_RECORDS: Final = OLD_NAMES["input"].index("records")  # at the same place in all three kinds


def current(samples: Sequence[Sample], over: float = 0.0) -> Json:
    """Return a MetricsSummary: per second, from the last sample and the one before it; null everywhere while there are fewer.

    `over`: reach back at least so many seconds where samples allow, for owners whose agents post at different moments.
    """
    pair = _last_two(samples, over)
    return {kind: _rates_now(kind, pair, _sum_of(kind)) for kind in FIELDS}


def current_by_plugin(samples: Sequence[Sample], over: float = 0.0, reported: Readings | None = None) -> Json:
    """Return a MetricsByPlugin: `current` for each plugin instance, by name. `reported` as for `over_time_by_plugin`."""
    pair = _last_two(samples, over)
    return {
        f"{kind}s": [
            {"instance": plugin, "metrics": _rates_now(kind, pair, _row_of(kind, plugin))}
            for plugin in _plugins(kind, samples, reported)
        ]
        for kind in FIELDS
    }


def over_time(samples: Sequence[Sample], start: float, end: float, interval: float) -> Json:
    """Return a MetricsOvertime: per bucket the rate per second over what samples cover of it, null where they cover nothing.

    `start` and `end` in epoch seconds, `interval` in seconds. With samples every bucket of the window is listed; without any
    the lists are empty. Raises Invalid("invalid interval") when it is not positive or makes more than `MAX_BUCKETS`, and
    Invalid("invalid start") for a time that no calendar has.
    """
    window = _window(samples, start, end, interval)
    return {kind: _over_time_of(kind, window, _sum_of(kind)) for kind in FIELDS}


def over_time_by_plugin(
    samples: Sequence[Sample], start: float, end: float, interval: float, reported: Readings | None = None
) -> Json:
    """Return a MetricsOverTimeByPlugin: `over_time` for each plugin instance, by name; raises as that, and past `MAX_POINTS`.

    Totals remember plugins that left the configuration long ago. With `reported` (an agent's `Counters.last`) only those are
    listed that it still reports, or that counted anything between the first and the last sample.
    """
    window, names = _window_and_plugins(samples, start, end, interval, reported)
    return {
        f"{kind}s": [{"instance": plugin, "metrics": _over_time_of(kind, window, _row_of(kind, plugin))} for plugin in plugins]
        for kind, plugins in names.items()
    }


def v1_agent(samples: Sequence[Sample], start: float, end: float, interval: float, reported: Readings | None = None) -> Json:
    """Return an AgentMetrics, for an agent or a pipeline: per bucket what was counted in it, 0 where nothing is known.

    `totals` are series of one point: all that was counted in the window, at its end. A measurement is listed when it has
    plugins. Values are whole numbers that add up. Arguments and errors as for `over_time_by_plugin`.
    """
    window, names = _window_and_plugins(samples, start, end, interval, reported)
    return {
        "measurements": {
            f"fluentbit_{kind}": {
                "plugins": {plugin: {"metrics": _sums_of(kind, window, _row_of(kind, plugin))} for plugin in plugins},
                "totals": {field: [_point(window.times[-1], total)] for field, total in _grand_totals(kind, window).items()},
            }
            for kind, plugins in names.items()
            if plugins and window.times
        }
    }


def v1_project(samples: Sequence[Sample], start: float, end: float, interval: float) -> Json:
    """Return a ProjectMetrics: as `v1_agent`, with plain numbers as `totals`, and the plugins that moved the most records.

    `topPlugins`: measurement -> up to `TOP_PLUGINS` plugin instances with the records each counted in the window, most first.
    """
    window, names = _window_and_plugins(samples, start, end, interval, None)
    measurements, top = {}, {}
    for kind, plugins in names.items():
        if not plugins or not window.times:
            continue
        measurements[f"fluentbit_{kind}"] = {
            "totals": _grand_totals(kind, window),
            "plugins": {plugin: {"metrics": _sums_of(kind, window, _row_of(kind, plugin))} for plugin in plugins},
        }
        records = {plugin: _whole(window.growth(_row_of(kind, plugin))[_RECORDS]) for plugin in plugins}
        most = sorted(records.items(), key=lambda item: (-item[1], item[0]))
        top[f"fluentbit_{kind}"] = dict(most[:TOP_PLUGINS])
    return {"measurements": measurements, "topPlugins": top}


def v1_core_instance(samples: Sequence[Sample], start: float, end: float, interval: float) -> Json:
    """Return an AggregatorMetrics: as `v1_agent`, with the sums of all plugins as `metrics` instead of the plugins."""
    window = _window(samples, start, end, interval)
    return {
        "measurements": {
            f"fluentbit_{kind}": {
                "metrics": _sums_of(kind, window, _sum_of(kind)),
                "totals": {field: [_point(window.times[-1], total)] for field, total in _grand_totals(kind, window).items()},
            }
            for kind in FIELDS
            if window.times and _plugins(kind, samples, None)
        }
    }


def rfc3339(at: float) -> str:
    """Return epoch seconds as "2026-11-23T22:24:43.552314Z". Raises Invalid("invalid start") beyond the calendar."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat().removesuffix("+00:00") + "Z"
    except (ValueError, OverflowError, OSError):
        raise Invalid("invalid start", f"{at} seconds from 1970 are beyond the calendar") from None


@dataclass(frozen=True)
class _Window:
    """A window of time cut into buckets, and where its cuts lie among the samples."""

    samples: Sequence[Sample]
    times: list[str]
    #: Per cut: the sample at or before it, and how much of the way to the next sample it lies.
    places: list[tuple[int, float]]
    #: Per bucket: how many of its seconds lie between the first and the last sample.
    covered: list[float]

    def growth(self, pick: _Pick) -> list[list[float]]:
        """Per field, at each cut: how much it has grown since the sample before the first cut; never less than before.

        Samples of an owner of many agents may stand in slightly another order than their totals were added in.
        """
        if not self.places:
            return []
        needed = {index for index, _ in self.places} | {index + 1 for index, fraction in self.places if fraction}
        rows = {index: pick(self.samples[index][1]) for index in needed}
        columns = []
        for field, zero in enumerate(rows[self.places[0][0]]):
            column, grown = [], 0.0
            for index, fraction in self.places:
                low = rows[index][field]
                more = (rows[index + 1][field] - low) * fraction if fraction else 0.0
                grown = max(grown, low - zero + more)  # the difference first: totals may not fit a float
                column.append(grown)
            columns.append(column)
        return columns


def _window(samples: Sequence[Sample], start: float, end: float, interval: float) -> _Window:
    cuts = _cuts(start, end, interval)
    times = [rfc3339(cut) for cut in cuts[1:]]
    if not samples or not times:
        return _Window(samples, [], [], [])
    moments = [at for at, _ in samples]
    places, within = [], []
    for cut in cuts:
        moment = min(max(cut, moments[0]), moments[-1])
        index = bisect_right(moments, moment) - 1
        step = moments[index + 1] - moments[index] if index + 1 < len(moments) else 0.0
        places.append((index, (moment - moments[index]) / step if step else 0.0))
        within.append(moment)
    return _Window(samples, times, places, [after - before for before, after in pairwise(within)])


def _cuts(start: float, end: float, interval: float) -> list[float]:
    """The window's start, every multiple of the interval inside it, and its end."""
    if not (isfinite(start) and isfinite(end)):
        raise Invalid("invalid start", "the window has no finite start and end")
    if not (isfinite(interval) and interval > 0):
        raise Invalid("invalid interval", "the interval must be longer than zero")
    if end <= start:
        return []
    if (end - start) / interval > MAX_BUCKETS - 2:
        raise Invalid("invalid interval", f"more than {MAX_BUCKETS} intervals between start and end; ask for longer ones")
    inside = (number * interval for number in range(floor(start / interval), ceil(end / interval) + 1))
    return [start, *(cut for cut in inside if start < cut < end), end]


def _window_and_plugins(
    samples: Sequence[Sample], start: float, end: float, interval: float, reported: Readings | None
) -> tuple[_Window, dict[str, list[str]]]:
    window = _window(samples, start, end, interval)
    names = {kind: _plugins(kind, samples, reported) for kind in FIELDS}
    points = len(window.times) * sum(len(plugins) * len(FIELDS[kind]) for kind, plugins in names.items())
    if points > MAX_POINTS:
        raise Invalid("invalid interval", f"{points} points, more than {MAX_POINTS}; ask for longer intervals")
    return window, names


def _plugins(kind: str, samples: Sequence[Sample], reported: Readings | None) -> list[str]:
    if not samples:
        return []
    first: dict[str, _Row] = getattr(samples[0][1], kind)
    last: dict[str, _Row] = getattr(samples[-1][1], kind)
    if reported is None:
        return sorted(last)
    now = getattr(reported, kind)
    return sorted(name for name, row in last.items() if name in now or row != first.get(name))


def _sum_of(kind: str) -> _Pick:
    nothing = (0,) * len(FIELDS[kind])

    def pick(totals: Totals) -> _Row:
        return tuple(map(sum, zip(*getattr(totals, kind).values(), strict=True))) or nothing

    return pick


def _row_of(kind: str, plugin: str) -> _Pick:
    nothing = (0,) * len(FIELDS[kind])

    def pick(totals: Totals) -> _Row:
        row: _Row = getattr(totals, kind).get(plugin, nothing)
        return row

    return pick


def _last_two(samples: Sequence[Sample], over: float) -> tuple[Sample, Sample] | None:
    if not samples:
        return None
    last = samples[-1]
    before = [sample for sample in samples if sample[0] < last[0]]
    far = [sample for sample in before if sample[0] <= last[0] - over]
    if not before:
        return None
    return (far[-1] if far else before[0]), last


def _rates_now(kind: str, pair: tuple[Sample, Sample] | None, pick: _Pick) -> Json:
    rates: list[float | None] = [None] * len(FIELDS[kind])
    if pair:
        (began, before), (ended, after) = pair
        rates = [max(b - a, 0) / (ended - began) for a, b in zip(pick(before), pick(after), strict=True)]
    shape: Json = dict(zip(NEW_NAMES[kind], rates, strict=True))
    return shape | {"loads": None} if kind == "output" else shape


def _over_time_of(kind: str, window: _Window, pick: _Pick) -> Json:
    shape: Json = {name: [] for name in NEW_NAMES[kind]}
    for name, column in zip(NEW_NAMES[kind], window.growth(pick), strict=False):
        shape[name] = [
            _point(time, (b - a) / seconds if seconds > 0 else None)
            for time, seconds, (a, b) in zip(window.times, window.covered, pairwise(column), strict=True)
        ]
    return shape | {"loads": []} if kind == "output" else shape  # deprecated, and required


def _sums_of(kind: str, window: _Window, pick: _Pick) -> Json:
    """Whole numbers that add up: the difference of rounded totals, never a rounded difference."""
    shape: Json = {}
    for name, column in zip(OLD_NAMES[kind], window.growth(pick), strict=True):
        steps = pairwise(map(round, column))
        shape[name] = [_point(time, b - a) for time, (a, b) in zip(window.times, steps, strict=True)]
    return shape


def _grand_totals(kind: str, window: _Window) -> dict[str, int]:
    return dict(zip(OLD_NAMES[kind], map(_whole, window.growth(_sum_of(kind))), strict=True))


def _whole(column: list[float]) -> int:
    return round(column[-1]) - round(column[0])


def _point(time: str, value: float | None) -> Json:
    return {"time": time, "value": value}
