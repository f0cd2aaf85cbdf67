"""The published shapes of throughput: rates now, rates over time, sums per window."""

import os
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.errors import Invalid
from nectary.metrics import series
from nectary.metrics.cmetrics import Readings, Snapshot
from nectary.metrics.counters import Counters, Totals, add, advance
from nectary.metrics.series import Sample

SHARED = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[2].parent / "shared")
NOON = 1_700_049_600.0  # 2023-11-15T12:00:00Z


def inputs(**rows: tuple[int, int]) -> Totals:
    return Totals(input=dict(rows))


TWO_PLUGINS = [
    (NOON - 60, Totals(input={"tail": (0, 0)})),
    (
        NOON,
        Totals(
            input={"tail": (600, 60), "cpu": (60, 6)},
            filter={"grep": (60, 60, 0, 30, 0)},
            output={"http": (120, 60, 6, 12, 18, 24, 30)},
        ),
    ),
]


def points(pairs: list[dict[str, Any]]) -> list[tuple[str, float | None]]:
    return [(pair["time"], pair["value"]) for pair in pairs]


# -- Now -------------------------------------------------------------------------------------------------------------------


def test_the_current_rate_is_that_between_the_last_two_samples() -> None:
    samples = [(NOON - 300, inputs(tail=(0, 0))), *TWO_PLUGINS]
    assert series.current(samples) == {
        "input": {"bytes": 11.0, "records": 1.1},
        "filter": {"bytes": 1.0, "records": 1.0, "addRecords": 0.0, "dropRecords": 0.5, "emitRecords": 0.0},
        "output": {
            "bytes": 2.0,
            "records": 1.0,
            "errors": 0.1,
            "retries": 0.2,
            "retriedRecords": 0.3,
            "retriesFailed": 0.4,
            "droppedRecords": 0.5,
            "loads": None,
        },
    }


@pytest.mark.parametrize("samples", [[], TWO_PLUGINS[1:], TWO_PLUGINS[1:] * 2])
def test_the_current_rate_is_null_while_there_is_less_than_two_moments(samples: list[Sample]) -> None:
    shape = series.current(samples)
    assert set(shape) == {"input", "filter", "output"}
    assert {value for metrics in shape.values() for value in metrics.values()} == {None}


def test_the_current_rate_can_reach_back_further() -> None:
    samples = [
        (NOON - 90, inputs(a=(0, 0))),
        (NOON - 60, inputs(a=(30, 0))),
        (NOON - 1, inputs(a=(40, 0))),
        (NOON, inputs(a=(90, 0))),
    ]
    assert series.current(samples)["input"]["bytes"] == 50
    assert series.current(samples, over=60)["input"]["bytes"] == 1
    assert series.current(samples, over=3600)["input"]["bytes"] == 1


def test_current_rates_by_plugin_are_listed_by_name() -> None:
    shape = series.current_by_plugin(TWO_PLUGINS)
    assert shape["inputs"] == [
        {"instance": "cpu", "metrics": {"bytes": 1.0, "records": 0.1}},
        {"instance": "tail", "metrics": {"bytes": 10.0, "records": 1.0}},
    ]
    assert [plugin["instance"] for plugin in shape["filters"] + shape["outputs"]] == ["grep", "http"]
    assert series.current_by_plugin([]) == {"inputs": [], "filters": [], "outputs": []}
    assert series.current_by_plugin([(NOON, inputs(a=(1, 1)))])["inputs"][0]["metrics"] == {"bytes": None, "records": None}


def test_plugins_no_longer_reported_are_listed_only_while_they_count() -> None:
    samples = [
        (NOON - 60, inputs(gone=(5, 5), idle=(1, 1), left=(1, 1))),
        (NOON, inputs(gone=(5, 5), idle=(1, 1), left=(2, 2))),
    ]
    reported = Readings(input={"idle": (1, 1)})
    assert [plugin["instance"] for plugin in series.current_by_plugin(samples, reported=reported)["inputs"]] == ["idle", "left"]
    over_time = series.over_time_by_plugin(samples, NOON - 60, NOON, 60, reported)
    assert [plugin["instance"] for plugin in over_time["inputs"]] == ["idle", "left"]
    assert set(series.v1_agent(samples, NOON - 60, NOON, 60, reported)["measurements"]["fluentbit_input"]["plugins"]) == {
        "idle",
        "left",
    }


# -- Over time -------------------------------------------------------------------------------------------------------------


