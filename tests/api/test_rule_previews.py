"""Previews of rules and scripts over HTTP."""

from typing import Any

import pytest

from tests.harness.world import World

LOG = [1700000000.5, {"log": "hi", "n": 1, "big": 1.5, "yes": True, "none": None, "list": [1, "a"], "map": {"k": [2]}}]


def action(kind: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    selectors = [{"kind": "key", "op": "equal", "expr": key}] if key else []
    return {"kind": kind, "description": "d", "enabled": True, "selectors": selectors, **more}


async def preview(world: World, *actions: dict[str, Any], logs: Any = None) -> Any:
    body = {"language": "lua", "actions": list(actions), "logs": [LOG] if logs is None else logs}
    return await world.machine.ask("POST", "/v1/preview_processing_rule", 200, json=body)


async def test_values_of_every_kind_survive(world: World) -> None:
    [[ts, record]] = await preview(world)
    assert ts == LOG[0]
    assert record == LOG[1]
    assert await preview(world, logs=[]) == []


async def test_actions_run_in_order_on_the_keys_at_the_top(world: World) -> None:
    [[_, record]] = await preview(
        world,
        action("add", add={"key": "added", "value": "v"}),
        action("rename", "log", renameTo="message"),
        action("copy", "message", copyAs="twin"),
        action("mask", "message", maskWith="***"),
        action("remove", "n"),
        {**action("remove", "yes"), "enabled": False},
    )
    assert record["added"] == "v"
    assert (record["message"], record["twin"], record["yes"]) == ("***", "hi", True)
    assert "log" not in record
    assert "n" not in record
    assert await preview(world, action("skip", "log")) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "explode"}, "invalid processing rule action kind"),
        ({"kind": None}, "invalid processing rule action kind"),
        ({"description": "x" * 101}, "invalid processing rule action desc"),
        ({"selectors": [{"kind": "value", "op": "equal", "expr": "a"}]}, "invalid processing rule action selector kind"),
        ({"selectors": [{"kind": "key", "op": "like", "expr": "a"}]}, "invalid processing rule action selector op"),
        ({"selectors": [{"kind": "key", "op": "equal", "expr": ""}]}, "invalid processing rule action selector expr"),
        ({"add": None}, "invalid processing rule action args"),
        ({"kind": "rename", "renameTo": None}, "invalid processing rule action args"),
        ({"kind": "copy", "copyAs": ""}, "invalid processing rule action args"),
        ({"kind": "mask", "maskWith": None}, "invalid processing rule action args"),
        ({"kind": "mask", "maskWith": 7}, "invalid processing rule action args"),
    ],
)
async def test_a_wrong_action_is_named_with_its_index(world: World, wrong: dict[str, Any], sentence: str) -> None:
    good = action("add", "a", add={"key": "k", "value": "v"})
    body = {"language": "lua", "actions": [good, {**good, **wrong}], "logs": [LOG]}
    refused = await world.machine.refused("POST", "/v1/preview_processing_rule", 422, sentence, json=body)
    assert refused["index"] == 1


async def test_a_preview_of_something_else_is_refused(world: World) -> None:
    path = "/v1/preview_processing_rule"
    await world.machine.refused("POST", path, 422, "invalid processing rule language", json={"language": "js"})
    wrong: list[Any] = [[1], [[1]], [["x", {}]], [[1, "x"]], [[1, {}, 2]], {}]
    for logs in wrong:
        await world.machine.refused("POST", path, 422, "invalid argument", json={"language": "lua", "logs": logs})
    await world.anyone.refused("POST", path, 401, "unauthenticated", json={"language": "lua"})
    many = {"language": "lua", "logs": [LOG] * 10_001}
    await world.machine.refused("POST", path, 413, "preview too large", json=many)


async def test_rule_lists_are_previewed_too(world: World) -> None:
    path = "/v2/preview_processing_rules"
    rules: list[dict[str, Any]] = [
        {"type": "delete", "opts": {"key": "log"}},
        {"type": "put", "opts": {"key": "added", "value": "v"}},
    ]
    found = await world.admin.ask("POST", path, 200, json={"rules": rules, "logs": [[1, {"log": "x"}]]})
    assert found == {"logs": [[1, {"added": "v"}]], "held": []}
    refused = await world.admin.refused(
        "POST", path, 422, "invalid processing rule", json={"rules": [rules[0], {"type": "nope"}], "logs": []}
    )
    assert refused["index"] == 1
    failing = [{"type": "custom_script", "opts": {"script": "while true do end"}}]
    await world.admin.refused("POST", path, 422, "processing rule failed", json={"rules": failing, "logs": [[1, {"a": 1}]]})


async def rpc(world: World, method: str = "run", status: int = 200, **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    answer = await world.machine.ask("POST", "/jsonrpc", status, json=body)
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 7)
    return answer


async def test_the_sandbox_runs_scripts_by_json_rpc(world: World) -> None:
    code = """
    function cb_filter(tag, ts, record)
      if record.drop then return -1, ts, record end
      if record.keep then return 0, ts, record end
      if record.fail then error("on purpose") end
      if record.split then return 1, ts, {{n = 1}, {n = 2}} end
      record.tag = tag
      return 1, ts + 1, record
    end"""
    events = [{"timestamp": 5, "tag": "t", "record": {key: True}} for key in ("drop", "keep", "fail", "split", "other")]
    drop, keep, fail, split, other = (await rpc(world, code=code, events=events))["result"]
    assert drop["result"][0] == -1
    assert keep["result"] == [0, 5, {"keep": True}]
    assert "on purpose" in fail["error"]
    assert split["result"] == [1, 5, [{"n": 1}, {"n": 2}]]
    assert other["result"] == [1, 6, {"other": True, "tag": "t"}]


async def test_the_sandbox_says_what_it_cannot_do(world: World) -> None:
    event = {"timestamp": 1, "tag": "t", "record": {}}
    assert (await rpc(world, "walk"))["error"]["code"] == -32601
    assert (await rpc(world, code="x"))["error"]["code"] == -32602
    compile_error = (await rpc(world, code="function (", events=[event]))["error"]
    assert compile_error["code"] == 21
    assert ":1:" in compile_error["message"]
    endless = await rpc(world, status=400, code="function cb_filter() while true do end end", events=[event])
    assert endless["error"]["message"].startswith("timed out")
    escaped = "function cb_filter(tag, ts, record) return 1, ts, {os = type(os), io = type(io), require = type(require)} end"
    [found] = (await rpc(world, code=escaped, events=[event]))["result"]
    assert set(found["result"][2].values()) == {"nil"}
    await world.anyone.refused("POST", "/jsonrpc", 401, "unauthenticated", json={"method": "run"})


async def test_gos_clients_wrap_the_argument_in_a_list(world: World) -> None:
    code = "function cb_filter(tag, ts, record) return 0, ts, record end"
    params = [{"code": code, "events": [{"timestamp": 1, "tag": "t", "record": {"a": 1}}]}]
    answer = await world.machine.ask("POST", "/jsonrpc", 200, json={"method": "run", "params": params, "id": 1})
    assert answer["result"] == [{"result": [0, 1, {"a": 1}]}]
