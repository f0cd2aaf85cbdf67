"""`nectary rules`: try processing rules on records, and see what they become, with no server."""

import asyncio
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
import yaml

from nectary.cli import files, output
from nectary.cli.output import stop
from nectary.fluentbit import edit, formats
from nectary.fluentbit.document import ConfigError, Format, Kind
from nectary.fluentbit.processing import Rule, RuleError, lua_filter, processors, read_rules, script
from nectary.preview import DEFAULT, Preview, PreviewError, preview

app = output.group("Try processing rules, and compile them.")

Log = tuple[float, dict[str, Any]]
RulesFile = Annotated[str, typer.Argument(metavar="RULES_FILE", help="A JSON list of rules; - for standard input.")]


class Shown(StrEnum):
    TEXT = "text"
    JSON = "json"


class Target(StrEnum):
    LUA = "lua"
    YAML = "yaml"
    CLASSIC = "classic"


@app.command("preview")
def try_out(
    rules_file: RulesFile,
    logs: Annotated[
        str, typer.Option(metavar="FILE", help="Records, one a line: a JSON object, [time, object], or a plain text for `log`.")
    ] = "-",
    tag: Annotated[str, typer.Option(help="Their tag.")] = "preview",
    shown: Annotated[Shown, typer.Option("--output", "-o", help="How to show it.")] = Shown.TEXT,
) -> None:
    """Run the rules over records; exit code 1 when one of them failed.

    A record without a time gets one second more than the one before. Records that rules hold back go to standard error.
    """
    if rules_file == "-" and logs == "-":
        stop("rules and records cannot both come from standard input; give --logs FILE")
    rules = _rules(rules_file)
    if logs == "-" and sys.stdin.isatty():
        stop("give records with --logs FILE or on standard input")
    records = read_logs(files.content(logs, DEFAULT.input).decode("utf-8", "replace"))
    try:
        made = asyncio.run(preview(rules, records, tag=tag))
    except PreviewError as error:
        stop(f"no preview: {error}", 1)
    _show(made, shown)
    if made.errors:
        raise typer.Exit(1)


def _show(made: Preview, shown: Shown) -> None:
    if shown is Shown.JSON:
        errors = [{"index": error.index, "error": error.error} for error in made.errors]
        typer.echo(json.dumps({"logs": made.logs, "heldBack": made.held, "errors": errors}, ensure_ascii=False, indent=2))
        return
    for log in made.logs:
        typer.echo(_line(log))
    for log in made.held:
        typer.echo(f"held back: {_line(log)}", err=True)
    for error in made.errors:
        typer.echo(output.plain(f"record {error.index}: {error.error}"), err=True)


def _line(log: Sequence[Any]) -> str:
    return json.dumps(log, ensure_ascii=False, separators=(", ", ": "))


@app.command("compile")
def compile_rules(
    rules_file: RulesFile,
    target: Annotated[
        Target, typer.Option("--output", "-o", help="A script; processors of an input or output; or a filter for the script.")
    ] = Target.LUA,
    match: Annotated[str, typer.Option(help="For classic: the tags the filter is for.")] = "*",
    script_path: Annotated[str, typer.Option(metavar="FILE", help="For classic: where the script will be.")] = "rules.lua",
) -> None:
    """Show what the rules become: something a stock Fluent Bit runs."""
    rules = _rules(rules_file)
    if target is Target.LUA:
        typer.echo(script(rules).encode(), nl=False)
    elif target is Target.YAML:
        units = {"processors": {"logs": processors(rules)}}
        typer.echo(yaml.dump(units, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20).encode(), nl=False)
    else:
        unit = lua_filter(rules, match=match, script_path=script_path)
        try:
            made = edit.add_section(formats.parse("", "fluent-bit.conf", Format.CLASSIC), Kind.FILTER, list(unit.items()))
        except ConfigError as error:
            stop(f"classic configuration cannot hold that: {error.problems[0].message}")
        typer.echo(made.text.lstrip("\n").encode(), nl=False)


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as blocks, and never an alias: Fluent Bit knows none."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, "|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _rules(path: str) -> tuple[Rule, ...]:
    text = files.content(path, DEFAULT.input).decode("utf-8-sig", "replace")
    name = files.STDIN if path == "-" else path
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        stop(f"{name} is not a JSON list of rules: {error}")
    try:
        return read_rules(found)
    except RuleError as error:
        stop(f"{name}: {error}", 1)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def read_logs(text: str) -> list[Log]:
    """Records from a JSON list, or from lines that are each an object, `[time, object]`, or plain text for the key `log`."""
    items: list[Any] = []
    whole = _json(text)
    if isinstance(whole, list) and whole and all(isinstance(item, dict) or _is_log(item) for item in whole):
        items = whole
    elif isinstance(whole, dict) or _is_log(whole):
        items = [whole]
    else:
        lines = (line.removesuffix("\r") for line in text.split("\n"))
        items = [_json(line, line) for line in lines if line.strip()]
    logs: list[Log] = []
    for number, item in enumerate(items):
        if _is_log(item):
            logs.append((item[0], item[1]))
            continue
        time = logs[-1][0] + 1 if number else 0.0
        logs.append((time, item if isinstance(item, dict) else {"log": item}))
    return logs


def _json(text: str, otherwise: str | None = None) -> Any:
    """The object or log a text is, else `otherwise`: a line that says `12` is a text and no record."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return otherwise
    fits = isinstance(found, dict) or _is_log(found) or (isinstance(found, list) and otherwise is None)
    return found if fits else otherwise


def _is_log(item: Any) -> bool:
    return (
        isinstance(item, list)
        and len(item) == 2
        and isinstance(item[0], int | float)
        and not isinstance(item[0], bool)
        and isinstance(item[1], dict)
    )
