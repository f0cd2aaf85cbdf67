"""The JSON format: places, numbers as they are written, repeated keys, and where bad syntax is."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nectary.fluentbit import json as config_json
from nectary.fluentbit import meaning
from nectary.fluentbit.document import LIMITS, ConfigError, Kind, Limits
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return meaning.typed(node)
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.pairs}


@given(values, st.sampled_from([None, 1, 3]), st.booleans())
def test_it_reads_what_pythons_own_reader_reads(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if "\\u0000" in text or "\ufffd" in text or "\\ufffd" in text:
        return
    assert plain(config_json.tree(text, "x", LIMITS)) == json.loads(text)


# As configurations are: lists of maps of texts, numbers, and lists of texts.
plugins = st.lists(
    st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text(), max_size=3), max_size=4), max_size=4
)


def nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, ListNode):
        for item in node.items:
            yield from nodes(item)
    elif isinstance(node, MapNode):
        for key, value in node.pairs:
            yield key
            yield from nodes(value)


@given(plugins, st.sampled_from([None, 0, 1, 3]), st.sampled_from([(", ", ": "), (",", ":"), (" ,\t", " : ")]))
def test_every_value_is_where_it_says(value: object, indent: int | None, marks: tuple[str, str]) -> None:
    text = json.dumps({"a": value}, indent=indent, separators=marks)
    if "\\u0000" in text or "\\ufffd" in text:
        return
    for node in nodes(config_json.tree(text, "x", LIMITS)):
        before, there = text[: node.start], text[node.start : node.end]
        assert (node.line, node.column) == (before.count("\n") + 1, node.start - before.rfind("\n"))
        assert plain(node) == json.loads(there)


def test_lists_of_texts_keep_the_limits() -> None:
    texts = '{"a": [ "b",\n "c", "d" ]}'
    assert plain(config_json.tree(texts, "x", Limits(depth=2, values=4))) == {"a": ["b", "c", "d"]}
    for limits, found in ((Limits(depth=1), ("too_deep", 1, 7)), (Limits(values=2), ("too_large", 2, 11))):
        with pytest.raises(config_json.JsonError) as refused:
            config_json.tree(texts, "x", limits)
        assert (refused.value.kind, refused.value.place.line, refused.value.place.column) == found


@given(st.text(alphabet='{}[]",:0129.eE+-truefalsn\\u \n\tx', max_size=40))
def test_it_accepts_a_text_exactly_when_pythons_own_reader_does(text: str) -> None:
    try:
        wanted = json.loads(text, parse_constant=lambda word: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(config_json.JsonError):
            config_json.tree(text, "x", LIMITS)
        return
    found = config_json.tree(text, "x", LIMITS)
    if not isinstance(found, Scalar) and "e" not in text.lower():
        assert isinstance(found, MapNode) == isinstance(wanted, dict)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("{\n  'a': 1}", 2, 3),
        ('{"a" 1}', 1, 6),
        ('{"a": 1,}', 1, 9),
        ("[1, 2", 1, 6),
        ("{}\n{}", 2, 1),
        ('{"a": 01}', 1, 7),
        ('{"a": "\\q"}', 1, 7),
        ('{"a": "\\u0000"}', 1, 7),
        ('{"a": "\\ud800"}', 1, 7),
        ('{"a": NaN}', 1, 7),
    ],
)
def test_bad_syntax_is_reported_where_it_is(text: str, line: int, column: int) -> None:
    with pytest.raises(ConfigError) as refused:
        config_json.parse(text)
    (problem,) = refused.value.problems
    assert (problem.kind, problem.place.line, problem.place.column) == ("bad_json", line, column)


def test_numbers_keep_their_text_and_repeated_keys_are_kept() -> None:
    text = '{"pipeline": {"inputs": [{"name": "x", "n": 12345678901234567890, "f": 1.50, "f": 5.0}]}}'
    section = config_json.parse(text).of(Kind.INPUT)[0]
    assert [(prop.name, prop.value) for prop in section.properties] == [
        ("name", "x"),
        ("n", "12345678901234567890"),
        ("f", "1.50"),
        ("f", "5.0"),
    ]


def test_a_character_in_two_halves_is_one() -> None:
    doc = config_json.parse('{"env": {"A": "\\ud83d\\ude42"}}')
    assert doc.variables[0].value == "\U0001f642"
