"""No input raises anything but the engine's own error, whatever is read prints back, and work grows with the size only.

No test measures time: pytest's limit ends one that does not come to an end, and work is counted in calls.
"""

import contextlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary.fluentbit import convert, diff, formats, graph, meaning, ports, references, targets
from nectary.fluentbit.document import ConfigError, Document, Format, Limits
from nectary.fluentbit.validate import check
from tests.harness.work import calls_of

PIECES = [
    *(
        "[INPUT]",
        "[OUTPUT]\n",
        "[",
        "]",
        "@SET A=b",
        "@INCLUDE x\n",
        "@",
        "    name dummy\n",
        "    ",
        "\t",
        "\n",
        "\r\n",
        "# c\n",
    ),
    *(
        "pipeline:\n",
        "  inputs:\n",
        "    - name: x\n",
        "      processors:\n",
        "        logs:\n",
        "- ",
        ": ",
        "env:\n",
        "service:\n",
    ),
    *(
        '{"pipeline": ',
        '{"inputs": [',
        '{"name": "x"}',
        "]}",
        "}",
        '"',
        "\\u00e9",
        "\\",
        ",",
        "null",
        "1e9",
        "&a ",
        "*a",
        "<<: ",
        "|\n",
    ),
    *(
        "${A:-b}",
        "{{ secrets.X }}",
        "{{files.y}}",
        "routes:",
        "\0",
        "\ufeff",
        "é",
        "\u2028",
        "match: '*'\n",
        "rule a b\n",
        "0x1",
        "inf",
    ),
]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def read(data: str | bytes, format: Format) -> Document | None:
    try:
        return formats.parse(data, "main", format)
    except ConfigError as refused:
        problems = refused.problems
    assert problems
    assert all(problem.place.line >= 1 and problem.place.column >= 1 for problem in problems)
    return None


def use(document: Document, data: str | bytes) -> None:
    source = document.sources[0]
    assert data == (source.text if isinstance(data, str) else source.text.encode(source.encoding))
    for to in Format:
        try:
            result = convert.convert(document, to)
        except ConfigError as refused:
            pytest.fail(f"not converted to {to}: {refused}")
        if result.lossless:
            assert meaning.same(document, result.document)
            assert not diff.diff(document, result.document)
    references.find(document)
    ports.find(document)
    targets.find(document)
    graph.of_document(document)


@settings(max_examples=500, deadline=None)
@given(texts, st.sampled_from(list(Format)))
def test_any_text_is_read_or_refused(text: str, format: Format) -> None:
    document = read(text, format)
    if document is not None:
        use(document, text)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | texts.map(str.encode), st.sampled_from(list(Format)))
def test_any_bytes_are_read_or_refused(data: bytes, format: Format) -> None:
    document = read(data, format)
    if document is not None:
        use(document, data)