def test_buckets_end_at_whole_intervals_and_at_the_end_of_the_window() -> None:
    samples = [(NOON - 90, inputs(a=(0, 0))), (NOON + 90, inputs(a=(180, 0)))]
    shape = series.over_time(samples, NOON - 90, NOON + 75.5, 60)
    assert points(shape["input"]["bytes"]) == [
        ("2023-11-15T11:59:00Z", 1.0),
        ("2023-11-15T12:00:00Z", 1.0),
        ("2023-11-15T12:01:00Z", 1.0),
        ("2023-11-15T12:01:15.500000Z", 1.0),
    ]


def test_a_bucket_divides_by_the_seconds_that_samples_cover_and_is_null_without_any() -> None:
    samples = [(NOON + 30, inputs(a=(0, 0))), (NOON + 75, inputs(a=(90, 0)))]
    shape = series.over_time(samples, NOON - 60, NOON + 180, 60)
    assert points(shape["input"]["bytes"]) == [
        ("2023-11-15T12:00:00Z", None),
        ("2023-11-15T12:01:00Z", 2.0),
        ("2023-11-15T12:02:00Z", 2.0),
        ("2023-11-15T12:03:00Z", None),
    ]
    assert [value for _, value in points(shape["output"]["errors"])] == [None, 0.0, 0.0, None]


def test_a_change_of_pace_shows_in_the_bucket_where_it_happened() -> None:
    samples = [(NOON, inputs(a=(0, 0))), (NOON + 60, inputs(a=(60, 0))), (NOON + 120, inputs(a=(660, 0)))]
    shape = series.over_time(samples, NOON, NOON + 120, 40)
    assert [value for _, value in points(shape["input"]["bytes"])] == pytest.approx([1.0, 5.5, 10.0])


def test_without_samples_lists_are_empty_and_with_one_all_buckets_are_null() -> None:
    empty = series.over_time([], NOON - 120, NOON, 60)
    assert {len(values) for metrics in empty.values() for values in metrics.values()} == {0}
    assert empty["output"]["loads"] == []
    single = series.over_time([(NOON - 60, inputs(a=(5, 5)))], NOON - 120, NOON, 60)
    assert [value for _, value in points(single["input"]["bytes"])] == [None, None]
    assert series.over_time_by_plugin([], NOON - 120, NOON, 60) == {"inputs": [], "filters": [], "outputs": []}


def test_over_time_by_plugin_gives_each_plugin_its_own_series() -> None:
    shape = series.over_time_by_plugin(TWO_PLUGINS, NOON - 60, NOON, 3600)
    assert [(plugin["instance"], points(plugin["metrics"]["records"])) for plugin in shape["inputs"]] == [
        ("cpu", [("2023-11-15T12:00:00Z", 0.1)]),
        ("tail", [("2023-11-15T12:00:00Z", 1.0)]),
    ]
    assert shape["outputs"][0]["metrics"]["loads"] == []


def test_samples_slightly_out_of_order_count_nothing_twice() -> None:
    """Agents of one project whose clocks differ: the totals of 15 were stored at an earlier time than those of 10."""
    samples = [
        (NOON, inputs(a=(0, 0))),
        (NOON + 30, inputs(a=(15, 0))),
        (NOON + 35, inputs(a=(10, 0))),
        (NOON + 60, inputs(a=(25, 0))),
    ]
    shape = series.v1_project(samples, NOON, NOON + 60, 5)["measurements"]["fluentbit_input"]
    assert sum(value or 0 for _, value in points(shape["plugins"]["a"]["metrics"]["bytes"])) == 25
    assert shape["totals"]["bytes"] == 25


def test_totals_too_large_for_a_float_still_give_exact_differences() -> None:
    big = 2**62
    samples = [(NOON, inputs(a=(big, 0))), (NOON + 10, inputs(a=(big + 50, 0)))]
    assert series.over_time(samples, NOON, NOON + 10, 10)["input"]["bytes"][0]["value"] == 5.0


# -- The older API ---------------------------------------------------------------------------------------------------------


