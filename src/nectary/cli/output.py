"""How answers look on a terminal and in a pipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import msgspec
import typer
import yaml


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Shown = Annotated[Format, typer.Option("--output", "-o", help="How to show it.")]


def group(help: str = "") -> typer.Typer:
    """A module's commands. Help is plain text: as markup, `[5000]` would vanish from it."""
    return typer.Typer(help=help or None, no_args_is_help=bool(help), add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    text: Callable[[Any], str]


def show(things: Sequence[Any], columns: Sequence[Column], form: Format) -> None:
    """Print things: a table of `columns`, or everything known of them as JSON or YAML."""
    plain = msgspec.to_builtins(things)
    if form is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
    elif form is Format.YAML:
        typer.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), nl=False)
    else:
        _table(things, columns)


def _table(things: Sequence[Any], columns: Sequence[Column]) -> None:
    rows = [[column.title for column in columns], *([plain(column.text(thing)) for column in columns] for thing in things)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def plain(text: str) -> str:
    """Without control characters: a name must not move the cursor of whoever lists it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def age(moment: datetime | None) -> str:
    """How long ago, in the largest unit that fits: 42s, 5m, 3h, 12d."""
    if moment is None:
        return "never"
    seconds = max((datetime.now(UTC) - moment).total_seconds(), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def stop(sentence: str, code: int = 2) -> NoReturn:
    """End the command with one sentence on standard error. Code 2: it was asked wrongly; 1: what was asked for is not so."""
    typer.echo(f"nectary: {plain(sentence[:_LONGEST_SENTENCE])}", err=True)
    raise typer.Exit(code)


_LONGEST_SENTENCE = 1000
