"""Configurations in several files keep their meaning from one format to another, and what cannot be kept is said."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from nectary.fluentbit import formats, meaning, side_files
from nectary.fluentbit.document import ConfigError, Document, Format, Severity
from nectary.fluentbit.side_files import Written

MAIN = """\
# of all
service:
  flush: 1
  # keep this
  parsers_file: lib/extra.yaml
parsers:
  # the first
  - name: one
    format: json
multiline_parsers:
  - name: trace
    type: regex
    rules:
      - {state: start_state, regex: '/^a/', next_state: cont}
      - {state: cont, regex: '/^ /', next_state: cont}
stream_processor:
  - name: all
    exec: CREATE STREAM x AS SELECT * FROM TAG:'a';
plugins:
  - /opt/out_x.so
upstream_servers:
  - name: pair
    nodes:
      - {name: n1, host: 127.0.0.1, port: 24224}
      - {name: n2, host: 127.0.0.1, port: 24225}
pipeline:
  inputs:
    - {name: dummy, tag: a}
  outputs:
    - name: forward
      match: a
      upstream: main.yaml
# the end
"""
EXTRA = "# extra\nparsers:\n  - {name: two, format: logfmt}\n"


def documents(files: Mapping[str, str]) -> dict[str, Document]:
    return {name: formats.parse(text, name) for name, text in files.items()}


def texts(made: Written) -> dict[str, str]:
    return {name: one.text for name, one in made.files}


def test_what_classic_keeps_apart_goes_to_files_that_the_main_file_names() -> None:
    made = side_files.convert_all(formats.parse(MAIN, "main.yaml"), Format.CLASSIC, documents({"lib/extra.yaml": EXTRA}).get)
    assert made.lossless
    assert texts(made) == {
        "main.conf": "# of all\n[SERVICE]\n    flush 1\n    # keep this\n    parsers_file extra.conf\n"
        "    parsers_file main.parsers.conf\n    streams_file main.streams.conf\n    plugins_file main.plugins.conf\n\n"
        "[INPUT]\n    name dummy\n    tag a\n\n[OUTPUT]\n    name forward\n    match a\n    upstream main.upstream.conf\n"
        "# the end\n",
        "extra.conf": "# extra\n[PARSER]\n    name two\n    format logfmt\n",
        "main.parsers.conf": "# the first\n[PARSER]\n    name one\n    format json\n\n[MULTILINE_PARSER]\n    name trace\n"
        '    type regex\n    rule "start_state" "/^a/" "cont"\n    rule "cont" "/^ /" "cont"\n',
        "main.streams.conf": "[STREAM_TASK]\n    name all\n    exec CREATE STREAM x AS SELECT * FROM TAG:'a';\n",
        "main.plugins.conf": "[PLUGINS]\n    path /opt/out_x.so\n",
        "main.upstream.conf": "[UPSTREAM]\n    name pair\n\n[NODE]\n    name n1\n    host 127.0.0.1\n    port 24224\n\n"
        "[NODE]\n    name n2\n    host 127.0.0.1\n    port 24225\n",
    }


@pytest.mark.parametrize("back", [Format.YAML, Format.JSON])
def test_there_and_back_all_files_together_mean_the_same(back: Format) -> None:
    old = documents({"main.yaml": MAIN, "lib/extra.yaml": EXTRA})
    there = documents(texts(side_files.convert_all(old["main.yaml"], Format.CLASSIC, old.get)))
    made = side_files.convert_all(there["main.conf"], back, there.get)
    assert made.lossless
    again = documents(texts(made))
    main = next(iter(again.values()))
    expected = side_files.whole(old["main.yaml"], old.get)
    assert meaning.same(expected, side_files.whole(there["main.conf"], there.get))
    assert meaning.same(expected, side_files.whole(main, again.get))
    # Fluent Bit reads no JSON from side files.
    assert {name.rpartition(".")[2] for name in again} == {"yaml", str(back)}


def test_what_all_files_mean_depends_on_each_of_them() -> None:
    old = documents({"main.yaml": MAIN, "lib/extra.yaml": EXTRA})
    other = old | documents({"lib/extra.yaml": EXTRA.replace("logfmt", "ltsv")})
    assert not meaning.same(side_files.whole(old["main.yaml"], old.get), side_files.whole(old["main.yaml"], other.get))
    moved = formats.parse(MAIN.replace("24225", "24226"), "main.yaml")
    assert not meaning.same(side_files.whole(old["main.yaml"], old.get), side_files.whole(moved, old.get))


def test_a_file_that_is_not_to_be_had_stays_named_and_that_is_said() -> None:
    main = formats.parse("[SERVICE]\n    parsers_file ${HOME}/p.conf\n", "main.conf")
    made = side_files.convert_all(main, Format.YAML, documents({}).get)
    assert texts(made) == {"main.yaml": "service:\n  parsers_file: '${HOME}/p.conf'\n"}
    (finding,) = made.findings
    assert (finding.kind, finding.severity, finding.place.line) == ("side_file_kept", Severity.WARNING, 2)


def test_files_of_the_same_name_in_two_folders_do_not_overwrite_each_other() -> None:
    main = formats.parse(
        "[SERVICE]\n    parsers_file a/p.conf\n    parsers_file b/p.conf\n    parsers_file main.conf.conf\n", "main.conf"
    )
    sides = {
        "a/p.conf": "[PARSER]\n    name a\n",
        "b/p.conf": "[PARSER]\n    name b\n",
        "main.conf.conf": "[PARSER]\n    name c\n",
    }
    made = texts(side_files.convert_all(main, Format.YAML, documents(sides).get))
    assert made == {
        "main.yaml": "service:\n  parsers_file: p.yaml\n  parsers_file: p-2.yaml\n  parsers_file: main.conf.yaml\n",
        "p.yaml": "parsers:\n  - name: a\n",
        "p-2.yaml": "parsers:\n  - name: b\n",
        "main.conf.yaml": "parsers:\n  - name: c\n",
    }


def test_a_side_file_is_not_taken_for_the_main_file() -> None:
    main = formats.parse("[SERVICE]\n    parsers_file main.cfg\n", "main.conf")
    sides = documents({"main.cfg": "[PARSER]\n    name a\n"})
    assert list(texts(side_files.convert_all(main, Format.YAML, sides.get))) == ["main.yaml", "main-2.yaml"]


def test_stream_tasks_beside_a_streams_file_have_no_place_in_classic() -> None:
    text = "service: {streams_file: s.yaml}\nstream_processor: [{name: a, exec: b}]\n"
    sides = documents({"s.yaml": "stream_processor: [{name: c, exec: d}]\n"})
    made = side_files.convert_all(formats.parse(text, "m.yaml"), Format.CLASSIC, sides.get)
    assert not made.lossless
    assert [finding.message.partition(":")[0] for finding in made.findings] == ["stream task a"]
    assert texts(made)["s.conf"] == "[STREAM_TASK]\n    name c\n    exec d\n"


def test_what_fluent_bit_does_not_read_in_a_side_file_is_left_out_and_listed() -> None:
    main = formats.parse("service: {parsers_file: p.yaml}\n", "m.yaml")
    sides = documents({"p.yaml": "service: {flush: 5}\nparsers: [{name: a}]\n"})
    made = side_files.convert_all(main, Format.CLASSIC, sides.get)
    assert texts(made)["p.conf"] == "[PARSER]\n    name a\n"
    assert [(finding.kind, str(finding.place)) for finding in made.findings] == [("left_out", "p.yaml:1:1")]


def test_several_upstreams_in_one_file_are_an_error_because_the_formats_differ() -> None:
    main = formats.parse("[OUTPUT]\n    name forward\n    match *\n    upstream u.conf\n", "m.conf")
    twice = "[UPSTREAM]\n    name a\n[NODE]\n    name n\n    host h\n    port 1\n"
    made = side_files.convert_all(main, Format.YAML, documents({"u.conf": twice + twice}).get)
    assert [str(finding.place) for finding in made.findings if finding.severity is Severity.ERROR] == ["u.conf:7:1"]


def test_a_side_file_that_is_no_configuration_stops_the_conversion(tmp_path: Path) -> None:
    def look(path: str) -> Document:
        return formats.parse("[PARSER\n", path)

    with pytest.raises(ConfigError, match=r"p\.conf:1:1"):
        side_files.convert_all(formats.parse("[SERVICE]\n    parsers_file p.conf\n", "m.conf"), Format.YAML, look)


def test_every_vector_means_the_same_with_its_side_files(shared: Path) -> None:
    count = 0
    for path in sorted((shared / "vectors").glob("*/input.*")):
        folder = path.parent

        def look(name: str, folder: Path = folder) -> Document | None:
            return formats.parse((folder / name).read_bytes(), name) if (folder / name).is_file() else None

        try:
            document = formats.parse(path.read_bytes(), path.name)
        except ConfigError:
            continue
        for to in Format:
            if to is document.format:
                continue
            made = side_files.convert_all(document, to, look)
            new = {name: one.document for name, one in made.files}
            if made.lossless:
                count += 1
                main = made.files[0][1].document
                assert meaning.same(side_files.whole(document, look), side_files.whole(main, new.get)), (path, to)
    assert count > 100
