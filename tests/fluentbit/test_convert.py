"""Converting between the formats keeps the meaning; what a format cannot hold is listed and nothing is made up for it."""

import json as plain_json

import pytest
import yaml as plain_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.fluentbit import convert, diff, formats, meaning, quoting
from nectary.fluentbit.document import Document, Format, Kind, Property, Section, Severity
from nectary.fluentbit.nodes import Scalar
from nectary.fluentbit.write import write

names = st.text(alphabet="abcdefgh_.", min_size=1, max_size=8)
values = (st.text(max_size=12) | st.text(alphabet=" \n\t:#'\"{}[]-,&*|>%@\\x0159.eEyn~", max_size=10)).map(
    lambda text: text.strip(" \t\n\v\f\r").replace("\0", "")
)
sections = st.builds(
    lambda kind, pairs: Section(kind, "x", tuple(Property(k, k, v, "m", 0, 0, 0, 0) for k, v in pairs), (), "m", 0, 0),
    st.sampled_from([Kind.SERVICE, Kind.CUSTOM, Kind.INPUT, Kind.FILTER, Kind.OUTPUT]),
    st.lists(st.tuples(names, values), max_size=5),
)
documents = st.lists(sections, max_size=5).map(lambda found: Document(Format.YAML, "m", tuple(found)))


def errors(result: convert.Conversion) -> list[str]:
    return [finding.message for finding in result.findings if finding.severity is Severity.ERROR]


@settings(max_examples=400, deadline=None)
@given(documents, st.sampled_from([Format.YAML, Format.JSON]))
def test_any_document_is_written_and_read_back_as_the_same(document: Document, format: Format) -> None:
    again = formats.parse(write(document, format), "x", format)
    assert meaning.same(document, again)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_there_and_back_again_means_the_same_or_says_what_is_lost(document: Document) -> None:
    start = formats.parse(write(document, Format.YAML), "m.yaml", Format.YAML)
    for to in (Format.CLASSIC, Format.JSON):
        there = convert.convert(start, to)
        assert errors(there) or meaning.same(start, there.document)
        back = convert.convert(there.document, Format.YAML)
        assert not errors(back)
        assert meaning.same(there.document, back.document)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=15) | st.text(alphabet="yYnNoOfFtrueals0123456789._-+:eExX~ '\"#", max_size=8))
def test_a_quoted_text_is_that_text_to_every_yaml_reader(text: str) -> None:
    if "\0" in text:
        return
    written = quoting.yaml_string(text)
    assert plain_yaml.safe_load(f"[{written}]") == [text]
    assert plain_yaml.safe_load(f"{written}: {written}\n") == {text: text}
    assert plain_json.loads(quoting.json_string(text)) == text


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab \n\t#:-'é", max_size=20))
def test_a_block_holds_its_text(text: str) -> None:
    block = quoting.yaml_block(text)
    if block is not None:
        mark, lines = block
        assert plain_yaml.safe_load("k: " + mark + "\n" + "".join(f"  {line}\n" for line in lines)) == {"k": text}


def test_comments_are_carried_to_the_piece_they_speak_of() -> None:
    text = "# head\n[INPUT]\n    # the name\n    name dummy\n# about out\n[OUTPUT]\n    name x\n# tail\n"
    result = convert.convert(formats.parse(text, "a.conf"), Format.YAML)
    assert result.text == (
        "pipeline:\n  inputs:\n    # head\n    # the name\n    - name: dummy\n"
        "  outputs:\n    # about out\n    - name: x\n# tail\n"
    )
    back = convert.convert(result.document, Format.CLASSIC)
    assert [line for line in back.text.split("\n") if "#" in line] == [
        "# head",
        "# the name",
        "# about out",
        "# tail",
    ]
    json = convert.convert(formats.parse(text, "a.conf"), Format.JSON)
    assert [(one.kind, one.severity) for one in json.findings] == [("comments_left_out", Severity.WARNING)]


