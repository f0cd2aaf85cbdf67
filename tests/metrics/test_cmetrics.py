"""What a posted body says, from real bodies and from hostile ones."""

import json
import os
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.errors import Invalid
from nectary.metrics.cmetrics import CEILING, FIELDS, MAX_PLUGINS, OTHER, Readings, Snapshot, decode

SHARED = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[2].parent / "shared")
TS = 1_795_472_683_500_000_000


def captured(name: str) -> bytes:
    path = SHARED / "captures" / "metrics" / name
    if not path.exists():
        pytest.skip(f"SKIPPED: no captured bodies at {path.parent}; set NECTARY_SHARED")
    return path.read_bytes()


def family(name: str, *series: dict[str, Any], ss: str = "input", labels: Any = ("name",), **meta: Any) -> dict[str, Any]:
    head = {"ver": 2, "type": 0, "opts": {"ns": "fluentbit", "ss": ss, "name": name, "desc": "", "unit": ""}, "labels": labels}
    return {"meta": head | meta, "values": list(series)}


def series(*labels: Any, ts: int = TS, **value: Any) -> dict[str, Any]:
    return {"ts": ts, **value, "labels": list(labels), "hash": 2**64 - 1}


def body(*families: dict[str, Any], labels: Any = ()) -> bytes:
    meta = {"cmetrics": {}, "external": {}, "processing": {"static_labels": list(labels)}}
    return bytes(msgpack.packb({"meta": meta, "metrics": list(families)}))


def refusal(posted: bytes) -> Invalid:
    with pytest.raises(Invalid) as caught:
        decode(posted)
    assert caught.value.error == "invalid metrics"
    assert caught.value.detail
    return caught.value


def read_or_refused(posted: bytes) -> list[Snapshot] | None:
    try:
        return decode(posted)
    except Invalid:
        return None


def expected(context: dict[str, Any]) -> dict[str, dict[str, list[int | None]]]:
    """The slow way to the same counters, from the capture as JSON."""
    rows: dict[str, dict[str, list[int | None]]] = {kind: {} for kind in FIELDS}
    for entry in context["metrics"]:
        kind, name = entry["meta"]["opts"]["ss"], entry["meta"]["opts"]["name"]
        if name not in FIELDS.get(kind, ()):
            continue
        for value in entry["values"]:
            plugin = value["labels"][0]
            if plugin.partition(".")[0] in {"fluentbit_metrics", "calyptia_fleet", "calyptia", "storage_backlog"}:
                continue
            if plugin.startswith("emitter_for_"):
                continue
            row = rows[kind].setdefault(plugin, [None] * len(FIELDS[kind]))
            row[FIELDS[kind].index(name)] = int(value["value"])
    return rows


@pytest.mark.parametrize("name", ["agent_first", "agent_second", "agent_rich"])
def test_a_captured_body_gives_every_counter_of_every_plugin_people_configured(name: str) -> None:
    (context,) = json.loads(captured(f"{name}.decoded.json"))
    (snapshot,) = decode(captured(f"{name}.msgpack"))
    for kind, rows in expected(context).items():
        assert getattr(snapshot.values, kind) == {plugin: tuple(row) for plugin, row in rows.items()}
        assert rows


def test_a_captured_body_tells_about_the_process() -> None:
    (snapshot,) = decode(captured("agent_rich.msgpack"))
    assert snapshot.version == "5.1.1"
    assert snapshot.reloads == 0
    assert snapshot.started_at == 1_795_472_772
    assert snapshot.taken_at == pytest.approx(1_795_472_801.5527, abs=0.001)
    assert snapshot.labels == {"env": "staging", "team": "obs", "fleet_id": "fleet-0001"}


def test_every_series_is_either_kept_or_counted_as_unknown() -> None:
    (context,) = json.loads(captured("agent_rich.decoded.json"))
    (snapshot,) = decode(captured("agent_rich.msgpack"))
    kept = sum(value is not None for kind in FIELDS for row in getattr(snapshot.values, kind).values() for value in row)
    about_the_process = 4
    assert snapshot.unknown == sum(len(entry["values"]) for entry in context["metrics"]) - kept - about_the_process


def test_contexts_queued_in_one_body_are_read_one_by_one() -> None:
    first, second = decode(captured("derived_two_contexts.msgpack"))
    assert [first] == decode(captured("agent_first.msgpack"))
    assert [second] == decode(captured("agent_second.msgpack"))


