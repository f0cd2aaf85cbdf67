"""Parsers and multiline parsers: names, formats, patterns and rules."""

from nectary.fluentbit.document import Group, Kind, Property, Section
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.validate import regexes
from nectary.fluentbit.validate.report import Report, shown, value_place
from nectary.fluentbit.values import type_named, words

FORMATS = ("regex", "json", "ltsv", "logfmt")
MULTILINE_TYPES = ("regex", "endswith", "equal", "eq")
_FIELD_TYPES = frozenset({"integer", "bool", "float", "hex", "string"})


def check(report: Report) -> None:
    """All parsers of the document (src/flb_parser.c: parser_conf_file, multiline_parser_conf_file)."""
    sections = report.document.of(Kind.PARSER, Kind.MULTILINE_PARSER)
    if not sections:
        return
    main = report.classic and any(
        section.kind not in {Kind.PARSER, Kind.MULTILINE_PARSER, Kind.OTHER} for section in report.document.sections
    )
    names: dict[Kind, set[str]] = {Kind.PARSER: set(), Kind.MULTILINE_PARSER: set()}
    for section in sections:
        if main:
            message = f"[{section.header}] cannot stand in a main file"
            remedy = "move it to a file of its own and name that in parsers_file of the service"
            report.error(section.place, "parser_in_main", "", message, remedy, Stage.READ)
        name = section.get("name")
        kind = str(section.kind)
        if not name:
            message = f"this {kind.replace('_', ' ')} has no name"
            report.error(section.place, "missing_name", kind, message, 'add "name"', Stage.LOAD)
            continue
        subject = f"{kind}.{name[:200]}"
        if name in names[section.kind]:
            message = f"a second {kind.replace('_', ' ')} called {shown(name)}: Fluent Bit keeps the first"
            report.error(section.place, "duplicate_name", subject, message, "give it another name", Stage.LOAD)
        names[section.kind].add(name)
        if section.kind is Kind.PARSER:
            _parser(report, section, subject)
        else:
            _multiline(report, section, subject)
        _values(report, section, kind, subject)


def _parser(report: Report, section: Section, subject: str) -> None:
    form = section.find("format")
    if form is None:
        remedy = "add one of " + ", ".join(FORMATS)
        report.error(section.place, "missing_property", f"{subject}.format", "this parser has no format", remedy, Stage.LOAD)
        return
    value = report.final(form.value)
    if value is None:
        return
    if value.lower() not in FORMATS:
        remedy = report.did_you_mean(value, FORMATS) or "use one of " + ", ".join(FORMATS)
        message = f"{shown(value)} is no format of a parser"
        report.error(value_place(form), "bad_value", f"{subject}.format", message, remedy, Stage.LOAD)
        return
    pattern = section.find("regex")
    if value.lower() == "regex":
        if pattern is None:
            message = 'a parser of format regex needs "regex"'
            report.error(section.place, "missing_property", f"{subject}.regex", message, 'add "regex"', Stage.LOAD)
        else:
            _regex(report, pattern, f"{subject}.regex")
    if section.get("time_zone") and not section.get("time_format"):
        message = "time_zone works only with time_format"
        report.error(section.place, "missing_property", f"{subject}.time_format", message, "add time_format", Stage.LOAD)
    if types := section.find("types"):
        _types(report, types, subject)


def _types(report: Report, prop: Property, subject: str) -> None:
    for word in words(report.final(prop.value) or "")[:200]:
        key, _, kind = word.rpartition(":")
        if not key or kind.lower() not in _FIELD_TYPES:
            message = f'{shown(word)} is no "field:type"'
            remedy = "types are " + ", ".join(sorted(_FIELD_TYPES))
            report.warn(value_place(prop), "bad_value", f"{subject}.types", message, remedy)


def _regex(report: Report, prop: Property, subject: str) -> None:
    value = report.final(prop.value)
    if value and (fault := regexes.fault(value)):
        message = f"the regular expression is broken: {fault}"
        report.error(value_place(prop), "bad_regex", subject, message, "", Stage.LOAD)


def _multiline(report: Report, section: Section, subject: str) -> None:
    form = section.find("type")
    if form is None:
        remedy = "add one of " + ", ".join(MULTILINE_TYPES[:3])
        report.error(
            section.place, "missing_property", f"{subject}.type", "this multiline parser has no type", remedy, Stage.LOAD
        )
        return
    value = report.final(form.value)
    if value is None:
        return
    if value.lower() not in MULTILINE_TYPES:
        remedy = report.did_you_mean(value, MULTILINE_TYPES) or "use one of " + ", ".join(MULTILINE_TYPES[:3])
        message = f"{shown(value)} is no type of a multiline parser"
        report.error(value_place(form), "bad_value", f"{subject}.type", message, remedy, Stage.LOAD)
    if value.lower() != "regex":
        return
    rules = [_rule_of(group) for group in section.groups if group.name in {"rule", "rules"}]
    rules += [_rule_of_line(prop) for prop in section.every("rule") if prop.nested is None]
    rules.sort(key=lambda rule: rule[3][1:])
    states = {rule[0] for rule in rules}
    sound = True
    first = True
    for state, pattern, following, where in rules:
        if not (state and pattern and following):
            missing = " and ".join(
                name for name, part in (("state", state), ("regex", pattern), ("next_state", following)) if not part
            )
            report.error(where, "bad_rule", f"{subject}.rules", f"this rule has no {missing}", f"add {missing}", Stage.LOAD)
        elif first and state != "start_state":
            message = f'the first rule is for the state {shown(state)} and not for "start_state"'
            report.error(where, "bad_rule", f"{subject}.rules", message, "put the start_state rule first", Stage.LOAD)
        elif fault := regexes.fault(pattern):
            sound = False
            report.error(where, "bad_regex", f"{subject}.rules", f"the regular expression is broken: {fault}", "", Stage.LOAD)
        elif following not in states and sound:
            message = f"no rule is for the state {shown(following)} that follows here"
            remedy = report.did_you_mean(following, (state for state in states if state)) or "add a rule for it"
            report.error(where, "bad_rule", f"{subject}.rules", message, remedy, Stage.LOAD)
        first = False


_Rule = tuple[str | None, str | None, str | None, tuple[str, int, int]]


def _rule_of(group: Group) -> _Rule:
    first = group.properties[0] if group.properties else group
    return group.get("state"), group.get("regex"), group.get("next_state"), (group.file, first.line, first.column)


def _rule_of_line(prop: Property) -> _Rule:
    """A classic rule: three words, quoted or not."""
    parts = [*words(prop.value), None, None, None]
    return parts[0], parts[1], parts[2], value_place(prop)


def _values(report: Report, section: Section, kind: str, subject: str) -> None:
    """Types of the values, and keys nobody reads."""
    options = report.schema.sections.get(kind, {})
    for prop in section.properties:
        option = options.get(prop.name)
        if option is None:
            remedy = report.did_you_mean(prop.name, options) or "remove it"
            message = f"a {kind.replace('_', ' ')} has no option {shown(prop.key)}, Fluent Bit ignores it"
            report.warn(
                (prop.file, prop.line, prop.column), "unknown_property", f"{subject}.{prop.name[:200]}", message, remedy
            )
            continue
        value = report.final(prop.value) if prop.nested is None else None
        if value and (wants := type_named(option.type).problem(value)):
            message = f'"{prop.key}" cannot be {shown(value)}'
            report.error(value_place(prop), "bad_value", f"{subject}.{prop.name}", message, f"it takes {wants}", Stage.NEVER)