def test_repeats_become_a_list_unless_that_would_change_their_order() -> None:
    together = formats.parse("[FILTER]\n  name modify\n  add a 1\n  add b 2\n  remove c\n", "a.conf")
    apart = formats.parse("[FILTER]\n  name modify\n  add a 1\n  remove c\n  add b 2\n", "a.conf")
    assert "add:\n        - a 1\n        - b 2\n" in convert.convert(together, Format.YAML).text
    result = convert.convert(apart, Format.YAML)
    assert "add: a 1\n      remove: c\n      add: b 2\n" in result.text
    assert [(one.kind, one.place.line) for one in result.findings] == [("key_repeated", 5)]


def test_service_keys_are_never_made_a_list_because_fluent_bit_refuses_that() -> None:
    doc = formats.parse("[SERVICE]\n  parsers_file a\n  parsers_file b\n", "a.conf")
    assert convert.convert(doc, Format.YAML).text == "service:\n  parsers_file: a\n  parsers_file: b\n"


def test_numbers_keep_their_spelling_and_words_are_quoted() -> None:
    doc = formats.parse("[INPUT]\n  name null\n  a 007\n  b 5\n  c off\n  d 1e3\n  e true\n  f 1.50\n  g -3\n", "a.conf")
    lines = convert.convert(doc, Format.YAML).text.split("\n")[2:-1]
    assert [line.strip(" -") for line in lines] == [
        "name: 'null'", "a: '007'", "b: 5", "c: 'off'", "d: '1e3'", "e: true", "f: '1.50'", "g: -3",
    ]  # fmt: skip
    assert '"a": "007"' in convert.convert(doc, Format.JSON).text


def test_a_file_of_parsers_stays_a_file_of_parsers() -> None:
    text = (
        "[PARSER]\n    name p\n    format json\n    decode_field json a\n    decode_field json b\n\n"
        '[MULTILINE_PARSER]\n    name m\n    type regex\n    rule "start_state" "/a \\"b\\"/" "cont"\n'
    )
    doc = formats.parse(text, "parsers.conf")
    yaml = convert.convert(doc, Format.YAML)
    assert yaml.lossless
    assert "regex: '/a \"b\"/'" in yaml.text
    back = convert.convert(yaml.document, Format.CLASSIC)
    assert back.text == text


def test_an_upstream_file_and_its_nodes_are_converted() -> None:
    text = "[UPSTREAM]\n    name u\n\n[NODE]\n    name one\n    host 127.0.0.1\n    port 1\n"
    doc = formats.parse(text, "u.conf")
    yaml = convert.convert(doc, Format.YAML)
    assert "upstream_servers:\n  - name: u\n    nodes:\n      - name: one\n" in yaml.text
    assert convert.convert(yaml.document, Format.CLASSIC).text == text


def test_includes_that_were_read_are_taken_in_and_others_are_kept_with_a_note() -> None:
    text = "@INCLUDE a.conf\n[OUTPUT]\n    name x\n"
    files = {"a.conf": b"[INPUT]\n  name dummy\n"}
    taken = convert.convert(formats.parse(text, "m.conf", read=files.get), Format.YAML)
    assert taken.text == "pipeline:\n  inputs:\n    - name: dummy\n  outputs:\n    - name: x\n"
    assert [one.kind for one in taken.findings] == ["include_inlined"]
    kept = convert.convert(formats.parse(text, "m.conf"), Format.YAML)
    assert kept.text.startswith("includes:\n  - a.conf\n")
    assert [one.kind for one in kept.findings] == ["include_kept"]


@pytest.mark.parametrize(
    ("yaml", "lost"),
    [
        ("extensions: {a: 1}\n", "extensions"),
        ("env: {'A=B': x}\n", "env A=B"),
        ('env: {A: "x\\ny"}\n', "env A"),
        ("pipeline: {inputs: [{name: x, 'a b': c}]}\n", "the key 'a b' of input.x"),
        ("pipeline: {inputs: [{name: x, a: [' b', c]}]}\n", "leading or trailing blanks in input.x.a"),
        ("pipeline: {inputs: [{name: x, a: {b: c}}]}\n", "the map input.x.a"),
        ("'a]b': {c: d}\n", "the section 'a]b'"),
        ("parsers: [{name: p, format: json}]\npipeline: {inputs: [{name: x}]}\n", "parser p"),
        ("upstream_servers: [{name: u}]\npipeline: {inputs: [{name: x}]}\n", "upstream u"),
    ],
)
def test_what_classic_cannot_hold_is_named(yaml: str, lost: str) -> None:
    result = convert.convert(formats.parse(yaml, "a.yaml"), Format.CLASSIC)
    assert [message.partition(":")[0] for message in errors(result)] == [lost]
    assert not result.lossless


