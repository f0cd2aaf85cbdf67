"""Trace posts as real agents made them: every event is there, the broken ones too."""

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.agent_api.trace_bodies import decode
from nectary.errors import Invalid

POSTS = [
    f"{format}_{number}.{ending}"
    for format, ending in (
        ("json", "json.txt"),
        ("json_lines", "ndjson.txt"),
        ("json_stream", "json_stream.txt"),
        ("msgpack", "msgpack"),
    )
    for number in range(4)
]
BROKEN = (
    '{"date":1795472854.552333,"type":1,"trace_id":"trace.0","plugin_instance":"dummy.0","records":"start_time",17:"end_time",18:'
    '["\\x6b\\x04\\xffffffbd\\xffffffd6\\x20\\xffffffec\\x3f\\x71",%s]}'
)
WHOLE = {"type": 4, "trace_id": "trace.0", "plugin_instance": "null.0", "return": 1, "start_time": 1, "end_time": 2}


@pytest.mark.parametrize("post", POSTS)
def test_every_event_of_a_recorded_post_is_there(shared: Path, post: str) -> None:
    body = (shared / "captures" / "trace" / post).read_bytes()
    events = decode(body)
    # Each event names its stage once, however broken the text around it is.
    assert len(events) == body.count(b"\xa8trace_id" if post.endswith("msgpack") else b'"trace_id":')
    for event in events:
        assert event["type"] in (1, 2, 3, 4)
        assert event["trace_id"].startswith("trace.")
        assert isinstance(event["plugin_instance"], str)
        assert isinstance(event["start_time"], int)
        assert isinstance(event["end_time"], int)
        if event["type"] == 4:
            assert event["return"] in (0, 1, 2)
        else:
            assert all(set(each) == {"timestamp", "record"} for each in event["records"])


def test_an_appended_chunk_tells_its_whole_way(shared: Path) -> None:
    body = (shared / "captures" / "trace" / "json_lines_0.ndjson.txt").read_bytes()
    first, second, third, fourth = decode(body)
    assert (first["type"], first["plugin_alias"], first["records"]) == (1, "app-logs", [])
    assert (first["start_time"], first["end_time"]) == (1795472854, 1795472854)
    assert (second["type"], second["plugin_alias"]) == (2, "add-k")
    assert second["records"][0]["record"] == {"message": "hello", "level": "info", "user": "jane", "k": "v"}
    assert [third["plugin_instance"], fourth["type"]] == ["modify.1", 3]


@pytest.mark.parametrize("format", ["json", "msgpack"])
def test_of_a_long_body_the_beginning_is_read_and_of_each_event_its_last_records(format: str) -> None:
    chunk = [{"timestamp": number, "record": {"log": "x" * 1_000}} for number in range(100)]
    event = {**WHOLE, "type": 3, "records": chunk}
    packed = msgpack.packb([msgpack.ExtType(0, bytes(8)), event])
    end = msgpack.packb([msgpack.ExtType(0, bytes(8)), WHOLE])
    body = (json.dumps(event) * 30 + json.dumps(WHOLE)).encode() if format == "json" else packed * 30 + end
    *events, last = decode(body)
    assert 10 <= len(events) <= 12, "as many as there are in a mebibyte"
    assert last == WHOLE, "and what became of them"
    assert all([each["timestamp"] for each in one["records"]] == list(range(85, 100)) for one in events)


def test_a_broken_event_may_swallow_a_broken_event() -> None:
    inner = BROKEN % json.dumps(WHOLE)
    one, two, three = decode((BROKEN % inner).encode())
    assert (one["records"], one["start_time"], one["end_time"]) == ([], 17, 18)
    assert (two["records"], two["start_time"], three) == ([], 17, WHOLE)


def test_a_record_that_looks_broken_is_left_alone() -> None:
    said = '"records":"start_time",17:"end_time",18:["\\x6b",'
    event = {**WHOLE, "type": 2, "records": [{"timestamp": 1, "record": {"log": said}}]}
    assert decode(json.dumps(event).encode()) == [event]


def test_what_no_database_can_hold_is_replaced() -> None:
    event = {**WHOLE, "records": [{"timestamp": 1, "record": {"a\0": "b\0\ud800", "n": float("nan"), "i": float("inf")}}]}
    [found] = decode(json.dumps(event).encode())
    assert found["records"][0]["record"] == {"a\ufffd": "b\ufffd?", "n": None, "i": None}
    packed = msgpack.packb([msgpack.ExtType(0, b"\0" * 8), {"type": 1, "b": b"\xff\0", "t": msgpack.ExtType(0, b"x"), 5: 6}])
    assert decode(packed) == [{"type": 1, "b": "\ufffd\ufffd", "t": "x", "5": 6}]


def test_a_post_cut_short_gives_what_came_before_the_cut() -> None:
    body = json.dumps(WHOLE).encode()
    assert decode(body + body[:-3]) == [WHOLE]
    packed = msgpack.packb([0, WHOLE])
    assert decode(packed + packed[:-3]) == [WHOLE]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{", b"[]", b"\xc1", b"[1,2]", b"\x93\x01\x02\x03", b"[" * 100_000])
def test_what_holds_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="invalid trace record"):
        decode(body)


def test_depth_is_bounded() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"a": deep}
    [found] = decode(json.dumps({**WHOLE, "records": [deep]}).encode())
    assert len(json.dumps(found)) < 1000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_trip_it(body: bytes) -> None:
    try:
        events = decode(body)
    except Invalid:
        return
    assert all(isinstance(event, dict) for event in events)
