"""The edits of a YAML or JSON text: one scalar, one pair of a map, one entry of a list, in block or in flow style."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nectary.fluentbit import json, yaml
from nectary.fluentbit.document import (
    ConfigError,
    Document,
    Format,
    Kind,
    Place,
    Problem,
    Property,
    Section,
    Source,
)
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.quoting import yaml_string
from nectary.fluentbit.reading import Reading, enough_for, folded
from nectary.fluentbit.write import json_text, option_text, yaml_lines

Edits = list[tuple[int, int, str]]
_PROPERTIES = re.compile(r"(?:[!&]\S*\s+)*")
_COLON = re.compile(r"\s*:")
_WORDS = {Kind.INPUT: "inputs", Kind.FILTER: "filters", Kind.OUTPUT: "outputs"}


class _Spot(NamedTuple):
    """Where a section is: its map, the list it is an entry of, the map and the number of the pair that holds that."""

    map: MapNode
    list: ListNode | None
    parent: MapNode
    pair: int


class Tree:
    """Static functions, one for each edit: what to replace in the source's text."""

    @staticmethod
    def change(source: Source, section: Section, prop: Property, value: str) -> Edits:
        """Replace one scalar."""
        key, node = _pair_of(_spot(source, section).map, section, prop)
        if isinstance(node, ListNode):
            node = node.items[prop.item]
        text = _scalar(source, value)
        if node.end <= node.start:
            at, colon = _behind_key(source.text, key)
            return [(at, at, f"{colon} {text}")]
        return [(node.start, _end(source.text, node), text)]

    @staticmethod
    def add(source: Source, section: Section, key: str, value: str) -> Edits:
        """Add a pair at the end of the section's map."""
        return _add_pair(source, _spot(source, section).map, key, option_text(value))

    @staticmethod
    def remove(source: Source, section: Section, prop: Property) -> Edits:
        """Remove one pair, or one entry of a list."""
        spot = _spot(source, section)
        key, node = _pair_of(spot.map, section, prop)
        if isinstance(node, ListNode) and len(node.items) > 1:
            return _remove_item(source, node, prop.item)
        number = next(index for index, pair in enumerate(spot.map.pairs) if pair[0] == key)
        return _remove_pair(source, spot.map, number)

    @staticmethod
    def add_section(source: Source, document: Document, kind: Kind, properties: Sequence[tuple[str, str]]) -> Edits:
        """Add an entry to the list of its kind, making the list where there is none."""
        pairs: list[tuple[Scalar, Node]] = [(_word(key), option_text(value)) for key, value in properties]
        item = MapNode(tuple(pairs), 0, 0)
        words = {Kind.SERVICE: ["service"], Kind.CUSTOM: ["customs"]}.get(kind) or ["pipeline", _WORDS[kind]]
        roots = _roots(source)
        if not roots:
            return [(len(source.text), len(source.text), _first_text(source, words, item, kind))]
        at: MapNode = roots[-1]
        for depth, word in enumerate(words):
            found = _last(roots if not depth else [at], word)
            last = depth == len(words) - 1
            if found is None:
                return _add_pair(source, at, word, _nested(words[depth + 1 :], item, kind))
            if last and isinstance(found, ListNode):
                return _add_item(source, found, item, at)
            if not isinstance(found, MapNode) or last:
                break
            at = found
        what = f"{words[-1]} cannot be added to"
        raise ConfigError((Problem(Place(document.file, 1, 1), "refused_edit", what, "edit the text"),))

    @staticmethod
    def remove_section(source: Source, document: Document, section: Section) -> Edits:
        """Remove an entry of a list, with the list when it was the only one; or a map such as `service` with its key."""
        del document
        spot = _spot(source, section)
        if spot.list is not None and len(spot.list.items) > 1:
            number = next(index for index, item in enumerate(spot.list.items) if item is spot.map)
            return _remove_item(source, spot.list, number)
        return _remove_pair(source, spot.parent, spot.pair)


def _word(text: str) -> Scalar:
    return Scalar(text, False, 0, 0)


