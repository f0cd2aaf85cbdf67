"""What a configuration means to Fluent Bit, free of spelling and place: two documents with the same meaning run the same.

Used to prove that printing, editing and converting changed nothing else. The vectors' "equivalent" sets are this equality.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

from nectary.fluentbit.document import Document, Group, Kind, ListNode, MapNode, Node, Property, Scalar, Section
from nectary.fluentbit.reading import folded
from nectary.fluentbit.values import words

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ODD_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|inf|infinity|nan)", re.IGNORECASE)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def typed(scalar: Scalar) -> bool | int | float | str | None:
    """The value Fluent Bit gives a scalar inside a nested option, route or condition (state_variant_parse_scalar).

    Plain `true`, `false` and `null` in lower case, and what C's strtoull and strtod take, are themselves; all else is text.
    """
    text = scalar.text
    if not scalar.plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 400:
        return text
    if _NUMBER.fullmatch(text):
        digits = text.lstrip("+-")
        return int(text) if digits.isdecimal() and len(digits) <= 20 else float(text)
    if _ODD_NUMBER.fullmatch(text):
        return float(int(text, 16)) if "x" in text.lower() else float(text)
    return text


def of_node(node: Node) -> Any:
    """The meaning of a nested value where scalars have types."""
    if isinstance(node, Scalar):
        value = typed(node)
        return ("nan",) if isinstance(value, float) and math.isnan(value) else (type(value).__name__, value)
    if isinstance(node, ListNode):
        return ("list", tuple(of_node(item) for item in node.items))
    return ("map", tuple((key.text, of_node(value)) for key, value in node.pairs))


def of_processors(node: Node) -> Any:
    """The meaning of a `processors` value: a unit's own scalars are text, whatever they look like (STATE_PLUGIN_VAL)."""
    if not isinstance(node, MapNode):
        return of_node(node)
    signals = []
    for signal, units in node.pairs:
        entries = units.items if isinstance(units, ListNode) else ()
        signals.append((signal.text.lower(), tuple(_unit(unit) for unit in entries if isinstance(unit, MapNode))))
    return ("processors", tuple(signals))


def _unit(unit: MapNode) -> Any:
    return tuple((key.text, value.text if isinstance(value, Scalar) else of_node(value)) for key, value in unit.pairs)


def of_property(prop: Property) -> tuple[str, Any]:
    """Name and value."""
    if prop.nested is None:
        return prop.name, prop.value
    if isinstance(prop.nested, ListNode) and not prop.nested.items:
        return prop.name, ()
    return prop.name, of_processors(prop.nested) if prop.name == "processors" else of_node(prop.nested)


def _of_properties(properties: Iterable[Property]) -> tuple[tuple[str, Any], ...]:
    return tuple(of_property(prop) for prop in properties)


def of_group(group: Group) -> tuple[str, Any]:
    """Name and properties."""
    return group.name, _of_properties(group.properties)


def of_section(section: Section) -> tuple[Any, ...]:
    """Header (of a section that Fluent Bit does not know), properties and groups of a section of `normal_sections`."""
    header = folded(section.header) if section.kind is Kind.OTHER else ""
    return header, _of_properties(section.properties), tuple(of_group(group) for group in section.groups)


RULE_KEYS = ("state", "regex", "next_state")


def rule_words(text: str) -> list[str]:
    """The three words of a classic multiline rule; fewer or more when it is none."""
    return words(text)


def normal_sections(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The same sections in the shape of YAML.

    A classic multiline parser's `rule "state" "/regex/" "next"` is a group with these three keys, and a classic upstream file's
    `[NODE]` is a group of the `[UPSTREAM]` above it.
    """
    found: list[Section] = []
    nodes: list[Group] = []
    for section in (*sections, None):
        if section is not None and section.kind is Kind.NODE and found and found[-1].kind is Kind.UPSTREAM:
            nodes.append(Group("node", "node", section.properties, section.file, section.line, section.column))
            continue
        if nodes:
            found[-1] = found[-1]._replace(groups=(*found[-1].groups, *nodes))
            nodes = []
        if section is None:
            break
        if section.kind is Kind.MULTILINE_PARSER:
            found.append(_with_rules(section))
        else:
            found.append(section)
    return tuple(found)


def _with_rules(section: Section) -> Section:
    properties, groups = [], []
    for prop in section.properties:
        found = rule_words(prop.value) if prop.name == "rule" else []
        if len(found) != len(RULE_KEYS):
            properties.append(prop)
            continue
        parts = tuple(prop._replace(key=key, name=key, value=word) for key, word in zip(RULE_KEYS, found, strict=True))
        groups.append(Group("rule", "rule", parts, prop.file, prop.line, prop.column))
    return section._replace(properties=tuple(properties), groups=(*groups, *section.groups))


def of_document(document: Document) -> dict[str, Any]:
    """Everything: variables, the service keys of all its sections together, and the sections of each kind in order."""
    found: dict[str, Any] = {}
    variables = tuple((one.name, one.value or one.uri, one.uri, one.refresh) for one in document.variables)
    if variables:
        found["env"] = variables
    service = _of_properties(document.service)
    if service:
        found[Kind.SERVICE] = service
    for section in normal_sections(document.sections):
        if section.kind is not Kind.SERVICE:
            found.setdefault(section.kind, []).append(of_section(section))
    return found


def same(one: Document, other: Document) -> bool:
    """Whether both run the same."""
    return of_document(one) == of_document(other)
