"""What each format can hold: a document without the pieces that a format has no way to write, and the list of those."""

import math
from dataclasses import replace
from typing import NamedTuple

from nectary.fluentbit import comments, meaning
from nectary.fluentbit.classic import kind_of
from nectary.fluentbit.document import (
    PLUGIN_KINDS,
    Document,
    Format,
    Group,
    Kind,
    ListNode,
    Node,
    Place,
    Problem,
    Property,
    Scalar,
    Section,
    Severity,
    Variable,
)
from nectary.fluentbit.reading import BLANKS, folded
from nectary.fluentbit.structure import TOP_WORDS
from nectary.fluentbit.write import is_plain

_SIDE_KINDS = {
    Kind.PARSER: "a parsers file (service parsers_file)",
    Kind.MULTILINE_PARSER: "a parsers file (service parsers_file)",
    Kind.STREAM_TASK: "a streams file (service streams_file)",
    Kind.PLUGINS: "a plugins file (service plugins_file)",
    Kind.UPSTREAM: "an upstream file (option upstream of the output)",
}
_SIDE_FILES = (
    {Kind.PARSER, Kind.MULTILINE_PARSER},
    {Kind.STREAM_TASK},
    {Kind.PLUGINS},
    {Kind.UPSTREAM, Kind.NODE},
)


class Fit(NamedTuple):
    """The part of a document that a format holds, and what is lost (errors) or kept in another way (warnings)."""

    document: Document
    findings: tuple[Problem, ...]


def fit(document: Document, format: Format) -> Fit:
    """Leave out, and list, what the format cannot hold. Included files that were read are taken into the document."""
    findings: list[Problem] = []
    kept = _without_includes(document, findings)
    _note_comments(document, format, findings)
    for command in document.commands:
        what = f"@{command.word}: Fluent Bit ignores it, and so it is left out"
        findings.append(Problem(command.place, "left_out", what, "", Severity.WARNING))
    kept = _classic(kept, findings) if format is Format.CLASSIC else _tree(kept, format, findings)
    return Fit(kept, tuple(sorted(findings, key=lambda finding: finding.place)))


def is_side_file(document: Document) -> bool:
    """Whether it is a text of parsers only, and so on: then these sections stand in it. In a classic main file they do not."""
    kinds = {section.kind for section in document.sections}
    return any(kinds and kinds <= side for side in _SIDE_FILES)


def owner(section: Section) -> str:
    """`input.tail`, or `service`."""
    name = section.get("name")
    return f"{section.kind}.{name}" if name and section.kind is not Kind.SERVICE else str(section.kind)


def _lost(findings: list[Problem], at: Place, what: str, format: str, advice: str = "") -> None:
    findings.append(Problem(at, "unsupported", f"{what}: the {format} format has no way to write it", advice))


def _without_includes(document: Document, findings: list[Problem]) -> Document:
    left = []
    unmatched = {warning.place for warning in document.warnings if warning.kind == "include_no_match"}
    for include in document.includes:
        if include.file != document.file:
            continue
        if include.place in unmatched:
            what = f"the include {include.path!r}, which no file fits, is left out"
            findings.append(Problem(include.place, "left_out", what, "", Severity.WARNING))
        elif include.files:
            what = f"the include {include.path!r} is replaced by what it brought in"
            findings.append(Problem(include.place, "include_inlined", what, "", Severity.WARNING))
        else:
            what = f"the include {include.path!r} was not read and still names a file of the old format"
            findings.append(Problem(include.place, "include_kept", what, "convert that file as well", Severity.WARNING))
            left.append(include)
    return replace(document, includes=tuple(left), commands=())


def _note_comments(document: Document, format: Format, findings: list[Problem]) -> None:
    for number, source in enumerate(document.sources):
        if format is Format.JSON or number:
            found = comments.of_source(source)
            if found:
                reason = "JSON has none" if format is Format.JSON else "they are in an included file"
                at = Place(source.file, found[0].line, found[0].column)
                what = f"{len(found)} comments are left out: {reason}"
                findings.append(Problem(at, "comments_left_out", what, "", Severity.WARNING))


