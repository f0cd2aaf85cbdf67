"""Findings in the shapes the published API answers with.

Two kinds: one sentence in `detail` beside "invalid pipeline config" or "invalid fluentbit config", and the lists of
`POST /v1/config_validate/{agent}` and `POST /v1/config_validate_v2`, which ask about single sections.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from nectary.fluentbit.document import Document, Format, Kind, Property, Section, Severity
from nectary.fluentbit.findings import Finding, errors
from nectary.fluentbit.schema import PluginSchema, Schema, load
from nectary.fluentbit.validate import plugins, service
from nectary.fluentbit.validate.report import Report
from nectary.fluentbit.validate.surroundings import NOWHERE

_COMMANDS = {"INPUT": Kind.INPUT, "FILTER": Kind.FILTER, "OUTPUT": Kind.OUTPUT, "CUSTOM": Kind.CUSTOM, "SERVICE": Kind.SERVICE}
_KINDS = ("input", "filter", "output")
MOST_SECTIONS = 1_000
_LOOPBACK = ("127.0.0.1", "localhost")


class InvalidPayloadError(ValueError):
    """A question of another shape than the published one."""


def detail(findings: Iterable[Finding], document: Document | None = None, *, schema: Schema | None = None) -> str | None:
    """The `detail` for a refused configuration: the first error, in the published words where there are such; None for none.

    document: the configuration the findings are about, when it could be read; it gives the values as written.
    """
    first = next(iter(errors(findings)), None)
    if first is None:
        return None
    prop = _property_at(document, first) if document is not None else None
    sentence = _published_sentence(first, prop, schema or load())
    return sentence or f"line {first.line}: {first.message}"


def _property_at(document: Document, finding: Finding) -> Property | None:
    places = finding.file, finding.line, finding.column
    for _, prop in document.properties():
        if places in {(prop.file, prop.value_line, prop.value_column), (prop.file, prop.line, prop.column)}:
            return prop
    return None


def _published_sentence(finding: Finding, prop: Property | None, schema: Schema) -> str | None:
    if finding.kind == "missing_name" or (finding.kind == "empty_value" and finding.subject.endswith(".name")):
        return 'unknown plugin ""'
    kind, _, rest = finding.subject.partition(".")
    if finding.kind == "unknown_plugin":
        return f'unknown plugin "{rest}"'
    plugin = _plugin_of(schema, kind, rest)
    if plugin is None or prop is None:
        return None
    if finding.kind == "unknown_property":
        return f'{plugin.name}: unknown property "{prop.key}"'
    option = plugin.option(prop.name)
    if finding.kind in {"bad_value", "bad_port"} and option is not None and not option.values:
        return f'{plugin.name}: expected "{prop.key}" to be a valid {option.type}; got "{prop.value[:200]}"'
    return None


def _plugin_of(schema: Schema, kind: str, rest: str) -> PluginSchema | None:
    """The plugin a subject such as `input.azure-blob-input.path` is about: names hold no dots."""
    return schema.plugin(kind, rest.partition(".")[0])


def undefined_hosts(document: Document, schema: Schema | None = None) -> list[str]:
    """The details `host property not defined in section "tcp.0"`, for when checks are to be made from the outputs.

    An output is meant that talks to a host of the user's own: one whose default is this very machine.
    """
    known = schema or load()
    found = []
    for plugin in document.plugins_of(Kind.OUTPUT):
        about = known.plugin("output", plugin.name)
        if about is None or "net_target" not in about.groups or plugin.address:
            continue
        default = about.target_default.get("host") if about.target_default else None
        if default in _LOOPBACK and plugin.section.find("host") is None and plugin.section.find("upstream") is None:
            found.append(f'host property not defined in section "{plugin.id}"')
    return found


def config_validate(payload: Any, *, schema: Schema | None = None) -> dict[str, Any]:
    """The answer of `POST /v1/config_validate/{agent}`: `{errors: {runtime: [text], input: {name: [text]}, ...}}`.

    payload: `{config: [{id, command, name, optional: {option: value} or null}]}`. Raises InvalidPayloadError.
    """
    runtime: list[str] = []
    answer: dict[str, dict[str, list[str]]] = {kind: {} for kind in _KINDS}
    for item, findings in _judged(payload, schema or load()):
        for finding in findings:
            if item.kind in answer and item.known:
                answer[item.kind].setdefault(item.name, []).append(_sentence(finding))
            else:
                runtime.append(_sentence(finding))
    return {"errors": {"runtime": runtime, **answer}}


def config_validate_v2(payload: Any, *, schema: Schema | None = None) -> dict[str, Any]:
    """The answer of `POST /v1/config_validate_v2`: items `{id, property, text, errors}` per plugin, `{id, errors}` in runtime.

    property: the option, "" when the section as a whole is meant. text: its value, None when it is not given.
    """
    runtime: list[dict[str, Any]] = []
    answer: dict[str, dict[str, list[dict[str, Any]]]] = {kind: {} for kind in _KINDS}
    for item, findings in _judged(payload, schema or load()):
        by_property: dict[str, list[str]] = {}
        for finding in findings:
            by_property.setdefault(item.property_of(finding), []).append(_sentence(finding))
        for name, sentences in by_property.items():
            if item.kind in answer and item.known:
                entry = {"id": item.id, "property": name, "text": item.values.get(name), "errors": sentences}
                answer[item.kind].setdefault(item.name, []).append(entry)
            else:
                runtime.append({"id": item.id, "errors": sentences})
    return {"errors": {"runtime": runtime, **answer}}


def _sentence(finding: Finding) -> str:
    return f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message


class _Item:
    """One section of a question."""

    def __init__(self, raw: Any, number: int) -> None:
        if not isinstance(raw, Mapping) or not isinstance(raw.get("command"), str) or not isinstance(raw.get("name"), str):
            raise InvalidPayloadError(f"config[{number}] needs command and name as text")
        optional = raw.get("optional") or {}
        if not isinstance(optional, Mapping):
            raise InvalidPayloadError(f"config[{number}].optional is not an object")
        self.id = str(raw.get("id") or "")
        self.command: str = raw["command"]
        self.name: str = raw["name"]
        self.values = {str(key): _text(value) for key, value in optional.items()}
        self.section_kind = _COMMANDS.get(self.command.strip().upper())
        self.kind = str(self.section_kind or "")
        self.known = False
        self._keys = ["", "name", *self.values]

    def section(self) -> Section:
        """The section it would be: line 1, one column per property, so that a finding's column says which one is meant."""
        pairs = [("name", self.name), *self.values.items()]
        properties = tuple(Property(key, key.lower(), value, "", 1, at, 1, at) for at, (key, value) in enumerate(pairs, 1))
        assert self.section_kind is not None
        return Section(self.section_kind, self.command, properties, (), "", 1, 0)

    def property_of(self, finding: Finding) -> str:
        """The option a finding is about; "" for the section."""
        return self._keys[finding.column] if 0 <= finding.column < len(self._keys) else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _judged(payload: Any, schema: Schema) -> list[tuple[_Item, list[Finding]]]:
    listed = payload.get("config") if isinstance(payload, Mapping) else None
    if not isinstance(listed, list) or len(listed) > MOST_SECTIONS:
        raise InvalidPayloadError(f"config is a list of at most {MOST_SECTIONS} sections")
    judged = []
    for number, raw in enumerate(listed):
        item = _Item(raw, number)
        if item.section_kind is None:
            message = f'unknown command "{item.command[:100]}"'
            judged.append((item, [Finding(Severity.ERROR, "", 1, 0, "unknown_section", "", message)]))
            continue
        section = item.section()
        report = Report(Document(Format.CLASSIC, "", (section,)), schema, NOWHERE)
        if item.section_kind is Kind.SERVICE:
            service.check(report)
        else:
            item.known = schema.plugin(item.kind, item.name) is not None
            plugins.check(report, section)
        judged.append((item, errors(report.findings)))
    return judged
