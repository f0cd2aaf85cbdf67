"""Fuzzes the configuration engine: any bytes are read or refused, never anything else, and whatever is read survives every use.

    python -m benchmarks.fuzz_config --seconds 60 [--seed N] [--corpus DIR]

Coverage-guided: an input that reaches a new step between two lines of the engine joins the corpus and is changed further. With
atheris installed its mutator and its faster tracing are used; without it, the same in plain Python. Ends with exit code 1 and
the input, as Python bytes, when something is found.
"""

import argparse
import importlib.util
import random
import sys
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from nectary.fluentbit import convert, diff, edit, findings, formats, graph, meaning, ports, references, side_files, targets
from nectary.fluentbit.document import ConfigError, Document, Format, Kind, Limits
from nectary.fluentbit.schema import load
from nectary.fluentbit.validate import check

FORMATS = tuple(Format)
KNOWN = load()
SLOW = 5.0
"""Seconds one input may take, tracing included."""

SEEDS = [
    b"[SERVICE]\n  parsers_file p.conf\n  streams_file s.yaml\n  plugins_file o.conf\n[OUTPUT]\n  name es\n  upstream u.yaml\n",
    b"service: {parsers_file: p.conf}\nparsers: [{name: x}]\nstream_processor: [{name: t, exec: q}]\nplugins: [/a.so]\n",
    b"upstream_servers: [{name: u, nodes: [{host: h}]}]\npipeline: {outputs: [{name: forward, upstream: main}]}\n",
    b"[SERVICE]\n    flush 1\n[INPUT]\n    name dummy\n    tag a.b\n    dummy {}\n[OUTPUT]\n    name stdout\n    match *\n",
    b"@SET A=b\n@INCLUDE x.conf\n# c\n[IN]\n\tname ${A:-c}\n\t[My Group]\n\t\tk v\n[PARSER]\n\tname p\n",
    b'[MULTILINE_PARSER]\n  name m\n  rule "start_state" "/a/" "b"\n[UPSTREAM]\n  name u\n[NODE]\n  host h\n[X]\n  y z\n',
    b"env:\n  A: 1\nservice:\n  flush: 1\npipeline:\n  inputs:\n    - name: x\n      tag: [a, b]\n      code: |\n        x\n",
    b"pipeline:\n  inputs:\n    - name: x\n      processors:\n        logs:\n          - {name: y, a: [1, {b: null}]}",
    b"env:\n  - {name: A, uri: 'file:///x', refresh_interval: 5s}\nincludes: [a.yaml]\n---\nextra: {a: b}\n",
    b'{"service": {"flush": 1.50}, "pipeline": {"inputs": [{"name": "tcp", "port": "${P:-1}", "routes": {"logs": []}}]}}',
    b"multiline_parsers: [{name: m, rules: [{state: a, regex: b}]}]\nupstream_servers: [{name: u, nodes: [{host: h}]}]\n",
]
SIDE_FILES = {
    "p.conf": b'# p\n[PARSER]\n  name a\n  format json\n[MULTILINE_PARSER]\n  name m\n  rule "a" "/b/" "c"\n',
    "s.yaml": b"stream_processor: [{name: a, exec: b}]\nservice: {flush: 1}\n",
    "u.yaml": b"upstream_servers: [{name: u, nodes: [{name: a, host: h, port: 1}]}]\n",
    "o.conf": b"[PLUGINS]\n    path /x.so\n    path y.so\n",
}
WORDS = [
    *(b"parsers_file", b"streams_file", b"plugins_file", b"upstream", *(name.encode() for name in SIDE_FILES), b"main"),
    *(sign.encode() for sign in "\n\t {}[],'\"#\\\0é\u2028\ufeff"),
    *(b"\r\n", b"    ", b"  ", b": ", b"- ", b" #", b"|\n", b">\n", b"&a ", b"*a", b"!!str ", b"? ", b"---\n", b"..."),
    *(b"\xff\xfe", b"\\u0041", b"\\ud83d\\ude42", b"\\x00", b"[INPUT]\n", b"[OUTPUT]", b"@SET A=b\n", b"@INCLUDE "),
    *(b"name", b"match", b"${A}", b"${A:-b}", b"{{ secrets.A }}", b"{{files.a}}", b"file://", b"env:\n", b"service:\n"),
    *(b"pipeline:\n", b"inputs:", b"processors:", b"routes:", b"telemetry:", b"rules:", b"nodes:", b"includes:", b"plugins:"),
    *(b"null", b"true", b"007", b"1e9", b"0x1f", b"inf", b"nan", b"-1", b"18446744073709551616", b"yes", b"~", b"<<: "),
]


def one_input(data: bytes) -> None:
    """Read the bytes as the format their first byte chooses, and use what was read in every way; raises if that goes wrong."""
    if not data:
        return
    written_in, data = FORMATS[data[0] % len(FORMATS)], data[1:]
    files = {"a.yaml": b"service: {flush: 1}\n", "x.conf": b"[FILTER]\n name x\n"}
    limits = Limits(bytes=100_000)
    found = check(
        data, written_in, schema=KNOWN, file="main", read=files.get, glob=lambda _: ["a.yaml"], fleet=True, limits=limits
    )
    findings.as_report(found, {"main": data.decode("utf-8", "replace")})
    try:
        document = formats.parse(data, "main", written_in, read=files.get, glob=lambda _: ["a.yaml"], limits=limits)
    except ConfigError:
        return
    source = document.sources[0]
    assert source.text.encode(source.encoding) == data, "printing changed the text"
    _convert(document)
    _edit(document, data)
    references.find(document)
    ports.find(document)
    targets.find(document)
    graph.of_document(document)


