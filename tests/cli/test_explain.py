"""`nectary config convert, ports, refs, graph, diff`: what a configuration says, in another form."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import GOOD, Ask, one_sentence

RICH = """\
@SET TOKEN=s3cr3t
[SERVICE]
    http_server on
    http_port 2021
[INPUT]
    name tcp
    port ${PORT:-5171}
    tag app.one
[FILTER]
    name grep
    match app.*
    regex log x
[OUTPUT]
    name http
    match app.*
    host collector.localhost
    port 8443
    tls on
    http_passwd {{ secrets.PASS }}
[OUTPUT]
    name stdout
    match lost"*
"""


@pytest.fixture(autouse=True)
def rich(folder: Path) -> None:
    (folder / "rich.conf").write_text(RICH)


@pytest.mark.parametrize("form", ["yaml", "json", "classic"])
def test_a_converted_configuration_means_the_same(ask: Ask, folder: Path, form: str) -> None:
    made = ask("config", "convert", "rich.conf", "--to", form)
    assert (made.exit_code, made.stderr) == (0, "")
    assert (made.stdout == RICH) == (form == "classic")
    (folder / f"new.{form}").write_text(made.stdout)
    same = ask("config", "diff", "rich.conf", f"new.{form}")
    assert (same.exit_code, same.stdout) == (0, "")


def test_what_a_format_cannot_hold_is_listed_and_code_one(ask: Ask, folder: Path) -> None:
    (folder / "new.yaml").write_text(
        "pipeline:\n  inputs:\n    - name: dummy\n      processors:\n        logs:\n"
        "          - {name: content_modifier, action: delete, key: a}\n  outputs: [{name: stdout, match: '*'}]\n"
    )
    lost = ask("config", "convert", "new.yaml", "--to", "classic")
    assert (lost.exit_code, lost.stdout) == (1, "")
    assert "new.yaml:4:7: error" in lost.stderr
    assert "so nothing is written" in lost.stderr.splitlines()[-1]
    allowed = ask("config", "convert", "new.yaml", "--to", "classic", "--lossy")
    assert allowed.exit_code == 0
    assert "[INPUT]" in allowed.stdout
    assert "content_modifier" not in allowed.stdout
    assert "new.yaml:4:7: error" in allowed.stderr


def test_standard_input_converts_too(ask: Ask) -> None:
    made = ask("config", "convert", "-", "--to", "json", stdin=GOOD)
    assert json.loads(made.stdout)["pipeline"]["inputs"] == [{"name": "dummy", "tag": "a.b"}]


@pytest.mark.parametrize("command", [["convert", "--to", "yaml"], ["ports"], ["refs"], ["graph"]])
def test_what_is_no_configuration_is_reported_on_standard_error(ask: Ask, folder: Path, command: list[str]) -> None:
    (folder / "broken.conf").write_text("[INPUT\n")
    for name, data in {"broken": b"[INPUT\n", "binary": bytes(range(256)), "long": b"[" * 10_000_000}.items():
        (folder / f"{name}.conf").write_bytes(data)
        result = ask("config", command[0], f"{name}.conf", *command[1:])
        assert result.exit_code == 1
        assert result.stdout == ""
        assert f"{name}.conf:" in result.stderr
        assert "1 error, 0 warnings" in result.stderr
    missing = ask("config", command[0], "nope.conf", *command[1:])
    assert missing.exit_code == 2
    assert "cannot read nope.conf" in one_sentence(missing)


def test_an_unknown_target_format_is_one_sentence(ask: Ask) -> None:
    result = ask("config", "convert", "good.conf", "--to", "toml")
    assert result.exit_code == 2
    assert '"toml" is no configuration format' in one_sentence(result)


def test_ports_are_listed_with_where_they_come_from(ask: Ask) -> None:
    assert ask("config", "ports", "rich.conf").stdout == (
        "PORT       ADDRESS   PLUGIN    FROM          PLACE\n"
        "2021/tcp   0.0.0.0   service   set           rich.conf:4\n"
        "5171/tcp   0.0.0.0   tcp.0     env default   rich.conf:7\n"
    )
    found = json.loads(ask("config", "ports", "rich.conf", "-o", "json").stdout)
    assert found[1] == {
        "port": 5171, "protocol": "tcp", "kind": "input", "id": "tcp.0", "plugin": "tcp", "address": "0.0.0.0",
        "origin": "env default", "file": "rich.conf", "line": 7, "column": 10,
    }  # fmt: skip
    assert yaml.safe_load(ask("config", "ports", "rich.conf", "-o", "yaml").stdout) == found


def test_references_are_listed_without_the_values_of_variables(ask: Ask) -> None:
    shown = ask("config", "refs", "rich.conf").stdout
    for row in (
        "variable        PORT (or '5171')                  input:tcp:tcp.0      port",
        "secret          PASS                              output:http:http.0   http_passwd",
        "host            collector.localhost:8443 (TLS)    output:http:http.0",
    ):
        assert " ".join(row.split()) in [" ".join(line.split()[: len(row.split())]) for line in shown.splitlines()]
    found = json.loads(ask("config", "refs", "rich.conf", "-o", "json").stdout)
    assert {"what": "defined", "name": "TOKEN", "file": "rich.conf", "line": 1, "column": 1} in found
    assert "s3cr3t" not in shown + json.dumps(found)


def test_the_graph_names_what_nothing_reaches(ask: Ask) -> None:
    assert ask("config", "graph", "rich.conf").stdout == (
        "FROM    TAG       FILTERS   OUTPUTS   SURE\ntcp.0   app.one   grep.0    http.0    yes\nnothing reaches: stdout.1\n"
    )
    found = json.loads(ask("config", "graph", "rich.conf", "-o", "json").stdout)
    assert [(edge["source"], edge["target"]) for edge in found["edges"]] == [
        ("input:tcp:tcp.0", "filter:grep:grep.0"),
        ("filter:grep:grep.0", "output:http:http.0"),
    ]


def test_the_graph_is_drawn_for_graphviz_and_mermaid_with_its_signs_escaped(ask: Ask) -> None:
    drawn = ask("config", "graph", "rich.conf", "-o", "dot").stdout
    assert drawn.startswith("digraph pipeline {\n")
    assert '"filter:grep:grep.0" -> "output:http:http.0" [label="app.one"];' in drawn
    assert r'[label="stdout.1\nlost\"*", shape=invhouse, style=dashed];' in drawn
    assert ask("config", "graph", "rich.conf", "-o", "mermaid").stdout == (
        "flowchart LR\n"
        '  n0(["tcp.0<br>app.one"])\n'
        '  n1["grep.0<br>app.*"]\n'
        '  n2[/"http.0<br>app.*"/]\n'
        '  n3[/"stdout.1<br>lost#34;*"/]\n'
        '  n0 -->|"app.one"| n1\n'
        '  n1 -->|"app.one"| n2\n'
        "  classDef lost stroke-dasharray: 4\n"
        "  class n3 lost\n"
    )


def test_a_difference_is_shown_by_meaning_with_code_one(ask: Ask, folder: Path) -> None:
    (folder / "new.conf").write_text("# other words, other order\n" + RICH.replace("port 8443", "Port   9443"))
    result = ask("config", "diff", "rich.conf", "new.conf")
    assert (result.exit_code, result.stdout) == (1, "~ output.http.port: 8443 -> 9443\n")
    [change] = json.loads(ask("config", "diff", "rich.conf", "new.conf", "-o", "json").stdout)
    assert change == {
        "change": "changed", "what": "property", "subject": "output.http.port", "old": "8443", "new": "9443",
        "oldPlace": {"file": "rich.conf", "line": 17, "column": 10},
        "newPlace": {"file": "new.conf", "line": 18, "column": 12},
    }  # fmt: skip


def test_a_difference_cannot_move_the_cursor(ask: Ask, folder: Path) -> None:
    (folder / "new.conf").write_text(GOOD.replace("a.b", "a\x1b[2Jb\u2028c"))
    shown = ask("config", "diff", "good.conf", "new.conf").stdout
    assert shown.count("\n") == 1
    assert "\x1b" not in shown


def test_what_cannot_be_compared_is_code_two(ask: Ask, folder: Path) -> None:
    (folder / "broken.conf").write_text("[INPUT\n")
    assert ask("config", "diff", "good.conf", "broken.conf").exit_code == 2
    assert ask("config", "diff", "good.conf", "nope.conf").exit_code == 2
    assert "once only" in one_sentence(ask("config", "diff", "-", "-"))
