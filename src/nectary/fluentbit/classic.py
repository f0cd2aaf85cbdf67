"""Reads Fluent Bit's classic format: `[SECTION]` headers and indented `key value` lines.

The rules are those of flb_cf_fluentbit.c (Fluent Bit 5.1.1); docs/config-language.md lists where this is stricter.
"""

import posixpath
from functools import lru_cache

from nectary.fluentbit.document import (
    LIMITS,
    Command,
    Document,
    Format,
    Group,
    Kind,
    Limits,
    Place,
    Property,
    Section,
    Variable,
)
from nectary.fluentbit.reading import BLANKS, Glob, Read, Reading, folded

# In the order Fluent Bit compares them; a header fits the first word that it is the beginning of (get_section_type).
_HEADERS = (
    ("service", Kind.SERVICE),
    ("parser", Kind.PARSER),
    ("multiline_parser", Kind.MULTILINE_PARSER),
    ("stream_processor", Kind.STREAM_TASK),
    ("plugins", Kind.PLUGINS),
    ("upstream_servers", Kind.UPSTREAM),
    ("custom", Kind.CUSTOM),
    ("customs", Kind.CUSTOM),
    ("input", Kind.INPUT),
    ("inputs", Kind.INPUT),
    ("filter", Kind.FILTER),
    ("filters", Kind.FILTER),
    ("output", Kind.OUTPUT),
    ("outputs", Kind.OUTPUT),
)
# Words of the side files (streams and upstream files); in a main file Fluent Bit ignores stream_task and node sections.
_SIDE_HEADERS = {"stream_task": Kind.STREAM_TASK, "upstream": Kind.UPSTREAM, "node": Kind.NODE}
_WHOLE = {word for word, _ in _HEADERS} | set(_SIDE_HEADERS)


def parse(
    data: str | bytes,
    file: str = "fluent-bit.conf",
    read: Read | None = None,
    glob: Glob | None = None,
    limits: Limits = LIMITS,
) -> Document:
    """Read a classic configuration, with its includes when `read` is given.

    Raises ConfigError with every problem found. Text is UTF-8; lines end in LF or CR LF. Linear in the size of the text.
    """
    reading = Reading(file, Format.CLASSIC, read, glob, limits)
    _read_file(reading, file, data)
    return reading.finish()


@lru_cache(maxsize=256)
def kind_of(header: str) -> Kind:
    """What a classic section header means: compared without case, shortened words count (`[IN]`), anything else is OTHER."""
    word = folded(header)
    side = _SIDE_HEADERS.get(word)
    if side is not None:
        return side
    return next((kind for name, kind in _HEADERS if name.startswith(word)), Kind.OTHER) if word else Kind.OTHER


def _read_file(reading: Reading, file: str, data: str | bytes) -> None:
    text = reading.open(data, file, Format.CLASSIC)
    if text is not None:
        _Lines(reading, file).read(text)


