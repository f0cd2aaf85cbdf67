"""The templates that come with the product do what they say."""

from __future__ import annotations

from typing import Any

import pytest

from nectary.fluentbit.processing import STATIC_TEMPLATES
from nectary.preview import preview_script

CASES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("Add a field", [{"a": 1}], [{"a": 1, "environment": "production"}]),
    ("Drop debug records", [{"level": "DEBUG"}, {"level": "info"}, {"a": 1}], [{"level": "info"}, {"a": 1}]),
    ("Mask e-mail addresses", [{"a": "to me.too@some-where.org!", "n": 1}], [{"a": "to ***@***!", "n": 1}]),
    (
        "Mask card numbers",
        [{"log": "card 4111 1111 1111 1234 on 2024"}, {"log": "pi 3.14"}],
        [{"log": "card ************1234 on 2024"}, {"log": "pi 3.14"}],
    ),
    ("Flatten nested fields", [{"a": {"b": {"c": 1}, "l": [1]}, "d": None}], [{"a.b.c": 1, "a.l": [1], "d": None}]),
    (
        "Find the level of a line",
        [{"log": "2024 [WARN] x"}, {"log": "terror"}, {"log": "x", "level": 3}],
        [{"log": "2024 [WARN] x", "level": "warning"}, {"log": "terror"}, {"log": "x", "level": 3}],
    ),
    ("Keep one record in ten", [{"n": n} for n in range(21)], [{"n": 0}, {"n": 10}, {"n": 20}]),
]


def test_each_template_has_a_name_the_api_takes_and_an_example() -> None:
    assert [template["name"] for template in STATIC_TEMPLATES] == [name for name, _, _ in CASES]
    assert all(1 <= len(str(template["name"])) <= 30 for template in STATIC_TEMPLATES)


@pytest.mark.parametrize(("name", "given", "expected"), CASES)
async def test_each_template_works(name: str, given: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    [definition] = [template["definition"] for template in STATIC_TEMPLATES if template["name"] == name]
    assert isinstance(definition, dict)
    assert definition["name"] == "lua"
    found = await preview_script(definition["code"], [[1.0, record] for record in given], call=definition["call"])
    assert found.errors == []
    assert [record for _, record in found.logs] == expected
