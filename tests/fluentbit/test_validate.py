"""Configurations with something wrong, and what is said about it."""

import pytest

from nectary.fluentbit import schema
from nectary.fluentbit.document import Format
from nectary.fluentbit.findings import Finding
from nectary.fluentbit.formats import format_named, parse
from nectary.fluentbit.validate import Surroundings, check, examine


def found(text: str, form: Format = Format.CLASSIC, **known: object) -> list[Finding]:
    return check(text, form, **known)  # type: ignore[arg-type]


def brief(text: str, form: Format = Format.CLASSIC, **known: object) -> list[tuple[str, str, int, int]]:
    return [(each.kind, each.subject, each.line, each.column) for each in found(text, form, **known)]


GOOD = """
[SERVICE]
    flush 1
[INPUT]
    name dummy
    tag app
[FILTER]
    name grep
    match app
    regex log ^x
[OUTPUT]
    name stdout
    match *
"""


def test_a_sound_configuration_has_no_findings() -> None:
    assert found(GOOD) == []
    assert found("") == []


def test_a_misspelt_option_is_shown_the_right_one() -> None:
    (finding,) = found("[INPUT]\n    name tail\n    Path /x\n    Pth /y\n    tag a\n")
    assert (finding.message, finding.remedy) == ('unknown option "Pth" of tail', 'did you mean "path"?')
    assert (finding.line, finding.column, finding.dry_run_detects) == (4, 5, True)


def test_a_misspelt_plugin_is_shown_the_right_one_and_a_filter_used_as_input_its_kind() -> None:
    remedies = [each.remedy for each in found("[INPUT]\n    name dumy\n[INPUT]\n    name grep\n[INPUT]\n    name emitter\n")]
    assert remedies == [
        'did you mean "dummy"?',
        '"grep" is one of the filter plugins',
        "Fluent Bit makes this one by itself; it cannot be configured",
    ]


def test_every_problem_of_a_file_is_told_in_the_order_of_the_text() -> None:
    source = "[SERVICE]\n    flush 0\n[INPUT]\n    name dummy\n    rate x\n    nope 1\n"
    assert brief(source + "[FILTER]\n    name grep\n[OUTPUT]\n    name nothing\n    match *\n") == [
        ("bad_value", "service.flush", 2, 11),
        ("bad_value", "input.dummy.rate", 5, 10),
        ("unknown_property", "input.dummy.nope", 6, 5),
        ("missing_match", "filter.grep", 7, 1),
        ("unknown_plugin", "output.nothing", 10, 10),
    ]


def test_text_that_cannot_be_read_still_tells_what_is_sure_about_the_rest() -> None:
    kinds = [
        each.kind
        for each in found("[INPUT]\n    name dumy\n  tag x\n[OUTPUT]\n    name stdout\n    formatt json\n    match *\n")
    ]
    assert "unknown_plugin" in kinds
    assert len(kinds) > 1


def test_a_match_without_a_tag_and_a_tag_without_a_match_are_warned_about() -> None:
    text = "[INPUT]\n    name dummy\n    tag app.one\n[OUTPUT]\n    name stdout\n    match ap.*\n"
    tag, match = found(text)
    assert (tag.kind, tag.line, tag.column) == ("unmatched_tag", 3, 9)
    assert (match.kind, match.subject, match.line, match.column) == ("no_match", "output.stdout.match", 6, 11)
    assert {tag.severity, match.severity} == {"warning"}
    assert match.remedy == "tags are app.one"


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("name dummy", "dummy.*"),
        ("name dummy\n    tag a.b.c", "a.*.c"),
        ("name dummy\n    tag a.b.c", "*.b.*"),
        ("name tail\n    path /x\n    tag kube.*", "kube.var.log.*"),
        ("name forward", "whatever"),
        ("name http", "whatever"),
        ("name opentelemetry", "v1_logs"),
        ("name dummy\n    tag ${UNKNOWN}", "whatever"),
        ("name dummy\n    tag {{ secrets.TAG }}", "whatever"),
        ("name tail\n    path /x\n    tag_regex (?<n>.)\n    tag <n>", "whatever"),
    ],
)
def test_a_match_that_may_fit_is_left_alone(source: str, match: str) -> None:
    text = f"[INPUT]\n    {source}\n[OUTPUT]\n    name stdout\n    match {match}\n"
    assert [each for each in found(text) if each.kind in {"no_match", "unmatched_tag"}] == []


