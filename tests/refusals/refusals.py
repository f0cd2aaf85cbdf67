"""The table of sentences, read: what each row says, and how it is asked."""

import base64
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TABLE = tomllib.loads(Path(__file__).with_name("table.toml").read_text())
NEVER: dict[str, str] = TABLE["never"]


@dataclass(frozen=True)
class Refusal:
    """One row of table.toml, whose head explains the fields."""

    sentence: str
    status: int
    ask: str = ""
    by: str = ""
    body: Any = None
    content: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    twice: bool = False
    story: str = ""

    @property
    def asker(self) -> str:
        return self.by or ("nobody" if self.headers else "token")

    def request(self, names: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
        """Method, address, and what goes with it."""
        method, _, path = self.ask.partition(" ")
        sent: dict[str, Any] = {"headers": self.headers}
        if self.content is not None:
            sent["content"] = self.content
        elif self.body is not None:
            sent["json"] = _filled(self.body, names)
        return method, path.format(**names), sent


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, names) for inner in value]
    if isinstance(value, str):
        if many := re.fullmatch(r"{(\d+) letters}", value):
            return "x" * int(many[1])
        if many := re.fullmatch(r"{(\d+) bytes}", value):
            return base64.b64encode(b"x" * int(many[1])).decode()
        if (named := re.fullmatch(r"{(\w+)}", value)) and named[1] in names:
            return names[named[1]]
    return value


def _rows(tables: dict[str, Any]) -> list[Refusal]:
    return [
        Refusal(sentence, int(status), **how)
        for status, rows in tables.items()
        if status.isdigit()
        for sentence, how in rows.items()
    ]


PUBLISHED = _rows(TABLE)
BEYOND = _rows(TABLE["beyond"])
