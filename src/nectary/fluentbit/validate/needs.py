"""What a plugin needs beyond well-formed options: a match, required options, a folder, parsers, files, and hidden secrets."""

from collections.abc import Callable, Collection, Iterator

from nectary.fluentbit.document import Property, Section
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.schema import PluginSchema
from nectary.fluentbit.validate import regexes
from nectary.fluentbit.validate.report import Report, key_place, shown, value_place
from nectary.fluentbit.values import TRUE_WORDS, boolean, words

BUILT_IN_PARSERS = frozenset({"docker", "cri", "java", "go", "ruby", "python"})
"""Multiline parsers every Fluent Bit has."""

_SECRETS = frozenset({"tls.key_passwd", "oauth2.client_secret"})
_TLS_FILES = frozenset({"tls.ca_file", "tls.crt_file", "tls.key_file", "tls.proxy.ca_file", "oauth2.jwt_key_file"})
_FATAL_PARSERS = frozenset(
    {
        *(("filter", "parser", "parser"), ("filter", "multiline", "multiline.parser")),
        *(("input", "tail", "multiline.parser"), ("input", "syslog", "parser")),
    }
)
_SYSLOG_PARSERS = {"tcp": "syslog-rfc5424", "udp": "syslog-rfc5424"}
_STORED = frozenset({"storage.type", "emitter_storage.type"})
_NO_PARSER_NAMES = frozenset({"k8s-logging.parser", "parser_"})
_LOOK_EARLY = frozenset({("filter", "lua"), ("filter", "wasm")})
"""Filters whose script and options the dry run (and a reload) looks at too: they have a cb_pre_run."""


def check(report: Report, section: Section, plugin: PluginSchema, name: str, given: set[str]) -> None:
    """The needs of one plugin section. given: the names of its properties; name: as written, maybe a URL."""
    kind = plugin.kind
    if kind in {"filter", "output"} and "match" not in given and "match_regex" not in given:
        _no_match_rule(report, section, plugin)
    early = (kind, plugin.name) in _LOOK_EARLY
    if kind == "filter" and not early and _switched_off(report, section):
        return
    for group in lacking(plugin, given, lambda option: report.final(section.get(option) or "")):
        if group == ("host",) and "://" in name:
            continue
        wanted = " or ".join(f'"{option}"' for option in group)
        report.error(
            section.place, "missing_property", f"{kind}.{plugin.name}.{'|'.join(group)}", f"{plugin.name} needs {wanted}",
            f"add {wanted}", Stage.DRY_RUN if early else Stage.START,
        )  # fmt: skip
    if not _STORED.isdisjoint(given):
        _storage(report, section, plugin)
    if (kind, plugin.name) == ("input", "syslog") and "parser" not in given:
        _syslog(report, section)
    if not plugin.notable.isdisjoint(given):
        for prop in section.properties:
            if prop.name in plugin.notable and prop.nested is None:
                _notable(report, section, plugin, prop)


def lacking(plugin: PluginSchema, given: Collection[str], value: Callable[[str], str | None]) -> Iterator[tuple[str, ...]]:
    """The groups of options of which one must be set and none is. value: of one that is set; None when nobody can tell."""
    for group in plugin.required:
        if any(option.lower() in given for option in group):
            continue
        for option, excusing in plugin.excuses.get(group[0], {}).items():
            if option in given and (not excusing or (said := value(option)) is None or said.lower() in excusing):
                break
        else:
            yield group


def _switched_off(report: Report, section: Section) -> bool:
    """Whether a filter is not started at all (is_active in src/flb_filter.c, which knows no other words)."""
    return any((report.final(prop.value) or "").lower() in {"false", "0"} for prop in section.every("active"))


def _no_match_rule(report: Report, section: Section, plugin: PluginSchema) -> None:
    subject = f"{plugin.kind}.{plugin.name}"
    remedy = 'add "match", such as match *'
    if plugin.kind == "filter":  # one that is switched off, too
        message = f"the filter {plugin.name} has no match, and Fluent Bit does not start such a filter"
        report.error(section.place, "missing_match", subject, message, remedy, Stage.DRY_RUN)
    elif not report.is_routed_to(section):
        message = f"the output {plugin.name} has no match, so it gets nothing"
        report.warn(section.place, "missing_match", subject, message, remedy)


def _storage(report: Report, section: Section, plugin: PluginSchema) -> None:
    """Records kept in files without a folder for them (flb_storage_input_create in src/flb_storage.c)."""
    document = report.document
    if report.around.storage or document.service_value("storage.path") or not all(each.files for each in document.includes):
        return
    for prop in section.properties:
        if prop.name in _STORED and (report.final(prop.value) or "").lower() == "filesystem":
            message = f'"{prop.key}" of {plugin.name} cannot be filesystem while the service has no storage.path'
            remedy = "add storage.path to the service"
            report.error(value_place(prop), "missing_property", "service.storage.path", message, remedy, Stage.START)


def _syslog(report: Report, section: Section) -> None:
    """Without `parser` the input takes one by a name that only a parsers file has (syslog_conf_create in plugins/in_syslog)."""
    mode = report.final(section.get("mode") or "unix_udp")
    default = _SYSLOG_PARSERS.get((mode or "").lower(), "syslog-rfc3164-local")
    if mode is not None and report.parsers is not None and default not in report.parsers:
        message = f"syslog does not start without its parser {shown(default)}, which nothing defines"
        remedy = "name the file that has it in parsers_file of the service, or give the input another parser"
        report.warn(section.place, "unknown_parser", "input.syslog.parser", message, remedy, Stage.START)


