"""Every shared vector's expected findings, when the vectors are beside the checkout."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nectary.fluentbit import schema
from nectary.fluentbit.document import Format
from nectary.fluentbit.findings import Finding
from nectary.fluentbit.validate import check

SHARED = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[2] / ".." / "shared")
VECTORS = SHARED / "vectors"
FORMATS = {"conf": Format.CLASSIC, "yaml": Format.YAML, "json": Format.JSON}


def vectors() -> list[tuple[str, str]]:
    found = []
    for expected in sorted(VECTORS.glob("*/expected.json")):
        found += [(expected.parent.name, form) for form in json.loads(expected.read_text())["formats"]]
    return found


CASES = vectors()


def findings(folder: Path, form: str, expected: dict[str, Any], *, product: bool) -> list[Finding]:
    def read(path: str) -> bytes | None:
        return (folder / path).read_bytes() if (folder / path).is_file() else None

    def glob(pattern: str) -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))

    judged = any(item["kind"] == "file_missing" for item in expected["expect"].get("validate", ()))
    return check(
        (folder / f"input.{form}").read_bytes(),
        FORMATS[form],
        schema=schema.load(product=product),
        file=f"input.{form}",
        read=read,
        glob=glob,
        files=(lambda path: (folder / path).exists()) if judged else None,
        env=expected.get("env") or {},
    )


@pytest.mark.parametrize("product", [False, True], ids=["stock", "product"])
@pytest.mark.parametrize(("name", "form"), CASES, ids=[f"{name}-{form}" for name, form in CASES])
def test_a_vector_has_exactly_the_expected_errors_and_at_least_the_expected_warnings(
    name: str, form: str, product: bool
) -> None:
    folder = VECTORS / name
    expected = json.loads((folder / "expected.json").read_text())
    wanted = expected["expect"].get("validate")
    found = findings(folder, form, expected, product=product)
    got = {(each.kind, each.subject, each.line, each.column, str(each.severity), each.dry_run_detects) for each in found}
    if wanted is None:
        # No list: then at least nothing may be refused that the real program's dry run takes.
        observed = (expected["observed"].get(form) or {}).get("dry_run") or {}
        if expected["expect"]["parse"].get(form) == "ok" and observed.get("exit") == 0:
            assert [each for each in found if each.severity == "error" and each.dry_run_detects] == []
        return
    mine = [item for item in wanted if item["fmt"] == form and not (product and item.get("schema") == "stock")]
    if not mine and any(item["fmt"] != form for item in wanted):
        return  # the list is about another format of this vector
    lines = {
        (
            item["kind"],
            item.get("subject"),
            item["line"],
            item["col"],
            item.get("severity", "error"),
            item.get("dry_run_detects", True),
        )
        for item in mine
    }
    errors = {line for line in lines if line[4] == "error"}
    assert {(kind, subject or None, *rest) for kind, subject, *rest in got if rest[2] == "error"} == errors
    for kind, subject, line, column, severity, detects in lines - errors:
        same = [each for each in got if each[0] == kind and each[2:] == (line, column, severity, detects)]
        assert [each for each in same if subject is None or each[1] == subject], (kind, subject, line, column)


def test_the_vectors_are_here() -> None:
    if not CASES:
        pytest.skip(f"SKIPPED: no shared vectors at {VECTORS}")
    assert len(CASES) > 100