MANY = 10_000_000
HOSTILE: dict[str, Callable[[], str]] = {
    "one line": lambda: "x" * MANY,
    "brackets": lambda: "[" * MANY,
    "braces": lambda: "{" * MANY,
    "open maps": lambda: "a:\n" * (MANY // 3),
    "questions": lambda: "? " * (MANY // 2),
    "dashes": lambda: "- " * (MANY // 2),
    "quotes": lambda: '"' * MANY,
    "blanks": lambda: " " * MANY,
    "line ends": lambda: "\n" * MANY,
    "anchors": lambda: "&a " * (MANY // 3),
    "headers": lambda: "[INPUT]\n" * (MANY // 8),
    "aliases": lambda: "a: &a [x]\n" + "b: *a\n" * (MANY // 6),
}


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_ten_million_hostile_characters_end_with_a_finding(name: str, format: Format) -> None:
    text = HOSTILE[name]()
    with pytest.raises(ConfigError, match="larger than"):
        formats.parse(text, "main", format)


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_text_within_the_limit_is_read_or_refused(name: str, format: Format) -> None:
    read(HOSTILE[name]()[:1_000_000], format)


VALUES = {
    "keys": ("a:\n" * 600_000, Format.YAML),
    "flow items": ("a: [" + "b," * 600_000 + "]", Format.YAML),
    "numbers": ('{"a": [' + "1," * 600_000 + "1]}", Format.JSON),
}


@pytest.mark.parametrize("name", VALUES)
def test_more_values_than_any_configuration_has_are_refused_before_they_fill_the_memory(name: str) -> None:
    text, form = VALUES[name]
    with pytest.raises(ConfigError, match="more than 300000 values in one file") as refused:
        formats.parse(text, "main", form)
    assert [problem.kind for problem in refused.value.problems] == ["too_large"]


def test_a_graph_of_more_ways_than_anybody_could_look_at_is_refused() -> None:
    sources = "".join(f"[INPUT]\n    name dummy\n    tag a{number}\n" for number in range(2000))
    for match in ("*", "a*", "*1"):
        outputs = f"[OUTPUT]\n    name stdout\n    match {match}\n" * 2000
        with pytest.raises(ConfigError, match="too many ways"):
            graph.of_document(formats.parse(sources + outputs, "main", Format.CLASSIC))
    exact = "".join(f"[OUTPUT]\n    name stdout\n    match a{number}\n" for number in range(2000))
    assert len(graph.of_document(formats.parse(sources + exact, "main", Format.CLASSIC)).edges) == 2000


def test_deep_values_are_refused_and_do_not_end_the_process() -> None:
    for text in (
        "extensions: {a: " + "[" * 5000,
        "a: " + "{b: " * 5000,
        "extensions:\n" + "".join(" " * n + "a:\n" for n in range(1, 900)),
    ):
        with pytest.raises(ConfigError, match="deep"):
            formats.parse(text, "main", Format.YAML)
    with pytest.raises(ConfigError, match="deep"):
        formats.parse('{"a": ' * 5000, "main", Format.JSON)


INPUT = "pipeline:\n  inputs:\n    - name: dummy\n"
STATES = "multiline_parsers:\n  - name: m\n    type: regex\n    rules:\n"


def lines(head: str, line: str) -> Callable[[int], str]:
    return lambda count: head + "".join(line.replace("#", str(number)) for number in range(count))


SHAPES: dict[str, tuple[Callable[[int], str], Format]] = {
    "tags and matches": (
        lines("", "[INPUT]\n    name dummy\n    tag a#\n[OUTPUT]\n    name stdout\n    match a#*\n"), Format.CLASSIC,
    ),
    "repeated keys": (lines("[INPUT]\n    name tail\n", "    path /a#\n"), Format.CLASSIC),
    "unknown keys": (lines("[INPUT]\n    name tail\n", "    k# v\n"), Format.CLASSIC),
    "one port": (lines("", "[INPUT]\n    name tcp\n    port 5170\n"), Format.CLASSIC),
    "variables": (lines("@SET x=y\n[SERVICE]\n", "    k# ${x}\n"), Format.CLASSIC),
    "parsers": (lines("parsers:\n", "  - {name: p#, format: regex, regex: '(?<a>b)'}\n"), Format.YAML),
    "states": (
        lines(STATES, "      - {state: s#, regex: /a/, next_state: s#}\n"),
        Format.YAML,
    ),
    "nodes": (lines("upstream_servers:\n  - name: u\n    nodes:\n", "      - {name: n#, host: h, port: 1}\n"), Format.YAML),
    "units": (
        lines(INPUT + "      processors:\n        logs:\n", "          - {name: labels, upsert: a #}\n"),
        Format.YAML,
    ),
    "routes": (
        lines(INPUT + "      routes:\n        logs:\n", "          - {name: r#, to: {outputs: [o#]}}\n"),
        Format.YAML,
    ),
    "empty keys": (lines("", "a#:\n"), Format.YAML),
    "pairs": (lambda count: '{"x": {' + ",\n".join(f'"k{n}": "{n}"' for n in range(count)) + "}}", Format.JSON),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_checking_and_converting_grow_with_the_size_and_not_faster(name: str) -> None:
    make, form = SHAPES[name]

    def work(text: str) -> None:
        check(text, form, limits=Limits(problems=10**6))
        with contextlib.suppress(ConfigError):
            document = formats.parse(text, "main", form)
            for to in Format:
                convert.convert(document, to)
            ports.find(document)
            references.find(document)
            targets.find(document)
            diff.diff(document, document)

    work(make(20))  # what is made once is made now
    small, large = calls_of(partial(work, make(150))), calls_of(partial(work, make(600)))
    assert small < large < 4.6 * small


@pytest.mark.parametrize("form", list(Format))
def test_the_work_grows_with_the_size_and_not_faster(form: Format) -> None:
    section = {
        Format.CLASSIC: "[INPUT]\n    name dummy\n    tag x\n",
        Format.YAML: "    - name: dummy\n      tag: x\n",
        Format.JSON: '{"name": "dummy", "tag": "x"},\n',
    }[form]
    head = {Format.CLASSIC: "", Format.YAML: "pipeline:\n  inputs:\n", Format.JSON: '{"pipeline": {"inputs": [\n'}[form]
    tail = {Format.CLASSIC: "", Format.YAML: "", Format.JSON: '{"name": "x"}]}}'}[form]
    formats.parse(head + section + tail, "main", form)  # what is made once is made now
    small, large = (calls_of(partial(formats.parse, head + section * count + tail, "main", form)) for count in (500, 4000))
    assert 500 < small < large < 8.1 * small