@pytest.mark.parametrize("name", ["wire_event_type", "wire_otlp"])
def test_summaries_histograms_and_foreign_metrics_are_left_out_and_counted(name: str) -> None:
    (context,) = json.loads(captured(f"{name}.decoded.json"))
    (snapshot,) = decode(captured(f"{name}.msgpack"))
    assert snapshot.values == Readings()
    assert snapshot.unknown == sum(len(entry["values"]) for entry in context["metrics"])
    assert (snapshot.taken_at, snapshot.started_at, snapshot.version) == (0.0, None, None)


def test_the_layout_of_fluent_bit_1_with_label_dictionaries_is_read() -> None:
    """The file was written by a small program linked with cmetrics 0.3.7."""
    old = Path(__file__).with_name("cmetrics-0.3.7.msgpack").read_bytes()
    (snapshot,) = decode(old)
    assert snapshot.values == Readings(
        input={"dummy.0": (812, 29)}, output={"stdout.0": (None, 28, None, None, None, None, None)}
    )
    assert snapshot.labels == {"pipeline_id": "p-1", "env": "staging"}
    assert (snapshot.version, snapshot.started_at, snapshot.unknown) == ("1.9.7", 1_660_000_000, 1)
    assert snapshot.taken_at == pytest.approx(1_660_000_030.123457)
    assert decode(old + old) == [snapshot, snapshot]


def test_a_label_index_outside_the_dictionary_names_no_plugin() -> None:
    entry = family("records_total", series(9, value=1.0), labels=[0], label_dictionary=["name"], static_labels=[0, 7])
    (snapshot,) = decode(bytes(msgpack.packb([entry])))
    assert (snapshot.values, snapshot.unknown, snapshot.labels) == (Readings(), 1, {"name": ""})


def test_text_that_is_not_utf8_is_kept_with_replacement_characters() -> None:
    posted = body(family("records_total", series("caf\xe9", value=7.0)), labels=[["place", "caf\xe9"]])
    (snapshot,) = decode(posted.replace("caf\xe9".encode(), b"caf\xff\xfe"))
    assert snapshot.values.input == {"caf\ufffd\ufffd": (None, 7)}
    assert snapshot.labels == {"place": "caf\ufffd\ufffd"}


def test_series_of_one_name_are_added_up() -> None:
    entry = family("records_total", series("tail.0", "a", value=3.0), series("tail.0", "b", value=4.0), labels=["name", "tag"])
    assert decode(body(entry))[0].values.input == {"tail.0": (None, 7)}


def test_the_exact_integer_is_preferred_to_the_rounded_value() -> None:
    big = 2**53 + 1
    unsigned = family("bytes_total", series("a", value=float(big), value_type=2, value_uint64=big))
    signed = family("records_total", series("a", value=float(big), value_type=1, value_int64=big))
    assert decode(body(unsigned, signed))[0].values.input == {"a": (big, big)}


def test_values_no_counter_can_have_are_passed_over() -> None:
    odd = [float("nan"), float("inf"), float("-inf"), -1.0, 1e300]
    entry = family("records_total", *(series("a", value=value) for value in odd), series("a", value=5.0), {"labels": ["a"]})
    negative = family("bytes_total", series("a", value=1.0, value_type=1, value_int64=-1))
    (snapshot,) = decode(body(entry, negative))
    assert snapshot.values.input == {"a": (None, 5)}
    assert snapshot.unknown == len(odd) + 2


def test_sums_stay_at_the_ceiling() -> None:
    entry = family("bytes_total", *(series("a", value=0, value_type=2, value_uint64=CEILING) for _ in range(3)))
    assert decode(body(entry))[0].values.input == {"a": (CEILING, None)}


def test_families_without_values_and_series_without_labels_do_no_harm() -> None:
    bare = family("bytes_total")
    del bare["values"]
    nil = family("records_total") | {"values": None}
    (snapshot,) = decode(body(bare, nil, family("records_total", {"ts": TS, "value": 1.0, "hash": 0}, series(None, value=1.0))))
    assert snapshot.values == Readings()
    assert snapshot.unknown == 2


def test_delta_counters_are_left_out() -> None:
    assert decode(body(family("bytes_total", series("a", value=1.0), aggregation_type=1)))[0].unknown == 1


def test_what_the_calyptia_plugin_adds_is_hidden() -> None:
    names = ["fluentbit_metrics.1", "calyptia_fleet.2", "calyptia.0", "storage_backlog.3", "emitter_for_rewrite.1", "dummy.0"]
    (snapshot,) = decode(body(family("records_total", *(series(name, value=1.0) for name in names))))
    assert list(snapshot.values.input) == ["dummy.0"]
    assert snapshot.unknown == 5


