"""Writes a document as new text in one of the formats.

Values are serialised for the place where they stand: nothing in a value can end it, open a section or start a comment. The
document must fit the format (`fit.fit`); `convert` reads what was written again and compares the meaning.
"""

import re
from collections.abc import Callable, Iterable
from itertools import groupby

from nectary.fluentbit import meaning
from nectary.fluentbit.document import (
    PLUGIN_KINDS,
    Document,
    Format,
    Group,
    Kind,
    ListNode,
    MapNode,
    Node,
    Property,
    Scalar,
    Section,
    Variable,
)
from nectary.fluentbit.quoting import comment, json_string, yaml_block, yaml_string
from nectary.fluentbit.reading import BLANKS, folded
from nectary.fluentbit.structure import STRUCTURED, option_name

Comments = dict[int, list[str]]
"""Comment texts by the line of the piece they speak of (comments.by_line)."""

_HEADERS = {
    Kind.SERVICE: "SERVICE",
    Kind.CUSTOM: "CUSTOM",
    Kind.INPUT: "INPUT",
    Kind.FILTER: "FILTER",
    Kind.OUTPUT: "OUTPUT",
    Kind.PARSER: "PARSER",
    Kind.MULTILINE_PARSER: "MULTILINE_PARSER",
    Kind.STREAM_TASK: "STREAM_TASK",
    Kind.PLUGINS: "PLUGINS",
    Kind.UPSTREAM: "UPSTREAM",
    Kind.NODE: "NODE",
}
_LISTS = {
    Kind.PARSER: "parsers",
    Kind.MULTILINE_PARSER: "multiline_parsers",
    Kind.STREAM_TASK: "stream_processor",
    Kind.UPSTREAM: "upstream_servers",
}
_PIPELINE = {Kind.INPUT: "inputs", Kind.FILTER: "filters", Kind.OUTPUT: "outputs"}
# Text that a YAML or JSON number or boolean of the same spelling stands for without loss.
_CANONICAL = re.compile(r"true|false|0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,9})\.[0-9]{0,4}[1-9]")


def write(document: Document, format: Format, comments: Comments | None = None) -> str:
    """The document as text of a format, ending in a line end (an empty classic document is "")."""
    notes = {line: [comment(text) for text in texts] for line, texts in (comments or {}).items()}
    if format is Format.CLASSIC:
        return _classic(document, notes)
    tree = tree_of(document)
    if format is Format.JSON:
        return json_text(tree) + "\n"
    tail = "".join(f"{text}\n" for text in notes.get(0, ()))
    if not tree.pairs:
        # No keys at all is an empty stream for Fluent Bit; `{}` is a map without keys. Both mean nothing.
        return (tail or "") + "{}\n"
    return "".join(f"{line}\n" for line in yaml_lines(tree, notes)) + tail


def _classic(document: Document, comments: Comments) -> str:
    lines: list[str] = []

    def note(line: int, file: str, indent: str = "") -> None:
        if file == document.file:
            lines.extend(indent + text for text in comments.pop(line, ()))

    comments = dict(comments)
    for variable in document.variables:
        note(variable.line, variable.file)
        lines.append(f"@SET {variable.name}={variable.value or variable.uri}")
    for include in document.includes:
        note(include.line, include.file)
        lines.append(f"@INCLUDE {include.path}")
    for section in document.sections:
        if lines:
            lines.append("")
        note(section.line, section.file)
        lines.append(f"[{_HEADERS.get(section.kind, section.header)}]")
        _classic_properties(lines, section.properties, "    ", lambda prop: note(prop.line, prop.file, "    "))
        for group in section.groups:
            if section.kind is Kind.UPSTREAM:
                lines += ["", "[NODE]"]
                _classic_properties(lines, group.properties, "    ", lambda prop: note(prop.line, prop.file, "    "))
            else:
                lines.append(f"    [{group.key}]")
                _classic_properties(lines, group.properties, "        ", lambda prop: note(prop.line, prop.file, "        "))
    lines.extend(text for _, texts in sorted(comments.items()) for text in texts)
    return "".join(f"{line}\n" for line in lines)


def _classic_properties(
    lines: list[str], properties: Iterable[Property], indent: str, note: Callable[[Property], None]
) -> None:
    for prop in properties:
        note(prop)
        key = prop.key if folded(prop.key) == prop.name else prop.name
        lines.append(f"{indent}{key} {prop.value}")


