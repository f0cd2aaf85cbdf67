"""The classic format, line by line: what is read, where it stands, and what is refused."""

import pytest

from nectary.fluentbit import classic
from nectary.fluentbit.document import LIMITS, ConfigError, Document, Kind, Limits, Place

BASIC = """\
# head
@SET PATH_A=/var/log
[SERVICE]
    Flush 1

[INPUT]
    Name  tail
    Path  ${PATH_A}/*.log   \n    Tag   app
    # a comment
    Path_Key file
[OUTPUT]
    Name stdout
    Match *
"""


def problems(text: str | bytes, **options: object) -> list[tuple[str, int, int]]:
    with pytest.raises(ConfigError) as refused:
        classic.parse(text, "main.conf", **options)  # type: ignore[arg-type]
    return [(one.kind, one.place.line, one.place.column) for one in refused.value.problems]


def test_a_plain_configuration_is_read_with_places() -> None:
    doc = classic.parse(BASIC, "main.conf")
    assert [section.kind for section in doc.sections] == [Kind.SERVICE, Kind.INPUT, Kind.OUTPUT]
    tail = doc.sections[1]
    assert [(prop.name, prop.value) for prop in tail.properties] == [
        ("name", "tail"),
        ("path", "${PATH_A}/*.log"),
        ("tag", "app"),
        ("path_key", "file"),
    ]
    path = tail.find("path")
    assert path is not None
    assert path.place == Place("main.conf", 8, 5)
    assert path.value_place == Place("main.conf", 8, 11)
    assert doc.variables[0].name == "PATH_A"
    assert doc.variables[0].value_place == Place("main.conf", 2, 13)
    assert doc.text == BASIC


def test_ids_count_per_kind_and_an_alias_is_what_is_displayed() -> None:
    text = "[INPUT]\n  name CPU\n[OUTPUT]\n  name stdout\n[INPUT]\n  name mem\n  alias m\n[INPUT]\n  name tcp://127.0.0.1:9\n"
    doc = classic.parse(text)
    assert [plugin.id for plugin in doc.plugins] == ["cpu.0", "stdout.0", "mem.1", "tcp.2"]
    assert [plugin.display for plugin in doc.plugins] == ["cpu.0", "stdout.0", "m", "tcp.2"]
    assert doc.plugins[3].address == "://127.0.0.1:9"
    found = doc.plugin("m")
    assert found is not None
    assert found.owner == "input:mem:mem.1"
    assert doc.plugin("nothing") is None


def test_all_problems_are_reported_at_once_in_order() -> None:
    text = "[INPUT]\n    name\n    tag\tx\n  rate 1\n[OUTPUT\n    name stdout\n@X\n[FILTER]\n    match \n@FOO\n"
    assert problems(text) == [
        ("value_missing", 2, 5),
        ("value_missing", 3, 5),
        ("bad_indent", 4, 1),
        ("bad_header", 5, 1),
        ("bad_indent", 7, 1),
        ("empty_value", 9, 5),
        ("bad_command", 10, 1),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "line", "column"),
    [
        ("[]\n    name x\n", "bad_header", 1, 1),
        ("[INPUT]\nname dummy\n", "bad_indent", 2, 1),
        ("[INPUT]\n    tag a\0b\n", "nul_byte", 2, 10),
        ("[INPUT]\n\tname x\n    tag y\n", "bad_indent", 3, 1),
        ("    name x\n", "key_before_section", 1, 5),
        ("[INPUT]\n  \f name x\n", "empty_value", 2, 3),
        ("[INPUT]\n    [A B\n", "bad_header", 2, 5),
    ],
)
def test_what_fluent_bit_would_misread_is_refused(text: str, kind: str, line: int, column: int) -> None:
    assert problems(text) == [(kind, line, column)]


def test_bytes_that_are_not_utf_8_are_refused_where_they_stand() -> None:
    assert problems(b"[INPUT]\n    tag caf\xe9\n") == [("bad_encoding", 2, 12)]
    assert problems("[INPUT]\n    tag \ud800\n") == [("bad_encoding", 2, 9)]


