"""The house's own limits."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60


def _is_data(path: Path) -> bool:
    return path.name == "tables.py" or "migrations" in path.parts or "data" in path.parts


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_and_its_functions_fit_in_the_head(path: Path) -> None:
    text = path.read_text()
    if not _is_data(path):
        assert text.count("\n") <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_data(path):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body:
        assert ast.get_docstring(tree), "say in a sentence what this module is"


THEIR_OWN_WORDS = {"LifecycleHandler"}  # Kubernetes' and the contract's
FORBIDDEN = {"service", "manager", "handler", "helper", "base", "utils", "util", "common", "misc"}


def test_no_name_hides_what_it_is() -> None:
    for path in SOURCES:
        # SERVICE is a section of Fluent Bit's own language.
        assert path.stem not in FORBIDDEN - ({"service"} if "fluentbit" in path.parts else set()), path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in THEIR_OWN_WORDS:
                words = {word.lower() for word in re.findall(r"[A-Z][a-z]*", node.name)}
                assert not words & FORBIDDEN, f"{path}: {node.name}"


def test_no_test_asserts_how_long_something_took() -> None:
    """A busy machine would fail it. Tests wait for a condition, up to a deadline, and count work in calls or statements."""
    taken = re.compile(r"(monotonic|perf_counter|process_time)\(\) - \w+ *[<>]|perf_counter")
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    assert [str(path) for path in tests if taken.search(path.read_text())] == []