class _Lines:
    """One classic file being read: the open section, and the indent that its first indented line set."""

    def __init__(self, reading: Reading, file: str) -> None:
        self.reading = reading
        self.file = file
        self.indent = ""
        self.slot = -1  # of the open section in reading.sections: an include inside it adds sections after it
        self.kind = Kind.OTHER
        self.header = ""
        self.start = 0
        self.properties: list[Property] = []
        self.groups: list[Group] = []
        self.group: list[Property] | None = None

    def read(self, text: str) -> None:
        """Read all lines; the loop handles the common line itself because a large file has many thousands of them."""
        # A named tuple's own constructor is a Python function around this one, and costs twice as much.
        file, names, made = self.file, dict[str, str](), tuple.__new__
        nul = "\0" in text
        for number, line in enumerate(text.split("\n"), 1):
            line = line.removesuffix("\r")  # noqa: PLW2901  one CR before the LF is not part of the line
            if nul and "\0" in line:  # in a comment too, which would take the next line with it
                self._refuse_nul(number, line)
                continue
            if not line or line[0] == "#":
                continue
            if line[0] == "[":
                self._open_section(number, line)
                continue
            if line[0] == "@" and len(line) > 3:
                self._command(number, line)
                continue
            level = len(self.indent)
            if not level or not line.startswith(self.indent) or line[level : level + 1] in " \t":
                level = self._level(number, line)
                if level < 0:
                    continue
            else:
                self.group = None
            space = line.find(" ", level)
            key = line[level:space]
            written = line[space + 1 :]
            value = written.strip(BLANKS)
            if space <= level or not value or self.slot < 0 or key[0] in "[#":
                self._unusual(number, line, level, space)
                continue
            name = names.get(key)
            if name is None:
                name = folded(key.strip(BLANKS))
                if not name:
                    self._unusual(number, line, level, level)
                    continue
                names[key] = name
            column = space + 2 if written[0] not in BLANKS else space + 2 + len(written) - len(written.lstrip(BLANKS))
            target = self.properties if self.group is None else self.group
            target.append(made(Property, (key, name, value, file, number, level + 1, number, column, None, -1)))
        self._close_section()

    def _refuse_nul(self, number: int, line: str) -> None:
        what = "a NUL byte: Fluent Bit would drop the rest of the line and join the next one to it"
        self.reading.problem("nul_byte", Place(self.file, number, line.index("\0") + 1), what, "remove it")

    def _open_section(self, number: int, line: str) -> None:
        self._close_section()
        end = line.find("]")
        if end < 0:
            self.reading.problem("bad_header", Place(self.file, number, 1), "a section header without `]`", "close it with `]`")
            self.slot = -2  # so that its lines are not reported as well
            return
        self.header = line[1:end]
        self.kind = kind_of(self.header)
        if not self.header:
            self.reading.problem(
                "bad_header", Place(self.file, number, 1), "a section header without a name", "write `[INPUT]` or another"
            )
        if line[end + 1 :].strip(BLANKS):
            what = "Fluent Bit ignores what stands after `]`"
            self.reading.warn("text_after_header", Place(self.file, number, end + 2), what, "put it on its own line")
        self.slot = len(self.reading.sections)
        self.reading.sections.append(None)
        self.start = number
        self.properties, self.groups, self.group = [], [], None

    def _close_section(self) -> None:
        if self.slot >= 0:
            abbreviated = self.kind is not Kind.OTHER and folded(self.header) not in _WHOLE
            groups = tuple(group._replace(properties=tuple(group.properties)) for group in self.groups)
            self.reading.sections[self.slot] = Section(
                self.kind, self.header, tuple(self.properties), groups, self.file, self.start, 1, abbreviated
            )
        self.slot = -1

    def _level(self, number: int, line: str) -> int:
        """Where the key starts: after one indent, or after two of the same; -1 when the line has nothing or is wrong."""
        blanks = len(line) - len(line.lstrip(" \t"))
        if not self.indent:
            if not blanks:
                word = line.partition(" ")[0][:40]
                what = f"{word!r} stands at column 1, where Fluent Bit takes its first letter for the indent"
                self.reading.problem("bad_indent", Place(self.file, number, 1), what, "indent it with four spaces")
                return -1
            self.indent = line[:blanks]
            self.group = None
            return blanks if blanks < len(line) else -1
        level = len(self.indent)
        if not line.startswith(self.indent):
            other = line[: len(line) - len(line.lstrip(self.indent[0]))]
            mixed = line[len(other) : len(other) + 1] in (" ", "\t") and len(other) < level
            what = "tabs and spaces are mixed in the indent" if mixed else "less indent than the lines above"
            self.reading.problem("bad_indent", Place(self.file, number, 1), what, self._indent_advice())
            return -1
        if blanks not in (level, 2 * level):
            what = f"{blanks - level} blanks more than the indent of the lines above"
            self.reading.problem("bad_indent", Place(self.file, number, 1), what, self._indent_advice())
            return -1
        if blanks == level:
            self.group = None
        return blanks if blanks < len(line) else -1

    def _indent_advice(self) -> str:
        what = "tab" if "\t" in self.indent else "space"
        return (
            f"indent every line of the file by {len(self.indent)} {what}{'s' if len(self.indent) > 1 else ''}, as its first one"
        )

    def _unusual(self, number: int, line: str, level: int, space: int) -> None:
        """A line that is not a plain key and value: a comment, a group, or a mistake."""
        if line[level] == "#":
            return
        column = level + 1
        if self.slot == -2:
            return
        if space < 0:
            what = f"{line[level:].strip(BLANKS)[:60]!r} has no value: a key and its value stand apart by a space"
            advice = "put a space after the key" if "\t" in line[level:] else "add a value, or remove the line"
            self.reading.problem("value_missing", Place(self.file, number, column), what, advice)
        elif self.slot < 0:
            what = f"{line[level:space]!r} stands before any section"
            self.reading.problem(
                "key_before_section", Place(self.file, number, column), what, "put a header such as [SERVICE] above it"
            )
        elif line[level] == "[":
            self._open_group(number, line, level)
        else:
            what = f"{line[level:space]!r} has an empty value" if space > level else "a line without a key"
            self.reading.problem("empty_value", Place(self.file, number, column), what, "add a value, or remove the line")

    def _open_group(self, number: int, line: str, level: int) -> None:
        end = line.find("]", level)
        if end < 0:
            self.reading.problem(
                "bad_header", Place(self.file, number, level + 1), "a group header without `]`", "close it with `]`"
            )
            return
        key = line[level + 1 : end]
        self.group = []
        # The tuple field holds the growing list until the section closes.
        self.groups.append(Group(key, folded(key), self.group, self.file, number, level + 1))  # type: ignore[arg-type]

    def _command(self, number: int, line: str) -> None:
        """`@INCLUDE path`, `@SET key=value`, or another, which Fluent Bit takes and ignores."""
        if len(line) > 9 and line[:9].lower() == "@include ":
            at = Place(self.file, number, 1)
            # Nested includes too are looked up from the main file's directory (ctx->root_path is set once).
            directory = posixpath.dirname(self.reading.file)
            self.reading.include(line[9:], at, directory, lambda name, data: _read_file(self.reading, name, data))
            return
        word, mark, rest = line[1:].partition(" ")
        argument = rest.strip(BLANKS)
        where = Place(self.file, number, 1)
        if not mark:
            what = f"@{word[:40]} without a space and an argument: Fluent Bit stops here without a message"
            self.reading.problem("bad_command", where, what, "write `@SET NAME=value` or `@INCLUDE file`")
            return
        if folded(word.strip(BLANKS)) != "set":
            self.reading.commands.append(Command(word, argument, *where))
            self.reading.warn(
                "unknown_command", where, f"Fluent Bit ignores @{word[:40]}", "use @SET or @INCLUDE, or remove it"
            )
            return
        name, mark, value = argument.partition("=")
        if not mark:
            self.reading.commands.append(Command(word, argument, *where))
            self.reading.warn("bad_command", where, "@SET without `=` sets nothing", "write `@SET NAME=value`")
            return
        column = line.index("=", len(word) + 1) + 2
        uri = value if value.startswith("file://") else ""
        self.reading.variables.append(Variable(name, value, *where, number, column, uri))
