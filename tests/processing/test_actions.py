"""The six actions of the first API version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nectary.fluentbit.processing import ActionError, actions_script, materialise, read_action_rule, read_actions
from nectary.preview import preview_script
from tests.processing.fluent_bit import Stream, run

START = 1_700_000_000.0


def action(kind: str, *keys: str, enabled: bool = True, **arguments: Any) -> dict[str, Any]:
    selectors = [{"kind": "key", "op": "equal", "expr": key} for key in keys]
    return {"kind": kind, "description": f"{kind} it", "enabled": enabled, "selectors": selectors, **arguments}


ADD = action("add", add={"key": "new", "value": "yes"})
EVERYTHING: dict[str, Any] = {"x": [1, 2.5, True, None, {}, []]}
CHAIN = [
    ADD,
    action("rename", "new", renameTo="newer"),
    action("copy", "newer", copyAs="n"),
    action("mask", "n", maskWith=""),
]
CASES: list[tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]] = [
    ([ADD], {"a": 1}, [{"a": 1, "new": "yes"}]),
    ([ADD], {"new": ["old"]}, [{"new": "yes"}]),
    ([action("rename", "a", renameTo="b")], {"a": EVERYTHING}, [{"b": EVERYTHING}]),
    ([action("rename", "a", renameTo="a")], {"a": 1, "c": 2}, [{"a": 1, "c": 2}]),
    ([action("rename", "nope", renameTo="b")], {"a": 1}, [{"a": 1}]),
    ([action("copy", "a", copyAs="b")], {"a": False}, [{"a": False, "b": False}]),
    ([action("copy", "nope", copyAs="b")], {"a": False}, [{"a": False}]),
    ([action("mask", "a", "b", maskWith="***")], {"a": 1, "b": {}, "c": 2}, [{"a": "***", "b": "***", "c": 2}]),
    ([action("mask", "nope", maskWith="***")], {"a": 1}, [{"a": 1}]),
    ([action("remove", "a", "nope")], {"a": 1, "b": []}, [{"b": []}]),
    ([action("remove", "a.b")], {"a": {"b": 1}}, [{"a": {"b": 1}}]),
    ([action("skip", "debug")], {"debug": False, "a": 1}, []),
    ([action("skip", "debug")], {"a": 1}, [{"a": 1}]),
    ([action("remove", "a", enabled=False), action("skip", "a", enabled=False)], {"a": 1}, [{"a": 1}]),
    (CHAIN, {}, [{"newer": "yes", "n": ""}]),
]  # fmt: skip


def body(actions: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"match": "*", "isMatchRegexp": False, "language": "lua", "actions": actions, **more}


@pytest.mark.parametrize(("actions", "given", "expected"), CASES)
async def test_each_action_does_what_it_says(actions: Any, given: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    found = await preview_script(actions_script(read_actions(body(actions))), [[START, given]], call="processing_rule")
    assert found.errors == []
    assert found.logs == [(START, record) for record in expected]


@pytest.mark.fluent_bit
def test_actions_inside_a_real_fluent_bit_give_what_the_preview_gives(tmp_path: Path) -> None:
    cases = [(actions, given, expected) for actions, given, expected in CASES if given]
    streams = []
    for actions, given, _ in cases:
        made = materialise(read_action_rule(body(actions)), keep_nulls=True)
        options = {name: value for name, value in made.properties if name in ("call", "enable_flb_null")}
        streams.append(Stream([(START, given)], script=made.contents, options=options))
    found, said = run(streams, sum(len(expected) for _, _, expected in cases), tmp_path)
    assert "[error]" not in said
    assert found == [[(START, record) for record in expected] for _, _, expected in cases]


def test_a_rule_becomes_a_file_and_a_filter_that_refers_to_it() -> None:
    made = materialise(read_action_rule(body([ADD], match="kube.*")))
    assert (made.file_name, made.kind) == ("processing-rule", "filter")
    assert made.properties == (
        ("name", "lua"),
        ("match", "kube.*"),
        ("script", "{{files.processing-rule}}"),
        ("call", "processing_rule"),
    )
    assert "function processing_rule(tag, ts, record)" in made.contents
    matched = materialise(read_action_rule(body([ADD], match="^kube", isMatchRegexp=True)), file_name="rule1", keep_nulls=True)
    assert matched.properties[1:3] == (("match_regex", "^kube"), ("script", "{{files.rule1}}"))
    assert matched.properties[-1] == ("enable_flb_null", "true")


def selected(**selector: Any) -> dict[str, Any]:
    return {**action("remove"), "selectors": [{"kind": "key", "op": "equal", "expr": "a", **selector}]}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({**ADD, "description": "x" * 101}, "invalid processing rule action desc"),
        ({**ADD, "kind": "drop"}, "invalid processing rule action kind"),
        (selected(kind="value"), "invalid processing rule action selector kind"),
        (selected(op="like"), "invalid processing rule action selector op"),
        (selected(expr=""), "invalid processing rule action selector expr"),
        (action("add"), "invalid processing rule action args"),
        (action("add", add={"key": "", "value": "x"}), "invalid processing rule action args"),
        (action("rename", "a"), "invalid processing rule action args"),
        (action("copy", "a", copyAs=None), "invalid processing rule action args"),
        (action("mask", "a"), "invalid processing rule action args"),
        ({**action("mask"), "description": "x" * 101, "kind": "?"}, "invalid processing rule action desc"),
    ],
)
def test_what_the_published_api_refuses_is_refused_in_its_words(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ActionError) as refused:
        read_action_rule(body([ADD, wrong]))
    assert (refused.value.sentence, refused.value.index) == (sentence, 1)


def test_match_and_language_come_first() -> None:
    with pytest.raises(ActionError, match="invalid processing rule match"):
        read_action_rule({"match": "", "language": "js", "actions": [{}]})
    with pytest.raises(ActionError, match="invalid processing rule language"):
        read_action_rule({"match": "*", "language": "js", "actions": [{}]})
    assert read_actions(body([{**ADD, "description": "x" * 100}]))[0].description == "x" * 100
