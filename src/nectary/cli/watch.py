"""`nectary watch`: tell what changes until it is over; for people who wait, and for scripts that wait for an exit code."""

import time
from typing import Annotated

import typer

from nectary.cli import output
from nectary.cli.connection import connected
from nectary.cli.fleet_files import Fleet
from nectary.cli.rollout import described, newest
from nectary.client import Client

app = output.group("Tell what changes until it is over.")


@app.callback()
def nothing_of_its_own() -> None:
    """Keeps `rollout` a command of its own."""


@app.command()
@connected
def rollout(
    client: Client,
    fleet: Fleet,
    interval: Annotated[float, typer.Option(help="Seconds between looks.", min=0.2)] = 2.0,
) -> None:
    """The fleet's newest rollout until it ends. Exit code 0: done; 1: rolled back, or cancelled."""
    told: set[str] = set()
    said: list[str] = []
    id = newest(client, fleet).id
    while True:
        now = client.rollout(id)
        for event in reversed(list(client.rollout_events(id))):
            if event.id not in told:
                told.add(event.id)
                line = f"{event.created_at:%H:%M:%S}  stage {event.stage + 1}  {event.kind}: {event.reason}"
                typer.echo(output.plain(line))
        if (lines := described(now)) != said:
            for line in lines:
                typer.echo(output.plain(f"          {line}"))
            said = lines
        if now.state not in ("running", "paused"):
            break
        time.sleep(interval)
    if now.state != "done":
        raise typer.Exit(1)
