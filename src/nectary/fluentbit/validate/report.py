"""Where a check writes down what it finds, and asks what a value will be when it runs."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice

from nectary.fluentbit.document import Document, Format, Kind, Property, Section, Severity
from nectary.fluentbit.findings import Finding, Stage
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.schema import PluginSchema, Schema
from nectary.fluentbit.validate import suggest
from nectary.fluentbit.validate.surroundings import Surroundings
from nectary.fluentbit.variables import expand

MOST_FINDINGS = 2_000
"""After so many a check stops writing down more, so that a hostile text cannot make a hostile report."""

LONGEST_MESSAGE = 600

MOST_COMPARED = 30_000
"""Comparing two names costs about 10 us; after so many comparisons, findings come without a suggestion."""

MOST_NAMES = 1_000
"""A list of more names than that is not searched for the nearest one."""


class Report:
    """The findings of one check. Lives as long as the check."""

    def __init__(self, document: Document, schema: Schema, around: Surroundings) -> None:
        self.document = document
        self.schema = schema
        self.around = around
        self.classic = document.format is Format.CLASSIC
        self.findings: list[Finding] = []
        self.left_out = 0
        self._plugins: dict[tuple[str, str], PluginSchema | None] = {}
        self._compared = 0
        self._lines: dict[str, list[str]] = {}

    def error(
        self,
        where: "tuple[str, int, int]",
        kind: str,
        subject: str,
        message: str,
        remedy: str = "",
        stage: Stage = Stage.NEVER,
    ) -> None:
        """Write down an error at (file, line, column)."""
        self._add(Finding(Severity.ERROR, *where, kind, subject, message, remedy, stage))

    def warn(
        self,
        where: "tuple[str, int, int]",
        kind: str,
        subject: str,
        message: str,
        remedy: str = "",
        stage: Stage = Stage.NEVER,
    ) -> None:
        """Write down a warning at (file, line, column)."""
        self._add(Finding(Severity.WARNING, *where, kind, subject, message, remedy, stage))

    def _add(self, finding: Finding) -> None:
        if len(finding.message) > LONGEST_MESSAGE:
            finding = finding._replace(message=finding.message[:LONGEST_MESSAGE] + "...")
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        else:
            self.left_out += 1

    def plugin(self, kind: str, name: str) -> PluginSchema | None:
        """The schema of a plugin, looked up once per spelling; None when there is none or Fluent Bit keeps it for itself."""
        key = kind, name
        if key not in self._plugins:
            self._plugins[key] = None if self.schema.is_private(kind, name) else self.schema.plugin(kind, name)
        return self._plugins[key]

    @cached_property
    def variables(self) -> dict[str, str | None]:
        """What @SET and env define; None where a file's content counts, which nobody here reads."""
        defined: dict[str, str | None] = {}
        for variable in self.document.variables:
            if variable.name:
                from_file = variable.uri or variable.value.startswith("file://")
                defined[variable.name] = None if from_file else variable.value
        return defined

    @cached_property
    def parsers(self) -> frozenset[str] | None:
        """The names of all parsers there are; None when parsers may come from a file that nobody here has read."""
        own = {section.get("name") or "" for section in self.document.of(Kind.PARSER, Kind.MULTILINE_PARSER)}
        if self.around.parsers is not None:
            return frozenset(own | set(self.around.parsers))
        return None if self.document.service_value("parsers_file") else frozenset(own)

    def lines(self, file: str) -> list[str]:
        """The lines of one source; split once."""
        if file not in self._lines:
            text = next((source.text for source in self.document.sources if source.file == file), "")
            self._lines[file] = text.split("\n")
        return self._lines[file]

    @cached_property
    def output_names(self) -> frozenset[str]:
        """What routes may call the outputs: alias, `stdout.0`, or the plugin's name."""
        outputs = self.document.plugins_of(Kind.OUTPUT)
        return frozenset(name for output in outputs for name in (output.alias, output.id, output.name) if name)

    @cached_property
    def _routed_to(self) -> frozenset[int]:
        """The identities of the output sections that some route goes to."""
        names = frozenset(routed(self.document))
        outputs = self.document.plugins_of(Kind.OUTPUT) if names else ()
        return frozenset(id(output.section) for output in outputs if names & {output.alias, output.id, output.name})

    def is_routed_to(self, section: Section) -> bool:
        """Whether a route leads to this output."""
        return id(section) in self._routed_to

    def final(self, value: str) -> str | None:
        """The value after Fluent Bit has put variables in; None when only the agent (or a template) can say."""
        if "{{" in value:
            return None
        return expand(value, self.variables, self.around.env) if "${" in value else value

    def did_you_mean(self, word: str, names: Iterable[str]) -> str:
        """`did you mean "path"?`, or "" when nothing is near."""
        candidates = list(islice(names, MOST_NAMES + 1))
        self._compared += len(candidates)
        if self._compared > MOST_COMPARED or len(candidates) > MOST_NAMES:
            return ""
        found = suggest.nearest(word, candidates)
        return f'did you mean "{found}"?' if found else ""


def routed(document: Document) -> Iterator[str]:
    """The output names in the routes of all inputs."""
    for section in document.of(Kind.INPUT):
        for prop in section.properties:
            if prop.key == "routes" and isinstance(prop.nested, MapNode):
                for _, node in prop.nested.pairs:
                    for route in node.items if isinstance(node, ListNode) else (node,):
                        yield from (target.text for target in targets(route))


def targets(route: Node) -> list[Scalar]:
    """The output names in one route's `to`, fallbacks too."""
    to = route.get("to") if isinstance(route, MapNode) else None
    outputs = to.get("outputs") if isinstance(to, MapNode) else to
    found = []
    for item in outputs.items if isinstance(outputs, ListNode) else (outputs,) if outputs is not None else ():
        if isinstance(item, Scalar):
            found.append(item)
        elif isinstance(item, MapNode):
            found += [part for part in (item.get("name"), item.get("fallback")) if isinstance(part, Scalar)]
    return found


def start(node: Node) -> tuple[int, int]:
    """Where a node starts for people: a map's first key, for a flow map too."""
    if isinstance(node, MapNode) and node.pairs:
        first = node.pairs[0][0]
        return first.line, first.column
    return node.line, node.column


def value_place(prop: Property) -> tuple[str, int, int]:
    """Where a property's value stands; its key when the value is nothing at all."""
    return prop.file, prop.value_line, prop.value_column


def key_place(prop: Property) -> tuple[str, int, int]:
    """Where a property's key stands."""
    return prop.file, prop.line, prop.column


def shown(value: str) -> str:
    """A value as it may stand in a message: quoted, cut, on one line."""
    short = value if len(value) <= 60 else value[:57] + "..."
    return '"' + short.replace("\r", "\\r").replace("\n", "\\n") + '"'
