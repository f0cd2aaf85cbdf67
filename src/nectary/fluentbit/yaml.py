"""Reads Fluent Bit's YAML format, with libyaml where PyYAML was built with it and in Python else.

Fluent Bit reads libyaml's events itself (flb_cf_yaml.c): no aliases, no merge keys, no types, repeated keys kept, each document
of the stream read. So this builds its own tree from the same events.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

import yaml

from nectary.fluentbit import yaml_plain
from nectary.fluentbit.document import (
    LIMITS,
    Document,
    Format,
    Limits,
    ListNode,
    MapNode,
    Node,
    Place,
    Scalar,
)
from nectary.fluentbit.reading import Glob, Read, Reading
from nectary.fluentbit.structure import Tree

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def parse(
    data: str | bytes,
    file: str = "fluent-bit.yaml",
    read: Read | None = None,
    glob: Glob | None = None,
    limits: Limits = LIMITS,
) -> Document:
    """Read a YAML configuration, with its includes when `read` is given.

    Raises ConfigError with every problem of structure, or the first of syntax. Text is UTF-8 or UTF-16 with a byte order mark.
    """
    reading = Reading(file, Format.YAML, read, glob, limits)
    read_file(reading, file, data)
    return reading.finish()


def read_file(reading: Reading, file: str, data: str | bytes) -> None:
    """Read one YAML file and what it includes into `reading` (JSON configurations include YAML files too)."""
    text = reading.open(data, file, Format.YAML)
    if text is None:
        return

    def follow(path: str, at: Place, seen_from: str) -> None:
        directory = posixpath.dirname(seen_from)
        reading.include(path, at, directory, lambda name, found: read_file(reading, name, found))

    tree = Tree(reading, file, follow)
    mark = len(text) - len(text.removeprefix("\ufeff"))
    # All of the text first: what stands above bad syntax is often only half of what was meant.
    # A line holds two values at most here; a text of more lines is left to libyaml, which counts.
    plain = yaml_plain.root_of(text[mark:], mark) if text.count("\n") < reading.limits.values // 2 else None
    for root in nodes(reading, file, text[mark:], mark) if plain is None else (plain,):
        tree.read(root)


def nodes(reading: Reading, file: str, text: str, shift: int = 0) -> list[Node]:
    """The tree of each document of a YAML text; offsets count from `shift`.

    Bad syntax, an alias, too much depth or an unusable character is a problem in `reading`; bad syntax leaves no documents.
    """
    try:
        return list(_build(reading, file, text, shift))
    except yaml.MarkedYAMLError as error:
        # A bad alias or anchor is marked after its sign; its context is marked at it.
        at_sign = error.context in ("while scanning an alias", "while scanning an anchor")
        mark = (error.context_mark if at_sign else error.problem_mark) or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = ": ".join(part for part in (error.context, error.problem) if part)
        reading.problem("bad_yaml", Place(file, line, column), f"not YAML: {message}", _hint(text, line))
    except yaml.YAMLError as error:  # a reader error: a character that YAML does not take
        found = _UNREADABLE.search(text)
        at = found.start() if found else 0
        place = Place(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        reading.problem("bad_yaml", place, f"not YAML: {' '.join(str(error).split())[:200]}", "remove this character")
    return []


def _build(reading: Reading, file: str, text: str, shift: int) -> Iterator[Node]:
    parser = _LOADER(text)
    careful = "\\" in text  # only an escape can make a character that may not be in a value
    outer: list[tuple[list[Node], Any]] = []
    current: list[Node] = []
    count = 0
    while True:
        event = parser.get_event()
        kind = type(event)
        if kind is yaml.ScalarEvent:
            mark = event.start_mark
            count += 1
            if count > reading.limits.values:
                reading.too_many_values(file, mark.line + 1, mark.column + 1)
            value = event.value
            current.append(
                Scalar(value, not event.style, mark.line + 1, mark.column + 1, mark.index + shift, event.end_mark.index + shift)
            )
            if careful and not _usable(value):
                place = Place(file, mark.line + 1, mark.column + 1)
                reading.problem(
                    "nul_byte", place, "a NUL or half a character in a value: Fluent Bit would cut it here", "remove it"
                )
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            outer.append((current, event))
            current = []
            if len(outer) > reading.limits.depth:
                place = Place(file, event.start_mark.line + 1, event.start_mark.column + 1)
                reading.problem("too_deep", place, f"values nested more than {reading.limits.depth} deep", "flatten it")
                return
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            inner = current
            current, start = outer.pop()
            mark, end = start.start_mark, event.end_mark.index + shift
            if not start.flow_style and inner:
                end = inner[-1].end  # libyaml ends a block where the next one starts
            span = (mark.line + 1, mark.column + 1, mark.index + shift, end)
            if kind is yaml.MappingEndEvent:
                current.append(MapNode(_paired(reading, file, inner), *span))
            else:
                current.append(ListNode(tuple(inner), *span))
        elif kind is yaml.AliasEvent:
            mark = event.start_mark
            place = Place(file, mark.line + 1, mark.column + 1)
            what = f"the alias *{event.anchor}: Fluent Bit does not know aliases"
            reading.problem("bad_structure", place, what, "write the value out")
            current.append(Scalar("", True, mark.line + 1, mark.column + 1))
        elif kind is yaml.DocumentEndEvent:
            yield current[0]
            current = []
        elif kind is yaml.StreamEndEvent:
            return


def _paired(reading: Reading, file: str, nodes: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
    keys, values = nodes[::2], nodes[1::2]
    for key in keys:
        if not isinstance(key, Scalar):
            reading.problem("bad_structure", Place(file, key.line, key.column), "a list or map cannot be a key")
    return tuple((key, value) for key, value in zip(keys, values, strict=True) if isinstance(key, Scalar))


def _usable(value: str) -> bool:
    return (value.isascii() and "\0" not in value) or not _UNUSABLE.search(value)


def _hint(text: str, line: int) -> str:
    """Advice for the mistakes that are made most."""
    lines = text.split("\n", line)
    written = lines[line - 1] if line <= len(lines) else ""
    before = written[: len(written) - len(written.lstrip())]
    if "\t" in before:
        return "indent with spaces, not tabs"
    if re.search(r":\s+[*&!%@`]", written):
        return "put quotes around a value that starts with a sign, such as match: '*'"
    return "check the indent, and put quotes around a value with `: ` or ` #` in it"
