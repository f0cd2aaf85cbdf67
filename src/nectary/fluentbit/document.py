"""What a Fluent Bit configuration says, the same for classic, YAML and JSON text, with the place of every piece.

A `Document` is the result of `classic.parse`, `yaml.parse` or `json.parse`. It never changes: `edit` makes new ones. Places are
1-based lines and columns, counted in characters. The smallest pieces are named tuples and not dataclasses because a large
configuration holds many thousands of them, and a frozen dataclass costs four times as much to make.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar

__all__ = [
    "LIMITS",
    "PIPELINE_KINDS",
    "PLUGIN_KINDS",
    "Command",
    "Comment",
    "ConfigError",
    "Document",
    "Format",
    "Group",
    "Include",
    "Kind",
    "Limits",
    "ListNode",
    "MapNode",
    "Node",
    "Place",
    "Plugin",
    "Problem",
    "Property",
    "Scalar",
    "Section",
    "Severity",
    "Source",
    "Variable",
]


class Format(StrEnum):
    """The three spellings of the one language."""

    CLASSIC = "classic"
    YAML = "yaml"
    JSON = "json"


class Kind(StrEnum):
    """What a section configures. OTHER is what Fluent Bit keeps and ignores; NODE is a classic upstream file's `[NODE]`."""

    SERVICE = "service"
    CUSTOM = "custom"
    INPUT = "input"
    FILTER = "filter"
    OUTPUT = "output"
    PARSER = "parser"
    MULTILINE_PARSER = "multiline_parser"
    STREAM_TASK = "stream_task"
    PLUGINS = "plugins"
    UPSTREAM = "upstream"
    NODE = "node"
    EXTENSIONS = "extensions"
    OTHER = "other"


PLUGIN_KINDS = (Kind.CUSTOM, Kind.INPUT, Kind.FILTER, Kind.OUTPUT)
PIPELINE_KINDS = (Kind.INPUT, Kind.FILTER, Kind.OUTPUT)


class Severity(StrEnum):
    """An error stops Fluent Bit (or us); a warning is something that it does silently and that is likely not meant."""

    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """Where something stands: file as given, line and column from 1 (characters)."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """What is wrong at a place: `kind` is a stable word for programs, `message` says what, `advice` what would do or ""."""

    place: Place
    kind: str
    message: str
    advice: str = ""
    severity: Severity = Severity.ERROR


class ConfigError(Exception):
    """Text that is not a configuration: every problem found, sorted by place, and `document` as far as it could be read.

    The only exception the parsers, printers and editors of this package raise for bad input.
    """

    def __init__(self, problems: "tuple[Problem, ...]", document: "Document | None" = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        self.document = document
        super().__init__("\n".join(f"{problem.place}: {problem.message}" for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read before giving up.

    bytes: of all files together, as UTF-8. files: the main file included (1000 is Fluent Bit's own limit). depth: of nested
    YAML or JSON values, and of files that include files. values: scalars of one YAML or JSON file; one takes up to a hundred
    times the memory of its text. problems: reading stops after so many.
    """

    bytes: int = 2 * 1024 * 1024
    depth: int = 64
    files: int = 1000
    values: int = 300_000
    problems: int = 200


LIMITS = Limits()


class Property(NamedTuple):
    """One key and value of a section, in order, repeats kept. A YAML list of scalars is one Property per item.

    key: as written. name: as Fluent Bit looks it up (lower case, camelCase made snake_case). value: the text Fluent Bit
    sees, "" when `nested` holds a list or map (processors, routes, telemetry, an option with structure, an empty list).
    line and column: of the key; value_line and value_column: of the value. item: place in its YAML list, -1 outside lists.
    """

    key: str
    name: str
    value: str
    file: str
    line: int
    column: int
    value_line: int
    value_column: int
    nested: Node | None = None
    item: int = -1

    @property
    def place(self) -> Place:
        """Where the key stands."""
        return Place(self.file, self.line, self.column)

    @property
    def value_place(self) -> Place:
        """Where the value stands."""
        return Place(self.file, self.value_line, self.value_column)


class Group(NamedTuple):
    """Named properties inside a section: a multiline parser's `rule`, an upstream's `node`, a classic `[My Group]`, a YAML map.

    key: as written; name: lower case. In YAML every item of `rules` is a group "rule" and every item of `nodes` a group "node".
    """

    key: str
    name: str
    properties: tuple[Property, ...]
    file: str
    line: int
    column: int

    @property
    def place(self) -> Place:
        """Where the group starts."""
        return Place(self.file, self.line, self.column)

    def get(self, name: str) -> str | None:
        """The last value of a property, or None."""
        return next((prop.value for prop in reversed(self.properties) if prop.name == name), None)


class Section(NamedTuple):
    """One section: a classic `[HEADER]` with its lines, or one item of a YAML or JSON list such as `pipeline.inputs`.

    header: the word that made it this kind, as written ("INPUT", "inputs"). abbreviated: the classic header was shortened
    (`[IN]`), which Fluent Bit takes. line, column: of the header (classic) or of the item's map.
    """

    kind: Kind
    header: str
    properties: tuple[Property, ...]
    groups: tuple[Group, ...]
    file: str
    line: int
    column: int
    abbreviated: bool = False

    @property
    def place(self) -> Place:
        """Where the section starts."""
        return Place(self.file, self.line, self.column)

    def find(self, name: str) -> Property | None:
        """The last property of that (normalised) name, or None: Fluent Bit lets the last win where one value is meant."""
        for prop in reversed(self.properties):
            if prop.name == name:
                return prop
        return None

    def get(self, name: str) -> str | None:
        """The text of the last property of that name, or None."""
        prop = self.find(name)
        return None if prop is None else prop.value

    def every(self, name: str) -> tuple[Property, ...]:
        """All properties of that name, in order."""
        return tuple(prop for prop in self.properties if prop.name == name)


