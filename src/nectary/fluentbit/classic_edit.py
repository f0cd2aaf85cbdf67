"""The edits of a classic text: whole lines, and the value part of one line."""

from collections.abc import Sequence

from nectary.fluentbit.document import ConfigError, Document, Kind, Place, Problem, Property, Section, Source
from nectary.fluentbit.reading import BLANKS

Edits = list[tuple[int, int, str]]


class Lines:
    """Static functions, one for each edit: what to replace in the source's text."""

    @staticmethod
    def change(source: Source, section: Section, prop: Property, value: str) -> Edits:
        """Replace the value of one line."""
        del section
        _check(prop.value_place, "key", value, prop.key)
        start = _starts(source.text)[prop.value_line - 1] + prop.value_column - 1
        end = source.text.find("\n", start)
        line = source.text[start : end if end >= 0 else len(source.text)]
        return [(start, start + len(line.rstrip(BLANKS)), value)]

    @staticmethod
    def add(source: Source, section: Section, key: str, value: str) -> Edits:
        """Add a line below the section's last property, with the same indent."""
        _check(section.place, key, value)
        lines = source.text.split("\n")
        last = max((prop.line for prop in section.properties), default=section.line)
        indent = _indent(lines, section.properties[-1:], source.text)
        return [_below(source.text, last, f"{indent}{key} {value}")]

    @staticmethod
    def remove(source: Source, section: Section, prop: Property) -> Edits:
        """Remove one line."""
        del section
        return [_line(source.text, prop.line)]

    @staticmethod
    def add_section(source: Source, document: Document, kind: Kind, properties: Sequence[tuple[str, str]]) -> Edits:
        """Add a section below everything else."""
        del document
        for key, value in properties:
            _check(Place(source.file, 1, 1), key, value)
        lines = source.text.split("\n")
        indent = _indent(lines, [], source.text)
        end = _line_end(source.text)
        text = "".join(f"{indent}{key} {value}{end}" for key, value in properties)
        before = "" if not source.text else end if source.text.endswith("\n") else end + end
        size = len(source.text)
        return [(size, size, f"{before}[{kind.upper()}]{end}{text}")]

    @staticmethod
    def remove_section(source: Source, document: Document, section: Section) -> Edits:
        """Remove the header, the lines and the comments down to its last property; commands in between stay."""
        del document
        last = section.line
        for properties in (section.properties, *(group.properties for group in section.groups)):
            last = max(last, *(prop.line for prop in properties)) if properties else last
        last = max(last, *(group.line for group in section.groups)) if section.groups else last
        lines = source.text.split("\n")
        while last + 1 < len(lines) and _is_trailing(lines[last]):
            last += 1
        numbers = [number for number in range(section.line, last + 1) if not lines[number - 1].startswith("@")]
        return [_line(source.text, number) for number in numbers]


def _is_trailing(line: str) -> bool:
    """Blank, or an indented comment, which belongs to the section above it."""
    text = line.strip(BLANKS)
    return not text or (text[0] == "#" and line[0] != "#")


def _check(at: Place, key: str, value: str, shown: str = "") -> None:
    """Refuse what a classic line cannot hold, with the reason; that nothing else slips in is seen by reading again."""
    what = ""
    shown = shown or key
    if not key or any(sign in BLANKS for sign in key) or key[0] in "#[@" or "\0" in key:
        what = f"{key[:40]!r} cannot be a key: keys hold no blanks and do not start with #, [ or @"
    elif not value:
        what = f"the value of {shown} is empty, which the classic format cannot hold"
    elif "\n" in value or "\0" in value:
        what = f"the value of {shown} has a line break or a NUL, which the classic format cannot hold"
    elif value != value.strip(BLANKS):
        what = f"the value of {shown} starts or ends with a blank, which the classic format cannot hold"
    if what:
        raise ConfigError((Problem(at, "refused_edit", what, "use another value, or the YAML format"),))


def _starts(text: str) -> list[int]:
    starts, place = [0], text.find("\n")
    while place >= 0:
        starts.append(place + 1)
        place = text.find("\n", place + 1)
    return starts


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _line(text: str, number: int) -> tuple[int, int, str]:
    """The whole of one line, with its end, as a piece to remove."""
    starts = _starts(text)
    return starts[number - 1], starts[number] if number < len(starts) else len(text), ""


def _below(text: str, number: int, line: str) -> tuple[int, int, str]:
    starts, end = _starts(text), _line_end(text)
    if number < len(starts):
        return starts[number], starts[number], line + end
    return len(text), len(text), end + line


def _indent(lines: list[str], near: Sequence[Property], text: str) -> str:
    """The indent of a property near by, else of the file's first indented line, else four spaces."""
    for prop in near:
        return lines[prop.line - 1][: prop.column - 1]
    for line in lines:
        blanks = line[: len(line) - len(line.lstrip(" \t"))]
        if blanks and text:
            return blanks
    return "    "