def tree_of(document: Document) -> MapNode:
    """The document as one map, in the order people write: env, includes, service, customs, pipeline, the rest.

    A scalar is `plain` when it may stand unquoted as the number, boolean or null that it is. Keys keep their old line (0 when
    it was in another file) so that comments find them.
    """
    main = document.file
    pairs: list[tuple[Scalar, Node]] = []
    if document.variables:
        pairs.append((_word("env"), _env(document)))
    if document.includes:
        items = tuple(Scalar(include.path, False, include.line, 0) for include in document.includes)
        pairs.append((_word("includes"), ListNode(items, 0, 0)))
    if document.service or document.of(Kind.SERVICE):
        line = document.of(Kind.SERVICE)[0].line
        pairs.append((_word("service", line), MapNode(tuple(_flat(document.service, main)), line, 0)))
    pairs += _list_of(document, Kind.CUSTOM, "customs")
    pipeline = [pair for kind, word in _PIPELINE.items() for pair in _list_of(document, kind, word)]
    if pipeline:
        pairs.append((_word("pipeline"), MapNode(tuple(pipeline), 0, 0)))
    for kind, word in _LISTS.items():
        pairs += _list_of(document, kind, word)
    for section in document.of(Kind.PLUGINS):
        items = tuple(Scalar(prop.value, False, _line(prop.file, prop.line, main), 0) for prop in section.properties)
        pairs.append((_word("plugins", _line(section.file, section.line, main)), ListNode(items, 0, 0)))
    for section in document.of(Kind.EXTENSIONS, Kind.OTHER):
        word = "extensions" if section.kind is Kind.EXTENSIONS else section.header
        line = _line(section.file, section.line, main)
        pairs.append((_word(word, line), MapNode(tuple(_flat(section.properties, main)), line, 0)))
    return MapNode(tuple(pairs), 0, 0)


def _word(text: str, line: int = 0) -> Scalar:
    return Scalar(text, False, line, 0)


def _line(file: str, line: int, main: str) -> int:
    return line if file == main else 0


def is_plain(variable: Variable) -> bool:
    """Whether its value, or its uri as a value, says it all: Fluent Bit takes a value that starts with file:// for a uri."""
    if not variable.uri:
        return not variable.value.startswith("file://")
    return variable.uri.startswith("file://") and variable.value in ("", variable.uri)


def _env(document: Document) -> Node:
    """A map; or a list when one has a refresh interval or a value and a uri, which only a list can hold."""
    main = document.file
    if not any(one.refresh or not is_plain(one) for one in document.variables):
        pairs = (
            (_word(one.name, _line(one.file, one.line, main)), option_text(one.value or one.uri)) for one in document.variables
        )
        return MapNode(tuple(pairs), 0, 0)
    items = []
    for one in document.variables:
        line = _line(one.file, one.line, main)
        value = "" if one.value == one.uri else one.value
        words = [("name", one.name), ("value", value), ("uri", one.uri), ("refresh_interval", one.refresh)]
        entry = tuple((_word(key, line), option_text(text)) for key, text in words if text)
        items.append(MapNode(entry, line, 0))
    return ListNode(tuple(items), 0, 0)


def option_text(text: str, line: int = 0) -> Scalar:
    """An option's value: text to Fluent Bit; written bare when it is spelled as numbers and booleans are."""
    return Scalar(text, bool(_CANONICAL.fullmatch(text)), line, 0)


def _list_of(document: Document, kind: Kind, word: str) -> list[tuple[Scalar, Node]]:
    sections = document.of(kind)
    if not sections:
        return []
    items = tuple(_item(section, document.file) for section in sections)
    return [(_word(word), ListNode(items, 0, 0))]


def _item(section: Section, main: str) -> MapNode:
    line = _line(section.file, section.line, main)
    properties = _repeats(section, main) if section.kind in PLUGIN_KINDS else list(_flat(section.properties, main))
    return MapNode((*properties, *_groups(section, main)), line, 0)


def _groups(section: Section, main: str) -> list[tuple[Scalar, Node]]:
    plural = {Kind.MULTILINE_PARSER: ("rule", "rules"), Kind.UPSTREAM: ("node", "nodes")}.get(section.kind, ("", ""))
    maps = [(group, MapNode(tuple(_flat(group.properties, main)), _group_line(group, main), 0)) for group in section.groups]
    listed = tuple(node for group, node in maps if group.name == plural[0])
    pairs: list[tuple[Scalar, Node]] = [(_word(plural[1]), ListNode(listed, 0, 0))] if listed else []
    pairs += [(_word(group.key, node.line), node) for group, node in maps if group.name != plural[0]]
    return pairs


def _group_line(group: Group, main: str) -> int:
    return _line(group.file, group.line, main)


def _key(prop: Property, main: str) -> Scalar:
    written = prop.key.strip(BLANKS)
    return _word(written if option_name(written) == prop.name else prop.name, _line(prop.file, prop.line, main))


def _flat(properties: Iterable[Property], main: str) -> Iterable[tuple[Scalar, Node]]:
    """One pair each: lists are not read here, so a repeated key is written again."""
    for prop in properties:
        yield _key(prop, main), prop.nested if prop.nested is not None else option_text(prop.value)


