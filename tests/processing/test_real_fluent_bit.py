"""The preview against the real thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from nectary.fluentbit.processing import lua_filter, processors, read_rules, script
from tests.processing.examples import EXAMPLES
from tests.processing.fluent_bit import Stream, run

pytestmark = pytest.mark.fluent_bit


def _disagreements(found: list[list[tuple[float, dict[str, object]]]]) -> list[str]:
    wrong = []
    for example, logs in zip(EXAMPLES, found, strict=True):
        times_agree = [round(ts, 3) for ts, _ in logs] == [round(ts, 3) for ts, _ in example.expected]
        if [record for _, record in logs] != [record for _, record in example.expected] or not times_agree:
            wrong.append(f"{example.types}: {example.title}\n  expected {example.expected}\n  found    {logs}")
    return wrong


def test_processors_inside_a_real_fluent_bit_give_what_the_preview_gives(tmp_path: Path) -> None:
    streams = [Stream(example.given, units=processors(read_rules(example.rules))) for example in EXAMPLES]
    found, said = run(streams, sum(len(example.expected) for example in EXAMPLES), tmp_path)
    assert "[error]" not in said
    assert _disagreements(found) == []


def test_lua_filters_inside_a_real_fluent_bit_give_what_the_preview_gives(tmp_path: Path) -> None:
    streams = []
    for example in EXAMPLES:
        rules = read_rules(example.rules)
        options = {
            name: value for name, value in lua_filter(rules, match="-", script_path="-").items() if value not in ("-", "lua")
        }
        streams.append(Stream(example.given, script=script(rules), options=options))
    found, said = run(streams, sum(len(example.expected) for example in EXAMPLES), tmp_path)
    assert "[error]" not in said
    assert _disagreements(found) == []