def _classic(document: Document, findings: list[Problem]) -> Document:
    side_file = is_side_file(document)
    variables = []
    for variable in document.variables:
        if variable.refresh:
            advice = "set the variable without it"
            _lost(findings, variable.place, f"env refresh_interval of {variable.name}", "classic", advice)
        if not is_plain(variable):
            _lost(findings, variable.place, f"env uri of {variable.name}", "classic", "use one that starts with file://")
        elif _classic_variable(variable):
            variables.append(variable._replace(refresh=""))
        else:
            _lost(findings, variable.place, f"env {variable.name}", "classic", "use a name and a value without line breaks")
    sections = []
    for section in document.sections:
        if section.kind in _SIDE_KINDS and not side_file:
            what = f"{_SIDE_WORDS[section.kind]} {section.get('name') or ''}".strip()
            _lost(findings, section.place, what, "classic", f"put it into {_SIDE_KINDS[section.kind]}")
        elif section.kind is Kind.EXTENSIONS:
            _lost(findings, section.place, "extensions", "classic")
        elif section.kind is Kind.OTHER and not _classic_header(section.header):
            _lost(findings, section.place, f"the section {section.header!r}", "classic")
        else:
            sections.append(_classic_section(section, findings))
    return replace(document, variables=tuple(variables), sections=tuple(sections))


_SIDE_WORDS = {
    Kind.PARSER: "parser",
    Kind.MULTILINE_PARSER: "multiline parser",
    Kind.STREAM_TASK: "stream task",
    Kind.PLUGINS: "plugins",
    Kind.UPSTREAM: "upstream",
}


def _classic_variable(variable: Variable) -> bool:
    name, value = variable.name, variable.value or variable.uri
    if not name or name[0] in BLANKS or "=" in name or not _one_line(name) or not _one_line(value):
        return False
    return value == value.rstrip(BLANKS) and "\0" not in name + value


def _classic_header(header: str) -> bool:
    return bool(header) and "]" not in header and _one_line(header) and kind_of(header) is Kind.OTHER


def _one_line(text: str) -> bool:
    return "\n" not in text and not text.endswith("\r")


def _classic_section(section: Section, findings: list[Problem]) -> Section:
    name = owner(section)
    properties = [prop for prop in section.properties if _classic_property(prop, name, section.kind, findings)]
    groups = []
    for group in section.groups:
        if section.kind is Kind.MULTILINE_PARSER and group.name == "rule":
            rule = _classic_rule(group)
            if rule is None:
                _lost(findings, group.place, f"a rule of {name}", "classic", "give it state, regex and next_state")
            else:
                properties.append(rule)
        elif section.kind is Kind.UPSTREAM and group.name == "node":
            kept = [prop for prop in group.properties if _classic_property(prop, f"{name}.node", section.kind, findings)]
            groups.append(group._replace(properties=tuple(kept)))
        elif " " in group.key and "]" not in group.key and _one_line(group.key) and group.name == folded(group.key):
            kept = [prop for prop in group.properties if _classic_property(prop, f"{name}.{group.key}", section.kind, findings)]
            groups.append(group._replace(properties=tuple(kept)))
        else:
            _lost(findings, group.place, f"the map {name}.{group.key}", "classic")
    return section._replace(properties=tuple(properties), groups=tuple(groups))


def _classic_rule(group: Group) -> Property | None:
    """The group of a YAML rule as a classic line, if that is read back as the same three words."""
    found = {prop.name: prop.value for prop in group.properties}
    if tuple(found) != meaning.RULE_KEYS or len(group.properties) != len(found):
        return None
    text = " ".join('"' + word.replace('"', '\\"') + '"' for word in found.values())
    if meaning.rule_words(text) != list(found.values()) or not _one_line(text):
        return None
    first = group.properties[0]
    return first._replace(key="rule", name="rule", value=text)


def _classic_property(prop: Property, owner_name: str, kind: Kind, findings: list[Problem]) -> bool:
    what = f"{owner_name}.{prop.name}"
    advice, value = "", prop.value
    if prop.nested is not None:
        word = prop.name
        empty = isinstance(prop.nested, ListNode) and not prop.nested.items
        what = f"empty list {what}" if empty else f"{word} of {owner_name}" if kind is not Kind.SERVICE else what
        advice = "use a filter of its own" if word == "processors" else ""
    elif not value:
        what = f"empty value {what}"
    elif "\n" in value:
        what, advice = f"line break in {what}", "put it on one line"
    elif value != value.strip(BLANKS):
        what = f"leading or trailing blanks in {what}"
    elif "\0" in value:
        what = f"NUL in {what}"
    elif not _classic_key(prop):
        what = f"the key {prop.key!r} of {owner_name}"
    else:
        return True
    _lost(findings, prop.place if prop.nested is not None else prop.value_place, what, "classic", advice)
    return False


