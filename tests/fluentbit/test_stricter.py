"""The table of places where Nectary is knowingly stricter than Fluent Bit's reader: each row is true on both sides."""

import re
import subprocess
from pathlib import Path

import pytest

from nectary.fluentbit import formats
from nectary.fluentbit.document import ConfigError

PAGE = Path(__file__).parents[2] / "docs" / "config-language.md"
TITLE = "## Where Nectary is stricter than Fluent Bit's reader"
RUNS = "pipeline:\n  inputs:\n    - name: dummy\n  outputs:\n    - {name: stdout, match: '*'}\n"
CLASSIC = b"[INPUT]\n    name dummy\n[OUTPUT]\n    name stdout\n    match *\n"

# For the beginning of each row: files, the first of which is the main one, and the kind found in it.
EXAMPLES: dict[str, list[tuple[dict[str, bytes], str]]] = {
    "classic: a key at column 1": [({"a.conf": b"[SERVICE]\nflush 1\n"}, "bad_indent")],
    "classic: `[]`": [({"a.conf": CLASSIC + b"[]\n    a b\n"}, "bad_header")],
    "classic: a NUL byte": [({"a.conf": CLASSIC + b"# a\0b\n# next\n"}, "nul_byte")],
    "classic: text that is not UTF-8": [({"a.conf": b"# caf\xe9\n" + CLASSIC}, "bad_encoding")],
    "YAML or JSON: a NUL written as an escape": [
        ({"a.yaml": RUNS.encode() + b'env:\n  A: "b\\0c"\n'}, "nul_byte"),
        ({"a.json": b'{"env": {"A": "b\\u0000c"}}'}, "bad_json"),
    ],
    "YAML: a value of only blanks": [
        ({"a.yaml": RUNS.encode() + b"parsers:\n  - {name: p, format: json, time_key: ' '}\n"}, "empty_value"),
        ({"a.yaml": RUNS.encode() + b"service:\n  flush: ' '\n"}, "empty_value"),
        ({"a.yaml": RUNS.encode() + b"mine:\n  a: ' '\n"}, "empty_value"),
    ],
    "YAML: the same file included by two spellings": [
        ({"a.yaml": b"includes: [b.yaml, ./b.yaml]\n" + RUNS.encode(), "b.yaml": b"env: {A: b}\n"}, "include_twice")
    ],
    "JSON: what is YAML but not JSON": [
        ({"a.json": b"{'service': {'flush': 1}}"}, "bad_json"),
        ({"a.json": b'{"service": {"flush": 1},}'}, "bad_json"),
        ({"a.json": b'{"service": {"flush": 1}} # c\n'}, "bad_json"),
    ],
    "files larger, more or nested deeper": [
        ({"a.conf": CLASSIC + b"# " + b"x" * 3_000_000}, "too_large"),
        ({"a.yaml": RUNS.encode() + b"extensions:\n  a: " + b"[" * 80 + b"]" * 80 + b"\n"}, "too_deep"),
    ],
}
CASES = [(row, number) for row, examples in EXAMPLES.items() for number in range(len(examples))]


def rows() -> list[list[str]]:
    section = PAGE.read_text().partition(TITLE)[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1:]]


def test_every_row_has_an_example_and_every_example_a_row() -> None:
    written = [row[0] for row in rows()]
    assert len(written) >= 9
    assert [row for row in written if not any(row.startswith(begin) for begin in EXAMPLES)] == []
    assert [begin for begin in EXAMPLES if not any(row.startswith(begin) for row in written)] == []


@pytest.mark.parametrize(("begin", "number"), CASES)
def test_what_a_row_names_is_refused_with_its_kind(begin: str, number: int) -> None:
    files, kind = EXAMPLES[begin][number]
    (row,) = [row for row in rows() if row[0].startswith(begin)]
    assert kind in re.findall(r"`(\w+)`", row[2])
    name, data = next(iter(files.items()))
    with pytest.raises(ConfigError) as refused:
        formats.parse(data, name, read=files.get)
    assert kind in [problem.kind for problem in refused.value.problems]


@pytest.mark.fluent_bit
@pytest.mark.parametrize(("begin", "number"), CASES)
def test_the_real_program_takes_it(begin: str, number: int, fluent_bit: str, tmp_path: Path) -> None:
    files, _ = EXAMPLES[begin][number]
    for name, data in files.items():
        (tmp_path / name.replace(".json", ".yaml")).write_bytes(data)  # it tells the formats apart by name
    main = tmp_path / next(iter(files)).replace(".json", ".yaml")
    done = subprocess.run([fluent_bit, "--dry-run", "-c", main], capture_output=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-600:]