def test_the_older_api_tells_sums_per_window_and_a_grand_total() -> None:
    samples = [(NOON - 90, inputs(a=(0, 0), b=(0, 0))), (NOON + 90, inputs(a=(180, 18), b=(90, 0)))]
    shape = series.v1_agent(samples, NOON - 3600, NOON + 30, 3600)["measurements"]
    assert set(shape) == {"fluentbit_input"}
    metrics = shape["fluentbit_input"]["plugins"]["a"]["metrics"]
    assert points(metrics["bytes"]) == [("2023-11-15T12:00:00Z", 90), ("2023-11-15T12:00:30Z", 30)]
    assert points(metrics["records"]) == [("2023-11-15T12:00:00Z", 9), ("2023-11-15T12:00:30Z", 3)]
    assert points(shape["fluentbit_input"]["totals"]["bytes"]) == [("2023-11-15T12:00:30Z", 180)]


def test_the_older_api_fills_empty_windows_with_zero_and_drops_parts_of_names() -> None:
    shape = series.v1_agent(TWO_PLUGINS, NOON - 7200, NOON, 3600)["measurements"]
    assert points(shape["fluentbit_output"]["plugins"]["http"]["metrics"]["bytes"]) == [
        ("2023-11-15T11:00:00Z", 0),
        ("2023-11-15T12:00:00Z", 120),
    ]
    assert list(shape["fluentbit_filter"]["totals"]) == ["bytes", "records", "add_records", "drop_records", "emit_records"]
    assert list(shape["fluentbit_output"]["totals"]) == [
        *("bytes", "records", "errors", "retries", "retried_records", "retries_failed", "dropped_records")
    ]


def test_a_project_has_plain_totals_and_its_busiest_plugins() -> None:
    totals = inputs(**{f"in{number:02}": (1, number) for number in range(15)})
    shape = series.v1_project([(NOON - 60, Totals()), (NOON, totals)], NOON - 3600, NOON, 3600)
    assert shape["measurements"]["fluentbit_input"]["totals"] == {"bytes": 15, "records": 105}
    assert len(shape["measurements"]["fluentbit_input"]["plugins"]) == 15
    top = shape["topPlugins"]["fluentbit_input"]
    assert list(top.items())[:2] == [("in14", 14), ("in13", 13)]
    assert len(top) == series.TOP_PLUGINS


def test_a_core_instance_has_no_level_of_plugins() -> None:
    shape = series.v1_core_instance(TWO_PLUGINS, NOON - 3600, NOON, 3600)["measurements"]["fluentbit_input"]
    assert points(shape["metrics"]["bytes"]) == [("2023-11-15T12:00:00Z", 660)]
    assert points(shape["totals"]["bytes"]) == [("2023-11-15T12:00:00Z", 660)]


def test_without_samples_the_older_api_has_no_measurements() -> None:
    assert series.v1_agent([], NOON - 60, NOON, 60) == {"measurements": {}}
    assert series.v1_core_instance([], NOON - 60, NOON, 60) == {"measurements": {}}
    assert series.v1_project([], NOON - 60, NOON, 60) == {"measurements": {}, "topPlugins": {}}


# -- Limits ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), 1e-9, 1e-310, 86_400 / 11_001])
def test_intervals_that_make_no_buckets_or_too_many_are_refused(interval: float) -> None:
    for asked in (series.over_time, series.over_time_by_plugin, series.v1_agent, series.v1_project, series.v1_core_instance):
        with pytest.raises(Invalid) as caught:
            asked(TWO_PLUGINS, NOON - 86_400, NOON, interval)
        assert caught.value.error == "invalid interval"


@pytest.mark.parametrize("start", [float("-inf"), float("nan"), -1e12, 1e15])
def test_times_beyond_the_calendar_are_refused(start: float) -> None:
    with pytest.raises(Invalid) as caught:
        series.over_time(TWO_PLUGINS, start, start + 1000, 10)
    assert caught.value.error == "invalid start"


def test_nearly_as_many_buckets_as_allowed_are_answered() -> None:
    shape = series.over_time(TWO_PLUGINS, NOON - 86_400 / 8 + 0.5, NOON, 1)
    assert len(shape["input"]["bytes"]) == 10_800


def test_too_many_points_over_all_plugins_are_refused() -> None:
    many = inputs(**{f"p{number}": (1, 1) for number in range(900)})
    with pytest.raises(Invalid, match="invalid interval"):
        series.over_time_by_plugin([(NOON - 60, many), (NOON, many)], NOON - 3600, NOON, 1)


def test_a_window_that_ends_before_it_starts_is_empty() -> None:
    assert series.over_time(TWO_PLUGINS, NOON, NOON, 60)["input"]["bytes"] == []
    assert series.v1_agent(TWO_PLUGINS, NOON, NOON - 60, 60) == {"measurements": {}}


