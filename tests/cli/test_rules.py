"""`nectary rules`: rules tried on records and compiled, from files alone."""

import json
from pathlib import Path

import pytest
import yaml

from nectary.fluentbit import formats
from nectary.fluentbit.document import Format
from tests.cli.conftest import Ask, one_sentence

RULES = [
    {"type": "rename", "opts": {"src": "log", "dst": "text"}},
    {"type": "redact", "opts": {"key": "text", "regex": "[0-9]+"}, "comment": "no digits"},
    {"type": "put", "opts": {"key": "a", "value": "b"}},
]


@pytest.fixture(autouse=True)
def rules(folder: Path) -> None:
    (folder / "rules.json").write_text(json.dumps(RULES))


def test_records_come_out_as_the_rules_leave_them(ask: Ask, folder: Path) -> None:
    (folder / "logs").write_text('{"log": "call 112"}\r\n[1700000000.5, {"log": "x", "n": 9007199254740993}]\nplain 7\n\n12\n')
    result = ask("rules", "preview", "rules.json", "--logs", "logs")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        [0, {"text": "call ***", "a": "b"}],
        [1700000000.5, {"text": "x", "n": 9007199254740992, "a": "b"}],
        [1700000001.5, {"text": "plain *", "a": "b"}],
        [1700000002.5, {"text": "**", "a": "b"}],
    ]


@pytest.mark.parametrize(
    "text", ['[{"log": "1"}, [0, {"log": "2"}]]', '{"log":\n "1"}', '[0,\n {"log": "1"}]', '[0, {"log": "1"}]']
)
def test_records_may_be_one_json_text(ask: Ask, text: str) -> None:
    result = ask("rules", "preview", "rules.json", stdin=text)
    assert result.exit_code == 0
    assert all(json.loads(line)[1] == {"text": "*", "a": "b"} for line in result.stdout.splitlines())


def test_what_rules_hold_back_and_what_fails_is_told_apart(ask: Ask, folder: Path) -> None:
    script = "return function(tag, ts, r) if r.bad then error('no good') end return 0, ts, r end"
    (folder / "rules.json").write_text(
        json.dumps([{"type": "custom_script", "opts": {"script": script}}, {"type": "join", "opts": {"key": "log"}}])
    )
    logs = '[0, {"log": "a"}]\n[0, {"log": "b"}]\n[1, {"log": "c"}]\n'
    result = ask("rules", "preview", "rules.json", stdin=logs)
    assert result.exit_code == 0
    assert json.loads(result.stdout)[1]["log"] == ["a", "b"]
    assert result.stderr.startswith("held back: [1")
    shown = json.loads(ask("rules", "preview", "rules.json", "-o", "json", stdin=logs).stdout)
    assert [len(shown["logs"]), len(shown["heldBack"]), shown["errors"]] == [1, 1, []]


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        ("nope", "rules.json is not a JSON list of rules", 2),
        ("[" * 100_000, "rules.json is not a JSON list of rules", 2),
        ('[{"type": "put", "opts": {"key": "a", "value": NaN}}]', "NaN is no JSON number", 2),
        ("{}", "rules.json: rules: a list of rules is needed", 1),
        ('[{"type": "nope"}]', "rules.json: rule 0: unknown type 'nope'", 1),
        ('[{"type": "put"}]', "rules.json: rule 0, option 'key': is required", 1),
        ('[{"type": "' + "x" * 100_000 + '"}]', "rules.json: rule 0: unknown type", 1),
        (json.dumps([{"type": "custom_script", "opts": {"script": "while true do end"}}]), "no preview: ", 1),
        (json.dumps([{"type": "custom_script", "opts": {"script": "return {"}}]), "no preview: ", 1),
    ],
)
def test_rules_that_are_none_are_one_sentence(ask: Ask, folder: Path, text: str, says: str, code: int) -> None:
    (folder / "rules.json").write_text(text)
    result = ask("rules", "preview", "rules.json", stdin="x")
    assert result.exit_code == code
    assert says in one_sentence(result)
    assert len(result.stderr) < 1100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rules.json", "--logs", "nope"], "cannot read nope"),
        (["rules.json", "--logs", "."], ". is a directory"),
        (["nope.json"], "cannot read nope.json"),
        (["-"], "cannot both come from standard input"),
    ],
)
def test_files_that_are_not_there_are_one_sentence(ask: Ask, arguments: list[str], says: str) -> None:
    result = ask("rules", "preview", *arguments)
    assert result.exit_code == 2
    assert says in one_sentence(result)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00\n" * 100, b"[1e999, {}]\n", b'[1, {"a": 1e999}]', b"{" * 50_000, b'{"a":' * 50 + b"1" + b"}" * 50]
)
def test_hostile_records_end_with_an_answer(ask: Ask, folder: Path, data: bytes) -> None:
    (folder / "logs").write_bytes(data)
    result = ask("rules", "preview", "rules.json", "--logs", "logs")
    assert result.exit_code in {0, 1}
    assert result.exit_code == 0 or one_sentence(result)


def test_more_records_than_a_preview_takes_are_one_sentence(ask: Ask, folder: Path) -> None:
    (folder / "logs").write_bytes(b"x\n" * 10_001)
    assert "10001 events are more than" in one_sentence(ask("rules", "preview", "rules.json", "--logs", "logs"))
    (folder / "logs").write_bytes(b"x" * 10_000_000)
    assert "logs is larger than" in one_sentence(ask("rules", "preview", "rules.json", "--logs", "logs"))


def test_rules_become_a_script_processors_or_a_filter(ask: Ask) -> None:
    lua = ask("rules", "compile", "rules.json").stdout
    assert "function cb_filter(tag, ts, record)" in lua
    classic = ask("rules", "compile", "rules.json", "-o", "classic", "--match", "app.*", "--script-path", "my rules.lua").stdout
    assert classic == (
        "[FILTER]\n    name lua\n    match app.*\n    script my rules.lua\n    call cb_filter\n    enable_flb_null true\n"
    )
    written = ask("rules", "compile", "rules.json", "-o", "yaml").stdout
    units = yaml.safe_load(written)["processors"]["logs"]
    assert [unit["name"] for unit in units] == ["lua", "content_modifier"]
    whole = "pipeline:\n  inputs:\n    - name: dummy\n" + "".join(f"      {line}\n" for line in written.splitlines())
    document = formats.parse(whole, "fluent-bit.yaml", Format.YAML)
    assert [prop.name for prop in document.sections[0].properties] == ["name", "processors"]
    assert yaml.safe_load(whole)["pipeline"]["inputs"][0]["processors"]["logs"] == units


def test_a_value_cannot_open_a_section(ask: Ask) -> None:
    result = ask("rules", "compile", "rules.json", "-o", "classic", "--match", "x\n[OUTPUT]\n    name exec")
    assert result.exit_code == 2
    assert "classic configuration cannot hold that" in one_sentence(result)