def test_the_start_is_found_from_the_uptime_when_nothing_better_is_sent() -> None:
    uptime = family("uptime", series("edge", value=30.0), ss="", labels=["hostname"])
    assert decode(body(uptime))[0].started_at == pytest.approx(TS / 1e9 - 30)
    undated = family("uptime", series("edge", value=30.0, ts=0), ss="", labels=["hostname"])
    assert decode(body(undated))[0].started_at is None
    assert decode(body(undated))[0].taken_at == 0


def test_plugins_beyond_the_limit_count_together_and_names_are_cut() -> None:
    entry = family("records_total", *(series(f"p{number}", value=1.0) for number in range(MAX_PLUGINS + 50)))
    rows = decode(body(entry))[0].values.input
    assert len(rows) == MAX_PLUGINS
    assert rows[OTHER] == (None, 51)
    (name,) = decode(body(family("records_total", series("n\0" * 5000, value=1.0))))[0].values.input
    assert len(name) == 255
    assert "\0" not in name


@pytest.mark.parametrize(
    "posted",
    {
        "empty": b"",
        "json": b'{"records": 1}',
        "nil": b"\xc0",
        "number": b"\x01",
        "reserved byte": b"\xc1",
        "empty map": b"\x80",
        "map without metrics": bytes(msgpack.packb({"meta": {}})),
        "metrics is a map": bytes(msgpack.packb({"metrics": {}})),
        "family without meta": body({"values": []}),
        "array of numbers": bytes(msgpack.packb([1, 2])),
        "value is text": body(family("bytes_total", series("a", value="1"))),
        "values is text": body(family("bytes_total") | {"values": "1"}),
        "time stamp beyond 64 bits": body(family("bytes_total", series("a", value=1.0))).replace(b"ts\xcf", b"ts\xc1"),
        "good then garbage": body() + b"\xc1",
        "good then cut": body() + body()[:-1],
        "array of 2^32-1": b"\xdd\xff\xff\xff\xff",
        "map of 2^32-1": b"\xdf\xff\xff\xff\xff",
        "text of 2^32-1": b"\x81\xdb\xff\xff\xff\xff",
        "series of 2^32-1": body(family("bytes_total"))[:-1] + b"\xdd\xff\xff\xff\xff",
    }.items(),
    ids=lambda case: case[0],
)
def test_what_is_no_metrics_is_refused(posted: tuple[str, bytes]) -> None:
    refusal(posted[1])


HUGE = 10 << 20


@pytest.mark.parametrize(
    "posted",
    {
        "zeros": lambda: bytes(HUGE),
        "nested arrays": lambda: b"\x91" * HUGE,
        "nested maps": lambda: b"\x81\xa1a" * (HUGE // 3),
        "many documents": lambda: body() * (HUGE // len(body())),
        "many empty families": lambda: bytes(msgpack.packb({"metrics": [{}] * (HUGE // 2)})),
        "one family of too many series": lambda: body(family("bytes_total", *[{}] * (HUGE // 2))),
        "text not in UTF-8": lambda: body(family("bytes_total") | {"\xff": "\xe9" * (HUGE // 2)}).replace(
            b"bytes", b"\xff" * 5
        ),
    }.items(),
    ids=lambda case: case[0],
)
def test_hostile_bodies_are_refused(posted: tuple[str, Any]) -> None:
    made = posted[1]()
    refusal(made)


@pytest.mark.parametrize("depth", [50, 400, 900, 1010, 1030, 5000])
def test_nesting_is_stepped_over_or_refused(depth: int) -> None:
    nested = body(family("bytes_total", series("a", value=1.0)) | {"new": 1}).replace(
        b"new\x01", b"new" + b"\x91" * depth + b"\x90"
    )
    snapshots = read_or_refused(nested)
    assert snapshots is None or snapshots[0].values.input == {"a": (1, None)}


def test_a_large_body_of_well_formed_series_is_read() -> None:
    entry = family("bytes_total", *(series(f"p{number}", value=1.0) for number in range(60_000)))
    (snapshot,) = decode(body(*[entry] * 2))
    assert sum(row[0] or 0 for row in snapshot.values.input.values()) == 120_000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(min_value=0, max_value=255), st.booleans())
def test_damaged_bodies_are_read_or_refused_and_nothing_else(noise: bytes, at: int, byte: int, cut: bool) -> None:
    whole = body(family("records_total", series("a", value=1.0)), family("uptime", series("h", value=1.0), ss=""))
    at %= len(whole)
    damaged = whole[:at] + bytes([byte]) + (b"" if cut else whole[at + 1 :])
    for posted in (noise, b"\x82" + noise, damaged, damaged + noise):
        read_or_refused(posted)
