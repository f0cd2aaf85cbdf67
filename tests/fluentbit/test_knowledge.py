"""What a configuration refers to, listens on and talks to, how its records flow, and what changed between two of them."""

import pytest

from nectary.fluentbit import diff, formats, graph, ports, references, targets
from nectary.fluentbit.document import Document


def classic(text: str) -> Document:
    return formats.parse(text, "main.conf")


PIPELINE = """\
@SET HOST=127.0.0.1
@SET CERT=file:///run/cert
[SERVICE]
    parsers_file p.conf
    http_server on
[INPUT]
    name tail
    path /a/*.log, /b.log
    db /tmp/t.db
    parser {{ files.parser }}
    multiline.parser docker, cri
    tag app.${TEAM:-x}
[OUTPUT]
    name http
    host ${HOST}
    port 8080
    tls on
    tls.key_file /k.pem
    http_passwd {{ secrets.PASS }}
    match *
[OUTPUT]
    name splunk
    splunk_token plain
    match *
"""


def test_everything_that_is_referred_to_is_found() -> None:
    found = references.find(classic(PIPELINE))
    assert [(use.name, use.default, use.owner, use.option) for use in found.variables] == [
        ("TEAM", "x", "input:tail:tail.0", "tag"),
        ("HOST", None, "output:http:http.0", "host"),
    ]
    assert [use.name for use in found.secrets] == ["PASS"]
    assert [use.name for use in found.files] == ["parser"]
    assert [(path.path, path.role) for path in found.paths] == [
        ("/run/cert", "secret file read"),
        ("p.conf", "file read"),
        ("/a/*.log", "glob list read"),
        ("/b.log", "glob list read"),
        ("/tmp/t.db", "db"),
        ("/k.pem", "secret file read"),
    ]
    assert [use.name for use in found.parsers] == ["{{ files.parser }}", "docker", "cri"]
    assert [(option.option, option.plain) for option in found.secret_options] == [
        ("http_passwd", False),
        ("splunk_token", True),
    ]
    assert found.variables[0].place == ("main.conf", 12, 9)


def test_what_stands_in_processors_is_looked_at_too() -> None:
    text = (
        "pipeline:\n  inputs:\n    - name: dummy\n      processors:\n        logs:\n"
        "          - {name: lua, script: /x.lua, code: '${V} {{ secrets.S }}'}\n"
    )
    found = references.find(formats.parse(text, "a.yaml"))
    assert [(path.path, path.owner) for path in found.paths] == [("/x.lua", "input:dummy:dummy.0/processors.logs[0]:lua")]
    assert [use.name for use in (*found.variables, *found.secrets)] == ["V", "S"]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("[SERVICE]\n  http_server 1\n", []),
        ("[SERVICE]\n  http_server Yes\n  http_port 99\n  http_listen ::1\n", [(99, "tcp", "::1", "set")]),
        ("[INPUT]\n  name tcp\n  port 0\n", [(5170, "tcp", "0.0.0.0", "default")]),
        ("[INPUT]\n  name tcp\n  port x\n", [(5170, "tcp", "0.0.0.0", "default")]),
        ("[INPUT]\n  name udp\n  host 1.2.3.4\n", [(5170, "udp", "0.0.0.0", "default")]),
        ("@SET P=7\n[INPUT]\n  name http\n  port ${P}\n", [(7, "tcp", "0.0.0.0", "set")]),
        ("[INPUT]\n  name http\n  port ${P}\n", [(9880, "tcp", "0.0.0.0", "default: variable not set")]),
        ("[INPUT]\n  name http\n  port {{files.p}}\n", [(9880, "tcp", "0.0.0.0", "default: the set port is a file")]),
        ("[INPUT]\n  name udp://[::1]:9/x\n", [(9, "udp", "::1", "set")]),
        ("[INPUT]\n  name syslog\n", []),
        ("[INPUT]\n  name tcp\n  port 70000\n", []),
        ("[OUTPUT]\n  name vivo_exporter\n  match *\n", [(2025, "tcp", "0.0.0.0", "default")]),
    ],
)
def test_ports(lines: str, wanted: list[tuple[int, str, str, str]]) -> None:
    found = ports.find(classic(lines))
    assert [(port.port, port.protocol, port.address, port.origin) for port in found] == wanted


