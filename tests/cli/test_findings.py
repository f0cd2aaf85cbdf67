"""Each class of mistake through `nectary config validate`: place, words and remedy, in text, JSON and annotations."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Ask

IN = "[INPUT]\n    name dummy\n    tag a\n"
OUT = "[OUTPUT]\n    name stdout\n    match *\n"
UNIT = "pipeline:\n  inputs:\n    - name: dummy\n      processors:\n        logs:\n          - name: content_modifier\n"
RULE = UNIT + "            action: delete\n            key: a\n            condition: {{rules: [{{{}}}]}}\n"


@dataclass(frozen=True)
class Mistake:
    """A text (YAML unless it has a header), where its finding stands, and what that says. warns: it is no error."""

    text: str
    place: str
    kind: str
    says: str
    remedy: str = ""
    warns: bool = False
    options: tuple[str, ...] = ()


MISTAKES = {
    "an unknown option": Mistake(
        "[INPUT]\n    name tail\n    Pth /x\n    path /y\n" + OUT,
        "3:5", "unknown_property", 'unknown option "Pth" of tail', 'did you mean "path"?',
    ),
    "an unknown option of TLS": Mistake(
        IN + "[OUTPUT]\n    name http\n    match *\n    tls.verfy on\n",
        "7:5", "unknown_property", 'unknown option "tls.verfy" of http', 'did you mean "tls.verify"?',
    ),
    "an unknown plugin": Mistake(
        "[INPUT]\n    name tial\n" + OUT, "2:10", "unknown_plugin", 'unknown input plugin "tial"', 'did you mean "tail"?'
    ),
    "a number out of range": Mistake(
        "[SERVICE]\n    flush 0\n" + IN + OUT, "2:11", "bad_value", '"flush" of the service cannot be "0"', "above 0"
    ),
    "a port out of range": Mistake(
        "[INPUT]\n    name tcp\n    port 70000\n" + OUT, "3:10", "bad_port", "Fluent Bit would use port 4464", "from 1 to 65535"
    ),
    "a value of another type": Mistake(
        "[INPUT]\n    name dummy\n    rate fast\n" + OUT, "3:10", "bad_value", '"rate" of dummy cannot be "fast"', "a whole"
    ),
    "a required option": Mistake("[INPUT]\n    name exec\n" + OUT, "1:1", "missing_property", 'exec needs "command"', "add"),
    "a filter without a match": Mistake(
        IN + "[FILTER]\n    name grep\n    regex a b\n" + OUT, "4:1", "missing_match", "the filter grep has no match", "match *"
    ),
    "a match that fits no tag": Mistake(
        IN + OUT + "[OUTPUT]\n    name null\n    match app.*\n",
        "9:11", "no_match", 'no input has a tag that "app.*" fits', "tags are a", warns=True,
    ),
    "a tag that nobody matches": Mistake(
        IN + "[OUTPUT]\n    name null\n    match b\n", "3:9", "unmatched_tag", 'no output matches the tag "a"', "a match",
        warns=True,
    ),
    "an undefined parser": Mistake(
        "[INPUT]\n    name tail\n    path /x\n    parser jsno\n" + OUT,
        "4:12", "unknown_parser", 'no parser is called "jsno"', "parsers_file", warns=True,
    ),
    "a missing file": Mistake(
        IN + "[FILTER]\n    name lua\n    match *\n    script gone.lua\n    call f\n" + OUT,
        "7:12", "file_missing", '"gone.lua"', options=("--here",),
    ),
    "a missing fleet file": Mistake(
        IN + "[FILTER]\n    name lua\n    match *\n    script {{ files.gone }}\n    call f\n" + OUT,
        "7:12", "unknown_file", 'there is no file "gone"', 'did you mean "gene"?', options=("--file", "gene"),
    ),
    "a missing secret": Mistake(
        IN + "[OUTPUT]\n    name http\n    match *\n    http_passwd {{ secrets.PAS }}\n",
        "7:17", "unknown_secret", 'there is no secret "PAS"', 'did you mean "PASS"?',
        options=("--secret", "PASS", "--secret", "KEY"),
    ),
    "a secret in plain text": Mistake(
        IN + "[OUTPUT]\n    name http\n    match *\n    http_passwd geheim\n",
        "7:17", "plain_secret", '"http_passwd" of http is a secret in plain text', "{{ secrets.NAME }}", warns=True,
    ),
    "a variable that is not set": Mistake(
        IN + "[OUTPUT]\n    name http\n    match *\n    host ${NECTARY_NO_SUCH}\n",
        "7:10", "env_unset", "${NECTARY_NO_SUCH} is not set", ":-word}", warns=True, options=("--here",),
    ),
    "a port that is taken": Mistake(
        "[INPUT]\n    name tcp\n[INPUT]\n    name http\n    port 5170\n" + OUT,
        "5:10", "duplicate_port", "port 5170/tcp is already taken by input tcp.0", "another port",
    ),
    "an unknown processor": Mistake(
        UNIT.replace("modifier", "modifer"), "6:19", "unknown_plugin", '"content_modifer"', 'did you mean "content_modifier"?'
    ),
    "an unknown option of a processor": Mistake(
        UNIT + "            action: delete\n            key: a\n            vlaue: b\n",
        "9:13", "unknown_property", '"vlaue" of the processor content_modifier', 'did you mean "value"?',
    ),
    "a processor without what it needs": Mistake(UNIT, "6:13", "missing_property", "content_modifier needs action", "add"),
    "a processor for another signal": Mistake(
        UNIT.replace("logs:", "metrics:").replace("content_modifier", "grep"),
        "6:19", "processor_signal", "on metrics", "works on logs",
    ),
    "a signal that is none": Mistake(
        UNIT.replace("logs:", "lags:"), "5:9", "bad_structure", "processors are for logs, metrics or traces"
    ),
    "a condition's operator": Mistake(
        RULE.format("field: $a, op: wat, value: b"), "9:49", "bad_condition", '"wat" is no operator', "use one of eq, neq"
    ),
    "a condition's missing field": Mistake(RULE.format("op: eq, value: b"), "9:34", "bad_condition", 'no "field"', "add"),
    "a condition's list": Mistake(RULE.format("field: $a, op: in, value: b"), "9:60", "bad_condition", '"in" takes a list'),
    "a condition's boolean": Mistake(
        RULE.format("field: $a, op: eq, value: true"), "9:60", "bad_condition", '"true" without', "quotes"
    ),
    "a route to nowhere": Mistake(
        "pipeline:\n  inputs:\n    - name: dummy\n      routes:\n        logs:\n          - name: r\n"
        "            to: {outputs: [x]}\n"
        "  outputs:\n    - name: stdout\n",
        "7:28", "unknown_output", 'no output is called "x"', warns=True,
    ),
    "a regular expression": Mistake(
        IN + "[FILTER]\n    name grep\n    match *\n    regex log (\n" + OUT, "7:11", "bad_regex", 'a "(" has no ")"'
    ),
    "an include that includes itself": Mistake("@INCLUDE main.conf\n", "1:1", "include_circle", "includes itself"),
    "an include that is not there": Mistake("@INCLUDE gone.conf\n", "1:1", "file_missing", "no file 'gone.conf' to include"),
    "a section that is none": Mistake(
        "[INPTU]\n    name dummy\n", "1:1", "unknown_section", '"INPTU" and ignores it', 'did you mean "INPUT"?', warns=True
    ),
    "the calyptia section in a fleet": Mistake(
        "[CUSTOM]\n    name calyptia\n" + IN + OUT, "2:5", "calyptia_in_fleet", "each agent adds its own", options=("--fleet",)
    ),
    "an indent": Mistake("[INPUT]\n    name dummy\n   tag a\n", "3:1", "bad_indent", "less indent", "by 4 spaces"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_every_class_of_mistake_is_found_at_its_place(ask: Ask, folder: Path, name: str) -> None:
    mistake = MISTAKES[name]
    file = "main.conf" if mistake.text.startswith(("[", "@")) else "main.yaml"
    (folder / file).write_text(mistake.text)
    severity, line, column = "warning" if mistake.warns else "error", *mistake.place.split(":")

    text = ask("config", "validate", file, *mistake.options)
    code = 1 if f"{file}:" in text.stdout and ": error: " in text.stdout else 0
    assert text.exit_code == code == (0 if mistake.warns else 1), text.stdout
    (head,) = [row for row in text.stdout.splitlines() if row.startswith(f"{file}:{mistake.place}: {severity}: ")]
    assert head.endswith(f" [{mistake.kind}]")
    assert mistake.says in head

    as_json = ask("config", "validate", file, *mistake.options, "-o", "json")
    found = json.loads(as_json.stdout)
    (one,) = [one for one in found if (one["kind"], one["line"], one["column"]) == (mistake.kind, int(line), int(column))]
    assert (as_json.exit_code, one["severity"], one["file"]) == (code, severity, file)
    assert mistake.says in one["message"]
    assert mistake.remedy in one["remedy"]

    annotated = ask("config", "validate", file, *mistake.options, "-o", "github")
    assert annotated.exit_code == code
    rows = annotated.stdout.splitlines()
    assert len(rows) == len(found)
    assert any(row.startswith(f"::{severity} file={file},line={line},col={column},title={mistake.kind}::") for row in rows)


def test_known_names_and_the_files_of_this_machine_exclude_each_other(ask: Ask) -> None:
    result = ask("config", "validate", "good.conf", "--here", "--file", "a")
    assert (result.exit_code, result.stdout) == (2, "")
