"""`nectary schema`: versions learned from a program that lists them, and used afterwards."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask, one_sentence

LISTING = {
    "fluent-bit": {"version": "4.0.1", "schema_version": "1", "os": "linux"},
    "inputs": [{"name": "dummy", "properties": {"options": [{"name": "fancy", "type": "integer"}]}}],
    "outputs": [{"name": "stdout", "properties": {}}],
}
FANCY = "[INPUT]\n    name dummy\n    fancy {}\n[OUTPUT]\n    name stdout\n    match *\n"


def program(path: Path, body: str) -> str:
    """A shell script in place of a fluent-bit."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return f"./{path.name}"


@pytest.fixture
def lists(folder: Path) -> str:
    (folder / "listing").write_text("a banner\n" + json.dumps(LISTING))
    return program(folder / "old-fluent-bit", f'[ "$1" = -J ] && exec cat {folder}/listing')


def test_a_learned_version_is_there_for_the_next_command(ask: Ask, folder: Path, lists: str) -> None:
    (folder / "fancy.conf").write_text(FANCY.format("12"))
    assert ask("config", "validate", "fancy.conf").exit_code == 1
    assert "known: 5.1.1;" in one_sentence(ask("config", "validate", "fancy.conf", "--fluent-bit-version", "4.0.1"))

    learned = ask("schema", "learn", "--fluent-bit", lists)
    assert learned.exit_code == 0
    assert learned.stdout == f"Fluent Bit 4.0.1: 2 plugins, kept in {folder}/data/nectary/schemas/fluentbit-4.0.1.json\n"

    fine = ask("config", "validate", "fancy.conf", "--fluent-bit-version", "4.0.1")
    assert (fine.exit_code, fine.stdout) == (0, "no problems for Fluent Bit 4.0.1\n")
    (folder / "fancy.conf").write_text(FANCY.format("twelve"))
    assert ask("config", "validate", "fancy.conf", "--fluent-bit-version", "v4.0.1").exit_code == 1
    assert "known: 4.0.1, 5.1.1;" in one_sentence(ask("config", "validate", "fancy.conf", "--fluent-bit-version", "4.0.2"))


def test_versions_are_listed_with_where_they_come_from(ask: Ask, folder: Path, lists: str) -> None:
    (folder / "kept").mkdir()
    ask("schema", "learn", "--fluent-bit", lists, "--save", "kept")
    rows = json.loads(ask("schema", "list", "--schemas", "kept", "-o", "json").stdout)
    assert [(row["version"], row["from"], row["file"]) for row in rows] == [
        ("4.0.1", "learned", "kept/fluentbit-4.0.1.json"),
        ("5.1.1", "shipped", ""),
    ]
    assert [row["version"] for row in json.loads(ask("schema", "list", "-o", "json").stdout)] == ["5.1.1"]


def test_it_is_kept_in_the_file_named(ask: Ask, folder: Path, lists: str) -> None:
    ask("schema", "learn", "--fluent-bit", lists, "--save", "new/mine.json")
    assert json.loads((folder / "new/mine.json").read_text())["fluent_bit"]["version"] == "4.0.1"
    assert [path.name for path in (folder / "new").iterdir()] == ["mine.json"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo nothing", "this is not what `fluent-bit -J` prints"),
        ("echo '{\"fluent-bit\": {}}'", "with a version"),
        ("exit 3", "-J ended with 3"),
        ("kill -SEGV $$", "-J ended with -11"),
        ("exec yes", "-J ended with"),
        ('echo \'{"fluent-bit": {"version": "../../etc/x"}}\'', "which is none"),
        ("printf '%0100000d' 0 | tr 0 [", "this is not what `fluent-bit -J` prints"),
    ],
)
def test_a_program_that_is_no_fluent_bit_is_one_sentence(ask: Ask, folder: Path, body: str, says: str) -> None:
    result = ask("schema", "learn", "--fluent-bit", program(folder / "other", body))
    assert result.exit_code == 1
    assert says in one_sentence(result)
    assert not (folder / "data").exists()


@pytest.mark.parametrize("path", ["./nope", "good.conf", ".", "nectary-has-no-such-program"])
def test_what_cannot_be_run_is_one_sentence(ask: Ask, path: str) -> None:
    result = ask("schema", "learn", "--fluent-bit", path)
    assert result.exit_code == 2
    assert f"there is no program {path} to run" in one_sentence(result)


def test_where_nothing_can_be_kept_is_one_sentence(ask: Ask, lists: str) -> None:
    result = ask("schema", "learn", "--fluent-bit", lists, "--save", "good.conf/x.json")
    assert result.exit_code == 2
    assert "cannot write good.conf/x.json" in one_sentence(result)


def test_a_kept_schema_that_was_spoiled_is_one_sentence(ask: Ask, folder: Path, lists: str) -> None:
    ask("schema", "learn", "--fluent-bit", lists, "--save", ".")
    (folder / "fluentbit-4.0.1.json").write_bytes(b"{\xff")
    result = ask("config", "validate", "good.conf", "--fluent-bit-version", "4.0.1", "--schemas", ".")
    assert result.exit_code == 2
    assert "fluentbit-4.0.1.json cannot be used" in one_sentence(result)


def test_a_real_fluent_bit_is_learned_as_it_is_shipped(ask: Ask, folder: Path, fluent_bit: str) -> None:
    (folder / "kept").mkdir()
    assert ask("schema", "learn", "--fluent-bit", fluent_bit, "--save", "kept").exit_code == 0
    [file] = (folder / "kept").iterdir()
    version = file.name.removeprefix("fluentbit-").removesuffix(".json")
    (folder / "bad.conf").write_text("[INPUT]\n    name tail\n    pth x\n")
    result = ask("config", "validate", "bad.conf", "good.conf", "--schemas", "kept", "--fluent-bit-version", version)
    assert result.exit_code == 1
    assert 'unknown option "pth" of tail' in result.stdout
