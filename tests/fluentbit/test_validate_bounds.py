"""Whatever the text, a check ends soon and says something or nothing, but never raises."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.fluentbit import schema
from nectary.fluentbit.document import Format
from nectary.fluentbit.findings import as_github, as_json, as_report
from nectary.fluentbit.formats import parse
from nectary.fluentbit.globs import glob_fits, may_overlap
from nectary.fluentbit.validate import check, examine
from nectary.fluentbit.validate.published import InvalidPayloadError, config_validate, config_validate_v2, detail
from nectary.fluentbit.validate.regexes import fault
from nectary.fluentbit.validate.report import MOST_FINDINGS
from nectary.fluentbit.validate.suggest import distance, nearest
from nectary.fluentbit.variables import expand, references, trapped

KNOWN = schema.load()
NAMES = sorted({name for kind in ("input", "filter", "output") for name in KNOWN.names(kind)})
OPTIONS = sorted({option for plugins in KNOWN.plugins.values() for plugin in plugins.values() for option in plugin.rules})
VALUES = st.sampled_from(
    [
        "on",
        "5",
        "x",
        "*",
        "a.*",
        "${X}",
        "${X:-5}",
        "{}${X}",
        "{{ secrets.A }}",
        "{{files.b}}",
        "(",
        "[",
        "a b c",
        "file:///x",
        "70000",
    ]
)
WORDS = VALUES | st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


KINDS = ("INPUT", "FILTER", "OUTPUT", "SERVICE", "CUSTOM", "PARSER", "MULTILINE_PARSER", "X")


@st.composite
def classic_texts(draw: st.DrawFn) -> str:
    lines = []
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=6)):
        lines.append(f"[{kind}]")
        if draw(st.booleans()):
            lines.append(f"    name {draw(st.sampled_from(NAMES) | WORDS)}")
        options = draw(st.lists(st.sampled_from(OPTIONS) | st.just("nope"), max_size=4))
        lines += [f"    {option} {draw(WORDS)}" for option in options]
    return "\n".join(lines)


KEYS = (
    *("name", "processors", "routes", "telemetry", "logs", "metrics", "condition", "rules", "field", "op", "value", "to"),
    *("outputs", "tag", "match", "path", "regex", "tag_records", "x"),
)
NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "service": NODES,
        "env": NODES,
        "parsers": NODES,
        "multiline_parsers": NODES,
        "pipeline": st.fixed_dictionaries(
            {},
            optional={
                kind: st.lists(
                    st.fixed_dictionaries(
                        {"name": st.sampled_from(NAMES)},
                        optional={"processors": NODES, "routes": NODES, "telemetry": NODES, "tag": NODES, "match": NODES},
                    )
                    | NODES,
                    max_size=3,
                )
                for kind in ("inputs", "filters", "outputs")
            },
        ),
    },
)


def whole(text: str | bytes, form: Format) -> None:
    """Everything a caller would do with one text."""
    findings = check(text, form, files={"a"}, secrets={"B"}, parsers={"p"}, env={"Y": "1"}, fleet=True)
    assert findings == sorted(findings, key=lambda each: (each.file, each.line, each.column, each.severity != "error"))
    as_report(findings, {findings[0].file: text} if findings and isinstance(text, str) else None)
    as_json(findings)
    for finding in findings:
        assert finding.line >= 1
        assert finding.message
        assert "\n" not in as_github(finding)
    detail(findings)


@given(classic_texts())
def test_no_classic_text_of_known_words_makes_a_check_raise(text: str) -> None:
    whole(text, Format.CLASSIC)


@given(DOCUMENTS)
def test_no_json_document_makes_a_check_raise(value: object) -> None:

    text = json.dumps(value)
    whole(text, Format.JSON)
    whole(text, Format.YAML)


@given(st.binary(max_size=200), st.sampled_from(list(Format)))
def test_no_bytes_make_a_check_raise(data: bytes, form: Format) -> None:
    whole(data, form)


SECTIONS = st.fixed_dictionaries({"command": WORDS, "name": st.sampled_from(NAMES) | WORDS, "id": NODES, "optional": NODES})


@given(st.lists(SECTIONS, max_size=3))
def test_a_question_of_the_published_shape_is_answered_or_refused(config: list[object]) -> None:
    for answer in (config_validate, config_validate_v2):
        try:
            keys = set(answer({"config": config})["errors"])
        except InvalidPayloadError:
            continue
        assert keys == {"runtime", "input", "filter", "output"}


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_glob_fits_what_its_regular_expression_fits(pattern: str, tag: str) -> None:

    wanted = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), tag) is not None
    assert glob_fits(pattern, tag) == wanted
    if wanted:
        assert may_overlap(pattern, tag)
        assert may_overlap(tag, pattern)


@given(st.text("ab*", max_size=6), st.text("ab*", max_size=6), st.text("ab", max_size=6))
def test_two_patterns_that_one_tag_fits_may_overlap(one: str, other: str, tag: str) -> None:
    if glob_fits(one, tag) and glob_fits(other, tag):
        assert may_overlap(one, other)


@given(st.text("${}:-AB ", max_size=30))
def test_variables_are_put_in_unless_a_brace_is_in_the_way(value: str) -> None:
    expanded = expand(value, {"A": "1", "B": None}, {})
    if trapped(value) >= 0:
        assert expanded is None
    elif not any(reference.name == "B" for reference in references(value)):
        assert expanded is not None
        assert "${A}" not in expanded


@given(st.text(max_size=40))
def test_any_pattern_is_judged(pattern: str) -> None:
    fault(pattern)


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_distance_is_the_same_both_ways_and_zero_only_for_the_same(one: str, other: str) -> None:
    assert distance(one, other, 20) == distance(other, one, 20)
    assert (distance(one, other, 20) == 0) == (one == other)
    assert nearest("zz", [one]) in {None, one}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[INPUT]\n name dummy\n" + "".join(f" optoin{i} x\n" for i in range(20_000)), "unknown options"),
        ("".join(f"[INPUT]\n name dumy{i}\n" for i in range(20_000)), "unknown plugins"),
        ("".join(f"[INPUT]\n name dummy\n tag a{i}b\n[OUTPUT]\n name null\n match *{i}x\n" for i in range(10_000)), "stars"),
        ("[INPUT]\n name dummy\n dummy " + "${A}" * 200_000 + "\n", "variables"),
        ("[INPUT]\n name dummy\n dummy " + "}${" * 200_000 + "\n", "braces"),
        ("@SET A=" + "x" * 4000 + "\n[INPUT]\n name dummy\n" + " dummy ${A}${A}\n" * 20_000, "long variables"),
        ("[INPUT]\n name dummy\n dummy " + ("{{" + " " * 1000) * 800 + "\n", "open templates"),
        ("[INPUT]\n name dummy\n rate " + "1" * 900_000 + "x\n", "digits"),
        ("[FILTER]\n name grep\n match *\n" + (" regex k " + "[[:" * 300 + "\n") * 1000, "brackets"),
        ("".join(f"[INPUT]\n name tcp\n listen 127.0.0.{i}\n port 5\n" for i in range(10_000)), "listeners"),
        ("".join(f"[INPUT]\n name tail\n path /x\n parser p{i}\n" for i in range(10_000)), "parsers"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_hostile_text_ends_soon_and_with_a_bounded_report(text: str, what: str) -> None:
    document = parse(text, "fluent-bit.conf")
    findings = examine(document, schema=KNOWN)  # pytest's time limit is the bound: none of these may grow with the square
    assert len(findings) <= MOST_FINDINGS + 1


@settings(max_examples=20)
@given(st.integers(1, 40))
def test_a_text_twice_as_long_has_twice_the_findings(count: int) -> None:
    text = "[INPUT]\n    name dummy\n    nope x\n"
    assert len(check(text * count, Format.CLASSIC)) == count
