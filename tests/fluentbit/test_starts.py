"""Whether we and a real Fluent Bit agree on what can start at all, beyond what its dry run looks at."""

import os
import subprocess
from pathlib import Path
from shutil import which

import pytest

from nectary.fluentbit.document import Format
from nectary.fluentbit.validate import check

pytestmark = pytest.mark.fluent_bit
BINARY = which("fluent-bit")
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
    "telemetry is written with dots": text(service="service: {telemetry.metrics.logs.tag_records: true}\n"),
}


def outcome(config: str, folder: Path) -> int:
    """How a Fluent Bit ended that would run until its first record."""
    assert BINARY is not None
    file = folder / "fluent-bit.yaml"
    file.write_text(config)
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        [BINARY, "-c", file], cwd=folder, capture_output=True, timeout=60, check=False, env=environment
    ).returncode


def said(config: str) -> list[str]:
    found = check(config, Format.YAML, env={}, files=lambda path: False)
    return [each.message for each in found if each.severity == "error"]


@pytest.mark.parametrize("config", STARTS.values(), ids=STARTS.keys())
def test_what_starts_is_no_error(config: str, tmp_path: Path) -> None:
    assert said(config) == []
    if BINARY is None:
        pytest.skip("no fluent-bit binary found")
    assert outcome(config, tmp_path) == 0


@pytest.mark.parametrize("config", STOPS.values(), ids=STOPS.keys())
def test_what_does_not_start_is_an_error(config: str, tmp_path: Path) -> None:
    assert len(said(config)) == 1
    if BINARY is None:
        pytest.skip("no fluent-bit binary found")
    assert outcome(config, tmp_path) != 0