# -- The published schemas -------------------------------------------------------------------------------------------------


def validator(name: str) -> Any:
    path = SHARED / "contract" / "openapi.yml"
    if not path.exists():
        pytest.skip(f"SKIPPED: no published contract at {path}; set NECTARY_SHARED")
    schemas = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["components"]["schemas"]
    return jsonschema.Draft4Validator(
        {"components": {"schemas": nullable(schemas)}, "$ref": f"#/components/schemas/{name}"},
        format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
    )


def nullable(schema: Any) -> Any:
    """OpenAPI 3.0 says nullable where JSON Schema adds a type."""
    if isinstance(schema, list):
        return [nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        plain["type"] = [schema["type"], "null"]
    return plain


WINDOW = (NOON - 3600, NOON + 0.25, 600)
SHAPES: dict[str, Callable[[list[Sample]], Any]] = {
    "MetricsSummary": series.current,
    "MetricsByPlugin": series.current_by_plugin,
    "MetricsOvertime": lambda samples: series.over_time(samples, *WINDOW),
    "MetricsOverTimeByPlugin": lambda samples: series.over_time_by_plugin(samples, *WINDOW),
    "AgentMetrics": lambda samples: series.v1_agent(samples, *WINDOW),
    "ProjectMetrics": lambda samples: series.v1_project(samples, *WINDOW),
    "AggregatorMetrics": lambda samples: series.v1_core_instance(samples, *WINDOW),
}


@pytest.mark.parametrize("name", SHAPES)
def test_answers_are_as_published(name: str) -> None:
    checked = validator(name)
    for samples in ([], TWO_PLUGINS[1:], TWO_PLUGINS):
        checked.validate(SHAPES[name](samples))
    with pytest.raises(jsonschema.ValidationError):
        checked.validate([])


def test_the_schema_check_would_notice_a_missing_list() -> None:
    shape = series.over_time(TWO_PLUGINS, *WINDOW)
    del shape["output"]["loads"]
    with pytest.raises(jsonschema.ValidationError):
        validator("MetricsOvertime").validate(shape)


# -- Nothing is lost -------------------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.floats(5, 900), st.integers(0, 10**9), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=200, deadline=None)
@given(steps, st.sampled_from([7.0, 60.0, 300.0, 3600.0, 1e6]))
def test_buckets_add_up_to_the_totals_however_often_the_agent_restarts(
    posts: list[tuple[float, int, bool]], interval: float
) -> None:
    samples, counted = stored(posts)
    start, end = samples[0][0], samples[-1][0]
    old = series.v1_agent(samples, start, end, interval)["measurements"]["fluentbit_input"]
    total = samples[-1][1].input["a"][0]
    assert total == counted
    assert sum(value or 0 for _, value in points(old["plugins"]["a"]["metrics"]["bytes"])) == total
    assert old["totals"]["bytes"][0]["value"] == total

    rates = points(series.over_time(samples, start, end, interval)["input"]["bytes"])
    ends = [start, *(datetime.fromisoformat(at).timestamp() for at, _ in rates)]
    seconds = [after - before for before, after in pairwise(ends)]
    assert sum((value or 0) * length for (_, value), length in zip(rates, seconds, strict=True)) == pytest.approx(
        total, rel=1e-3, abs=1
    )


def stored(posts: list[tuple[float, int, bool]]) -> tuple[list[Sample], int]:
    """What a store keeps of an agent that counts, and now and then restarts before it counts on; and the true count."""
    known: Counters | None = None
    samples: list[Sample] = []
    now, started, raw, counted = NOON, NOON - 3.0, 0, 0
    for seconds, grown, restart in posts:
        if restart:
            started, raw = now + 2.0, 0
        now += seconds
        raw, counted = raw + grown, counted + grown
        values = Readings(input={"a": (raw, 1)})
        step = advance(known, Snapshot(now, started, 0, None, {}, values, 0))
        if step.zero_at is not None:
            samples.append((step.zero_at, known.totals if known else Totals()))
        samples.append((now, step.counters.totals))
        known = step.counters
    return samples, counted


def test_totals_of_a_project_are_those_of_its_agents() -> None:
    one, other = stored([(30, 100, False), (30, 50, True)])[0][-1][1], stored([(30, 7, False)])[0][-1][1]
    assert add(one, other).input["a"][0] == 157
