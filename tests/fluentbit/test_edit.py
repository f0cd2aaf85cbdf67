"""Changing one thing in a configuration leaves every other character as it was, and no value can become more than a value."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.fluentbit import edit, formats, meaning
from nectary.fluentbit.document import ConfigError, Document, Format, Kind, Section

CLASSIC = """\
# head
[SERVICE]
    Flush    1

[INPUT]
    Name  dummy   \n    Tag   a
    Dummy {"a": 1}
    # about outputs
[OUTPUT]
    Name  stdout
    Match *
"""
YAML = """\
# head
service:
  flush: 1  # often
pipeline:
  inputs:
    - name: dummy   # in
      tag: [a, b]
      dummy: |
        {"a": 1}
      alias:
    # next
    - {name: cpu, tag: c}
  outputs:
    - name: "stdout"
      match: '*'
"""
JSON = """\
{
  "service": {"flush": 1},
  "pipeline": {
    "inputs": [
      {
        "name": "dummy",
        "tag": "a"
      }
    ],
    "outputs": []
  }
}
"""
TEXTS = {Format.CLASSIC: CLASSIC, Format.YAML: YAML, Format.JSON: JSON}


def read(format: Format, text: str | None = None) -> Document:
    return formats.parse(TEXTS[format] if text is None else text, "main", format)


def first(document: Document, kind: Kind = Kind.INPUT) -> Section:
    return document.of(kind)[0]


@pytest.mark.parametrize("format", list(Format))
def test_setting_a_property_changes_its_line_only(format: Format) -> None:
    doc = read(format)
    changed = edit.set_property(doc, first(doc), "name", "tail")
    assert first(changed).get("name") == "tail"
    before, after = doc.text.split("\n"), changed.text.split("\n")
    different = [number for number, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
    assert len(different) == 1
    assert before[different[0]].replace("dummy", "tail") == after[different[0]]


def test_a_comment_behind_a_value_stays() -> None:
    doc = read(Format.YAML)
    service = first(doc, Kind.SERVICE)
    assert "  flush: 5  # often\n" in edit.set_property(doc, service, "flush", "5").text
    assert "- name: tail   # in\n" in edit.set_property(doc, first(doc), "name", "tail").text


def test_a_block_and_an_empty_value_can_be_set() -> None:
    doc = read(Format.YAML)
    assert "      dummy: '{\"b\": 2}'\n      alias:\n" in edit.set_property(doc, first(doc), "dummy", '{"b": 2}').text
    assert "      alias: x\n    # next\n" in edit.set_property(doc, first(doc), "alias", "x").text


@pytest.mark.parametrize(
    ("format", "line"),
    [(Format.CLASSIC, "    rate 5\n"), (Format.YAML, "      rate: 5\n"), (Format.JSON, ',\n        "rate": 5\n')],
)
def test_adding_a_property_adds_one_line_at_the_end_of_its_section(format: Format, line: str) -> None:
    doc = read(format)
    changed = edit.add_property(doc, first(doc), "rate", "5")
    assert changed.text.replace(line, "\n" if format is Format.JSON else "", 1) == doc.text
    assert first(changed).properties[-1].name == "rate"


@pytest.mark.parametrize("format", list(Format))
def test_removing_what_was_added_gives_the_old_text(format: Format) -> None:
    doc = read(format)
    changed = edit.add_property(doc, first(doc), "rate", "5")
    again = edit.remove_property(changed, first(changed), first(changed).properties[-1])
    assert again.text == doc.text


def test_one_entry_of_a_list_is_removed() -> None:
    doc = read(Format.YAML)
    tags = first(doc).every("tag")
    assert "      tag: [a]\n" in edit.remove_property(doc, first(doc), tags[1]).text
    assert "      tag: [b]\n" in edit.remove_property(doc, first(doc), tags[0]).text


def test_the_key_behind_the_dash_can_be_removed() -> None:
    doc = read(Format.YAML)
    name = first(doc).find("name")
    assert name is not None
    changed = edit.remove_property(doc, first(doc), name)
    assert first(changed).get("name") is None
    assert changed.text == doc.text.replace("- name: dummy   # in", "-    # in")


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("kind", [Kind.INPUT, Kind.FILTER, Kind.OUTPUT, Kind.CUSTOM])
def test_a_section_can_be_added_and_removed_again(format: Format, kind: Kind) -> None:
    doc = read(format)
    changed = edit.add_section(doc, kind, [("name", "x"), ("option", "a: b # c")])
    added = changed.of(kind)[-1]
    assert [(prop.name, prop.value) for prop in added.properties] == [("name", "x"), ("option", "a: b # c")]
    assert meaning.same(edit.remove_section(changed, added), doc)


@pytest.mark.parametrize("format", list(Format))
def test_a_section_can_be_added_to_nothing(format: Format) -> None:
    doc = read(format, "{}" if format is Format.JSON else "")
    changed = edit.add_section(doc, Kind.INPUT, [("name", "dummy")])
    assert [plugin.id for plugin in changed.plugins] == ["dummy.0"]


def test_line_ends_and_a_missing_last_one_are_kept() -> None:
    doc = read(Format.CLASSIC, "[INPUT]\r\n\tname a\r\n\ttag b")
    changed = edit.add_property(doc, first(doc), "rate", "1")
    assert changed.text == "[INPUT]\r\n\tname a\r\n\ttag b\r\n\trate 1"
    doc = read(Format.YAML, "pipeline:\r\n  inputs:\r\n    - name: a\r\n")
    changed = edit.add_property(doc, first(doc), "rate", "1")
    assert changed.text == "pipeline:\r\n  inputs:\r\n    - name: a\r\n      rate: 1\r\n"


def test_the_text_of_an_included_file_is_edited_in_its_place() -> None:
    files = {"in.yaml": b"pipeline:\n  inputs:\n    - name: dummy\n"}
    doc = formats.parse("includes: [in.yaml]\n", "main.yaml", read=files.get)
    changed = edit.set_property(doc, first(doc), "name", "cpu")
    assert changed.text == doc.text
    assert changed.sources[1].text == "pipeline:\n  inputs:\n    - name: cpu\n"


def test_a_key_alone_in_flow_style_gets_its_colon() -> None:
    doc = read(Format.YAML, "pipeline: {inputs: [{name: x, alias}]}\n")
    assert edit.set_property(doc, first(doc), "alias", "a").text == "pipeline: {inputs: [{name: x, alias: a}]}\n"


def test_a_value_behind_a_tag_or_an_anchor_is_found() -> None:
    doc = read(Format.YAML, "!!map {}\n")
    assert edit.add_section(doc, Kind.CUSTOM, [("name", "x")]).plugins[0].id == "x.0"
    doc = read(Format.YAML, "pipeline: {inputs: &a [!t {name: !!str x}]}\n")
    assert first(edit.add_property(doc, first(doc), "tag", "t")).get("tag") == "t"


INJECTIONS = [
    "x\n[OUTPUT]\n    name exec",
    "x\r\n    tag b",
    "x\n      tag: b",
    'x", "tag": "b',
    "x'\n  outputs:\n    - name: exec #",
    "a\0b",
    " x",
    "x ",
    "",
    "*",
    "{a: b}",
    "x: y",
    "x # y",
    "- x",
    "\u2028x",
    "|\n x",
    "@INCLUDE /etc/passwd",
    "]",
    "\ufeff",
]


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("value", INJECTIONS)
def test_a_hostile_value_stays_a_value_or_is_refused(format: Format, value: str) -> None:
    doc = read(format)
    _assert_only_a_value(doc, value)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(Format)), st.text(max_size=30) | st.text(alphabet=" \n\r\t:#'\"{}[]-,&*|>%@\\x", max_size=12))
def test_any_value_stays_a_value_or_is_refused(format: Format, value: str) -> None:
    _assert_only_a_value(read(format), value)


def _assert_only_a_value(doc: Document, value: str) -> None:
    section = first(doc)
    try:
        changed = edit.set_property(doc, section, "name", value)
    except ConfigError:
        return
    assert len(changed.sections) == len(doc.sections)
    assert first(changed).get("name") == value
    assert [prop.name for prop in first(changed).properties] == [prop.name for prop in section.properties]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Format)), st.text(max_size=20), st.text(max_size=20))
def test_any_key_and_value_add_one_property_or_are_refused(format: Format, key: str, value: str) -> None:
    doc = read(format)
    changes: list[Callable[[], Document]] = [
        lambda: edit.add_property(doc, first(doc), key, value),
        lambda: edit.add_section(doc, Kind.FILTER, [("name", "x"), (key, value)]),
    ]
    for change in changes:
        try:
            changed = change()
        except ConfigError:
            continue
        assert sum(len(one.properties) for one in changed.sections) - sum(len(one.properties) for one in doc.sections) in (1, 2)
        assert len(changed.sections) - len(doc.sections) in (0, 1)