def test_odd_things_that_are_accepted_are_warned_about() -> None:
    doc = classic.parse("[INPUT] rest\n    name x\n@FOO bar\n@SET nothing\n")
    assert [(one.kind, one.place.line, one.place.column) for one in doc.warnings] == [
        ("text_after_header", 1, 8),
        ("unknown_command", 3, 1),
        ("bad_command", 4, 1),
    ]


def test_a_header_may_be_shortened_and_another_is_kept() -> None:
    doc = classic.parse("[IN]\n    name x\n[MINE]\n    a b\n[STREAM_TASK]\n    name s\n")
    assert [(section.kind, section.abbreviated) for section in doc.sections] == [
        (Kind.INPUT, True),
        (Kind.OTHER, False),
        (Kind.STREAM_TASK, False),
    ]


def included(main: str, files: dict[str, str], limits: Limits = LIMITS) -> Document:
    texts = {f"{name}.conf": text.encode() for name, text in files.items()}
    return classic.parse(
        main, "main.conf", texts.get, lambda pattern: [name for name in texts if pattern == "*.conf"], limits=limits
    )


def test_an_include_stands_where_it_is_and_the_open_section_goes_on() -> None:
    doc = included("[INPUT]\n    name a\n@INCLUDE o.conf\n    tag x\n", {"o": "[OUTPUT]\n  name stdout\n"})
    assert [(section.kind, section.file) for section in doc.sections] == [(Kind.INPUT, "main.conf"), (Kind.OUTPUT, "o.conf")]
    assert doc.sections[0].get("tag") == "x"
    assert doc.includes[0].files == ("o.conf",)
    assert [source.file for source in doc.sources] == ["main.conf", "o.conf"]


def test_a_pattern_includes_what_fits_it() -> None:
    doc = included("@INCLUDE *.conf\n", {"a": "[INPUT]\n  name a\n", "b": "[INPUT]\n  name b\n"})
    assert [section.get("name") for section in doc.sections] == ["a", "b"]


@pytest.mark.parametrize(
    ("main", "files", "wanted"),
    [
        ("@INCLUDE a.conf\n", {"a": "@INCLUDE b.conf\n", "b": "@INCLUDE a.conf\n"}, ("include_circle", "b.conf", 1)),
        ("@INCLUDE main.conf\n", {}, ("include_circle", "main.conf", 1)),
        ("@INCLUDE a.conf\n@INCLUDE ./a.conf\n", {"a": "\n"}, ("include_twice", "main.conf", 2)),
        ("\n@INCLUDE nope.conf\n", {}, ("file_missing", "main.conf", 2)),
        ("@INCLUDE x/*.conf\n", {}, ("include_no_match", "main.conf", 1)),
        ("@INCLUDE a.conf\n", {"a": "[X\n"}, ("bad_header", "a.conf", 1)),
    ],
)
def test_a_bad_include_is_reported_where_it_stands(main: str, files: dict[str, str], wanted: tuple[str, str, int]) -> None:
    with pytest.raises(ConfigError) as refused:
        included(main, files)
    (problem,) = refused.value.problems
    assert (problem.kind, problem.place.file, problem.place.line) == wanted


def test_without_a_reader_includes_are_kept_and_not_followed() -> None:
    doc = classic.parse("@INCLUDE a.conf\n")
    assert [(include.path, include.files) for include in doc.includes] == [("a.conf", ())]


def test_limits_end_the_reading() -> None:
    with pytest.raises(ConfigError, match="larger than 10 bytes"):
        classic.parse("[INPUT]\n    name x\n", limits=Limits(bytes=10))
    with pytest.raises(ConfigError, match="more than 2 files"):
        included("@INCLUDE a.conf\n@INCLUDE b.conf\n", {"a": "\n", "b": "\n"}, Limits(files=2))
    with pytest.raises(ConfigError, match="deep"):
        included("@INCLUDE a.conf\n", {"a": "@INCLUDE b.conf\n", "b": "\n"}, Limits(depth=1))
    with pytest.raises(ConfigError) as refused:
        classic.parse("[X\n" * 100_000, limits=Limits(problems=7))
    assert len(refused.value.problems) == 7


def test_a_refused_text_still_gives_what_could_be_read() -> None:
    with pytest.raises(ConfigError) as refused:
        classic.parse("[INPUT]\n    name x\n    tag\n")
    assert refused.value.document is not None
    assert refused.value.document.warnings == ()
