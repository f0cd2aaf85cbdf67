"""What is wrong with a configuration, where, what would do, and which stage of the real Fluent Bit would notice.

Made by `validate`, printed by the command line, the API and code-review annotations: every function here is text in, text out.
"""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from nectary.fluentbit.document import Problem, Severity


class Stage(StrEnum):
    """The first moment at which a real Fluent Bit would refuse or complain about the same thing."""

    READ = "read"
    """while reading the text"""
    LOAD = "load"
    """while loading what was read; the dry run sees it too"""
    DRY_RUN = "dry-run"
    """in the property check that `--dry-run` adds"""
    START = "start"
    """only when it starts for real"""
    NEVER = "never"
    """not at all: it would run, and do something else than what was written"""


class Finding(NamedTuple):
    """One problem.

    severity: an error stops Fluent Bit or the thing it stands on; a warning does not. file, line, column: place, from 1, in
    characters. kind: a stable word for programs. subject: dotted path of what it is about (`input.tail.path`), may be "".
    message: what is wrong. remedy: what would do, may be "". stage: who else would find it.
    """

    severity: Severity
    file: str
    line: int
    column: int
    kind: str
    subject: str
    message: str
    remedy: str = ""
    stage: Stage = Stage.NEVER

    @property
    def dry_run_detects(self) -> bool:
        """Whether `fluent-bit --dry-run` would stop on it (if it got that far: it stops at its first problem)."""
        return self.stage in _DRY_RUN_STAGES


_DRY_RUN_STAGES = frozenset({Stage.READ, Stage.LOAD, Stage.DRY_RUN})


def from_problem(problem: Problem) -> Finding:
    """A problem of the reader as a finding. An error stops the real reader too; a warning it does not notice."""
    stage = Stage.READ if problem.severity is Severity.ERROR else Stage.NEVER
    place = problem.place
    return Finding(
        problem.severity, place.file, place.line, place.column, problem.kind, "", problem.message, problem.advice, stage
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted by file, line and column, errors before warnings at one place, exact repeats once."""
    return sorted(set(findings), key=_order)


def _order(finding: Finding) -> tuple[str, int, int, bool, str, str, str]:
    warning = finding.severity is not Severity.ERROR
    return finding.file, finding.line, finding.column, warning, finding.kind, finding.subject, finding.message


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Only the errors."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def as_text(finding: Finding, sources: Mapping[str, str] | None = None) -> str:
    """`file:line:column: error: message`, then the source line with a caret if `sources` (file name to text) has it.

    Tabs stay tabs so that the caret stands right; a long line is cut around the place.
    """
    head = f"{finding.file}:{finding.line}:{finding.column}: {finding.severity}: {finding.message} [{finding.kind}]"
    parts = [_printable(head)]
    line = _source_line(finding, sources or {})
    if line is not None:
        parts += _with_caret(line, finding)
    if finding.remedy:
        parts.append(_printable(f"    {'try' if finding.severity is Severity.ERROR else 'note'}: {finding.remedy}"))
    return "\n".join(parts)


def as_report(findings: Iterable[Finding], sources: Mapping[str, str] | None = None) -> str:
    """All findings as text with a closing count, for people; "" when there are none."""
    listed = list(findings)
    if not listed:
        return ""
    wrong = len(errors(listed))
    count = f"{_count(wrong, 'error')}, {_count(len(listed) - wrong, 'warning')}"
    split = {file: text.split("\n") for file, text in (sources or {}).items()}
    return "\n".join([*(_as_text_of_lines(finding, split) for finding in listed), count]) + "\n"


def _as_text_of_lines(finding: Finding, split: Mapping[str, list[str]]) -> str:
    lines = split.get(finding.file)
    if lines is None or not 1 <= finding.line <= len(lines):
        return as_text(finding)
    return as_text(finding._replace(), {finding.file: "\n" * (finding.line - 1) + lines[finding.line - 1]})


def as_json(findings: Iterable[Finding]) -> str:
    """A JSON array of objects with the fields of `Finding` and `dryRunDetects`."""
    return json.dumps([as_object(finding) for finding in findings], ensure_ascii=False, indent=2)


def as_object(finding: Finding) -> dict[str, str | int | bool]:
    """One finding as what JSON holds."""
    return {
        "severity": str(finding.severity),
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "kind": finding.kind,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "stage": str(finding.stage),
        "dryRunDetects": finding.dry_run_detects,
    }


def as_github(finding: Finding) -> str:
    """One workflow command line that GitHub shows beside the changed line."""
    place = f"file={_escaped(finding.file, value=True)},line={finding.line},col={finding.column}"
    text = finding.message + (f" ({finding.remedy})" if finding.remedy else "")
    return f"::{finding.severity} {place},title={_escaped(finding.kind, value=True)}::{_escaped(text)}"


def _escaped(text: str, *, value: bool = False) -> str:
    """GitHub's own escapes: without them a line break in a message would start a command of its own."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if value else text


def _printable(text: str) -> str:
    """Text that cannot move a terminal's cursor or start a line of its own: control characters are shown as escapes."""
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text)


def _source_line(finding: Finding, sources: Mapping[str, str]) -> str | None:
    text = sources.get(finding.file)
    if text is None or finding.line < 1:
        return None
    lines = text.split("\n", finding.line)
    return lines[finding.line - 1].rstrip("\r") if len(lines) >= finding.line else None


_WIDTH = 160


def _with_caret(line: str, finding: Finding) -> list[str]:
    column = min(max(finding.column, 1), len(line) + 1)
    start = 0
    if len(line) > _WIDTH:
        start = max(0, column - 1 - _WIDTH // 2)
    shown = line[start : start + _WIDTH]
    before = shown[: column - 1 - start]
    margin = f"{finding.line:>5} | "
    shown = "".join(char if char.isprintable() or char == "\t" else "�" for char in shown)
    blank = "".join("\t" if char == "\t" else " " for char in before)
    return [margin + shown, " " * (len(margin) - 2) + "| " + blank + "^"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