def test_tags_that_a_filter_makes_count() -> None:
    text = (
        "[INPUT]\n    name dummy\n    tag a\n[FILTER]\n    name rewrite_tag\n    match a\n    rule $log ^x new.tag false\n"
        "[OUTPUT]\n    name stdout\n    match new.*\n[OUTPUT]\n    name stdout\n    match a\n"
    )
    assert found(text) == []


def test_an_undefined_parser_is_told_when_no_parsers_file_could_hold_it() -> None:
    text = "[INPUT]\n    name tail\n    path /x\n    parser dokcer\n    multiline.parser docker, mine\n"
    assert [each[:2] for each in brief(text)] == [
        ("unknown_parser", "input.tail.parser"),
        ("unknown_parser", "input.tail.multiline.parser"),
    ]
    assert brief("[SERVICE]\n    parsers_file p.conf\n" + text) == []
    (finding, _) = found(text, parsers={"docker"})
    assert finding.remedy == 'did you mean "docker"?'


def test_parsers_of_the_same_file_count() -> None:
    text = "parsers:\n  - {name: mine, format: json}\npipeline:\n  inputs:\n    - {name: tail, path: /x, parser: mine}\n"
    assert found(text, Format.YAML) == []


def test_two_listeners_on_one_port_are_an_error_unless_addresses_or_protocols_differ() -> None:
    text = "[INPUT]\n    name tcp\n[INPUT]\n    name syslog\n    mode tcp\n    port 5170\n"
    (finding,) = found(text, parsers=["syslog-rfc5424"])
    assert (finding.kind, finding.subject, finding.line, finding.stage) == ("duplicate_port", "input.syslog.port", 6, "start")
    assert found(text.replace("mode tcp", "mode udp"), parsers=["syslog-rfc5424"]) == []
    apart = "[INPUT]\n    name tcp\n    listen 127.0.0.1\n[INPUT]\n    name tcp\n    listen 127.0.0.2\n"
    assert found(apart) == []
    server = "[SERVICE]\n    http_server on\n[INPUT]\n    name http\n    port 2020\n"
    assert [each.kind for each in found(server)] == ["duplicate_port"]


def test_a_secret_in_plain_text_is_warned_about_and_one_from_a_template_or_variable_is_not() -> None:
    text = "[OUTPUT]\n    name es\n    match *\n    http_passwd VALUE\n    tls.key_passwd VALUE\n"
    assert [each.kind for each in found(text)] == ["plain_secret", "plain_secret"]
    assert found(text.replace("VALUE", "{{ secrets.PASS }}")) == []
    assert found(text.replace("VALUE", "${PASS}")) == []
    assert "VALUE" not in "".join(each.message + each.remedy for each in found(text))


def test_secrets_and_files_of_templates_must_be_known_when_the_names_are_given() -> None:
    text = "[OUTPUT]\n    name es\n    match *\n    http_passwd {{ secrets.PASS }}\n    tls.ca_file {{files.ca}}\n"
    assert brief(text, secrets={"PAS"}, files={"other"}) == [
        ("unknown_secret", "output.es.http_passwd", 4, 17),
        ("unknown_file", "output.es.tls.ca_file", 5, 17),
    ]
    assert found(text, secrets={"PASS"}, files={"ca"}) == []


def test_files_beside_the_configuration_must_be_there_and_absolute_ones_are_not_judged() -> None:
    text = "[FILTER]\n    name lua\n    match *\n    script SCRIPT\n    call f\n"
    (finding,) = found(text.replace("SCRIPT", "./my.lua"), files={"other.lua"})
    assert (finding.kind, finding.subject, finding.dry_run_detects) == ("file_missing", "filter.lua.script", True)
    assert found(text.replace("SCRIPT", "./my.lua"), files={"my.lua"}) == []
    assert found(text.replace("SCRIPT", "/etc/my.lua"), files={"other.lua"}) == []


def test_variables_that_are_not_set_are_told_when_the_environment_is_known() -> None:
    text = "[INPUT]\n    name dummy\n    alias x${NOPE}\n    tag ${ALSO_NOT:-a}\n    dummy {}${X}\n"
    assert [each.kind for each in found(text)] == ["env_not_expanded"]
    assert [each.kind for each in found(text, env={"X": "1"})] == ["env_unset", "env_not_expanded"]


def test_a_core_option_that_a_variable_leaves_empty_is_an_error() -> None:
    text = "[INPUT]\n    name dummy\n    tag ${NOPE}\n"
    assert [each.kind for each in found(text, env={})] == ["empty_value", "env_unset"]