def test_an_ignored_section_that_would_come_alive_in_yaml_is_left_out_and_named() -> None:
    result = convert.convert(formats.parse("[ENV]\n    a b\n[INPUT]\n    name x\n", "a.conf"), Format.YAML)
    assert errors(result) == ["the section 'ENV': the yaml format has no way to write it"]
    assert result.text == "pipeline:\n  inputs:\n    - name: x\n"


def test_nested_numbers_that_json_has_not_are_written_or_named() -> None:
    text = "pipeline: {inputs: [{name: x, routes: {a: 0x10, b: +5, c: .5, d: '5', e: null, f: inf}}]}\n"
    doc = formats.parse(text, "a.yaml")
    found = convert.convert(doc, Format.JSON)
    assert errors(found) == ["the number inf in routes: the json format has no way to write it"]
    finite = convert.convert(formats.parse(text.replace(", f: inf", ""), "a.yaml"), Format.JSON)
    routes = plain_json.loads(finite.text)["pipeline"]["inputs"][0]["routes"]
    assert routes == {"a": 16.0, "b": 5, "c": 0.5, "d": "5", "e": None}
    assert finite.lossless


def test_typed_reads_plain_scalars_as_fluent_bit_does() -> None:
    plain = {
        "1": 1,
        "-1": -1,
        "+1": 1,
        "1.5": 1.5,
        "true": True,
        "True": "True",
        "null": None,
        "~": "~",
        "0x10": 16.0,
        "1_0": "1_0",
    }
    assert {text: meaning.typed(Scalar(text, True, 0, 0)) for text in plain} == plain
    assert meaning.typed(Scalar("1", False, 0, 0)) == "1"


def test_what_the_real_program_reads_otherwise_in_yaml_is_not_made_into_it() -> None:
    grouped = convert.convert(formats.parse("[INPUT]\n    name x\n    [My Group]\n        a b\n", "a.conf"), Format.YAML)
    assert errors(grouped) == ["the group [My Group] of input.x: the yaml format has no way to write it"]
    named = convert.convert(formats.parse("[INPUT]\n    name x\n    name y\n", "a.conf"), Format.YAML)
    assert named.text == "pipeline:\n  inputs:\n    - name: x\n      name: 'y'\n"
    included = formats.parse("includes: [none/*.yaml]\n", "a.yaml", read=lambda _: None, glob=lambda _: [])
    result = convert.convert(included, Format.CLASSIC)
    assert (result.text, [finding.kind for finding in result.findings]) == ("", ["left_out"])


FOUND_BY_FUZZING = [
    (Format.CLASSIC, "# a\u2028b\n[INPUT]\n    name x\n"),
    (Format.CLASSIC, '[MULTILINE_PARSER]\n  name m\n  rule "start_state" " " "b"\n'),
    (Format.CLASSIC, "[UPSTREAM]\n  name u\n[NODE]\n  host h\n[NODE]\n  host i\n"),
    (Format.YAML, "env:\n  - {A: b, uri: 'file:///x'}\n  - {name: C, uri: 'http:\n\n//y'}\n"),
    (Format.YAML, "env: [{name: A, value: 'file:///x'}, {B: ' c '}]\n"),
    (Format.YAML, "pipeline: {inputs: [{name: x, routes: r, routes: s, processors: 'on', tag: [' ']}]}\n"),
    (Format.YAML, '"": {a: b}\n"x\\ny": {c: d}\n'),
]


@pytest.mark.parametrize(("format", "text"), FOUND_BY_FUZZING)
def test_what_fuzzing_found_stays_mended(format: Format, text: str) -> None:
    before = formats.parse(text, "main", format)
    for to in Format:
        result = convert.convert(before, to)
        assert errors(result) or meaning.same(before, result.document)
        assert errors(result) or not diff.diff(before, result.document)
