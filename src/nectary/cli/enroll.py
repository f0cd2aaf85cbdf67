"""`nectary enroll`: a token for each host of a fleet, so that a rollout can reach one host and not its neighbour."""

from pathlib import Path
from typing import Annotated

import typer

from nectary.cli import files, output
from nectary.cli.connection import connected
from nectary.cli.output import Column, Format, Shown, stop
from nectary.client import Client

app = output.group()


@app.command()
@connected
def enroll(
    client: Client,
    fleet: Annotated[str, typer.Option(help="The fleet's name or id.")],
    hosts: Annotated[str, typer.Option(help="How many, or a file with a host's name on each line (- for standard input).")],
    configs: Annotated[Path | None, typer.Option(help="Folder to write HOST.conf into, to start Fluent Bit with.")] = None,
    shown: Shown = Format.TABLE,
) -> None:
    """Make a project token for each host of a fleet."""
    asked = _asked(hosts)
    made = list(client.enroll(client.fleet(fleet).id, asked))
    if configs is not None:
        _write(configs, {one.host: one.config for one in made})
    output.show(made, [Column("HOST", lambda one: one.host), Column("TOKEN", lambda one: one.token)], shown)


def _asked(hosts: str) -> list[str] | int:
    """A number, or the names in a file; empty lines and what follows a # are nothing."""
    if hosts.isascii() and hosts.isdigit():
        if not 0 < int(hosts) <= 100_000:
            stop("--hosts takes 1 to 100000, or a file")
        return int(hosts)
    lines = files.content(hosts).decode(errors="replace").splitlines()
    names = [name for line in lines if (name := line.partition("#")[0].strip())]
    if not names:
        stop(f"{hosts} names no host", 1)
    return names


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Each for its owner's eyes only: the token stands in it."""
    if strange := next((host for host in texts if not host[:1].isalnum() or "/" in host), None):
        stop(f"the server calls a host {strange!r}, which is no name for a file", 1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for host, text in texts.items():
            path = folder / f"{host}.conf"
            path.touch(mode=0o600)
            path.chmod(0o600)
            path.write_text(text)
    except OSError as error:
        stop(f"cannot write into {folder}: {error.strerror}", 1)