def test_ports_with_a_known_environment() -> None:
    doc = classic("[INPUT]\n  name tcp\n  port ${P:-6}\n")
    assert [(port.port, port.origin) for port in ports.find(doc)] == [(6, "env default")]
    assert [(port.port, port.origin) for port in ports.find(doc, env={"P": "8"})] == [(8, "set")]


def test_targets() -> None:
    text = (
        PIPELINE.replace("    ", "  ")
        + "[OUTPUT]\n  name datadog\n  match *\n[OUTPUT]\n  name slack\n  webhook https://localhost:8443/x\n"
        + "[OUTPUT]\n  name kafka\n  brokers 127.0.0.1:9092, localhost:9093\n[INPUT]\n  name tcp\n  host 1.1.1.1\n"
        + "[OUTPUT]\n  name es\n  host ${NOT_KNOWN}\n[OUTPUT]\n  name stdout\n[OUTPUT]\n  name forward\n  unix_path /s\n"
    )
    found = [
        (target.host, target.port, target.tls, target.origin)
        for target in targets.find(classic(text.replace("\n  ", "\n    ")))
    ]
    assert found == [
        ("127.0.0.1", 8080, True, "set"),
        ("127.0.0.1", 8088, False, "default"),
        ("http-intake.logs.datadoghq.com", 443, True, "service"),
        ("${NOT_KNOWN}", 9200, False, "set"),
        ("localhost", 8443, True, "set"),
        ("127.0.0.1", 9092, False, "set"),
        ("localhost", 9093, False, "set"),
    ]


def test_the_nodes_of_an_upstream_are_targets() -> None:
    for text, file in (
        ("upstream_servers:\n  - name: u\n    nodes: [{name: n, host: localhost, port: 5, tls: on}]\n", "a.yaml"),
        ("[UPSTREAM]\n  name u\n[NODE]\n  name n\n  host localhost\n  port 5\n  tls on\n", "a.conf"),
    ):
        (target,) = targets.find(formats.parse(text, file))
        assert (target.host, target.port, target.tls) == ("localhost", 5, True)


def flows(text: str) -> list[tuple[str, list[str], list[str], bool]]:
    def short(owners: tuple[str, ...]) -> list[str]:
        return [owner.rpartition(":")[2] for owner in owners]

    found = graph.of_document(classic(text)).flows
    return [(flow.tag, short(flow.filters), short(flow.outputs), flow.sure) for flow in found]


def test_records_flow_by_tag_and_match() -> None:
    text = (
        "[INPUT]\n  name cpu\n  tag a.cpu\n[INPUT]\n  name mem\n[INPUT]\n  name tail\n  tag kube.*\n"
        "[FILTER]\n  name grep\n  match a.*\n[FILTER]\n  name lua\n  match_regex ^(?=x)\n"
        "[OUTPUT]\n  name stdout\n  match *.cpu\n[OUTPUT]\n  name null\n  match_regex ^(mem|kube)\n"
        "[OUTPUT]\n  name file\n  match kube.x*\n[OUTPUT]\n  name http\n  match nothing\n"
    )
    assert flows(text) == [
        ("a.cpu", ["grep.0", "lua.1"], ["stdout.0", "null.1"], False),
        ("mem.1", ["lua.1"], ["null.1"], False),
        ("kube.*", ["lua.1"], ["stdout.0", "null.1", "file.2"], False),
    ]
    found = graph.of_document(classic(text))
    assert found.lost == ("output:http:http.3",)
    assert [(edge.source, edge.target) for edge in found.edges][:2] == [
        ("input:cpu:cpu.0", "filter:grep:grep.0"),
        ("filter:grep:grep.0", "filter:lua:lua.1"),
    ]


