"""`nectary config validate`: every problem with its place, whatever the files are."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from nectary.fluentbit.document import LIMITS
from tests.cli.conftest import GOOD, Ask, one_sentence

BAD = "[INPUT]\n    name tail\n    path /x\n    Pth /x\n\n[OUTPUT]\n    name stdout\n    match *\n"


def test_a_good_configuration_is_fine(ask: Ask) -> None:
    result = ask("config", "validate", "good.conf")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "no problems for Fluent Bit 5.1.1\n", "")


def test_a_problem_is_shown_with_its_line_and_a_caret(ask: Ask, folder: Path) -> None:
    (folder / "bad.conf").write_text(BAD)
    result = ask("config", "validate", "bad.conf")
    assert result.exit_code == 1
    assert result.stdout == (
        'bad.conf:4:5: error: unknown option "Pth" of tail [unknown_property]\n'
        "    4 |     Pth /x\n"
        "      |     ^\n"
        '    try: did you mean "path"?\n'
        "1 error, 0 warnings\n"
    )


def test_warnings_alone_are_fine(ask: Ask, folder: Path) -> None:
    (folder / "odd.conf").write_text(GOOD.replace("match *", "match nothing.*"))
    result = ask("config", "validate", "odd.conf")
    assert result.exit_code == 0
    assert "0 errors, 2 warnings" in result.stdout


def test_several_files_are_all_checked(ask: Ask, folder: Path) -> None:
    (folder / "bad.conf").write_text(BAD)
    (folder / "worse.yaml").write_text("pipeline:\n  inputs:\n    - name: nope\n")
    found = json.loads(ask("config", "validate", "good.conf", "worse.yaml", "bad.conf", "-o", "json").stdout)
    assert [(one["file"], one["line"], one["kind"], one["dryRunDetects"]) for one in found if one["severity"] == "error"] == [
        ("bad.conf", 4, "unknown_property", True),
        ("worse.yaml", 3, "unknown_plugin", True),
    ]


def test_nothing_wrong_is_an_empty_json_list_and_no_annotation(ask: Ask) -> None:
    assert json.loads(ask("config", "validate", "good.conf", "-o", "json").stdout) == []
    assert ask("config", "validate", "good.conf", "-o", "github").stdout == ""


def test_annotations_stay_on_one_line_whatever_the_text_says(ask: Ask, folder: Path) -> None:
    (folder / "bad.yaml").write_text('pipeline: {inputs: [{name: "no\\n::error::pe"}]}')
    lines = ask("config", "validate", "bad.yaml", "-o", "github").stdout.splitlines()
    assert lines
    assert all(line.startswith(("::error file=bad.yaml,", "::warning file=bad.yaml,")) for line in lines)


@pytest.mark.parametrize(
    "text",
    [GOOD, "# a comment\n" + GOOD, "pipeline:\n  inputs: [{name: dummy}]\n  outputs: [{name: stdout, match: '*'}]\n",
     '{"pipeline": {"inputs": [{"name": "dummy"}], "outputs": [{"name": "stdout", "match": "*"}]}}'],
)  # fmt: skip
def test_standard_input_is_read_in_the_format_it_is_in(ask: Ask, text: str) -> None:
    assert ask("config", "validate", "-", stdin=text).exit_code == 0


def test_the_format_said_counts_before_the_name(ask: Ask, folder: Path) -> None:
    (folder / "good.txt").write_text("pipeline:\n  inputs: [{name: dummy}]\n  outputs: [{name: stdout, match: '*'}]\n")
    assert ask("config", "validate", "good.txt").exit_code == 1
    assert ask("config", "validate", "good.txt", "--format", "yml").exit_code == 0


def test_a_fleet_has_more_rules(ask: Ask, folder: Path) -> None:
    (folder / "own.conf").write_text("[CUSTOM]\n    name calyptia\n    api_key x\n" + GOOD)
    assert ask("config", "validate", "own.conf").exit_code == 0
    refused = ask("config", "validate", "own.conf", "--fleet", "-o", "json")
    assert refused.exit_code == 1
    assert [one["kind"] for one in json.loads(refused.stdout) if one["severity"] == "error"] == ["calyptia_in_fleet"]


def test_included_files_are_read_as_fluent_bit_does(ask: Ask, folder: Path) -> None:
    (folder / "conf.d").mkdir()
    (folder / "conf.d/main.conf").write_text("@INCLUDE in.conf\n@INCLUDE outs/*.conf\n")
    (folder / "conf.d/in.conf").write_text("[INPUT]\n    name dummy\n")
    (folder / "conf.d/outs").mkdir()
    (folder / "conf.d/outs/a.conf").write_text("[OUTPUT]\n    name stdout\n    match *\n    nope 1\n")
    (folder / "conf.d/outs/.hidden.conf").write_text("[")
    result = ask("config", "validate", "conf.d/main.conf")
    assert "conf.d/outs/a.conf:4:5: error" in result.stdout
    assert "    4 |     nope 1" in result.stdout
    assert "1 error, 0 warnings" in result.stdout


def test_parsers_are_looked_up_in_the_files_the_service_names(ask: Ask, folder: Path) -> None:
    main = "[SERVICE]\n    parsers_file p.conf\n[INPUT]\n    name tail\n    path /x\n    parser {}\n"
    main += "[OUTPUT]\n    name null\n    match *\n"
    (folder / "main.conf").write_text(main.format("mine"))
    (folder / "p.conf").write_text("[PARSER]\n    name mine\n    format json\n")
    assert ask("config", "validate", "main.conf").stdout.startswith("no problems")
    (folder / "main.conf").write_text(main.format("yours"))
    assert "no parser is called" in ask("config", "validate", "main.conf").stdout
    (folder / "p.conf").write_text("[PARSER]\n    name mine\n    format jsn\n")
    assert "p.conf:3:12: error" in ask("config", "validate", "main.conf").stdout


def test_a_parsers_file_that_is_elsewhere_is_no_problem_unless_it_runs_here(ask: Ask, folder: Path) -> None:
    text = GOOD + "[SERVICE]\n    parsers_file /nowhere/parsers.conf\n"
    (folder / "main.conf").write_text(text)
    assert ask("config", "validate", "main.conf").exit_code == 0
    here = ask("config", "validate", "main.conf", "--here")
    assert here.exit_code == 1
    assert "there is no file" in here.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope.conf"], "cannot read nope.conf: No such file or directory"),
        (["."], ". is a directory; name a file in it"),
        (["good.conf/x"], "cannot read good.conf/x: Not a directory"),
        (["good.conf", "--format", "toml"], '"toml" is no configuration format; known: classic, ini, yaml, json'),
        (["good.conf", "--fluent-bit-version", "9.9.9"], 'no schema for Fluent Bit "9.9.9"; known: 5.1.1;'),
        (["good.conf", "--fluent-bit-version", "../../x"], 'no schema for Fluent Bit "../../x"; known: 5.1.1;'),
        (["good.conf", "--fluent-bit", "./nowhere"], "there is no program ./nowhere to run"),
        (["-", "-"], "standard input can be read once only"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence_and_code_two(ask: Ask, arguments: list[str], says: str) -> None:
    result = ask("config", "validate", *arguments)
    assert result.exit_code == 2
    assert says in one_sentence(result)


def test_options_and_arguments_that_are_not_there_are_code_two(ask: Ask) -> None:
    assert ask("config", "validate").exit_code == 2
    assert ask("config", "validate", "good.conf", "-o", "xml").exit_code == 2
    assert ask("config", "validate", "good.conf", "--nope").exit_code == 2


def test_a_file_that_may_not_be_read_is_one_sentence(folder: Path, ask: Ask) -> None:
    if os.geteuid() == 0:
        pytest.skip("SKIPPED: the superuser may read every file")
    (folder / "good.conf").chmod(0)
    assert "Permission denied" in one_sentence(ask("config", "validate", "good.conf"))


HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)) * 100,
    "a NUL in a name": b"[INPUT]\n    name dum\0my\n",
    "not UTF-8": b"[INPUT]\n    name \xff\xfe\n",
    "an include of a name with a NUL": b"@INCLUDE a\0b\n",
    "an include of a name too long": b"@INCLUDE " + b"x" * 10_000 + b"\n",
    "an include of itself": b"@INCLUDE hostile.conf\n",
    "an include of a directory": b"@INCLUDE .\n",
    "an include of a device": b"@INCLUDE /dev/zero\n",
    "an include of a pipe": b"@INCLUDE pipe\n",
    "an include of a socket": b"@INCLUDE socket\n",
    "a pattern for the whole disk": b"@INCLUDE /*/*/*/*/*/*/*/*/nope*\n",
    "a pattern of brackets": b"@INCLUDE [*[*[*\n",
    "control characters": b"[INPUT]\n    name \x1b[2J\x07\n    \x1b]0;x\x07 y\n",
    "one long line": b"[INPUT]\n    name " + b"x" * 1_000_000,
    "ten megabytes": b"[INPUT]\n    name dummy\n" * 450_000,
    "ten megabytes of brackets": b"[" * 10_000_000,
}


@pytest.mark.parametrize("ending", ["conf", "yaml", "json"])
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_file_ends_with_a_report(ask: Ask, folder: Path, name: str, ending: str) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")  # short, because it is relative
        (folder / f"hostile.{ending}").write_bytes(HOSTILE[name])
        result = ask("config", "validate", f"hostile.{ending}")
    assert result.exit_code in {0, 1}
    assert result.stderr == ""
    assert result.stdout.endswith("\n")
    assert "\x1b" not in result.stdout
    if ending == "conf" and name not in {"empty", "one long line"}:
        assert result.exit_code == 1
    if "megabytes" in name:
        assert f"larger than {LIMITS.bytes} bytes" in result.stdout


def test_files_that_include_each_other_are_a_problem_and_no_end(ask: Ask, folder: Path) -> None:
    (folder / "a.conf").write_text("@INCLUDE b.conf\n")
    (folder / "b.conf").write_text("@INCLUDE a.conf\n")
    result = ask("config", "validate", "a.conf")
    assert result.exit_code == 1
    assert "'a.conf' includes itself" in result.stdout


def test_a_long_chain_of_includes_ends(ask: Ask, folder: Path) -> None:
    for number in range(200):
        (folder / f"{number}.conf").write_text(f"@INCLUDE {number + 1}.conf\n")
    result = ask("config", "validate", "0.conf")
    assert result.exit_code == 1
    assert "more than 64 deep" in result.stdout


def test_more_than_any_configuration_holds_is_one_sentence(ask: Ask, folder: Path) -> None:
    with (folder / "huge.conf").open("wb") as file:
        file.truncate(1 << 30)
    result = ask("config", "validate", "huge.conf")
    assert result.exit_code == 1
    assert "huge.conf is larger than" in one_sentence(result)


def test_the_whole_program_answers_in_any_locale_and_to_any_name(folder: Path) -> None:
    name = os.fsencode(folder) + b"/na\xffme \xc3\xa9.conf"
    Path(os.fsdecode(name)).write_text("[INPUT]\n    name dümmy\n")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command: list[str | bytes] = [sys.executable, "-m", "nectary", "config", "validate", name]
    run = subprocess.run(command, capture_output=True, check=False, timeout=60, env=environment)
    assert run.returncode == 1
    assert b"unknown" in run.stdout or b"no input" in run.stdout
    assert run.stderr == b""
