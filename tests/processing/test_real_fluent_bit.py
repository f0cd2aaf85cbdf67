"""The preview against the real thing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from nectary.fluentbit.processing import Rule, lua_filter, processors, read_rules, script
from nectary.preview import preview
from tests.harness.fluent_bit import required
from tests.processing.examples import EXAMPLES, START
from tests.processing.fluent_bit import Stream, run

pytestmark = pytest.mark.fluent_bit


@pytest.fixture(autouse=True)
def _found() -> None:
    required()


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


# Every record of the examples: each rule meets those of all others, most of which were not made for it.
RECORDS = [record for example in EXAMPLES for _, record in example.given]


async def test_rules_agree_on_records_that_were_not_made_for_them(tmp_path: Path) -> None:
    given = [(START + place, record) for place, record in enumerate(RECORDS) if record]
    streams, expected = [], []
    for example in EXAMPLES:
        rules = read_rules(example.rules)
        found = await preview(rules, given)
        if not found.errors:  # a script may be wrong about a record; what then happens has a test of its own
            streams.append(Stream(given, units=processors(rules)))
            expected.append([(round(ts, 3), record) for ts, record in found.logs])
    assert len(streams) > len(EXAMPLES) - 5
    written, said = run(streams, sum(map(len, expected)), tmp_path, seconds=40)
    assert "[error]" not in said
    for stream, logs, wanted in zip(streams, written, expected, strict=True):
        assert [(round(ts, 3), record) for ts, record in logs] == wanted, stream.units


async def test_native_processors_agree_with_lua_on_made_up_records(tmp_path: Path) -> None:
    chance = random.Random(20241123)
    streams, expected = [], []
    for _ in range(40):
        rules = read_rules([_native_rule(chance) for _ in range(chance.randint(1, 4))])
        given = [(START + place, {"id": place, **_record(chance)}) for place in range(25)]
        assert all(unit["name"] == "content_modifier" for unit in processors(rules))
        streams.append(Stream(given, units=processors(rules)))
        expected.append((await preview(rules, given)).logs)
    written, _ = run(streams, sum(map(len, expected)), tmp_path)
    for stream, logs, wanted in zip(streams, written, expected, strict=True):
        assert logs == wanted, stream.units


KEYS = ["a", "b", "a.b", "with space", "é", "UPPER", "1", "[x]", "a-b", 'quote"', "back\\slash", "#"]


def _native_rule(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {"type": "delete", "opts": {"key": chance.choice(KEYS)}}
    return {
        "type": "put",
        "opts": {"key": chance.choice(KEYS), "value": chance.choice([*KEYS, "true", "12", "null", "on"])},
    }


def _record(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    def value(level: int) -> Any:
        kinds: list[Any] = [
            None,
            True,
            False,
            chance.randint(-(2**53), 2**53),
            round(chance.random(), 4),
            "text",
            "é",
            "",
            0,
            [],
            {},
        ]
        if level < 2 and chance.random() < 0.3:
            return [value(level + 1) for _ in range(3)] if chance.random() < 0.5 else _record(chance, level + 1)
        return chance.choice(kinds)

    return {key: value(depth) for key in chance.sample(KEYS, chance.randint(0, 6))}


def test_a_failing_script_lets_its_record_pass_to_the_next_rule_and_says_so(tmp_path: Path) -> None:
    broken = "return function(tag, ts, record) if record.n == 1 then error('no') end record.ok = true return 2, ts, record end"
    rules: tuple[Rule, ...] = read_rules(
        [{"type": "custom_script", "opts": {"script": broken}}, {"type": "redact", "opts": {"key": "pw", "regex": "."}}]
    )
    given = [(START + n, {"n": n, "pw": "abc"}) for n in range(3)]
    [found], said = run([Stream(given, units=processors(rules))], 3, tmp_path)
    assert [record for _, record in found] == [
        {"n": 0, "pw": "***", "ok": True},
        {"n": 1, "pw": "***"},
        {"n": 2, "pw": "***", "ok": True},
    ]
    assert "[processing rules] rule 0 (custom_script): custom_script:1: no" in said


def test_whole_numbers_beyond_a_double_survive_where_no_rule_touches_the_record(tmp_path: Path) -> None:
    rules = read_rules([{"type": "redact", "opts": {"key": "pw", "regex": "."}}])
    given = [(START, {"big": 2**62 + 1, "one": 1.0})]
    [found], _ = run([Stream(given, units=processors(rules))], 1, tmp_path)
    assert found == given
