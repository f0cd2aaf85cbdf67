"""What a plugin needs beyond well-formed options: a match, required options, TLS files, parsers that exist, hidden secrets."""

from nectary.fluentbit.document import Property, Section
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.schema import PluginSchema
from nectary.fluentbit.validate import regexes
from nectary.fluentbit.validate.report import Report, key_place, shown, value_place
from nectary.fluentbit.values import TRUE_WORDS, boolean

BUILT_IN_PARSERS = frozenset({"docker", "cri", "java", "go", "ruby", "python"})
"""Multiline parsers every Fluent Bit has."""

_SECRETS = frozenset({"tls.key_passwd", "oauth2.client_secret"})
_TLS_FILES = frozenset({"tls.ca_file", "tls.crt_file", "tls.key_file", "tls.proxy.ca_file", "oauth2.jwt_key_file"})
_FATAL_PARSERS = frozenset(
    {("filter", "parser", "parser"), ("filter", "multiline", "multiline.parser"), ("input", "tail", "multiline.parser")}
)
_NO_PARSER_NAMES = frozenset({"k8s-logging.parser", "parser_"})


def check(report: Report, section: Section, plugin: PluginSchema, name: str, given: set[str]) -> None:
    """The needs of one plugin section. given: the names of its properties; name: as written, maybe a URL."""
    kind = plugin.kind
    if kind in {"filter", "output"} and "match" not in given and "match_regex" not in given:
        _no_match_rule(report, section, plugin)
    for group in plugin.required:
        lowered = {option.lower() for option in group}
        if given.isdisjoint(lowered) and not (lowered == {"host"} and "://" in name):
            # Only the lua filter looks before it is started (its early check runs in the dry run).
            stage = Stage.DRY_RUN if (kind, plugin.name) == ("filter", "lua") else Stage.START
            wanted = " or ".join(f'"{option}"' for option in group)
            report.error(
                section.place, "missing_property", f"{kind}.{plugin.name}.{'|'.join(group)}", f"{plugin.name} needs {wanted}",
                f"add {wanted}", stage,
            )  # fmt: skip
    if not plugin.notable.isdisjoint(given):
        for prop in section.properties:
            if prop.name in plugin.notable and prop.nested is None:
                _notable(report, section, plugin, prop)


def _no_match_rule(report: Report, section: Section, plugin: PluginSchema) -> None:
    subject = f"{plugin.kind}.{plugin.name}"
    remedy = 'add "match", such as match *'
    if plugin.kind == "filter":
        active = section.get("active")
        if active is not None and active.lower() in {"false", "0", "off", "no"}:
            return
        message = f"the filter {plugin.name} has no match, and Fluent Bit does not start such a filter"
        report.error(section.place, "missing_match", subject, message, remedy, Stage.DRY_RUN)
    elif not report.is_routed_to(section):
        message = f"the output {plugin.name} has no match, so it gets nothing"
        report.warn(section.place, "missing_match", subject, message, remedy)


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
    if role in {"file read", "secret file read"}:
        file_exists(report, prop, value, _subject(plugin, prop), dry_run=(plugin.kind, plugin.name) == ("filter", "lua"))
    elif "parser" in name and name not in _NO_PARSER_NAMES:
        _parsers(report, plugin, prop, value)
    elif pattern := _pattern(plugin, name, value):
        fault = regexes.fault(pattern)
        if fault:
            stage = Stage.DRY_RUN if name == "match_regex" and plugin.kind == "filter" else Stage.START
            report.error(
                value_place(prop), "bad_regex", _subject(plugin, prop), f"the regular expression is broken: {fault}", "", stage
            )


def _subject(plugin: PluginSchema, prop: Property) -> str:
    return f"{plugin.kind}.{plugin.name}.{prop.name[:200]}"


def _pattern(plugin: PluginSchema, name: str, value: str) -> str:
    """The regular expression in an option's value, or "" when it has none."""
    if name in {"match_regex", "tag_regex"}:
        return value
    if (plugin.kind, plugin.name) in {("filter", "grep"), ("filter", "log_to_metrics")} and name in {"regex", "exclude"}:
        return value.partition(" ")[2].strip()
    return ""


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
