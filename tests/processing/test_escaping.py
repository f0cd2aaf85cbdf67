"""Whatever an option says, it stays a value: nothing in a rule can become code, or text for another reader."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nectary.fluentbit.processing import Action, actions_script, materialise, read_action_rule, read_rules, script
from nectary.fluentbit.processing.lua_text import block, literal, quoted
from nectary.preview import Limits, preview, run
from nectary.preview import preview_script as preview_of
from tests.processing.examples import EXAMPLES, Example

PATIENT = Limits(seconds=60)  # what is tested is not how busy the machine is

HOSTILE = [
    '"', "'", "\\", "\n", "\r", "\r\n", "\0", "]]", "]=]", "[[", "--", "--[[", "${HOME}", "{{ secrets.X }}", "{{files.a}}",
    '"..os.exit().."', "\\\n", "\u2028", "\x85", "\x1b", "é😀", "\ud800", "\udc80",
    "end", '") error("x") --', "%", "%1", "\t", " ", "#}",
]  # fmt: skip
TEXT = st.text(max_size=20) | st.lists(st.sampled_from(HOSTILE), max_size=6).map("".join)
# Records travel as JSON in UTF-8, where a lone surrogate has no place.
CLEAN = TEXT.filter(lambda text: text.isprintable() or not any("\ud800" <= char <= "\udfff" for char in text))


async def echoed(values: list[Any]) -> list[Any]:
    source = "local values = " + literal(values) + "\nfunction cb_filter(tag, ts, r) return 2, ts, {v = values[r.n]} end"
    results = await run(source, [{"record": {"n": place + 1}} for place in range(len(values))], PATIENT)
    return [result["result"][2].get("v") for result in results]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        CLEAN | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False), min_size=20
    )
)
async def test_any_value_comes_back_from_lua_as_it_went_in(values: list[Any]) -> None:
    assert await echoed(values) == values


async def test_hostile_texts_come_back_from_lua_as_they_went_in() -> None:
    texts = [one + other for one in HOSTILE for other in HOSTILE if (one + other).isprintable() or "\ud800" not in one + other]
    texts = [text for text in texts if not any("\ud800" <= char <= "\udfff" for char in text)]
    assert await echoed(texts) == texts


@settings(max_examples=300)
@given(TEXT)
def test_a_quoted_text_stays_on_its_line_and_holds_nothing_for_other_readers(text: str) -> None:
    source = quoted(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in source)
    assert "${" not in source
    assert "{{" not in source
    # The closing quote is the first one that no backslash escapes.
    body = source[1:-1].replace("\\\\", "")
    assert '"' not in body.replace('\\"', "")


@settings(max_examples=60, deadline=None)
@given(st.lists(CLEAN, min_size=12, max_size=12))
async def test_a_script_comes_back_from_its_literal_as_it_went_in(texts: list[str]) -> None:
    scripts = ["-- a\n" + text + "\n" for text in texts]
    source = "local values = {" + ", ".join(block(text) for text in scripts) + "}\n"
    source += "function cb_filter(tag, ts, r) return 2, ts, {v = values[r.n]} end"
    results = await run(source, [{"record": {"n": place + 1}} for place in range(len(scripts))], PATIENT)
    assert [result["result"][2]["v"] for result in results] == scripts


@settings(max_examples=40, deadline=None)
@given(CLEAN.filter(bool), CLEAN, CLEAN, CLEAN)
@example("]]", "\n]]", '"', "${HOME}")
async def test_a_rule_puts_exactly_what_it_was_told(key: str, value: str, comment: str, found: str) -> None:
    path = "$['" + key.replace("'", "''") + "']"
    rules = read_rules(
        [
            {"type": "put", "opts": {"key": path, "value": value}, "comment": comment},
            {"type": "replace", "opts": {"key": path, "regex": "^", "replacement": found.replace("%", "%%"), "submax": 1}},
            {"type": "json_encode", "opts": {"src": path, "dst": path}},
            {"type": "json_decode", "opts": {"src": path, "dst": path}},
        ]
    )
    source = script(rules)
    assert "${" not in source
    assert "{{" not in source
    outcome = await preview(rules, [[1.0, {"kept": 1}]], limits=PATIENT)
    assert outcome.errors == []
    assert outcome.logs == [(1.0, {"kept": 1, key: found + value})]


@settings(max_examples=40, deadline=None)
@given(CLEAN.filter(bool), CLEAN, CLEAN, CLEAN.filter(bool))
@example("a", "b", "\nos.exit()", "c")
async def test_an_action_does_exactly_what_it_was_told(key: str, value: str, description: str, other: str) -> None:
    actions = [
        Action("add", key=key, value=value, enabled=True, description=description),
        Action("copy", keys=(key,), key=other, enabled=True),
        Action("mask", keys=(other,), value=description, enabled=True),
    ]
    outcome = await preview_of(actions_script(actions), [[1.0, {}]], call="processing_rule")
    assert outcome.errors == []
    assert outcome.logs == [(1.0, {key: value, other: description})]


@pytest.mark.parametrize("match", ["a\n[OUTPUT]", "", "  ", None, "a\0"])
def test_a_match_cannot_start_another_section(match: Any) -> None:
    with pytest.raises(ValueError, match="invalid processing rule match"):
        read_action_rule({"match": match, "language": "lua", "actions": []})


@pytest.mark.parametrize("name", ["../x", "a b", "a.conf", "a_b", "", "a-b", "x}}"])
def test_a_file_name_that_no_reference_would_find_is_refused(name: str) -> None:
    rule = read_action_rule({"match": "*", "language": "lua", "actions": []})
    with pytest.raises(ValueError, match="cannot be used in a reference"):
        materialise(rule, file_name=name)


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.title)
def test_no_compiled_script_holds_text_that_a_reader_would_replace(rule: Example) -> None:
    source = script(read_rules(rule.rules))
    assert "${" not in source
    assert "{{" not in source
