"""`nectary config`: check, convert, explain and compare Fluent Bit configurations, with no server."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from nectary.cli import checking, converting, drawing, files, output, schemas
from nectary.cli.output import Column, Format, plain, stop
from nectary.fluentbit import diff as differences
from nectary.fluentbit import findings, formats, graph, ports, references, targets
from nectary.fluentbit.document import ConfigError, Place

app = output.group("Check, convert, explain and compare Fluent Bit configurations, offline.")

File = Annotated[str, typer.Argument(metavar="FILE", help="A configuration; - for standard input.")]
Written = Annotated[
    str | None, typer.Option("--format", help="classic, yaml or json [by the file's name; - by its first letter].")
]
Version = Annotated[str | None, typer.Option("--fluent-bit-version", help="The Fluent Bit it is for [the newest known].")]
Tabled = Annotated[Format, typer.Option("--output", "-o", help="How to show it.")]


class Report(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class Drawing(StrEnum):
    TABLE = "table"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


class Comparison(StrEnum):
    TEXT = "text"
    JSON = "json"


@app.command()
def validate(
    paths: Annotated[list[str], typer.Argument(metavar="FILE", help="Configurations; - for standard input.")],
    version: Version = None,
    written: Written = None,
    fleet: Annotated[bool, typer.Option("--fleet", help="It is for the agents of a fleet.")] = False,
    here: Annotated[bool, typer.Option("--here", help="It will run here: look for its files and variables.")] = False,
    secrets: Annotated[
        list[str] | None, typer.Option("--secret", metavar="NAME", help="A secret there will be; others are then missing.")
    ] = None,
    beside: Annotated[
        list[str] | None, typer.Option("--file", metavar="NAME", help="A file there will be; others are then missing.")
    ] = None,
    shown: Annotated[Report, typer.Option("--output", "-o", help="How to show what was found.")] = Report.TEXT,
    fluent_bit: Annotated[
        str | None, typer.Option("--fluent-bit", help="Ask this fluent-bit too, by --dry-run in a closed-off child.")
    ] = None,
    folder: schemas.Folder = None,
) -> None:
    """Find every problem at once. Exit code 0: none but warnings; 1: errors; 2: it could not be checked."""
    known = schemas.find(version, folder)
    program = checking.program(fluent_bit) if fluent_bit is not None else None
    if paths.count("-") > 1:
        stop("standard input can be read once only")
    if here and beside:
        stop("--here looks for the files themselves; --file is for a place that has others")
    asked = checking.Asked(known, fleet=fleet, here=here, program=program, secrets=_names(secrets), files=_names(beside))
    checked = [checking.check(files.given(path, written), asked) for path in paths]
    found = findings.in_order(finding for one in checked for finding in one.findings)
    for one in checked:
        if one.note:
            typer.echo(plain(f"{one.name}: {one.note}"), err=True)
    if shown is Report.JSON:
        typer.echo(findings.as_json(found))
    elif shown is Report.GITHUB:
        for finding in found:
            typer.echo(findings.as_github(finding))
    else:
        texts = {name: text for one in checked for name, text in files.texts(*one.documents).items()}
        typer.echo(findings.as_report(found, texts) or f"no problems for Fluent Bit {known.version}\n", nl=False)
    if findings.errors(found):
        raise typer.Exit(1)


def _names(given: list[str] | None) -> frozenset[str] | None:
    return frozenset(given) if given else None


@app.command("convert")
def convert_file(
    path: File,
    to: Annotated[str, typer.Option(help="classic, yaml or json.")],
    written: Written = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Write it there, with the files it names for parsers and the like."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are in DIR already.")] = False,
    lossy: Annotated[bool, typer.Option("--lossy", help="Write it even when something is left out.")] = False,
) -> None:
    """Write it in another format to standard output, or with its side files to DIR.

    What the format cannot hold is listed on standard error; then nothing is written and the exit code is 1, unless --lossy.
    """
    try:
        wanted = formats.format_named(to)
    except ValueError as error:
        stop(str(error))
    document = files.document(path, written)
    if out is not None:
        converting.to_folder(document, wanted, out, force=force, lossy=lossy)
    else:
        converting.to_output(document, wanted, lossy=lossy)


@app.command("ports")
def show_ports(
    path: File,
    written: Written = None,
    version: Version = None,
    folder: schemas.Folder = None,
    shown: Tabled = Format.TABLE,
) -> None:
    """The ports it would listen on."""
    found = ports.find(files.document(path, written), schemas.find(version, folder))
    columns = [
        Column("PORT", lambda one: f"{one['port']}/{one['protocol']}"),
        Column("ADDRESS", lambda one: one["address"]),
        Column("PLUGIN", lambda one: one["id"] or one["kind"]),
        Column("FROM", lambda one: one["origin"]),
        Column("PLACE", _place),
    ]
    output.show([_plain(port) for port in found], columns, shown)


@app.command("refs")
def show_references(
    path: File,
    written: Written = None,
    version: Version = None,
    folder: schemas.Folder = None,
    shown: Tabled = Format.TABLE,
) -> None:
    """What it refers to: variables, secrets, files, parsers, included files, and the hosts it would talk to."""
    document = files.document(path, written)
    known = schemas.find(version, folder)
    found = references.find(document, known)
    listed: dict[str, list[dict[str, Any]]] = {
        "variable": [_plain(use) for use in found.variables],
        # Without their values: many are secrets.
        "defined": [{"name": one.name, **_spot(one.place)} for one in found.defined],
        "secret": [_plain(use) for use in found.secrets],
        "file": [_plain(use) for use in found.files],
        "path": [_plain(use) for use in found.paths],
        "parser": [_plain(use) for use in found.parsers],
        "include": [{"path": one.path, "files": list(one.files), **_spot(one.place)} for one in found.includes],
        "secret option": [_plain(one) for one in found.secret_options],
        "host": [_plain(target) for target in targets.find(document, known)],
    }
    rows = [{"what": what, **thing} for what, things in listed.items() for thing in things]
    columns = [
        Column("WHAT", lambda one: one["what"]),
        Column("NAME", _named),
        Column("OWNER", lambda one: one.get("owner", "")),
        Column("OPTION", lambda one: one.get("option", "")),
        Column("PLACE", _place),
    ]
    output.show(rows, columns, shown)


@app.command("graph")
def show_graph(
    path: File,
    written: Written = None,
    shown: Annotated[Drawing, typer.Option("--output", "-o", help="How to show it.")] = Drawing.TABLE,
) -> None:
    """How records flow: from each input by its tag through the filters to the outputs."""
    try:
        found = graph.of_document(files.document(path, written))
    except ConfigError as error:
        stop("; ".join(f"{problem.place}: {problem.message}" for problem in error.problems), 1)
    if shown is Drawing.DOT:
        typer.echo(drawing.dot(found), nl=False)
    elif shown is Drawing.MERMAID:
        typer.echo(drawing.mermaid(found), nl=False)
    elif shown is Drawing.JSON:
        things = {
            "points": [point._asdict() for point in found.points],
            "flows": [flow._asdict() for flow in found.flows],
            "edges": [edge._asdict() for edge in found.edges],
            "lost": found.lost,
        }
        typer.echo(json.dumps(things, ensure_ascii=False, indent=2))
    else:
        _flows(found)


def _flows(found: graph.Graph) -> None:
    names = {point.id: point.display for point in found.points}
    columns = [
        Column("FROM", lambda flow: names.get(flow.source, flow.source)),
        Column("TAG", lambda flow: flow.tag),
        Column("FILTERS", lambda flow: ", ".join(names.get(owner, owner) for owner in flow.filters) or "-"),
        Column("OUTPUTS", lambda flow: ", ".join(names.get(owner, owner) for owner in flow.outputs) or "none"),
        Column("SURE", lambda flow: "routed" if flow.routed else "yes" if flow.sure else "may be more or fewer"),
    ]
    output.show(found.flows, columns, Format.TABLE)
    if found.lost:
        typer.echo(plain("nothing reaches: " + ", ".join(names.get(owner, owner) for owner in found.lost)))


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="The old one.")],
    new: Annotated[str, typer.Argument(metavar="B", help="The new one.")],
    shown: Annotated[Comparison, typer.Option("--output", "-o", help="How to show it.")] = Comparison.TEXT,
) -> None:
    """What differs by meaning, whatever the formats. Exit code 0: the same; 1: different; 2: one cannot be read."""
    if old == new == "-":
        stop("standard input can be read once only")
    try:
        before, after = files.document(old), files.document(new)
    except typer.Exit:
        raise typer.Exit(2) from None
    changes = differences.diff(before, after)
    if shown is Comparison.JSON:
        typer.echo(json.dumps([_change(change) for change in changes], ensure_ascii=False, indent=2))
    else:
        for line in differences.as_text(changes).split("\n")[:-1]:
            typer.echo(plain(line))
    if changes:
        raise typer.Exit(1)


def _change(change: differences.Change) -> dict[str, Any]:
    places = {"oldPlace": change.old_place, "newPlace": change.new_place}
    plain_ones = {name: value for name, value in change._asdict().items() if not name.endswith("_place")}
    return plain_ones | {name: place and _spot(place) for name, place in places.items()}


def _plain(thing: Any) -> dict[str, Any]:
    """A named tuple as what JSON holds, its place as file, line and column."""
    fields: Mapping[str, Any] = thing._asdict()
    return {name: value for name, value in fields.items() if name != "place"} | _spot(thing.place)


def _spot(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}


def _place(one: Mapping[str, Any]) -> str:
    return f"{one['file']}:{one['line']}"


def _named(one: Mapping[str, Any]) -> str:
    if one["what"] == "host":
        return f"{one['host']}:{one['port']}" + (" (TLS)" if one["tls"] else "")
    if one["what"] == "secret option":
        return "in plain text" if one["plain"] else "given elsewhere"
    default = one.get("default")
    return str(one.get("name") or one.get("path")) + (f" (or {default!r})" if default is not None else "")