def _convert(document: Document) -> None:
    for to in Format:
        result = convert.convert(document, to)
        if result.lossless:
            assert meaning.same(document, result.document), f"converting to {to} changed the meaning"
            assert not diff.diff(document, result.document), f"converting to {to} left a difference"
        _convert_with_files(document, to)


def _convert_with_files(document: Document, to: Format) -> None:
    parsed = {name: formats.parse(text, name) for name, text in SIDE_FILES.items()}
    made = side_files.convert_all(document, to, parsed.get)
    assert len(dict(made.files)) == len(made.files), "two files of one name"
    if made.lossless and to is not document.format:
        new = {name: one.document for name, one in made.files}
        main = made.files[0][1].document
        before, after = side_files.whole(document, parsed.get), side_files.whole(main, new.get)
        assert meaning.same(before, after), f"converting all files to {to} changed the meaning"


def _edit(document: Document, data: bytes) -> None:
    """Put a piece of the input itself into a value: hostile text inside a text it may fit."""
    value = data[-20:].decode("utf-8", "replace")
    for section in document.sections[:2]:
        for prop in (*section.properties[:1], *section.properties[-1:]):
            try:
                changed = edit.set_property(document, section, prop.name, value)
                assert len(changed.sections) == len(document.sections), "a value opened a section"
                edit.remove_property(document, section, prop)
            except ConfigError:
                continue
    try:
        edit.add_section(document, Kind.OUTPUT, [("name", value), ("match", "*")])
    except ConfigError:
        return


class _Coverage:
    """The steps from line to line inside the engine that one run took."""

    def __init__(self) -> None:
        self.seen: set[tuple[CodeType, int, int]] = set()
        self.new = False

    def run(self, data: bytes) -> bool:
        """Whether this input went somewhere new."""
        self.new = False
        sys.settrace(self._call)
        try:
            one_input(data)
        finally:
            sys.settrace(None)
        return self.new

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        del event, arg
        if "/nectary/fluentbit/" not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        last, code = 0, frame.f_code

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal last
            del arg
            if event == "line":
                step = (code, last, frame.f_lineno)
                last = frame.f_lineno
                if step not in self.seen:
                    self.seen.add(step)
                    self.new = True
            return line

        return line


def mutated(choose: random.Random, corpus: list[bytes]) -> bytes:
    """One to six changes to an input of the corpus: a word put in, a piece cut, copied, or joined with another input."""
    data = bytearray(choose.choice(corpus))
    for _ in range(choose.randint(1, 6)):
        at, end = sorted((choose.randint(0, len(data)), choose.randint(0, len(data))))
        end = min(end, at + choose.choice((1, 4, 16, 64)))
        match choose.randint(0, 5):
            case 0:
                data[at:at] = choose.choice(WORDS)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * choose.choice((1, 1, 2, 8))
            case 3:
                data[at : at + 1] = bytes([choose.randrange(256)])
            case 4:
                data[at:end] = choose.choice(WORDS)
            case _:
                other = choose.choice(corpus)
                start = choose.randint(0, len(other))
                data[at:end] = other[start : start + choose.choice((8, 32, 128))]
    return bytes(data[:4000])


def fuzz(seconds: float, seed: int, corpus: list[bytes]) -> tuple[int, int, bytes | None]:
    """Runs made, steps covered, and the input that broke something, if any."""
    choose, coverage, runs = random.Random(seed), _Coverage(), 0
    kept = [bytes([number]) + text for text in corpus for number in range(len(FORMATS))]
    waiting = list(kept)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        data = waiting.pop() if waiting else mutated(choose, kept)
        started = time.monotonic()
        try:
            if coverage.run(data):
                kept.append(data)
            runs += 1
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return runs, len(coverage.seen), data
        if time.monotonic() - started > SLOW:
            print(f"one input took {time.monotonic() - started:.1f} s", file=sys.stderr)
            return runs, len(coverage.seen), data
    return runs, len(coverage.seen), None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--corpus", type=Path, help="a folder of configurations to start from, besides the built-in ones")
    chosen = parser.parse_args()
    corpus = list(SEEDS)
    if chosen.corpus is not None:
        found = sorted(path for path in chosen.corpus.rglob("input.*") if path.stat().st_size < 4000)
        corpus += [path.read_bytes() for path in found]
    if importlib.util.find_spec("atheris") is not None:
        return _atheris(chosen.seconds)
    seed = chosen.seed or random.SystemRandom().randrange(1, 2**32)
    runs, steps, broken = fuzz(chosen.seconds, seed, corpus)
    print(f"{runs} inputs, {steps} steps covered, seed {seed}: {'nothing found' if broken is None else 'found'}")
    if broken is not None:
        print(repr(broken))
    return 0 if broken is None else 1


def _atheris(seconds: float) -> int:
    """The same by atheris (libFuzzer), which ends the process itself."""
    atheris: Any = importlib.import_module("atheris")
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", "-max_len=4000", "-timeout=10"], one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
