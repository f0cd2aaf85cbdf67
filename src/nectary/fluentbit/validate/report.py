"""Where a check writes down what it finds, and asks what a value will be when it runs."""

from collections.abc import Iterator
from functools import cached_property

from nectary.fluentbit.document import Document, Format, Kind, ListNode, MapNode, Node, Property, Scalar, Section, Severity
from nectary.fluentbit.findings import Finding, Stage
from nectary.fluentbit.schema import Schema
from nectary.fluentbit.validate import suggest
from nectary.fluentbit.validate.surroundings import Surroundings
from nectary.fluentbit.validate.variables import expand

MOST_FINDINGS = 2_000
"""After so many a check stops writing down more, so that a hostile text cannot make a hostile report."""

MOST_SUGGESTIONS = 200
"""Looking for the nearest name costs about 0.1 ms; after so many, findings come without it."""


class Report:
    """The findings of one check. Lives as long as the check."""

    def __init__(self, document: Document, schema: Schema, around: Surroundings) -> None:
        self.document = document
        self.schema = schema
        self.around = around
        self.classic = document.format is Format.CLASSIC
        self.findings: list[Finding] = []
        self.left_out = 0
        self._suggestions = 0

    def error(  # noqa: PLR0917 - the fields of a finding in their order
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

    def warn(  # noqa: PLR0917 - the fields of a finding in their order
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
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        else:
            self.left_out += 1

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

    def did_you_mean(self, word: str, names: "list[str] | tuple[str, ...]") -> str:
        """`did you mean "path"?`, or "" when nothing is near."""
        self._suggestions += 1
        if self._suggestions > MOST_SUGGESTIONS:
            return ""
        found = suggest.nearest(word, names)
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
