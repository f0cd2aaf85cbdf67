"""The comments of a configuration: where they stand, and which piece each one speaks of."""

from bisect import bisect_left
from collections.abc import Iterable

from nectary.fluentbit import yaml
from nectary.fluentbit.document import Comment, Document, Format, ListNode, MapNode, Node, Scalar, Source
from nectary.fluentbit.reading import Reading, enough_for

ByLine = dict[int, list[str]]
"""Comment texts by the line of the piece they speak of; 0 for those that stand below the last."""


def of_source(source: Source) -> list[Comment]:
    """All comments of one file in order; JSON has none."""
    if source.format is Format.CLASSIC:
        return _classic(source)
    return _yaml(source) if source.format is Format.YAML else []


def _classic(source: Source) -> list[Comment]:
    found = []
    for number, line in enumerate(source.text.split("\n"), 1):
        text = line.lstrip(" \t")
        if text.startswith("#"):
            found.append(Comment(text.removesuffix("\r"), source.file, number, len(line) - len(text) + 1))
    return found


def _yaml(source: Source) -> list[Comment]:
    """What stands after a `#` outside every scalar; inside one it is text."""
    text = source.text
    roots = yaml.nodes(Reading(source.file, Format.YAML, None, None, enough_for(text)), source.file, text)
    masked = []
    place = 0
    for scalar in _scalars(roots):
        if scalar.end > scalar.start >= place:
            masked.append(text[place : scalar.start])
            masked.append(_masked(text[scalar.start : scalar.end]))
            place = scalar.end
    masked.append(text[place:])
    found = []
    for number, line in enumerate("".join(masked).split("\n"), 1):
        column = next((at for at, sign in enumerate(line) if sign == "#" and (not at or line[at - 1] in " \t\ufeff")), -1)
        if column >= 0:
            found.append(Comment(line[column:].rstrip("\r"), source.file, number, column + 1))
    return found


def _masked(scalar: str) -> str:
    """The same number of lines and columns without a `#`; but a block scalar's first line may have a comment."""
    first, mark, rest = scalar.partition("\n")
    head = first if scalar[0] in "|>" else first.replace("#", ".")
    return head + mark + rest.replace("#", ".")


def _scalars(roots: Iterable[Node]) -> list[Scalar]:
    found: list[Scalar] = []
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scalar):
            found.append(node)
        elif isinstance(node, ListNode):
            waiting.extend(node.items)
        elif isinstance(node, MapNode):
            for key, value in node.pairs:
                waiting += (key, value)
    return sorted(found, key=lambda scalar: scalar.start)


def by_line(document: Document) -> ByLine:
    """The main file's comments by the line of the piece they speak of: the one on their line, else the next one.

    Pieces are sections, properties, variables, includes and what is nested in them. What stands below the last is at line 0.
    """
    lines = sorted(_lines(document))
    found: ByLine = {}
    for comment in of_source(document.sources[0]) if document.sources else ():
        at = bisect_left(lines, comment.line)
        found.setdefault(lines[at] if at < len(lines) else 0, []).append(comment.text)
    return found


def of_part(notes: ByLine, part: Document, *, with_rest: bool = False) -> ByLine:
    """Those of a document's comments that speak of a part of it; with those below the last piece if `with_rest`."""
    lines = _lines(part)
    return {line: texts for line, texts in notes.items() if line in lines or (with_rest and not line)}


def _lines(document: Document) -> set[int]:
    lines = {one.line for one in document.variables if one.file == document.file}
    lines |= {one.line for one in document.includes if one.file == document.file}
    for section in document.sections:
        if section.file != document.file:
            continue
        lines.add(section.line)
        properties = [*section.properties, *(prop for group in section.groups for prop in group.properties)]
        lines.update(prop.line for prop in properties)
        lines.update(prop.value_line for prop in properties if prop.item >= 0)
        lines.update(scalar.line for prop in properties if prop.nested is not None for scalar in _scalars([prop.nested]))
    return lines