def _roots(source: Source) -> list[MapNode]:
    if source.format is Format.JSON:
        root = json.tree(source.text, source.file, enough_for(source.text))
        return [root] if isinstance(root, MapNode) else []
    shift = 1 if source.text.startswith("\ufeff") else 0
    reading = Reading(source.file, Format.YAML, None, None, enough_for(source.text))
    return [root for root in yaml.nodes(reading, source.file, source.text[shift:], shift) if isinstance(root, MapNode)]


def _spots(roots: list[MapNode]) -> Iterator[tuple[Node, _Spot]]:
    """Every map that may be a section, with the node whose place the section has."""
    for root in roots:
        for number, (key, value) in enumerate(root.pairs):
            if folded(key.text) == "pipeline" and isinstance(value, MapNode):
                for inner, (_, plugins) in enumerate(value.pairs):
                    yield from _entries(plugins, value, inner)
            elif isinstance(value, MapNode):
                yield key, _Spot(value, None, root, number)
            else:
                yield from _entries(value, root, number)


def _entries(value: Node, parent: MapNode, number: int) -> Iterator[tuple[Node, _Spot]]:
    for item in value.items if isinstance(value, ListNode) else ():
        if isinstance(item, MapNode):
            assert isinstance(value, ListNode)
            yield item, _Spot(item, value, parent, number)


def _spot(source: Source, section: Section) -> _Spot:
    for node, spot in _spots(_roots(source)):
        if (node.line, node.column) == (section.line, section.column):
            return spot
    raise ConfigError(
        (Problem(section.place, "refused_edit", "this section cannot be edited piece by piece", "edit the text"),)
    )


def _pair_of(node: MapNode, section: Section, prop: Property) -> tuple[Scalar, Node]:
    for key, value in node.pairs:
        if (key.line, key.column) == (prop.line, prop.column):
            return key, value
    raise ConfigError((Problem(section.place, "refused_edit", f"{prop.key!r} is not in this section"),))


def _last(maps: Sequence[MapNode], word: str) -> Node | None:
    found = None
    for one in maps:
        for key, value in one.pairs:
            if folded(key.text) == word:
                found = value
    return found


def _scalar(source: Source, value: str) -> str:
    node = option_text(value)
    if source.format is Format.JSON:
        return json_text(node)
    return node.text if node.plain else yaml_string(value)


def _flow(source: Source, node: Node) -> bool:
    return _sign(source.text, node) in ("{", "[")


def _sign(text: str, node: Node) -> str:
    """The character a value starts with, behind its tag and anchor."""
    found = _PROPERTIES.match(text, node.start)
    at = found.end() if found else node.start
    return text[at : at + 1]


def _end(text: str, node: Node) -> int:
    """Where a node really ends: a block scalar's own end is behind its last line end."""
    return node.start + len(text[node.start : node.end].rstrip()) if _sign(text, node) in ("|", ">") else node.end


def _deep_end(text: str, node: Node) -> int:
    """The end of a pair's value or of a list entry, block scalars at its end included."""
    while not isinstance(node, Scalar) and _sign(text, node) not in ("{", "["):
        node = node.items[-1] if isinstance(node, ListNode) else node.pairs[-1][1]
    return _end(text, node)


def _line_end(source: Source) -> str:
    return "\r\n" if "\r\n" in source.text else "\n"


def _end_of_line(text: str, place: int) -> int:
    found = text.find("\n", place)
    end = len(text) if found < 0 else found
    return end - 1 if end > place and text[end - 1] == "\r" else end


def _pair_text(source: Source, key: str, value: Node, indent: str) -> str:
    """One pair in flow style or JSON."""
    if source.format is Format.JSON:
        return f"{json_text(_word(key))}: {json_text(value, indent)}"
    written = _scalar(source, value.text) if isinstance(value, Scalar) else " ".join(json_text(value).split("\n"))
    return f"{yaml_string(key)}: {written}"


def _add_pair(source: Source, node: MapNode, key: str, value: Node) -> Edits:
    text = source.text
    if _flow(source, node):
        if not node.pairs:
            return [(node.start, node.end, "{" + _pair_text(source, key, value, "") + "}")]
        last_key, last = node.pairs[-1]
        before = node.pairs[-2][1].end if len(node.pairs) > 1 else node.start
        lead = text[before : last_key.start].lstrip(",{")
        indent = " " * (last_key.column - 1) if "\n" in lead else ""
        lead = lead if not lead.strip() else " "
        return [(last.end, last.end, f",{lead or ' '}{_pair_text(source, key, value, indent)}")]
    place = _end_of_line(text, _deep_end(text, node.pairs[-1][1]))
    lines = yaml_lines(MapNode(((_word(key), value),), 0, 0), {}, " " * (node.column - 1))
    return [(place, place, "".join(_line_end(source) + line for line in lines))]


