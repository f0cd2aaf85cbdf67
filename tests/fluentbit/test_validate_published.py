"""Findings in the published API's shapes."""

import pytest

from nectary.fluentbit.document import Format
from nectary.fluentbit.formats import parse
from nectary.fluentbit.validate import check
from nectary.fluentbit.validate.published import (
    InvalidPayloadError,
    config_validate,
    config_validate_v2,
    detail,
    undefined_hosts,
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[INPUT]\n    name http\n    port @nope@\n", 'http: expected "port" to be a valid integer; got "@nope@"'),
        ("[INPUT]\n    name @nope@\n", 'unknown plugin "@nope@"'),
        ("[INPUT]\n    tag x\n", 'unknown plugin ""'),
        ("[OUTPUT]\n    name stdout\n    match *\n    Formatt x\n", 'stdout: unknown property "Formatt"'),
        ("[FILTER]\n    name grep\n", "line 1: the filter grep has no match, and Fluent Bit does not start such a filter"),
        ("[INPUT]\n    name dummy\n", None),
    ],
)
def test_the_detail_of_a_refusal_is_the_published_sentence(text: str, sentence: str | None) -> None:
    assert detail(check(text, Format.CLASSIC), parse(text, "fluent-bit.conf")) == sentence


def test_a_text_that_cannot_be_read_has_a_detail_with_its_line() -> None:
    sentence = detail(check("[INPUT\n", Format.CLASSIC))
    assert sentence is not None
    assert sentence.startswith("line 1: ")


def test_an_output_to_a_host_of_ones_own_must_name_it() -> None:
    text = (
        "[OUTPUT]\n    name stdout\n    match *\n[OUTPUT]\n    name tcp\n    match *\n"
        "[OUTPUT]\n    name gelf\n    match *\n    host h\n"
        "[OUTPUT]\n    name logdna\n    match *\n    api_key ${K}\n[OUTPUT]\n    name tcp://h:1\n    match *\n"
    )
    assert undefined_hosts(parse(text, "fluent-bit.conf")) == ['host property not defined in section "tcp.1"']


QUESTION = {
    "config": [
        {"id": "1", "command": "INPUT", "name": "tail", "optional": {"path": "/x", "Pth": "/y", "skip_long_lines": True}},
        {"id": "2", "command": "filter", "name": "grep", "optional": None},
        {"id": "3", "command": "OUTPUT", "name": "nothing", "optional": {}},
        {"id": "4", "command": "OUTPUT", "name": "stdout", "optional": {"match": "*\n[INPUT]\n    name exec"}},
        {"id": "5", "command": "SERVICE", "name": "", "optional": {"flush": "0"}},
        {"id": "6", "command": "NONSENSE", "name": "x"},
    ]
}


def test_the_first_shape_lists_sentences_per_plugin() -> None:
    errors = config_validate(QUESTION)["errors"]
    assert errors["input"] == {"tail": ['unknown option "Pth" of tail; did you mean "path"?']}
    assert list(errors["filter"]) == ["grep"]
    assert errors["output"] == {}
    assert [text.partition(";")[0] for text in errors["runtime"]] == [
        'unknown output plugin "nothing"',
        '"flush" of the service cannot be "0"',
        'unknown command "NONSENSE"',
    ]


def test_the_second_shape_names_the_section_and_the_property() -> None:
    errors = config_validate_v2(QUESTION)["errors"]
    assert errors["input"] == {
        "tail": [{"id": "1", "property": "Pth", "text": "/y", "errors": ['unknown option "Pth" of tail; did you mean "path"?']}]
    }
    (grep,) = errors["filter"]["grep"]
    assert (grep["id"], grep["property"], grep["text"]) == ("2", "", None)
    assert [entry["id"] for entry in errors["runtime"]] == ["3", "5", "6"]


def test_nothing_wrong_still_has_all_four_keys() -> None:
    empty: dict[str, object] = {"errors": {"runtime": [], "input": {}, "filter": {}, "output": {}}}
    assert config_validate({"config": []}) == empty
    assert config_validate_v2({"config": []}) == empty


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"config": None}, {"config": [5]}, {"config": [{"command": 1, "name": "x"}]}]
)
def test_another_shape_of_question_is_refused(payload: object) -> None:
    with pytest.raises(InvalidPayloadError):
        config_validate(payload)
    with pytest.raises(InvalidPayloadError):
        config_validate_v2(payload)
