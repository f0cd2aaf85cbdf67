"""The sandbox's run: codes, splits, and what values survive the way through Lua."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.preview import run

EVENTS = [{"timestamp": 0, "record": {"log": word}} for word in ("one", "two", "three")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if record.log == 'two' then return -1 end record.n = i return 1, i, record",
         [[1, 11.5, {"log": "one", "n": 11.5}], [-1, 0, {"log": "two"}], [1, 13.5, {"log": "three", "n": 13.5}]]),
        ("record.n = 1 return 2, i, record", [[2, 0, {"log": word, "n": 1}] for word in ("one", "two", "three")]),
        ("record.n = 1 return 0, i, record", [[0, 0, {"log": word}] for word in ("one", "two", "three")]),
        ("return 1, i, {{n = 1}, {n = 2}}", [[1, ts, [{"n": 1}, {"n": 2}]] for ts in (11.5, 12.5, 13.5)]),
        ("return 7, i, record", [[0, 0, {"log": word}] for word in ("one", "two", "three")]),
    ],
)  # fmt: skip
async def test_codes_mean_what_they_mean_to_a_lua_filter(body: str, expected: list[Any]) -> None:
    code = f"local i = 10.5\nfunction cb_filter(tag, ts, record) i = i + 1 {body} end"
    assert [result["result"] for result in await run(code, EVENTS)] == expected


async def test_the_function_gets_tag_and_time_and_may_have_another_name() -> None:
    code = "function mine(tag, ts, record) return 2, ts, {tag = tag, ts = ts} end"
    [result] = await run(code, [{"timestamp": 12.25, "tag": "a.b", "record": {}}], call="mine")
    assert result == {"result": [2, 12.25, {"tag": "a.b", "ts": 12.25}]}


async def test_null_is_flb_null_and_empty_lists_of_the_input_stay_lists() -> None:
    code = "function cb_filter(t, ts, r) r.is = r.null == flb_null r.new = {} return 2, ts, r end"
    [result] = await run(code, [{"record": {"null": None, "list": [], "map": {}}}])
    assert result["result"][2] == {"null": None, "list": [], "map": {}, "is": True, "new": {}}


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=6), _VALUES, max_size=5), min_size=10, max_size=40))
async def test_any_json_survives_the_way_through_lua(records: list[dict[str, Any]]) -> None:
    results = await run(
        "function cb_filter(tag, ts, record) return 2, ts, record end", [{"record": record} for record in records]
    )
    assert [result["result"][2] for result in results] == records


async def test_numbers_as_keys_make_a_list_or_a_map_as_in_fluent_bit() -> None:
    # As a real one prints them; where a key is beyond every list, what it does is not defined.
    made = "{a = {[1.5] = 2}, b = {[0.5] = 1}, c = {[2] = 1, x = 2}, d = {[1/0] = 1}}"
    [result] = await run(f"function cb_filter(t, ts, r) return 2, ts, {made} end", [{"record": {}}])
    assert result["result"][2] == {"a": [None], "b": {"0.5": 1}, "c": [None, 1], "d": {"inf": 1}}