def _remove_pair(source: Source, node: MapNode, number: int) -> Edits:
    text = source.text
    key, value = node.pairs[number]
    end = _deep_end(text, value) if value.end > value.start else _behind_key(text, key)[0]
    if len(node.pairs) == 1:
        return [(node.start, node.end if _flow(source, node) else end, "{}")]
    if _flow(source, node):
        if number:
            return [(_value_end(text, node.pairs[number - 1]), end, "")]
        return [(key.start, node.pairs[1][0].start, "")]
    start = text.rfind("\n", 0, key.start) + 1
    if text[start : key.start].strip(" \ufeff"):
        # It stands behind a dash, which stays: its map then starts on the next line.
        return [(key.start, end, "")]
    return [(start + (text[start : start + 1] == "\ufeff"), _next_line(text, end), "")]


def _value_end(text: str, pair: tuple[Scalar, Node]) -> int:
    key, value = pair
    return value.end if value.end > value.start else _behind_key(text, key)[0]


def _behind_key(text: str, key: Scalar) -> tuple[int, str]:
    """Where an empty value's text goes, and the colon it needs first: in flow style a key may stand alone."""
    found = _COLON.match(text, key.end)
    return (found.end(), "") if found else (key.end, ":")


def _next_line(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _add_item(source: Source, node: ListNode, item: MapNode, parent: MapNode) -> Edits:
    text = source.text
    if not _flow(source, node):
        place = _end_of_line(text, _deep_end(text, node.items[-1]))
        lines = _item_lines(item, " " * (node.column - 1))
        return [(place, place, "".join(_line_end(source) + line for line in lines))]
    if node.items:
        first = node.items[0]
        lead = text[node.start + 1 : first.start]
        lead = lead if not lead.strip() else " "
        made = json_text(item, " " * (first.column - 1)) if "\n" in lead else " ".join(json_text(item).split("\n"))
        return [(node.items[-1].end, node.items[-1].end, f",{lead or ' '}{made}")]
    if source.format is Format.JSON or _flow(source, parent):
        return [(node.start, node.end, f"[{' '.join(json_text(item).split(chr(10)))}]")]
    lines = _item_lines(item, " " * (parent.column + 1))
    return [(node.start, node.end, "".join(_line_end(source) + line for line in lines))]


def _item_lines(item: MapNode, indent: str) -> list[str]:
    """A list entry as lines of YAML at an indent."""
    lines = yaml_lines(MapNode(((_word("x"), ListNode((item,), 0, 0)),), 0, 0), {}, indent)
    return [line[2:] for line in lines[1:]]


def _remove_item(source: Source, node: ListNode, number: int) -> Edits:
    text, item = source.text, node.items[number]
    if _flow(source, node):
        if number:
            return [(node.items[number - 1].end, item.end, "")]
        return [(item.start, node.items[1].start, "")]
    start = text.rfind("\n", 0, item.start) + 1
    while start and text[start + node.column - 1 : start + node.column] != "-":
        start = text.rfind("\n", 0, start - 1) + 1
    return [(start, _next_line(text, _deep_end(text, item)), "")]


def _nested(words: list[str], item: MapNode, kind: Kind) -> Node:
    node: Node = item if kind is Kind.SERVICE else ListNode((item,), 0, 0)
    for word in reversed(words):
        node = MapNode(((_word(word), node),), 0, 0)
    return node


def _first_text(source: Source, words: list[str], item: MapNode, kind: Kind) -> str:
    """The text of a configuration that had none."""
    tree = _nested(words, item, kind)
    assert isinstance(tree, MapNode)
    if source.format is Format.JSON:
        return json_text(tree) + "\n"
    start = "" if not source.text or source.text.endswith("\n") else _line_end(source)
    return start + "".join(line + _line_end(source) for line in yaml_lines(tree, {}))
