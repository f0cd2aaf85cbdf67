"""The YAML format: what each key holds, what is refused and where."""

import pytest

from nectary.fluentbit import yaml
from nectary.fluentbit.document import ConfigError, Kind, Limits
from nectary.fluentbit.nodes import ListNode, MapNode
from nectary.fluentbit.structure import option_name

ALL = """\
env:
  A: 1
includes: []
service:
  flush: 1
  telemetry: {metrics: {}}
customs:
  - name: calyptia
pipeline:
  inputs:
    - name: dummy
      tag: [a, ' b ']
      memBufLimit: 5M
      processors:
        logs:
          - name: modify
            add: [x y, z w]
      routes: {}
      my_map: {k: v}
  outputs: []
parsers:
  - name: p
    format: json
multiline_parsers:
  - name: m
    rules:
      - {state: start_state, regex: /a/, next_state: b}
stream_processor:
  - {name: s, exec: SELECT 1}
plugins: [/x.so]
upstream_servers:
  - name: u
    nodes: [{name: n, host: 127.0.0.1, port: 1}]
extensions: {any: [1, {x: y}]}
mine: {a: b}
"""


def problems(text: str | bytes, **options: object) -> list[tuple[str, int, int]]:
    with pytest.raises(ConfigError) as refused:
        yaml.parse(text, "main.yaml", **options)  # type: ignore[arg-type]
    return [(one.kind, one.place.line, one.place.column) for one in refused.value.problems]


def test_every_kind_of_section_is_read() -> None:
    doc = yaml.parse(ALL)
    assert [section.kind for section in doc.sections] == [
        Kind.SERVICE,
        Kind.CUSTOM,
        Kind.INPUT,
        Kind.PARSER,
        Kind.MULTILINE_PARSER,
        Kind.STREAM_TASK,
        Kind.PLUGINS,
        Kind.UPSTREAM,
        Kind.EXTENSIONS,
        Kind.OTHER,
    ]
    dummy = doc.of(Kind.INPUT)[0]
    assert [(prop.value, prop.item) for prop in dummy.every("tag")] == [("a", 0), (" b ", 1)]
    assert dummy.get("mem_buf_limit") == "5M"
    processors = dummy.find("processors")
    assert processors is not None
    assert isinstance(processors.nested, MapNode)
    assert isinstance(processors.nested.get("LOGS"), ListNode)
    assert [(group.name, group.get("k")) for group in dummy.groups] == [("my_map", "v")]
    assert doc.of(Kind.MULTILINE_PARSER)[0].groups[0].get("regex") == "/a/"
    assert doc.of(Kind.UPSTREAM)[0].groups[0].name == "node"
    assert doc.of(Kind.PLUGINS)[0].get("path") == "/x.so"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("- a\n", ("bad_structure", 1, 1)),
        ("a: {b: {c: d}}\n", ("bad_structure", 1, 8)),
        ("service: [1]\n", ("bad_structure", 1, 10)),
        ("service:\n", ("bad_structure", 1, 1)),
        ("pipeline:\n  filter: []\n", ("bad_structure", 2, 3)),
        ("pipeline: {inputs: [{name: x, a: [[b]]}]}\n", ("bad_structure", 1, 35)),
        ("pipeline: {inputs: [{name: x, processors: {profiles: []}}]}\n", ("bad_structure", 1, 44)),
        ("env: {A: {b: c}}\n", ("bad_structure", 1, 10)),
        ("upstream_servers:\n  - name: u\n    nodes: x\n", ("bad_structure", 3, 12)),
        ("multiline_parsers:\n  - name: m\n    rules:\n", ("bad_structure", 3, 5)),
        ("service: {a: 1}\nService: {b: 1}\n", ("duplicate_service", 2, 1)),
        ('a: {b: "x\\0y"}\n', ("nul_byte", 1, 8)),
        ("a: {b: *x}\n", ("bad_structure", 1, 8)),
        ("a: {b: \x01}\n", ("bad_yaml", 1, 8)),
        ("? [a]\n: b\n", ("bad_structure", 1, 3)),
        ("parsers:\n  - name: p\n    decode_field: '   '\n", ("empty_value", 3, 19)),
    ],
)
def test_a_wrong_shape_is_refused_where_it_starts(text: str, wanted: tuple[str, int, int]) -> None:
    assert problems(text) == [wanted]


def test_every_wrong_shape_is_reported_at_once() -> None:
    text = "pipeline:\n  inputs: 5\n  outputs:\n    - name: x\n      y: [[1]]\nenv: []\nincludes: x\n"
    assert [line for _, line, _ in problems(text)] == [2, 5, 7]


def test_all_documents_of_a_stream_count() -> None:
    doc = yaml.parse("pipeline: {inputs: [{name: a}]}\n---\npipeline: {inputs: [{name: b}]}\n")
    assert [section.get("name") for section in doc.sections] == ["a", "b"]


def test_utf_16_and_a_byte_order_mark_are_read_and_given_back() -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        data = "service:\n  flush: 1 # é\n".encode(encoding)
        doc = yaml.parse(data)
        assert doc.service[0].place == ("fluent-bit.yaml", 2, 3)
        assert doc.sources[0].text.encode(doc.sources[0].encoding) == data


def test_an_entry_of_the_env_list_without_a_name_is_dropped_with_a_warning() -> None:
    doc = yaml.parse("env:\n  - name: A\n    uri: file:///x\n    refresh_interval: 5s\n  - value: b\n  - C: d\n")
    assert [(one.name, one.value, one.uri, one.refresh) for one in doc.variables] == [
        ("A", "", "file:///x", "5s"),
        ("C", "d", "", ""),
    ]
    assert [(one.kind, one.place.line) for one in doc.warnings] == [("env_without_name", 5)]


def test_includes_are_looked_up_from_the_including_file() -> None:
    files = {"d/a.yaml": b"includes: [b.yaml]\n", "d/b.yaml": b"service: {flush: 1}\n"}
    doc = yaml.parse("includes: [d/a.yaml]\n", "main.yaml", files.get)
    assert [include.files for include in doc.includes] == [("d/a.yaml",), ("d/b.yaml",)]
    assert doc.service[0].file == "d/b.yaml"


def test_depth_is_limited() -> None:
    deep = "extensions: {a: " + "[" * 200 + "]" * 200 + "}"
    assert problems(deep) == [("too_deep", 1, 17 + 62)]
    assert problems("extensions: {a: [[1]]}", limits=Limits(depth=3)) == [("too_deep", 1, 18)]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("memBufLimit", "mem_buf_limit"),
        ("log_Level", "log_level"),
        ("storage.pauseOnChunksOverlimit", "storage.pause_on_chunks_overlimit"),
        ("MemBufLimit", "membuflimit"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_option_names_are_translated_as_fluent_bit_does(key: str, name: str) -> None:
    assert option_name(key) == name