def test_a_value_from_a_variable_is_judged_by_what_will_be_put_in() -> None:
    text = "@SET RATE=fast\n[INPUT]\n    name ${IN:-dummy}\n    rate ${RATE}\n    samples ${N:-5}\n"
    assert brief(text) == [("bad_value", "input.dummy.rate", 4, 10)]


def test_a_fleet_must_not_bring_its_own_calyptia_section() -> None:
    text = "[CUSTOM]\n    name calyptia\n    fleet_id x\n"
    assert found(text) == []
    assert brief(text, fleet=True) == [("calyptia_in_fleet", "custom.calyptia", 2, 5)]


def test_a_syslog_input_without_a_parser_is_told_which_one_it_will_look_for() -> None:
    source = "[INPUT]\n    name syslog\n    mode {}\n    tag a\n[OUTPUT]\n    name stdout\n    match a\n"
    (finding,) = found(source.format("tcp"))
    assert (finding.kind, finding.severity, finding.line) == ("unknown_parser", "warning", 1)
    assert '"syslog-rfc5424"' in finding.message
    assert '"syslog-rfc3164-local"' in found(source.format("unix_udp"))[0].message
    assert found("[SERVICE]\n    parsers_file parsers.conf\n" + source.format("tcp")) == []
    assert found(source.format("tcp"), parsers=["syslog-rfc5424"]) == []


def test_telemetry_cannot_be_told_in_classic() -> None:
    (finding,) = found("[SERVICE]\n    telemetry on\n")
    assert (finding.kind, finding.remedy, finding.dry_run_detects) == ("bad_structure", "only YAML can say it", True)


def test_a_folder_for_stored_records_may_come_from_who_runs_it_or_from_a_file_that_was_not_read() -> None:
    source = "[INPUT]\n    name dummy\n    storage.type filesystem\n[OUTPUT]\n    name stdout\n    match *\n"
    assert [each[:2] for each in brief(source)] == [("missing_property", "service.storage.path")]
    assert examine(parse(source, "", Format.CLASSIC), around=Surroundings(storage=True)) == []
    assert found("@INCLUDE service.conf\n" + source) == []


def test_a_listener_with_tls_needs_its_certificate_and_key() -> None:
    assert [each[:2] for each in brief("[INPUT]\n    name tcp\n    tls on\n")] == [
        ("missing_property", "input.tcp.tls.crt_file"),
        ("missing_property", "input.tcp.tls.key_file"),
    ]


def test_a_broken_regular_expression_is_told_with_what_is_wrong() -> None:
    text = "[FILTER]\n    name grep\n    match *\n    regex log (a\n"
    (finding,) = found(text)
    assert (finding.kind, finding.message) == ("bad_regex", 'the regular expression is broken: a "(" has no ")"')


@pytest.mark.parametrize(
    "pattern", [r"^(?<time>[^ ]*) \[(x|y)\]$", "[]a]", "[[:alpha:]_]+", "/^a/i", r"a{2,3}?\)", "(?i:a)", "(?x) ( # ("]
)
def test_sound_regular_expressions_are_left_alone(pattern: str) -> None:
    text = f"parsers:\n  - name: p\n    format: regex\n    regex: '{pattern}'\n"
    assert found(text, Format.YAML) == []


def test_an_unknown_section_and_a_shortened_one_are_warned_about() -> None:
    findings = found("[INPUTT]\n    name dummy\n[IN]\n    name dummy\n")
    assert [(each.kind, each.remedy) for each in findings] == [
        ("unknown_section", 'did you mean "INPUT"?'),
        ("abbreviated_section", "write [INPUT]"),
    ]


def test_a_nested_service_option_is_shown_its_dotted_name() -> None:
    (finding,) = found("service:\n  storage:\n    path: /tmp/x\n", Format.YAML)
    assert (finding.kind, finding.remedy) == ("bad_structure", "write storage.path")


ROUTES = """
pipeline:
  inputs:
    - name: dummy
      routes:
        logs:
          - name: one
            condition:
              rules:
                - {field: $metric.x, op: eq, value: a}
            to: {outputs: [there, nowhere]}
          - name: one
            to: {}
        sound: []
  outputs:
    - name: stdout
      alias: there
"""


