"""Whether we and a real Fluent Bit agree on what can start at all, beyond what its dry run looks at."""

import os
import subprocess
from pathlib import Path

import pytest

from nectary.fluentbit.document import Format
from nectary.fluentbit.validate import check
from tests.harness import fluent_bit

pytestmark = pytest.mark.fluent_bit
PAGE = Path(__file__).parents[2] / "docs" / "config-language.md"
SERVICE = "service: {flush: 0.2, grace: 1, log_level: error}\n"
KUSTO = "{name: azure_kusto, match: a, client_id: a, ingestion_endpoint: 'http://127.0.0.1:9', database_name: d, table_name: t"
OTHERS = "{name: exit, match: '*', flush_count: 1}"


def text(filter: str = "", *, source: str = "rate: 50", output: str = "", service: str = SERVICE) -> str:
    filters = f"  filters:\n    - {filter}\n" if filter else ""
    outputs = "".join(f"    - {each}\n" for each in (output, OTHERS) if each)
    return f"{service}pipeline:\n  inputs:\n    - name: dummy\n      {source}\n{filters}  outputs:\n{outputs}"


STARTS = {
    "a filter that is switched off lacks options": text("{name: parser, match: '*', active: false}"),
    "its parser is not defined": text("{name: parser, match: '*', active: 0, key_name: a, parser: nope}"),
    "its expression is broken": text("{name: grep, match: '*', active: False, regex: 'a (b'}"),
    "a selector of label values has no metric_name": text(
        source="processors: {metrics: [{name: metrics_selector, context: delete_label_value, label: a b}]}"
    ),
    "records are kept in files that have a folder": text(
        source="storage.type: filesystem", service="service: {flush: 0.2, grace: 1, storage.path: kept}\n"
    ),
    "certificates are named and TLS is off": text(
        output="{name: http, match: none, host: 127.0.0.1, port: 9, tls: off, tls.ca_file: no}"
    ),
    "a managed identity has no secret": text(output=KUSTO + ", auth_type: managed_identity}"),
    "a workload identity has no secret": text(output=KUSTO + ", auth_type: workload_identity, tenant_id: b}"),
}
STOPS = {
    "a filter that is off in another word lacks options": text("{name: parser, match: '*', active: off, key_name: a}"),
    "a filter that is switched off has no match": text("{name: parser, active: false}"),
    "records are kept in files and there is no folder": text(source="storage.type: FileSystem"),
    "a filter keeps its records in files and there is no folder": text(
        "{name: rewrite_tag, match: '*', rule: '$message a b true', emitter_storage.type: filesystem}"
    ),
    "a selector has no metric_name": text(source="processors: {metrics: [{name: metrics_selector}]}"),
    "a service principal has no secret": text(output=KUSTO + ", tenant_id: b}"),
    "a workload identity has no tenant": text(output=KUSTO + ", auth_type: workload_identity}"),
    "there is no region": text(output="{name: cloudwatch_logs, match: a, log_group_name: g, log_stream_name: s}"),
    "a syslog input has a parser that is not defined": text(
        source="rate: 1\n    - {name: syslog, mode: udp, listen: 127.0.0.1, port: 51407, parser: nope}"
    ),
    "kafka has no brokers": text(output="{name: kafka, match: a}"),
    "the stack of a coroutine is too small": text(service="service: {flush: 0.2, coro_stack_size: 100}\n"),
    "the flush is empty": text(service="service: {flush: ''}\n"),
    "the log level is empty": text(service="service: {flush: 0.2, log_level: ''}\n"),
    "a filter's operation is none": text("{name: nest, match: '*', operation: flatten}"),
    "a unit's action is none": text(source="processors: {logs: [{name: content_modifier, action: explode, key: a}]}"),
    "a unit's expression is broken": text(
        source="processors: {logs: [{name: content_modifier, action: extract, key: a, pattern: '(a'}]}"
    ),
    "a unit's parser is not defined": text(source="processors: {logs: [{name: parser, key_name: a, parser: nope}]}"),
    "the expression of a rule is broken": text("{name: rewrite_tag, match: '*', rule: '$a (b c false'}"),
    "grep has a key and no expression": text("{name: grep, match: '*', regex: a}"),
    "telemetry is written with dots": text(service="service: {telemetry.metrics.logs.tag_records: true}\n"),
}

CARRIES_ON = {
    # For the beginning of each row of the page's table.
    "a number, size or time with something else": text(source="rate: 50x"),
    "a port beyond 65535": text(output="{name: http, match: a, host: 127.0.0.1, port: 70000}"),
    "a broken regular expression in `match_regex`": text(output="{name: stdout, match_regex: '(a'}"),
    "`processors` of a filter": text("{name: modify, match: '*', processors: {logs: []}}"),
    "a file to read that is missing": text("{name: checklist, match: '*', lookup_key: a, record: b c, file: nope}"),
    "an unknown operator in the condition of a route": text(
        source="routes: {logs: [{name: r, condition: {rules: [{field: $a, op: like, value: b}]}, to: {outputs: [exit]}}]}"
    ),
}


def outcome(config: str, folder: Path) -> int:
    """How a Fluent Bit ended that would run until its first record."""
    program = fluent_bit.required()
    file = folder / "fluent-bit.yaml"
    file.write_text(config)
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [program, "-c", file], cwd=folder, capture_output=True, timeout=60, check=False, env=environment
    ).returncode


def said(config: str) -> list[str]:
    found = check(config, Format.YAML, env={}, files=lambda path: False)
    return [each.message for each in found if each.severity == "error"]


@pytest.mark.parametrize("config", STARTS.values(), ids=STARTS.keys())
def test_what_starts_is_no_error(config: str, tmp_path: Path) -> None:
    assert said(config) == []
    assert outcome(config, tmp_path) == 0


def rows() -> list[str]:
    section = PAGE.read_text().partition("## What is an error although Fluent Bit starts")[2].partition("\n## ")[0]
    return [line.removeprefix("| ").partition(" |")[0] for line in section.splitlines() if line.startswith("| ")][1:]


def test_the_page_names_what_is_an_error_although_fluent_bit_starts() -> None:
    assert [begin for begin in CARRIES_ON if not any(row.startswith(begin) for row in rows())] == []
    assert len(rows()) == len(CARRIES_ON)


@pytest.mark.parametrize("config", CARRIES_ON.values(), ids=CARRIES_ON.keys())
def test_what_starts_and_does_something_else_is_an_error(config: str, tmp_path: Path) -> None:
    assert len(said(config)) == 1
    assert outcome(config, tmp_path) == 0


@pytest.mark.parametrize("config", STOPS.values(), ids=STOPS.keys())
def test_what_does_not_start_is_an_error(config: str, tmp_path: Path) -> None:
    assert len(said(config)) == 1
    assert outcome(config, tmp_path) != 0