def _notable(report: Report, section: Section, plugin: PluginSchema, prop: Property) -> None:
    name = prop.name
    value = report.final(prop.value)
    if name == "tls":
        if value is not None and boolean(value):
            _tls(report, section, plugin, prop)
        return
    if name in plugin.secrets or name in _SECRETS or (name.startswith("rdkafka.") and "password" in name):
        if prop.value and "${" not in prop.value and "{{" not in prop.value:
            message = f'"{prop.key}" of {plugin.name} is a secret in plain text'
            remedy = "use a secret: {{ secrets.NAME }}, or a variable: ${NAME}"
            report.warn(value_place(prop), "plain_secret", _subject(plugin, prop), message, remedy)
        return
    if not value:
        return
    role = plugin.files.get(name, "file read" if name in _TLS_FILES else "")
    if name.startswith("tls.") and plugin.tls != "on" and not _may_use_tls(report, section):
        return
    if role in {"file read", "secret file read"}:
        file_exists(report, prop, value, _subject(plugin, prop), dry_run=(plugin.kind, plugin.name) in _LOOK_EARLY)
    else:
        parsers_and_patterns(report, plugin, prop, value)


def parsers_and_patterns(report: Report, plugin: PluginSchema, prop: Property, value: str) -> None:
    """Names of parsers and regular expressions in the value of an option, of a section or of a unit of processors."""
    name = prop.name
    if "parser" in name and name not in _NO_PARSER_NAMES:
        _parsers(report, plugin, prop, value)
    elif pattern := _pattern(plugin, name, value):
        fault = regexes.fault(pattern)
        if fault:
            message = f"the regular expression is broken: {fault}"
            report.error(value_place(prop), "bad_regex", _subject(plugin, prop), message, "", _stage_of_pattern(plugin, name))
    elif (plugin.kind, plugin.name) == ("filter", "grep") and name in {"regex", "exclude"} and len(value.split(None, 1)) < 2:
        message = f'"{prop.key}" of grep has a key and no regular expression'
        report.error(value_place(prop), "bad_value", _subject(plugin, prop), message, "write it behind the key", Stage.START)


def _subject(plugin: PluginSchema, prop: Property) -> str:
    return f"{plugin.kind}.{plugin.name}.{prop.name[:200]}"


def _pattern(plugin: PluginSchema, name: str, value: str) -> str:
    """The regular expression in an option's value, or "" when it has none (or maybe none)."""
    if name in {"match_regex", "tag_regex"}:
        return value
    if (plugin.kind, plugin.name) in {("filter", "grep"), ("filter", "log_to_metrics")} and name in {"regex", "exclude"}:
        return value.partition(" ")[2].strip()
    if (plugin.kind, plugin.name, name) == ("filter", "rewrite_tag", "rule"):
        return words(value)[1] if len(words(value, 3)) > 3 else ""
    return value if (plugin.kind, plugin.name, name) == ("processor", "content_modifier", "pattern") else ""


def _stage_of_pattern(plugin: PluginSchema, name: str) -> Stage:
    """When a broken expression stops the program; an output or input only goes without the records."""
    if name == "match_regex" and plugin.kind == "filter":
        return Stage.DRY_RUN
    return Stage.NEVER if name in {"match_regex", "tag_regex"} else Stage.START


def _may_use_tls(report: Report, section: Section) -> bool:
    """Whether the certificates named are read at all: not while TLS is off, as it is unless something says otherwise."""
    value = report.final(section.get("tls") or "off")
    return value is None or boolean(value) is True


def _tls(report: Report, section: Section, plugin: PluginSchema, prop: Property) -> None:
    """TLS on a plugin that has none, or on a listener without its certificate and key."""
    if plugin.tls == "none":
        message = f"{plugin.name} does not support TLS"
        report.error(key_place(prop), "tls_unsupported", _subject(plugin, prop), message, "remove it", Stage.LOAD)
    elif plugin.role == "listener":
        for option in ("tls.crt_file", "tls.key_file"):
            if section.find(option) is None:
                message = f"a listener with TLS needs {option}"
                subject = f"{plugin.kind}.{plugin.name}.{option}"
                report.error(section.place, "missing_property", subject, message, f"add {option}", Stage.START)


def file_exists(report: Report, prop: Property, path: str, subject: str, *, dry_run: bool) -> None:
    """A file that must be there to be read, when somebody knows which files there are."""
    if report.around.has_file(path) is False:
        stage = Stage.DRY_RUN if dry_run else Stage.START
        message = f"there is no file {shown(path)}"
        report.error(value_place(prop), "file_missing", subject, message, "add the file or correct the path", stage)


def _parsers(report: Report, plugin: PluginSchema, prop: Property, value: str) -> None:
    """Names of parsers that nothing defines."""
    known = report.parsers
    rule = plugin.rules.get(prop.name)
    if known is None or (rule is not None and rule.value.name == "boolean"):
        return
    multiline = prop.name == "multiline.parser"
    names = [part.strip() for part in value.split(",")] if multiline else [value]
    for name in names:
        if not name or name in known or (multiline and name.lower() in BUILT_IN_PARSERS):
            continue
        remedy = report.did_you_mean(name, known) or "define it, or name its file in parsers_file of the service"
        message = f"no parser is called {shown(name)}"
        note = report.error if (plugin.kind, plugin.name, prop.name) in _FATAL_PARSERS else report.warn
        note(value_place(prop), "unknown_parser", _subject(plugin, prop), message, remedy, Stage.START)


def is_on(value: str | None) -> bool:
    """Whether a boolean text says yes."""
    return value is not None and value.lower() in TRUE_WORDS
