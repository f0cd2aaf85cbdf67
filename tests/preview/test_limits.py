"""Scripts that mean harm: each ends its own run, in time, and nothing else."""

from __future__ import annotations

import asyncio
import dataclasses

import psutil
import pytest

from nectary.preview import (
    DEFAULT,
    BusyError,
    ChildError,
    Limits,
    PreviewError,
    Room,
    ScriptError,
    TimedOutError,
    TooLargeError,
    run,
)

EVENT = {"timestamp": 1.0, "tag": "t", "record": {"a": 1}}
QUICK = Limits(seconds=1.0, memory=32 * 1024 * 1024, instructions=5_000_000, output=200_000)


def filter_of(body: str) -> str:
    return f"function cb_filter(tag, ts, record)\n{body}\nend"


async def error_of(body: str) -> str:
    # Time enough to get to the error on a busy machine.
    [result] = await run(filter_of(body), [EVENT], dataclasses.replace(QUICK, seconds=15.0, instructions=100_000_000))
    assert "error" in result, result
    return str(result["error"])


@pytest.mark.parametrize(
    "code",
    [
        "while true do end",
        filter_of("while true do end"),
        filter_of("while true do pcall(function() while true do end end) end"),
        filter_of("local function again() pcall(again) return again() end again()"),
        filter_of("while true do xpcall(function() while true do end end, function() while true do end end) end"),
        filter_of("while true do local co = coroutine.wrap(function() while true do end end) pcall(co) end"),
        filter_of(
            "local t = setmetatable({}, {__index = function(t, k) return t[k] end})"
            " while true do pcall(function() return t.x end) end"
        ),
        filter_of("for _ = 1, 1e9 do string.format('%d', 1) end"),
    ],
)
async def test_a_script_that_never_ends_is_stopped(code: str) -> None:
    with pytest.raises(TimedOutError):  # pytest's limit ends one that is not
        await run(code, [EVENT], QUICK)


async def test_work_inside_one_library_call_is_stopped_by_the_clock() -> None:
    # Backtracking in string.find runs no Lua instruction, so only the process's own limits end it.
    body = "local s = ('a'):rep(40) return string.find(s, ('a*'):rep(40) .. 'b')"
    with pytest.raises(TimedOutError):
        await run(filter_of(body), [EVENT], QUICK)


@pytest.mark.parametrize(
    "body",
    [
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "return 2, ts, {x = ('x'):rep(2 ^ 30)}",
        "local s = 'x' while true do s = s .. s end",
        "local s = ('x'):rep(2 ^ 20) return 2, ts, {x = (s:gsub('x', s))}",
    ],
)
async def test_a_memory_bomb_is_an_error_of_its_record(body: str) -> None:
    assert await error_of(body) == "not enough memory"


async def test_memory_kept_by_a_swallowed_error_is_still_bounded() -> None:
    body = "local t = {} while true do pcall(function() for i = 1, 1e9 do t[#t + 1] = ('x'):rep(100000) end end) end"
    with pytest.raises((TimedOutError, TooLargeError)):
        await run(filter_of(body), [EVENT], QUICK)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("local function deep() return 1 + deep() end deep()", "stack overflow"),
        ("local function deep() return (('x'):gsub('x', deep)) end deep()", "overflow"),
        ("local r = {} r.r = r return 2, ts, r", "nested deeper than 60"),
        ("return 2, ts, {f = print}", "cannot hold a function"),
        ("return 2, ts, {[{}] = 1}", "key of the record"),
        ("return 2, ts, {1, 2}", "something else than records"),
        ("return 2, ts, 'text'", "returned no record"),
        ("return 1, ts", "returned no record"),
        ("error({})", "error object is a table"),
        ("error('no\\0good \\255')", "no\0good \ufffd"),
        ("local x = nil .. 'x'", "attempt to concatenate"),
    ],
)
async def test_what_goes_wrong_with_a_record_is_in_its_result(body: str, message: str) -> None:
    assert message in await error_of(body)


async def test_the_other_records_go_on_after_an_error() -> None:
    events = [{"timestamp": n, "record": {"n": n}} for n in range(3)]
    results = await run(filter_of("if record.n == 1 then error('error one') end record.m = 1 return 1, ts, record"), events)
    assert results[1] == {"error": '[string "fluentbit.lua"]:2: error one'}
    assert [result.get("result") for result in results] == [[1, 0, {"n": 0, "m": 1}], None, [1, 2, {"n": 2, "m": 1}]]


@pytest.mark.parametrize(
    "body", ["return 2, ts, {x = ('x'):rep(300000)}", "local t = {} for i = 1, 50000 do t[i] = {a = i} end return 2, ts, t"]
)
async def test_an_answer_beyond_the_limit_is_refused(body: str) -> None:
    with pytest.raises(TooLargeError):
        await run(filter_of(body), [EVENT], QUICK)


