"""What a pipeline becomes: text in, text out."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nectary.core.assemble import assemble
from nectary.core.runtimes import Deployment
from nectary.core.secrets import Unreadable
from nectary.core.templates import Unassemblable
from nectary.fluentbit import convert, formats, yaml
from nectary.fluentbit.document import ConfigError, Document, Format, Kind
from nectary.fluentbit.variables import expand
from tests.core.made import PROFILE, YAML, belongings, pipeline

COMPLETED = """\
service:
  flush: 1
  http_server: on
  http_listen: 127.0.0.1
  http_port: ${NECTARY_HTTP_PORT}
  hot_reload: on
  health_check: on
  enable_chunk_trace: on
  storage.path: ${NECTARY_STORAGE}
  storage.metrics: on
  storage.sync: normal
  storage.checksum: off
  storage.backlog.mem_limit: 5000000
  storage.max_chunks_up: 128
pipeline:
  inputs:
    - name: http
      port: 9880
      storage.type: filesystem
  outputs:
    - name: http
      match: '*'
      host: 127.0.0.1
      port: 9999
      workers: 1
"""


def plain(deployment: Deployment) -> Document:
    return yaml.parse(deployment.config)


def test_a_pipeline_gets_what_all_have_and_storage_as_its_profile_says() -> None:
    made = assemble(pipeline("service:\n  flush: 1\n  http_port: 4444\n  daemon: on\n" + YAML), belongings())
    expected = yaml.parse(COMPLETED.replace(": on\n", ': "on"\n').replace(": off\n", ': "off"\n'))
    assert [(prop.name, prop.value) for prop in plain(made).service] == [(prop.name, prop.value) for prop in expected.service]
    assert made.config.replace('"', "").replace("'", "") == COMPLETED.replace("'", "")


@pytest.mark.parametrize("format", list(Format))
def test_every_stored_format_gives_the_same_bytes(format: Format) -> None:
    text = convert.convert(yaml.parse(YAML), format).text
    made = assemble(pipeline(text, str(format)), belongings())
    assert made.config == assemble(pipeline(), belongings()).config
    assert made.version == assemble(pipeline(), belongings()).version


def test_the_same_pipeline_gives_the_same_version_and_any_change_another() -> None:
    first = assemble(pipeline(), belongings({"a": b"1"}, {"b": b"2", "a": b"1"}))
    assert first == assemble(pipeline(), belongings({"a": b"1"}, {"a": b"1", "b": b"2"}))
    others = [
        assemble(pipeline(), belongings(files={"a": b"1"})),
        assemble(pipeline(replicasCount=2), belongings()),
        assemble(pipeline(image="fluent/fluent-bit:5.1.1"), belongings()),
        assemble(pipeline(resourceProfile={**PROFILE, "memoryLimit": "1Gi"}), belongings()),
        assemble(pipeline(YAML.replace("9999", "9998")), belongings()),
        assemble(pipeline(labels={"a": "b"}), belongings()),
    ]
    assert len({one.version for one in (first, *others)}) == len(others) + 1


def test_statuses_and_checks_make_no_other_version() -> None:
    reported = pipeline(status={"status": "STARTED", "config": {"id": "c1"}, "events": []}, checksTotal=3, tracingEnabled=True)
    assert assemble(reported, belongings()).version == assemble(pipeline(), belongings()).version


def test_a_guaranteed_delivery_syncs_fully_and_pauses_and_throughput_stays_in_memory() -> None:
    sure = {**PROFILE, "name": "high-performance-guaranteed-delivery", "storageSyncFull": True, "storageMaxChunksPause": True}
    document = plain(assemble(pipeline(resourceProfile={**sure, "storageBacklogMemLimit": "256Mi"}), belongings()))
    assert document.service_value("storage.sync").value == "full"  # type: ignore[union-attr]
    assert document.service_value("storage.backlog.mem_limit").value == str(256 * 2**20)  # type: ignore[union-attr]
    [given] = document.of(Kind.INPUT)
    assert (given.get("storage.type"), given.get("storage.pause_on_chunks_overlimit")) == ("filesystem", "on")
    fast = pipeline(resourceProfile={**PROFILE, "name": "high-performance-optimal-throughput"})
    assert plain(assemble(fast, belongings())).of(Kind.INPUT)[0].get("storage.type") is None


def test_outputs_have_the_workers_of_the_profile_where_fluent_bit_has_several_and_nobody_says_how_many() -> None:
    outputs = "[{name: HTTP, match: '*'}, {name: tcp, match: '*', workers: 5}, {name: file, match: '*'}]"
    text = f"pipeline:\n  inputs: [{{name: dummy}}]\n  outputs: {outputs}\n"
    for workers, expected in ((3, ["3", "5", None]), (0, [None, "5", None])):
        document = plain(assemble(pipeline(text, resourceProfile={**PROFILE, "cpuBufferWorkers": workers}), belongings()))
        assert [one.get("workers") for one in document.of(Kind.OUTPUT)] == expected


def test_what_people_set_of_storage_stays_but_not_where_it_is() -> None:
    text = "service:\n  storage.path: /var/shared\n  storage.max_chunks_up: 7\n" + YAML.replace(
        "port: 9880", "port: 9880\n      storage.type: memory"
    )
    document = plain(assemble(pipeline(text), belongings()))
    assert document.service_value("storage.path").value == "${NECTARY_STORAGE}"  # type: ignore[union-attr]
    assert document.service_value("storage.max_chunks_up").value == "7"  # type: ignore[union-attr]
    assert document.of(Kind.INPUT)[0].get("storage.type") == "memory"


# -- Secrets and files -----------------------------------------------------------------------------------------------------


def secret(config: str, **secrets: bytes) -> Deployment:
    return assemble(pipeline(config), belongings(dict(secrets)))


def test_a_secret_is_a_variable_of_the_environment_and_never_in_the_text() -> None:
    made = secret(YAML + "      http_passwd: 'x-{{ secrets.key }}'\n", key=b"hush\nhush: [", unused=b"other")
    assert "hush" not in made.config
    assert "hush" not in repr(made)
    assert made.environment == {"NECTARY_SECRET_key": "hush\nhush: ["}
    assert plain(made).of(Kind.OUTPUT)[0].get("http_passwd") == "x-${NECTARY_SECRET_key}"


@given(
    st.lists(
        st.sampled_from(
            ["{{ secrets.k }}", "{{secrets.l}}", "{", "}", "$", "${X}", "${X:-d}", "text", " ", '"', "{{ files.f }}"]
        ),
        max_size=7,
    )
)
def test_what_fluent_bit_makes_of_a_value_is_what_was_meant_whatever_stands_around_the_secret(pieces: list[str]) -> None:
    value = "".join(pieces)
    if not any(piece.startswith("{{") for piece in pieces) or "${" in value.replace("${X}", "").replace("${X:-d}", ""):
        return
    if value != value.strip() or "{{{" in value or "}}}" in value:
        return
    meant = value.replace("{{ secrets.k }}", "K}{").replace("{{secrets.l}}", "L").replace("{{ files.f }}", "/f/f")
    meant = meant.replace("${X}", "x").replace("${X:-d}", "x")
    config = YAML + "      uri: " + json.dumps(value) + "\n"
    made = assemble(pipeline(config), belongings({"k": b"K}{", "l": b"L"}, {"f": b""}))
    written = plain(made).of(Kind.OUTPUT)[0].get("uri") or ""
    environment = {**made.environment, "X": "x", "NECTARY_FILES": "/f"}
    assert expand(written, {}, environment) == meant


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"a\0b", "SecretUnusable"),
        (b"a${HOME}b", "SecretUnusable"),
        (
            Unreadable("secret key cannot be opened: it was not sealed for this core instance's key; set it again"),
            "SecretUnreadable",
        ),
        (None, "SecretMissing"),
    ],
)
def test_a_secret_that_cannot_be_used_is_said_by_name(value: Any, reason: str) -> None:
    config = YAML + "      http_passwd: '{{ secrets.key }}'\n"
    with pytest.raises(Unassemblable, match="secret key") as refused:
        assemble(pipeline(config), belongings({} if value is None else {"key": value}))
    assert refused.value.reason == reason


def test_a_secret_that_nothing_uses_harms_nothing() -> None:
    assert assemble(pipeline(), belongings({"key": Unreadable("no")})).environment == {}


def test_a_variable_of_the_configuration_that_holds_a_secret_moves_to_the_environment() -> None:
    made = secret("env:\n  WORD: 'a-{{ secrets.key }}'\n  OTHER: plain\n" + YAML, key=b"hush")
    assert made.environment == {"WORD": "a-hush"}
    assert [one.name for one in plain(made).variables] == ["OTHER"]


def test_a_secret_in_a_unit_of_processors_is_a_reference_and_below_it_is_refused() -> None:
    unit = (
        "      processors:\n        logs:\n          - name: content_modifier\n            action: upsert\n            key: k\n"
    )
    made = secret(
        YAML.replace("      port: 9880\n", "      port: 9880\n" + unit + "            value: '{{ secrets.key }}'\n"), key=b"v"
    )
    assert "${NECTARY_SECRET_key}" in made.config
    deep = unit + "            list: ['{{ secrets.key }}']\n"
    with pytest.raises(Unassemblable, match="puts no variables in"):
        secret(YAML.replace("      port: 9880\n", "      port: 9880\n" + deep), key=b"v")


def test_files_become_paths_and_parsers_are_read_when_there_are_any() -> None:
    config = YAML + "  filters:\n    - name: lua\n      match: '*'\n      script: '{{files.rule}}'\n      call: f\n"
    made = assemble(pipeline(config), belongings(files={"rule": b"-- lua", "parsers": b"# none\n", "other": b"\xff"}))
    assert [file.name for file in made.files] == ["other", "parsers", "rule"]
    assert plain(made).of(Kind.FILTER)[0].get("script") == "${NECTARY_FILES}/rule"
    assert plain(made).service_value("parsers_file") is None
    some = assemble(pipeline(), belongings(files={"parsers": b"# mine\n[PARSER]\n    Name a\n    Format json\n"}))
    assert plain(some).service_value("parsers_file").value == "${NECTARY_FILES}/parsers"  # type: ignore[union-attr]


def test_a_file_that_is_not_there_or_cannot_be_opened_is_said_only_if_it_is_used() -> None:
    config = YAML + "      tls.ca_file: '{{ files.ca }}'\n"
    with pytest.raises(Unassemblable, match="file ca is not there"):
        assemble(pipeline(config), belongings())
    with pytest.raises(Unassemblable, match="file ca cannot"):
        assemble(pipeline(config), belongings(files={"ca": Unreadable("file ca cannot be opened")}))
    assert assemble(pipeline(), belongings(files={"ca": Unreadable("file ca cannot be opened")})).files == []


def test_included_files_of_the_pipeline_are_taken_in() -> None:
    text = "@INCLUDE {{ files.more }}\n[INPUT]\n    Name dummy\n"
    made = assemble(pipeline(text, "classic"), belongings(files={"more": b"[OUTPUT]\n    Name null\n    Match *\n"}))
    assert [plugin.name for plugin in plain(made).plugins] == ["dummy", "null"]


@pytest.mark.parametrize(
    ("config", "format", "fields"),
    [
        ("[INPUT\n", "classic", {}),
        ("pipeline: [", "yaml", {}),
        (YAML, "toml", {}),
        (YAML, "yaml", {"error": "config section 3 has no name"}),
    ],
)
def test_what_cannot_be_read_says_why(config: str, format: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Unassemblable) as refused:
        assemble(pipeline(config, format, **fields), belongings())
    assert refused.value.reason == "ConfigInvalid"
    assert len(str(refused.value)) > 20


@given(st.text(max_size=40))
def test_no_value_however_it_is_made_opens_a_section_or_adds_a_key(value: str) -> None:
    stripped = value.replace("{{", "").replace("\0", "").strip()
    config = json.dumps({"pipeline": {"inputs": [{"name": "dummy", "dummy": "x" + stripped + "x"}]}})
    try:
        document = formats.parse(config, None, Format.JSON)
    except (ValueError, ConfigError):
        return
    made = plain(assemble(pipeline(config, "json"), belongings()))
    assert [one.kind for one in made.sections] == [Kind.SERVICE, Kind.INPUT]
    assert made.of(Kind.INPUT)[0].get("dummy") == document.of(Kind.INPUT)[0].get("dummy")


# -- Beside the configuration ----------------------------------------------------------------------------------------------


def port(id: str, protocol: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"id": id, "protocol": protocol, "frontendPort": number, "backendPort": number, "kind": "NodePort", **fields}


def test_ports_are_in_order_and_the_own_servers_is_nought() -> None:
    config = "service:\n  http_server: on\n  http_port: 2525\n" + YAML
    ports = [port("b", "udp", 5140, pluginID="syslog.0"), port("c", "tcp", 2525), port("a", "tcp", 9880, pluginID="http.0")]
    made = assemble(pipeline(config, ports=ports), belongings())
    assert [(one.id, one.front, one.back) for one in made.ports] == [("c", 2525, 0), ("a", 9880, 9880), ("b", 5140, 5140)]


def test_scaling_by_itself_needs_to_be_told_how_far_and_how_fast_both_ways() -> None:
    fields: dict[str, Any] = {"minReplicas": 2, "maxReplicas": 5, "scaleUpType": "Pods", "scaleUpValue": 2}
    fields |= {"scaleUpPeriodSeconds": 15, "utilizationCPUAverage": 70}
    assert assemble(pipeline(**fields, replicasCount=3), belongings()).scaling.maximum == 0
    fields |= {"scaleDownType": "Percent", "scaleDownValue": 50, "scaleDownPeriodSeconds": 60}
    scaling = assemble(pipeline(**fields), belongings()).scaling
    assert dataclasses.astuple(scaling) == (1, 2, 5, 70, 0, ("Pods", 2, 15), ("Percent", 50, 60))


def test_what_is_kubernetes_own_goes_through_as_it_came() -> None:
    tolerations = [{"key": "a", "operator": "Exists"}]
    made = assemble(pipeline(kind="statefulSet", tolerations=tolerations, storageClass="fast"), belongings())
    assert (made.kind, made.scheduling) == ("statefulSet", {"tolerations": tolerations, "storageClass": "fast"})


def test_a_pipeline_limited_to_namespaces_tails_only_theirs() -> None:
    tails = "    - name: tail\n      path: /var/log/containers/*.log\n    - name: tail\n      path: /var/log/a\n"
    text = f"pipeline:\n  inputs:\n{tails}"
    limited = plain(assemble(pipeline(text), belongings(namespaces=["web", "db"])))
    paths = "/var/log/containers/*_db_*.log,/var/log/containers/*_web_*.log"
    assert [one.get("path") for one in limited.of(Kind.INPUT)] == [paths, "/var/log/a"]
    nothing = plain(assemble(pipeline(text), belongings(namespaces=[])))
    assert nothing.of(Kind.INPUT)[0].get("path") == "/var/log/containers/*_-_*.log"