def _repeats(section: Section, main: str) -> list[tuple[Scalar, Node]]:
    """A plugin's properties: what repeats in a row becomes a list, which Fluent Bit reads as the same."""
    pairs: list[tuple[Scalar, Node]] = []
    for (name, nested), found in groupby(section.properties, lambda prop: (prop.name, prop.nested is not None)):
        run = list(found)
        if nested:
            pairs += [(_key(prop, main), _nested(prop)) for prop in run]
        elif name in (*STRUCTURED, "name") or (len(run) == 1 and run[0].value == run[0].value.strip(BLANKS)):
            # A list under `processors` or `routes` would be read as structure, and one of names as a single name with blanks
            # (flb_cf_section_property_get_string), so these words are repeated instead.
            pairs += [(_key(prop, main), option_text(prop.value)) for prop in run]
        else:
            # A list's items are not trimmed, so blanks at the ends need one even for a single value.
            lines = [_line(one.file, one.value_line if one.item >= 0 else one.line, main) for one in run]
            items = tuple(option_text(one.value, line) for one, line in zip(run, lines, strict=True))
            pairs.append((_key(run[0], main), ListNode(items, 0, 0)))
    return pairs


def _nested(prop: Property) -> Node:
    assert prop.nested is not None
    return _processors(prop.nested) if prop.name == "processors" else prop.nested


def _processors(node: Node) -> Node:
    """A unit's own scalars are text to Fluent Bit, so they are written as options are."""
    if not isinstance(node, MapNode):
        return node
    signals = []
    for signal, units in node.pairs:
        items = units.items if isinstance(units, ListNode) else ()
        signals.append((signal, ListNode(tuple(_unit(unit) for unit in items if isinstance(unit, MapNode)), units.line, 0)))
    return MapNode(tuple(signals), node.line, 0)


def _unit(unit: MapNode) -> MapNode:
    pairs = ((key, option_text(value.text) if isinstance(value, Scalar) else value) for key, value in unit.pairs)
    return MapNode(tuple(pairs), unit.line, 0)


def _is_typed(scalar: Scalar) -> bool:
    return scalar.plain and not isinstance(meaning.typed(scalar), str)


def yaml_lines(node: MapNode, comments: Comments, indent: str = "") -> list[str]:
    """A map as lines of YAML in block style, with the comments of each line above it."""
    notes = dict(comments) if not indent else comments
    lines: list[str] = []
    for key, value in node.pairs:
        lines += [indent + text for text in notes.pop(key.line, ())] if key.line else []
        lines += _yaml_value(f"{indent}{yaml_string(key.text)}:", value, notes, indent)
    return lines


def _yaml_value(head: str, value: Node, comments: Comments, indent: str) -> list[str]:
    """A value behind `key:` or `-`."""
    if isinstance(value, Scalar):
        if _is_typed(value):
            return [f"{head} {value.text}"]
        block = yaml_block(value.text)
        if block is not None:
            mark, rows = block
            return [f"{head} {mark}", *(f"{indent}  {row}" if row else "" for row in rows)]
        return [f"{head} {yaml_string(value.text)}"]
    if isinstance(value, MapNode):
        return [head, *yaml_lines(value, comments, indent + "  ")] if value.pairs else [f"{head} {{}}"]
    if not value.items:
        return [f"{head} []"]
    lines = [head]
    inner = indent + "  "
    for item in value.items:
        lines += [inner + text for text in comments.pop(item.line, ())] if item.line else []
        if isinstance(item, MapNode) and item.pairs:
            lines += _yaml_item(item, comments, inner)
        else:
            lines += _yaml_value(f"{inner}-", item, comments, inner)
    return lines


def _yaml_item(item: MapNode, comments: Comments, indent: str) -> list[str]:
    """A map as a list entry: its first key stands on the dash's line, so that key's comments go above the dash."""
    first = item.pairs[0][0].line
    above = [indent + text for text in comments.pop(first, ())] if first else []
    lines = yaml_lines(item, comments, indent + "  ")
    return [*above, f"{indent}- {lines[0][len(indent) + 2 :]}", *lines[1:]]


def json_text(node: Node, indent: str = "") -> str:
    """A tree as JSON with two spaces of indent. Repeated keys stay repeated: Fluent Bit reads them all."""
    if isinstance(node, Scalar):
        return _json_scalar(node)
    inner = indent + "  "
    if isinstance(node, ListNode):
        rows = [inner + json_text(item, inner) for item in node.items]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]" if rows else "[]"
    rows = [f"{inner}{json_string(key.text)}: {json_text(value, inner)}" for key, value in node.pairs]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}" if rows else "{}"


_JSON_BARE = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def _json_scalar(scalar: Scalar) -> str:
    if not _is_typed(scalar):
        return json_string(scalar.text)
    if _JSON_BARE.fullmatch(scalar.text):
        return scalar.text
    value = meaning.typed(scalar)
    return repr(value)  # +5, 007, .5 and 0x10 are numbers to Fluent Bit and not to JSON
