"""`nectary fleet file`: what lies beside a fleet's config on each of its agents."""

from pathlib import PurePath
from typing import Annotated

import typer

from nectary.cli import files, output
from nectary.cli.connection import connected
from nectary.cli.output import Column, Format, Shown
from nectary.client import Client

app = output.group("Put, list and delete the files beside a fleet's config; each change is a revision.")

Fleet = Annotated[str, typer.Argument(help="The fleet's name or id.")]
Message = Annotated[str, typer.Option("--message", "-m", help="What the change is for; kept with its revision.")]
Urgent = Annotated[bool, typer.Option("--urgent", help="To all agents at once, past a rollout and the fleet's policy.")]


@app.command("list")
@connected
def list_files(client: Client, fleet: Fleet, shown: Shown = Format.TABLE) -> None:
    """The fleet's files, newest first. Their contents are in json and yaml only, as base64."""
    columns = [
        Column("NAME", lambda f: f.name),
        Column("BYTES", lambda f: str(len(f.contents))),
        Column("AGE", lambda f: output.age(f.created_at)),
        Column("ID", lambda f: f.id),
    ]
    output.show(list(client.fleet_files(client.fleet(fleet).id)), columns, shown)


@app.command()
@connected
def put(
    client: Client,
    fleet: Fleet,
    file: Annotated[str, typer.Argument(help="The file (- for standard input).")],
    name: Annotated[str, typer.Option(help="What it is called on agents; else as here.")] = "",
    message: Message = "",
    urgent: Urgent = False,
) -> None:
    """Add a file, or replace the one of that name."""
    called = name or (PurePath(file).name if file != "-" else "")
    if not called:
        output.stop("standard input has no name: say --name")
    found = client.fleet(fleet)
    client.put_fleet_file(found.id, called, files.content(file), _said(message, urgent))
    _tell(client, found.id, found.revision)


@app.command()
@connected
def delete(
    client: Client,
    fleet: Fleet,
    name: Annotated[str, typer.Argument(help="The file's name.")],
    message: Message = "",
    urgent: Urgent = False,
) -> None:
    """Delete a file, unless the config needs it."""
    found = client.fleet(fleet)
    there = next((file for file in client.fleet_files(found.id) if file.name == name), None)
    if there is None:
        output.stop(f"{fleet} has no file {name!r}", 1)
    client.delete_fleet_file(there.id, _said(message, urgent))
    _tell(client, found.id, found.revision)


def _said(message: str, urgent: bool) -> dict[str, str]:
    return ({"message": message} if message else {}) | ({"urgent": "true"} if urgent else {})


def _tell(client: Client, id: str, before: int) -> None:
    now = client.fleet(id).revision
    typer.echo(f"revision {now} is published" if now > before else "nothing changed")