def _classic_key(prop: Property) -> bool:
    name = prop.name
    return (
        bool(name)
        and " " not in name
        and name[0] not in "#["
        and _one_line(name)
        and name == name.strip(BLANKS)
        and (folded(name) == name)
    )


def _tree(document: Document, format: Format, findings: list[Problem]) -> Document:
    """YAML and JSON hold nearly everything; what only one of them, or only Fluent Bit's reader, takes is noted."""
    sections: list[Section] = []
    for section in meaning.normal_sections(document.sections):
        if section.kind is Kind.OTHER and (not section.header or folded(section.header) in TOP_WORDS):
            _lost(findings, section.place, f"the section {section.header!r}", format)
        elif section.kind is Kind.NODE:
            _lost(findings, section.place, "a node without an upstream", format)
        else:
            sections.append(_tree_section(section, format, findings))
    if document.format is Format.CLASSIC:
        sections = [_without_groups(section, format, findings) for section in sections]
    return replace(document, sections=tuple(sections))


def _without_groups(section: Section, format: Format, findings: list[Problem]) -> Section:
    """A classic `[My Group]` would be a map option in YAML, for which Fluent Bit also sets a property, and fails on it."""
    if section.kind not in PLUGIN_KINDS:
        return section
    for group in section.groups:
        _lost(findings, group.place, f"the group [{group.key}] of {owner(section)}", format)
    return section._replace(groups=())


def _tree_section(section: Section, format: Format, findings: list[Problem]) -> Section:
    groups, properties = section.groups, section.properties
    if section.kind is Kind.MULTILINE_PARSER:
        for prop in section.every("rule"):
            _lost(findings, prop.value_place, f"a rule of {owner(section)}", format, "give it state, regex and next state")
        properties = tuple(prop for prop in properties if prop.name != "rule")
    if section.kind not in PLUGIN_KINDS:
        # Only plugins may have any map; these lists may have their one kind.
        held = {Kind.MULTILINE_PARSER: "rule", Kind.UPSTREAM: "node"}.get(section.kind)
        for prop in properties:
            if prop.key.strip(BLANKS) == f"{held}s":
                _lost(findings, prop.place, f"the key {prop.key!r} of {owner(section)}", format, f"write each as a {held}")
        properties = tuple(prop for prop in properties if prop.key.strip(BLANKS) != f"{held}s")
        for group in groups:
            if group.name != held:
                _lost(findings, group.place, f"the group [{group.key}] of {owner(section)}", format)
        groups = tuple(group for group in groups if group.name == held)
        for group in groups:
            if any(prop.value != prop.value.strip(BLANKS) for prop in group.properties):
                # Only a classic rule's quotes keep blanks at the ends; Fluent Bit trims them here.
                _lost(findings, group.place, f"the blanks in a {held} of {owner(section)}", format)
        groups = tuple(group for group in groups if all(prop.value == prop.value.strip(BLANKS) for prop in group.properties))
    else:
        _note_repeats(section, findings)
    if format is Format.JSON:
        properties = tuple(_finite(prop, findings) for prop in properties)
    return section._replace(properties=properties, groups=groups)


def _note_repeats(section: Section, findings: list[Problem]) -> None:
    """A key that comes again after another one keeps its order only by being written again; other readers keep the last."""
    seen: set[str] = set()
    last = ""
    for prop in section.properties:
        if prop.name in seen and prop.name != last:
            what = f"{owner(section)}.{prop.name} is written again further down to keep the order: only Fluent Bit reads that"
            findings.append(Problem(prop.place, "key_repeated", what, "", Severity.WARNING))
            return
        seen.add(prop.name)
        last = prop.name


def _finite(prop: Property, findings: list[Problem]) -> Property:
    """JSON has no infinity and no NaN: such a number in a nested value becomes text, and that is said."""

    def finite(node: Node) -> Node:
        if isinstance(node, ListNode):
            return node._replace(items=tuple(finite(item) for item in node.items))
        if not isinstance(node, Scalar):
            return node._replace(pairs=tuple((key, finite(value)) for key, value in node.pairs))
        value = meaning.typed(node)
        if not isinstance(value, float) or math.isfinite(value):
            return node
        place = Place(prop.file, node.line, node.column)
        _lost(findings, place, f"the number {node.text} in {prop.name}", "json", "write a number that is finite")
        return node._replace(plain=False)

    return prop if prop.nested is None else prop._replace(nested=finite(prop.nested))
