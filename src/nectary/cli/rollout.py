"""`nectary rollout`: give a fleet's agents another config in stages, see how they take it, hold it, take it back."""

import json
from typing import Annotated, Any

import typer

from nectary.cli import files, output
from nectary.cli.connection import connected
from nectary.cli.fleet_files import Fleet
from nectary.cli.output import Column, Format, Shown
from nectary.client import Client
from nectary.client.things import Rollout

app = output.group("Give a fleet's agents another config in stages, and take it back.")

Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept with the rollout and in the audit log.")]
Threshold = Annotated[
    list[str] | None, typer.Option(help="What a failure is, such as applySeconds=120 or errorsPerSecond=null; again for more.")
]

COLUMNS = [
    Column("STATE", lambda r: r.state),
    Column("REVISION", lambda r: f"{r.from_revision} -> {r.to_revision}"),
    Column("STAGE", lambda r: f"{r.stage + 1} of {r.stages.count(',') + 1}"),
    Column("STAGES", lambda r: r.stages),
    Column("AGE", lambda r: output.age(r.created_at)),
    Column("REASON", lambda r: r.reason if len(r.reason) < 80 else r.reason[:77] + "..."),
    Column("ID", lambda r: r.id),
]


@app.command()
@connected
def start(
    client: Client,
    fleet: Fleet,
    config: Annotated[
        str | None, typer.Option("--config", "-f", help="File with the config; without: the fleet's draft.")
    ] = None,
    format: Annotated[str | None, typer.Option(help="classic, yaml or json; else by the file's name.")] = None,
    stages: Annotated[str, typer.Option(help="Shares and for how long, such as `5% 10m, 25% 10m, 100%`.")] = "",
    canary: Annotated[list[str] | None, typer.Option(help="Agent that goes first; again for more.")] = None,
    most_applying: Annotated[int | None, typer.Option(help="At most so many agents load it at once.", min=1)] = None,
    pause_on_failure: Annotated[
        bool, typer.Option("--pause-on-failure", help="When agents fail, only pause; without: take it back.")
    ] = False,
    threshold: Threshold = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What the change is for; kept with its revision.")] = "",
) -> None:
    """Publish a config or the fleet's draft, and roll it out in stages."""
    plan: dict[str, Any] = {"canaries": canary or []}
    plan |= {"stages": stages} if stages else {}
    plan |= {"mostApplying": most_applying} if most_applying else {}
    limits = _thresholds(threshold or []) | ({"onFailure": "pause"} if pause_on_failure else {})
    plan |= {"thresholds": limits} if limits else {}
    body: dict[str, Any] = {"rollout": plan} | ({"message": message} if message else {})
    if config is not None:
        given = files.given(config, format)
        body |= {"rawConfig": given.data.decode(errors="replace"), "configFormat": given.format.value}
    found = client.fleet(fleet)
    client.publish(found.id, body, draft=config is None)
    newest = next(client.rollouts(found.id, most=1), None)
    if newest is None or newest.to_revision <= found.revision:
        output.stop("that is what the fleet's agents have; there is nothing to roll out", 1)
    typer.echo(f"revision {newest.to_revision} is being rolled out: {newest.stages}")
    typer.echo(f"see how it goes with: nectary watch rollout {fleet}")


def _thresholds(given: list[str]) -> dict[str, Any]:
    """What names they have and what values they take the server knows."""
    found = {}
    for one in given:
        name, is_there, value = one.partition("=")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            is_there = ""
        if not is_there or not name.strip():
            output.stop(f"{one!r} is no threshold such as applySeconds=120 or errorsPerSecond=null")
    return found


@app.command("list")
@connected
def list_rollouts(
    client: Client,
    fleet: Fleet,
    shown: Shown = Format.TABLE,
) -> None:
    """The fleet's rollouts, newest first."""
    output.show(list(client.rollouts(client.fleet(fleet).id)), COLUMNS, shown)


@app.command()
@connected
def show(
    client: Client,
    fleet: Fleet,
    shown: Shown = Format.TABLE,
) -> None:
    """The fleet's newest rollout, how its agents are doing, and what happened to it."""
    rollout = client.rollout(newest(client, fleet).id)
    output.show([rollout], COLUMNS, shown)
    if shown is not Format.TABLE:
        return
    for line in described(rollout):
        typer.echo(output.plain(line))
    for event in reversed(list(client.rollout_events(rollout.id))):
        line = f"{event.created_at:%Y-%m-%d %H:%M:%S}  stage {event.stage + 1}  {event.kind}: {event.reason}"
        typer.echo(output.plain(line))


def _move(client: Client, verb: str, fleet: str, reason: str, **more: Any) -> None:
    moved = client.move_rollout(newest(client, fleet).id, verb, {"reason": reason, **more})
    typer.echo(output.plain(f"revision {moved.to_revision}: {moved.state}, stage {moved.stage + 1}; {moved.reason}"))


def newest(client: Client, fleet: str) -> Rollout:
    """The fleet's newest rollout; stops the command when there never was one."""
    found = next(client.rollouts(client.fleet(fleet).id, most=1), None)
    if found is None:
        output.stop(f"nothing was ever rolled out to {fleet}", 1)
    return found


def described(rollout: Rollout) -> list[str]:
    """How the agents of an open rollout are doing, in sentences."""
    now = rollout.progress
    if now is None:
        return []
    said = f"{now.applied} of {now.in_reach} agents in reach run it, {now.downloaded} fetched it, {now.failed} failed"
    lines = [f"{said}, {now.stragglers} are not heard of", now.outlook]
    return lines + [f"  {one.name} {one.why} ({one.cause})" for one in now.failures]


@app.command()
@connected
def pause(
    client: Client,
    fleet: Fleet,
    reason: Reason = "",
) -> None:
    """Reach nobody else for now."""
    _move(client, "pause", fleet, reason)


@app.command()
@connected
def resume(
    client: Client,
    fleet: Fleet,
    reason: Reason = "",
    threshold: Threshold = None,
) -> None:
    """Go on where it was paused; with `--threshold`, judged by these and the defaults from now on."""
    _move(client, "resume", fleet, reason, **({"thresholds": _thresholds(threshold)} if threshold else {}))


@app.command()
@connected
def advance(
    client: Client,
    fleet: Fleet,
    reason: Reason = "",
) -> None:
    """On to the next stage now."""
    _move(client, "advance", fleet, reason)


@app.command()
@connected
def cancel(
    client: Client,
    fleet: Fleet,
    reason: Reason = "",
) -> None:
    """End it where it stands: those who have the new revision keep it."""
    _move(client, "cancel", fleet, reason)


@app.command()
@connected
def back(
    client: Client,
    fleet: Fleet,
    reason: Reason = "",
) -> None:
    """End it, and give those who have the new revision the one before."""
    _move(client, "rollback", fleet, reason)
