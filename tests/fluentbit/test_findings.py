"""Findings as people, programs and code review see them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from nectary.fluentbit.document import Place, Problem, Severity
from nectary.fluentbit.findings import Finding, Stage, as_github, as_json, as_report, as_text, from_problem, in_order

TEXT = "[INPUT]\n    name tail\n    Pth /tmp/x\n"
UNKNOWN = Finding(
    Severity.ERROR, "a.conf", 3, 5, "unknown_property", "input.tail.pth",
    'unknown option "Pth" of tail', 'did you mean "path"?', Stage.DRY_RUN,
)  # fmt: skip


def test_the_caret_stands_under_the_place() -> None:
    assert as_text(UNKNOWN, {"a.conf": TEXT}).splitlines() == [
        'a.conf:3:5: error: unknown option "Pth" of tail [unknown_property]',
        "    3 |     Pth /tmp/x",
        "      |     ^",
        '    try: did you mean "path"?',
    ]


def test_tabs_before_the_place_stay_tabs_so_that_the_caret_stands_right() -> None:
    lines = as_text(UNKNOWN._replace(line=1, column=3), {"a.conf": "\t\tname x\n"}).splitlines()
    assert lines[1:3] == ["    1 | \t\tname x", "      | \t\t^"]


def test_a_long_line_is_cut_around_the_place() -> None:
    lines = as_text(UNKNOWN._replace(line=1, column=5001), {"a.conf": "a" * 5000 + "B" + "c" * 5000}).splitlines()
    assert len(lines[1]) < 200
    assert lines[1][lines[2].index("^")] == "B"


def test_a_place_outside_the_text_is_told_without_a_line() -> None:
    assert as_text(UNKNOWN._replace(line=99), {"a.conf": TEXT}).splitlines()[1:] == ['    try: did you mean "path"?']


def test_a_report_ends_with_the_count() -> None:
    warning = UNKNOWN._replace(severity=Severity.WARNING, line=1, column=1)
    report = as_report([UNKNOWN, warning], {"a.conf": TEXT})
    assert report.splitlines()[-1] == "1 error, 1 warning"
    assert "    1 | [INPUT]" in report
    assert as_report([]) == ""


def test_findings_stand_in_the_order_of_the_text_and_once() -> None:
    early = UNKNOWN._replace(line=1)
    warning = UNKNOWN._replace(severity=Severity.WARNING)
    assert in_order([warning, UNKNOWN, early, UNKNOWN]) == [early, UNKNOWN, warning]


def test_json_says_which_stage_of_the_real_program_would_find_it() -> None:
    (found,) = json.loads(as_json([UNKNOWN]))
    assert found == {
        "severity": "error",
        "file": "a.conf",
        "line": 3,
        "column": 5,
        "kind": "unknown_property",
        "subject": "input.tail.pth",
        "message": 'unknown option "Pth" of tail',
        "remedy": 'did you mean "path"?',
        "stage": "dry-run",
        "dryRunDetects": True,
    }


def test_an_annotation_for_github_is_one_line() -> None:
    finding = UNKNOWN._replace(file="a,b:c.conf", message="one\n::error::two", remedy="")
    assert as_github(finding) == "::error file=a%2Cb%3Ac.conf,line=3,col=5,title=unknown_property::one%0A::error::two"


def test_a_problem_of_the_reader_becomes_a_finding_that_the_real_reader_has_too() -> None:
    finding = from_problem(Problem(Place("a.conf", 2, 1), "bad_indent", "too low", "indent it"))
    assert (finding.line, finding.kind, finding.remedy, finding.stage) == (2, "bad_indent", "indent it", Stage.READ)
    assert finding.dry_run_detects


@given(st.text(), st.integers(-5, 50), st.integers(-5, 300), st.text())
def test_any_text_can_be_shown_on_lines_of_its_own(text: str, line: int, column: int, message: str) -> None:
    finding = UNKNOWN._replace(line=line, column=column, message=message)
    shown = as_text(finding, {"a.conf": text})
    assert shown.count("\n") <= 3
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert "\n" not in as_github(finding)