def test_routes_are_checked_where_the_real_program_stops_without_a_word() -> None:
    assert brief(ROUTES, Format.YAML) == [
        ("bad_condition", "input.dummy.routes.condition", 10, 27),
        ("unknown_output", "input.dummy.routes.to", 11, 35),
        ("duplicate_name", "input.dummy.routes", 12, 19),
        ("missing_property", "input.dummy.routes.to", 13, 17),
        ("bad_structure", "input.dummy.routes", 14, 9),
    ]


PROCESSORS = """
pipeline:
  inputs:
    - name: dummy
      processors:
        logs:
          - name: content_modifer
          - name: content_modifier
            key: a
          - name: sql
            query: "SELECT *;"
            condition:
              rules:
                - {field: $a, op: in, value: [x, 5]}
"""


def test_processor_units_are_checked_as_plugins_are() -> None:
    assert brief(PROCESSORS, Format.YAML) == [
        ("unknown_plugin", "processor.content_modifer", 7, 19),
        ("missing_property", "processor.content_modifier.action", 8, 13),
        ("bad_condition", "input.dummy.processors.logs[2].condition", 14, 50),
    ]


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        ("op: gt, value: 5.0", []),
        ("op: gt, value: 5", ["misread_number"]),
        ('op: lt, value: "5"', ["misread_number"]),
        ("op: eq, value: 5", ["misread_number"]),
        ('op: eq, value: "5"', []),
        ("op: eq, value: 256", ["bad_condition"]),
        ('op: eq, value: ""', ["bad_condition"]),
        ("op: in, value: []", ["bad_condition"]),
    ],
)
def test_numbers_that_fluent_bit_misreads_in_conditions_are_told(rule: str, kinds: list[str]) -> None:
    unit = f"{{name: sql, query: x, condition: {{rules: [{{field: $a, {rule}}}]}}}}"
    text = f"pipeline: {{inputs: [{{name: dummy, processors: {{logs: [{unit}]}}}}]}}\n"
    assert [each.kind for each in found(text, Format.YAML)] == kinds


def test_a_native_processor_under_a_signal_it_has_no_use_for_is_a_warning_and_a_filter_an_error() -> None:
    units = "[{name: sql, query: x}, {name: modify}]"
    text = f"pipeline: {{inputs: [{{name: dummy, processors: {{metrics: {units}}}}}]}}\n"
    assert [(each.kind, str(each.severity)) for each in found(text, Format.YAML)] == [
        ("processor_signal", "warning"),
        ("processor_signal", "error"),
    ]


def test_a_multiline_rule_must_lead_to_a_state_that_has_a_rule() -> None:
    rules = "[{state: start_state, regex: /a/, next_state: cont}, {state: conti, regex: /b/, next_state: conti}]"
    (finding,) = found(f"multiline_parsers:\n  - {{name: m, type: regex, rules: {rules}}}\n", Format.YAML)
    assert (finding.kind, finding.remedy) == ("bad_rule", 'did you mean "conti"?')


def test_json_is_checked_like_yaml() -> None:
    text = '{"pipeline": {"inputs": [{"name": "dummy", "rate": "x"}]}}'
    assert brief(text, Format.JSON) == [("bad_value", "input.dummy.rate", 1, 52)]


def test_a_file_of_only_parsers_is_a_parsers_file() -> None:
    text = "[PARSER]\n    name a\n    format json\n    time_zone UTC\n[PARSER]\n    name b\n    format jsn\n"
    assert [(each.kind, each.remedy) for each in found(text)] == [
        ("missing_property", "add time_format"),
        ("bad_value", 'did you mean "json"?'),
    ]


def test_an_include_that_includes_itself_is_told() -> None:
    files = {"a.conf": b"@INCLUDE main.conf\n"}
    findings = check("@INCLUDE a.conf\n", Format.CLASSIC, file="main.conf", read=files.get)
    assert [(each.kind, each.file) for each in findings] == [("include_circle", "a.conf")]


def test_formats_have_their_published_names() -> None:
    names = ["", "INI", "classic", "conf", "yml", "YAML", "json"]
    assert [format_named(name) for name in names] == [*[Format.CLASSIC] * 4, Format.YAML, Format.YAML, Format.JSON]
    with pytest.raises(ValueError, match="toml"):
        format_named("toml")


def test_another_schema_has_another_opinion() -> None:
    text = "[INPUT]\n    name http_loader\n    url http://127.0.0.1/\n    method GET\n"
    assert [each.kind for each in found(text)] == ["unknown_plugin"]
    assert [each.kind for each in found(text, schema=schema.load(product=True)) if each.kind == "unknown_plugin"] == []
