"""`nectary watch`: tell what changes until it is over; for people who wait, and for scripts that wait for an exit code."""

import time
from typing import Annotated

import typer

from nectary.cli import output
from nectary.cli.connection import connected
from nectary.cli.fleet_files import Fleet
from nectary.cli.rollout import described, newest
from nectary.client import Client, Refused, Unreachable

app = output.group("Tell what changes until it is over.")


_BUSY = 503
_PATIENCE = 300.0  # seconds without an answer


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
    """The fleet's newest rollout until it ends, also past five minutes without an answer. Exit code 0: done; 1: rolled back, or
    cancelled."""
    told: set[str] = set()
    said: list[str] = []
    id = newest(client, fleet).id
    heard = time.monotonic()
    while True:
        try:
            now, events = client.rollout(id), list(client.rollout_events(id))
            heard = time.monotonic()
        except (Unreachable, Refused) as error:
            # A server that is started again in the middle is no end of the rollout, nor of a script that waits for one.
            if (isinstance(error, Refused) and error.status != _BUSY) or time.monotonic() - heard > _PATIENCE:
                raise
            time.sleep(interval)
            continue
        for event in reversed(events):
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