async def test_a_request_beyond_the_limits_is_refused_before_a_process_is_started() -> None:
    with pytest.raises(TooLargeError, match="3 events"):
        await run("", [EVENT] * 3, dataclasses.replace(DEFAULT, events=2))
    with pytest.raises(TooLargeError, match="bytes of code"):
        await run("-" * 2000, [EVENT], dataclasses.replace(DEFAULT, input=1000))


async def test_events_that_are_no_json_are_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for record in ({"n": float("nan")}, {"deep": deep}):
        with pytest.raises(TooLargeError, match="not JSON"):
            await run(filter_of("return 0"), [{"record": record}])


async def test_numbers_of_any_size_and_records_of_any_depth_harm_nothing() -> None:
    deep: dict[str, object] = {}
    for _ in range(300):
        deep = {"d": deep}
    events: list[dict[str, object]] = [{"record": {"n": 10**400, "m": 2**64}}, {"record": deep}]
    big, nested = await run(filter_of("record.x = 1 return 2, ts, record"), events)
    assert big["result"][2] == {"n": None, "m": float(2**64), "x": 1}
    assert "nested deeper" in nested["error"]


@pytest.mark.parametrize(
    "name",
    [
        "os",
        "io",
        "require",
        "ffi",
        "debug",
        "package",
        "jit",
        "python",
        "module",
        "dofile",
        "loadfile",
        "collectgarbage",
        "getfenv",
        "setfenv",
        "newproxy",
        "gcinfo",
        "string.dump",
        "_G._G.os",
        "_G.io",
    ],
)
async def test_a_script_does_not_see(name: str) -> None:
    [result] = await run(filter_of(f"return 2, ts, {{seen = {name} ~= nil}}"), [EVENT])
    assert result["result"][2] == {"seen": False}


@pytest.mark.parametrize(
    "way",
    [
        "getmetatable('').__index",
        "getmetatable(print)",
        "('x').dump",
        "load('return os')()",
        "loadstring('return io')()",
        "load(function() return nil end, 'x', 'b', nil) and load('return debug', 'x', 'b')()",
        "select(2, pcall(load, '\\27LJ\\2'))",
        "getmetatable(record).__metatable",
        "rawget(_G, 'os')",
        "coroutine.wrap(function() return os end)()",
        "pcall(string.format, '%s', setmetatable({}, {__tostring = function() return os end})) and os",
    ],
)
async def test_no_way_round_leads_out(way: str) -> None:
    [result] = await run(
        filter_of(f"local ok, got = pcall(function() return {way} end) return 2, ts, {{out = ok and got ~= nil}}"), [EVENT]
    )
    assert result.get("result", [0, 0, {"out": False}])[2] == {"out": False}, result


async def test_compiled_code_is_refused_as_a_script() -> None:
    with pytest.raises(ScriptError, match="wrong mode"):
        await run("\x1bLJ\x02\n", [EVENT])


async def test_a_script_cannot_change_what_judges_it() -> None:
    code = """
      string.format, table.concat, math.floor, type, pairs = nil, nil, nil, nil, nil
      _G.pcall, _G.error = nil, nil
      function cb_filter(tag, ts, record) record.b = 2 return 2, ts, record end
    """
    assert await run(code, [EVENT]) == [{"result": [2, 1.0, {"a": 1, "b": 2}]}]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("error('some error')", '[string "fluentbit.lua"]:1: some error'),
        ("function cb_filter(", '[string "fluentbit.lua"]:1:'),
        ("local x = 1", "function cb_filter is not found"),
        ("cb_filter = 5", "function cb_filter is not found"),
        ("os.exit(1)", "attempt to index global 'os'"),
    ],
)
async def test_a_script_that_does_not_load_is_named_with_chunk_and_line(code: str, message: str) -> None:
    with pytest.raises(ScriptError) as refused:
        await run(code, [])
    assert message in str(refused.value)


async def test_no_process_is_left_behind_when_the_caller_gives_up() -> None:
    before = _children()
    task = asyncio.create_task(run("while true do end", [EVENT], Limits(seconds=600, instructions=2**52)))
    while not _children() - before:  # noqa: ASYNC110 - another process tells no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _children() <= before


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def test_only_so_many_run_at_once_and_so_many_wait() -> None:
    room = Room(at_once=1, waiting=2)
    patient = dataclasses.replace(DEFAULT, seconds=60.0)
    runs = [run(filter_of("return 0"), [EVENT], patient, room=room) for _ in range(4)]
    answers = await asyncio.gather(*runs, return_exceptions=True)
    assert sum(isinstance(answer, BusyError) for answer in answers) == 1
    assert sum(isinstance(answer, list) for answer in answers) == 3


async def test_every_failure_of_a_preview_is_one_family() -> None:
    for kind in (BusyError, ChildError, ScriptError, TimedOutError, TooLargeError):
        assert issubclass(kind, PreviewError)
