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
