"""Every scenario is a test here, or is said to be none."""

import ast
import re
from pathlib import Path

import tests.scenarios

SCENARIOS = range(1, 65)


def test_each_scenario_stands_once() -> None:
    left_out = [int(number) for number in re.findall(r"^(\d+): \w+", tests.scenarios.__doc__ or "", re.MULTILINE)]
    tested = [
        int(found[1])
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef) and (found := re.match(r"Scenario (\d+)[.:]", ast.get_docstring(node) or ""))
    ]
    assert sorted([*left_out, *tested]) == list(SCENARIOS)
