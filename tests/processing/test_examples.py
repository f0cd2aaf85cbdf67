from __future__ import annotations

import pytest

from nectary.fluentbit.processing import RULE_TYPES, as_json, processors, read_rules
from nectary.preview import preview
from tests.processing.examples import EXAMPLES, Example


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.types[0]}: {example.title}")
async def test_each_rule_does_what_its_example_says(example: Example) -> None:
    found = await preview(read_rules(example.rules), example.given)
    assert found.errors == []
    assert found.logs == example.expected
    assert found.held == example.held


def test_every_rule_type_has_three_examples_or_more() -> None:
    counts = {kind: sum(kind in example.types for example in EXAMPLES) for kind in RULE_TYPES}
    assert len(counts) == 28
    assert {kind: count for kind, count in counts.items() if count < 3} == {}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_a_rule_list_reads_the_same_after_it_was_written(example: Example) -> None:
    rules = read_rules(example.rules)
    assert read_rules(as_json(rules)) == rules


def test_put_and_delete_at_the_top_are_native_and_the_rest_is_one_lua_unit_per_stretch() -> None:
    units = processors(
        read_rules(
            [
                {"type": "put", "opts": {"key": "a", "value": "x"}},
                {"type": "put", "opts": {"key": "$a['b']", "value": "x"}},
                {"type": "put", "opts": {"key": "a", "value": "${HOME}"}},
                {"type": "put", "opts": {"key": "a", "value": True}},
                {"type": "delete", "opts": {"key": "a"}},
                {"type": "join", "opts": {"key": "a"}},
            ]
        )
    )
    assert [unit["name"] for unit in units] == ["content_modifier", "lua", "content_modifier", "lua"]
    assert [unit.get("time_as_table") for unit in units] == [None, None, None, "true"]


async def test_what_a_runaway_pattern_was_to_cover_is_covered_whole() -> None:
    rules = read_rules([{"type": "redact", "opts": {"key": "a", "regex": "(?:a|a)*b"}}])
    found = await preview(rules, [[1.0, {"a": "a" * 40}]])
    assert found.logs == [(1.0, {"a": "*" * 40})]


async def test_an_error_in_a_rule_is_reported_with_the_record_and_the_rule() -> None:
    rules = read_rules(
        [
            {"type": "delete", "opts": {"key": "x"}},
            {"type": "custom_script", "opts": {"script": "return function(t, ts, r) return 2, ts, r.a.b end"}},
        ]
    )
    found = await preview(rules, [[1.0, {"a": {"b": {"c": 1}}}], [2.0, {"x": 1}]])
    assert found.logs == [(1.0, {"c": 1})]
    assert [(error.index, error.error) for error in found.errors] == [
        (1, "rule 1 (custom_script): custom_script:1: attempt to index field 'a' (a nil value)")
    ]


def test_the_rules_of_a_unit_keep_their_places_in_the_whole_list() -> None:
    rules = read_rules(
        [
            {"type": "put", "opts": {"key": "a", "value": "x"}},
            {"type": "delete", "opts": {"key": "b"}, "active": False},
            {"type": "lift", "opts": {"key": "c"}},
        ]
    )
    assert '"rule 2 (lift)"' in processors(rules)[1]["code"]


def test_rules_before_a_script_stay_with_it() -> None:
    put = {"type": "put", "opts": {"key": "a", "value": "x"}}
    custom = {"type": "custom_script", "opts": {"script": "return function() end"}}
    assert [unit["name"] for unit in processors(read_rules([put, custom, put]))] == ["lua", "content_modifier"]
