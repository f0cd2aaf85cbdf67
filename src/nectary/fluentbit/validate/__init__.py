"""Checks a configuration against what one Fluent Bit version knows, and reports every problem at once.

`check` takes text, `examine` a document. Nothing here opens a file or asks the network; what is known about the place where the
configuration will run comes in as `Surroundings`.
"""

from collections.abc import Callable, Collection, Mapping

from nectary.fluentbit.document import LIMITS, ConfigError, Document, Format, Kind, Limits, Severity
from nectary.fluentbit.findings import Finding, from_problem, in_order
from nectary.fluentbit.formats import UNNAMED, parse
from nectary.fluentbit.reading import Glob, Read
from nectary.fluentbit.schema import Schema, load
from nectary.fluentbit.validate import parsers as parser_rules
from nectary.fluentbit.validate import plugins, ports, service, surface, tags, texts
from nectary.fluentbit.validate.report import MOST_FINDINGS, Report
from nectary.fluentbit.validate.surroundings import NOWHERE, Surroundings

__all__ = ["NOWHERE", "Surroundings", "check", "examine"]

_PLUGIN_KINDS = frozenset({Kind.CUSTOM, Kind.INPUT, Kind.FILTER, Kind.OUTPUT})
_SURE_IN_PART = frozenset({"unknown_plugin", "unknown_property", "bad_value", "bad_port", "bad_condition", "calyptia_in_fleet"})
"""Kinds that are true of a text read only in part: they do not depend on what could not be read."""


def check(
    data: str | bytes,
    format: Format,
    *,
    schema: Schema | None = None,
    file: str = "",
    read: Read | None = None,
    glob: Glob | None = None,
    files: Collection[str] | Callable[[str], bool | None] | None = None,
    secrets: Collection[str] | None = None,
    parsers: Collection[str] | None = None,
    env: Mapping[str, str] | None = None,
    fleet: bool = False,
    limits: Limits = LIMITS,
) -> list[Finding]:
    """Read and check a configuration: every problem, sorted by place; empty when there is none.

    schema: of the Fluent Bit version it is for (default: the newest shipped). read, glob: give included files. files, secrets,
    parsers, env, fleet: see `Surroundings`. Never raises for bad text.
    """
    around = Surroundings(files, secrets, parsers, env, fleet)
    try:
        document = parse(data, file or UNNAMED[format], format, read=read, glob=glob, limits=limits)
    except ConfigError as error:
        found = [from_problem(problem) for problem in error.problems]
        if error.document is not None:
            partly = examine(error.document, schema=schema, around=around)
            found += [finding for finding in partly if finding.kind in _SURE_IN_PART]
        return in_order(found)
    return examine(document, schema=schema, around=around)


def examine(document: Document, *, schema: Schema | None = None, around: Surroundings = NOWHERE) -> list[Finding]:
    """Check a document: every problem, sorted by place. Raises nothing."""
    report = Report(document, schema or load(), around)
    service.check(report)
    for section in document.sections:
        if section.kind in _PLUGIN_KINDS:
            plugins.check(report, section)
    parser_rules.check(report)
    surface.check(report)
    texts.check(report)
    tags.check(report)
    ports.check(report)
    findings = report.findings
    known = {(finding.kind, finding.line, finding.column) for finding in findings}
    findings += [
        from_problem(problem)
        for problem in document.warnings
        if (problem.kind, problem.place.line, problem.place.column) not in known
    ]
    if report.left_out:
        message = f"{report.left_out} more findings are left out after the first {MOST_FINDINGS}"
        findings.append(Finding(Severity.WARNING, document.file, 1, 1, "too_many", "", message))
    return in_order(findings)
