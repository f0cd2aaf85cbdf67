"""The documentation's table of rules is written from the rules themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nectary.fluentbit.processing import catalogue

PAGE = Path(__file__).parents[2] / "docs" / "processing-rules.md"
BEGIN = "<!-- table: written by `python -m tests.processing.test_docs`, checked by the tests -->\n"
END = "<!-- end of table -->\n"


def _option(option: dict[str, Any]) -> str:
    name = f"**`{option['name']}`**" if option["required"] else f"`{option['name']}`"
    kind = " \\| ".join(f"`{word}`" for word in option["choices"]) if "choices" in option else option["kind"]
    if option.get("most", 2**31) < 2**31 - 1:
        kind += f" {option['least']}..{option['most']}"
    elif "least" in option:
        kind += f" >= {option['least']}"
    default = option["default"]
    if isinstance(default, bool):
        default = "true" if default else "false"
    given = "" if default is None else " = `" + str(default).replace("|", "\\|") + "`"
    return f"{name} {kind}{given}"


def table() -> str:
    lines = ["| rule | what it does | options | compiled to |", "|---|---|---|---|"]
    for rule in catalogue():
        options = "<br>".join(_option(option) for option in rule["options"])
        native = rule["native"]
        form = f"`{native}` for a{' text on a' if rule['type'] == 'put' else ''} key at the top, else Lua" if native else "Lua"
        lines.append(
            f"| `{rule['type']}` | {rule['summary']} | {options} | {form}{', with state' if rule['keepsState'] else ''} |"
        )
    return "\n" + "\n".join(lines) + "\n\n"


def test_the_table_of_rules_says_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0] == table(), "run python -m tests.processing.test_docs"


def test_the_catalogue_describes_every_rule_and_option() -> None:
    rules = {rule["type"]: rule for rule in catalogue()}
    assert len(rules) == 28
    assert rules["sampling"]["options"][0] == {
        "name": "percentage",
        "kind": "number",
        "required": True,
        "default": None,
        "least": 1,
        "most": 100,
    }
    assert [rule["type"] for rule in rules.values() if rule["native"]] == ["delete", "put"]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