def test_an_easy_regex_is_judged() -> None:
    text = "[INPUT]\n  name cpu\n  tag app.cpu\n[OUTPUT]\n  name null\n  match_regex {}\n"
    for regex, outputs in ((r"^app\..*$", ["null.0"]), ("^cpu", []), ("cpu", ["null.0"]), (r"[a-c]pu$", ["null.0"])):
        assert flows(text.format(regex)) == [("app.cpu", [], outputs, True)]


def test_a_rewritten_tag_starts_again() -> None:
    text = (
        "[INPUT]\n  name cpu\n  tag a\n[FILTER]\n  name rewrite_tag\n  match a\n  rule $x ^y$ new.$TAG false\n"
        "[OUTPUT]\n  name null\n  match new.*\n"
    )
    assert flows(text) == [("a", ["rewrite_tag.0"], [], True), ("new.*", [], ["null.0"], False)]


def test_routes_name_their_outputs() -> None:
    text = (
        "pipeline:\n  inputs:\n    - name: cpu\n      routes: {metrics: [{name: r, to: {outputs: [one, {name: two}]}}]}\n"
        "  outputs: [{name: null, alias: one}, {name: stdout, alias: two}, {name: file, match: '*'}]\n"
    )
    (flow,) = graph.of_document(formats.parse(text, "a.yaml")).flows
    assert (flow.outputs, flow.routed) == (("output:null:null.0", "output:stdout:stdout.1"), True)


def test_a_diff_is_by_meaning() -> None:
    old = classic(
        "# c\n[INPUT]\n  name cpu\n  tag a\n[FILTER]\n  name grep\n  match *\n  regex a b\n  regex c d\n[OUTPUT]\n  name x\n"
    )
    same = formats.parse(
        "pipeline: {outputs: [{name: x}], inputs: [{name: cpu, tag: a}],"
        " filters: [{name: grep, match: '*', regex: [a b, c d]}]}",
        "a.yaml",
    )
    assert diff.diff(old, same) == ()
    new = classic(
        "@SET A=1\n[SERVICE]\n  flush 2\n[INPUT]\n  name mem\n[INPUT]\n  name cpu\n  tag a\n  rate 5\n"
        "[FILTER]\n  name grep\n  match a\n  regex c d\n"
    )
    assert diff.as_text(diff.diff(old, new)) == (
        "+ env.A: 1\n+ service.flush: 2\n+ input.cpu.rate: 5\n+ input.mem\n"
        "~ filter.grep.match: * -> a\n- filter.grep.regex: a b\n- output.x\n"
    )


def test_a_diff_tells_order_that_counts() -> None:
    one = classic("[FILTER]\n  name a\n  match *\n[FILTER]\n  name b\n  match *\n[FILTER]\n  name c\n  x 1\n  y 2\n")
    two = classic("[FILTER]\n  name b\n  match *\n[FILTER]\n  name a\n  match *\n[FILTER]\n  name c\n  y 2\n  x 1\n")
    found = diff.diff(one, two)
    assert [(change.change, change.subject) for change in found] == [
        ("moved", "filter.c (order of its keys)"),
        ("moved", "filter.a"),
    ]
    assert found[1].old_place is not None
    assert found[1].old_place.line == 1


def test_a_diff_shows_nested_values() -> None:
    text = "pipeline: {inputs: [{name: x, processors: {logs: [{name: modify, add: a b}]}}]}\n"
    (change,) = diff.diff(formats.parse(text, "a.yaml"), formats.parse(text.replace("a b", "c d"), "a.yaml"))
    assert change.subject == "input.x.processors"
    assert "a b" in change.old
    assert "c d" in change.new