class Plugin(NamedTuple):
    """A section that runs a plugin, with the names Fluent Bit gives it.

    id: lower-case name and number within its kind (`tail.0`); name: lower case, without the `://host:port` a name may carry;
    display: the alias if set, else the id - what logs, metrics and routes use. address: the part of the name from `://`, or "".
    """

    section: Section
    id: str
    name: str
    alias: str
    address: str

    @property
    def kind(self) -> Kind:
        """Custom, input, filter or output."""
        return self.section.kind

    @property
    def display(self) -> str:
        """The name in Fluent Bit's own logs and metrics."""
        return self.alias or self.id

    @property
    def owner(self) -> str:
        """`input:tail:tail.0`, unique in a document."""
        return f"{self.section.kind}:{self.name}:{self.id}"


class Variable(NamedTuple):
    """One entry of @SET or `env`. value: "" when only `uri` (`file:///x`) is given; refresh: its interval as written, or ""."""

    name: str
    value: str
    file: str
    line: int
    column: int
    value_line: int
    value_column: int
    uri: str = ""
    refresh: str = ""

    @property
    def place(self) -> Place:
        """Where the entry stands."""
        return Place(self.file, self.line, self.column)

    @property
    def value_place(self) -> Place:
        """Where its value or uri stands."""
        return Place(self.file, self.value_line, self.value_column)


class Include(NamedTuple):
    """One include: `path` as written; `files` that it brought in, as named to the reader; empty when no reader was given."""

    path: str
    files: tuple[str, ...]
    file: str
    line: int
    column: int

    @property
    def place(self) -> Place:
        """Where the include stands."""
        return Place(self.file, self.line, self.column)


class Command(NamedTuple):
    """A classic `@WORD rest` that is neither a working @SET nor an @INCLUDE: Fluent Bit takes it and does nothing."""

    word: str
    rest: str
    file: str
    line: int
    column: int

    @property
    def place(self) -> Place:
        """Where the command stands."""
        return Place(self.file, self.line, self.column)


class Comment(NamedTuple):
    """A comment with its mark, without the line end."""

    text: str
    file: str
    line: int
    column: int


class Source(NamedTuple):
    """One file's text exactly as read. encoding: to get the same bytes back ("utf-8", "utf-8-sig", "utf-16-le", ...)."""

    file: str
    format: Format
    text: str
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Document:
    """A whole configuration, included files merged in the order Fluent Bit takes them.

    file: the main file's name, as given. sources: the main file first, then each included file once. warnings: what
    was odd while reading but is accepted (text after a header, an include pattern without a match).
    """

    format: Format
    file: str
    sections: tuple[Section, ...]
    variables: tuple[Variable, ...] = ()
    includes: tuple[Include, ...] = ()
    commands: tuple[Command, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def text(self) -> str:
        """The main file's text, character for character."""
        return self.sources[0].text if self.sources else ""

    def of(self, *kinds: Kind) -> tuple[Section, ...]:
        """The sections of some kinds, in order."""
        return tuple(section for section in self.sections if section.kind in kinds)

    @cached_property
    def plugins(self) -> tuple[Plugin, ...]:
        """Custom, input, filter and output sections that have a name, with their ids: numbered per kind, as Fluent Bit does."""
        counts: dict[Kind, int] = {}
        found = []
        for section in self.sections:
            if section.kind not in PLUGIN_KINDS:
                continue
            written = section.get("name")
            if not written:
                continue
            name, mark, address = written.partition("://")
            number = counts.get(section.kind, 0)
            counts[section.kind] = number + 1
            name = name.lower()
            found.append(Plugin(section, f"{name}.{number}", name, section.get("alias") or "", mark + address))
        return tuple(found)

    def plugins_of(self, *kinds: Kind) -> tuple[Plugin, ...]:
        """The plugins of some kinds, in order."""
        return tuple(plugin for plugin in self.plugins if plugin.section.kind in kinds)

    def plugin(self, name: str) -> Plugin | None:
        """The plugin with that owner name (`input:tail:tail.0`), id or alias; the first that fits, or None."""
        return next((plugin for plugin in self.plugins if name in (plugin.owner, plugin.id, plugin.alias)), None)

    @cached_property
    def service(self) -> tuple[Property, ...]:
        """The properties of all service sections: a later one continues an earlier one."""
        return tuple(prop for section in self.sections if section.kind is Kind.SERVICE for prop in section.properties)

    def service_value(self, name: str) -> Property | None:
        """The last service property of that name (the one that counts), or None."""
        return next((prop for prop in reversed(self.service) if prop.name == name), None)

    @cached_property
    def environment(self) -> Mapping[str, Variable]:
        """What @SET and env define; the last one of a name counts."""
        return {variable.name: variable for variable in self.variables}

    def properties(self) -> Iterator[tuple[Section, Property]]:
        """Every property with its section, groups included, in order."""
        for section in self.sections:
            for prop in section.properties:
                yield section, prop
            for group in section.groups:
                for prop in group.properties:
                    yield section, prop
