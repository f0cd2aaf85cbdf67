"""`nectary fleet`: make fleets, prepare and publish their configs, look at what was published, and go back."""

import sys
from typing import Annotated, Any

import typer

from nectary.cli import files, fleet_files, output
from nectary.cli.connection import connected
from nectary.cli.fleet_files import Fleet, Message, Urgent
from nectary.cli.output import Column, Format, Shown
from nectary.client import Client
from nectary.client.things import PublishedRevision, VersionCheck

app = output.group("Make fleets; prepare, check and publish their configs; look at their history; go back.")
app.add_typer(fleet_files.app, name="file")

File = Annotated[str | None, typer.Option("--config", "-f", help="File with the config (- for standard input).")]
FormatName = Annotated[str | None, typer.Option("--format", help="classic, yaml or json; else by the file's name.")]
Stages = Annotated[str, typer.Option(help="Roll it out, such as `5% 10m, 25% 10m, 100%`.")]

_REVISIONS = [
    Column("NUMBER", lambda r: str(r.number)),
    Column("AGE", lambda r: output.age(r.created_at)),
    Column("AUTHOR", lambda r: r.author.name),
    Column("CAUSE", lambda r: f"{r.cause} {r.based_on}" if r.cause == "rolled_back" else r.cause),
    Column("MESSAGE", lambda r: r.message),
]
FLEETS = [
    Column("NAME", lambda f: f.name),
    Column("REVISION", lambda f: str(f.revision)),
    Column("AGENTS", lambda f: str(f.agents_count.active + f.agents_count.inactive)),
    Column("SILENT", lambda f: str(f.agents_count.inactive)),
    Column("WITH ERRORS", lambda f: str(f.agents_count.with_errors)),
    Column("AGE", lambda f: output.age(f.created_at)),
    Column("ID", lambda f: f.id),
]


def _text(config: str, format: str | None) -> dict[str, Any]:
    given = files.given(config, format)
    return {"rawConfig": given.data.decode(errors="replace"), "configFormat": given.format.value}


def _tell(said: PublishedRevision) -> None:
    how = "is being rolled out in stages" if said.rollout_id else "is published; agents fetch it within their poll interval"
    typer.echo(f"revision {said.revision} {how}")


@app.command("list")
@connected
def list_fleets(
    client: Client,
    shown: Shown = Format.TABLE,
) -> None:
    """Fleets, newest first."""
    output.show(list(client.fleets()), FLEETS, shown)


@app.command()
@connected
def create(
    client: Client,
    name: Annotated[str, typer.Argument(help="What it is called: 32 letters at most, and no slash.")],
    config: Annotated[str, typer.Option("--config", "-f", help="File with its first config (- for standard input).")],
    format: FormatName = None,
    version: Annotated[str, typer.Option(help="The oldest Fluent Bit of its agents, such as 4.0.3.")] = "",
    stages: Annotated[str, typer.Option(help="How each change is rolled out, such as `5% 10m, 25% 10m, 100%`.")] = "",
    message: Message = "",
) -> None:
    """Make a fleet. Agents join it with `nectary enroll`."""
    body = {"name": name, **_text(config, format), "message": message}
    body |= {"minFluentBitVersion": version} if version else {}
    body |= {"rolloutPolicy": {"stages": stages}} if stages else {}
    typer.echo(f"fleet {output.plain(name)} is made, with the id {client.create_fleet(body)}")
    typer.echo(f"let hosts join with: nectary enroll --fleet {output.plain(name)} --hosts 1 --configs .")


@app.command()
@connected
def show(client: Client, fleet: Fleet, shown: Shown = Format.TABLE) -> None:
    """One fleet, and how its agents are doing."""
    found = client.fleet(fleet)
    output.show([found], FLEETS, shown)
    if shown is not Format.TABLE:
        return
    now = client.fleet_status(found.id)
    typer.echo(f"{now.healthy} of {now.managed} agents healthy, {now.in_progress} in progress, {now.unhealthy} unhealthy")
    for rollout in client.rollouts(found.id, most=1):
        stage = f"{rollout.state}, stage {rollout.stage + 1} of {rollout.stages.count(',') + 1}"
        typer.echo(output.plain(f"newest rollout, of revision {rollout.to_revision}: {stage}; {rollout.reason}"))


@app.command()
@connected
def config(
    client: Client,
    fleet: Fleet,
    revision: Annotated[int | None, typer.Option(help="A revision's number; without: the newest.", min=1)] = None,
) -> None:
    """Print the config as it was written, to edit it."""
    found = client.fleet(fleet)
    text = found.raw_config if revision is None else client.revision(found.id, revision).raw_config
    sys.stdout.write(text)


@app.command()
@connected
def delete(
    client: Client,
    fleet: Fleet,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking.")] = False,
) -> None:
    """Delete a fleet with its files and history. Its agents stay, in none, and keep running what they have."""
    found = client.fleet(fleet)
    many = found.agents_count.active + found.agents_count.inactive
    asked = f"delete the fleet {output.plain(found.name)}, with {many} {'agent' if many == 1 else 'agents'}?"
    if not yes and not sys.stdin.isatty():
        output.stop(f"not deleted: say --yes to {asked.removesuffix('?')}")
    if yes or typer.confirm(asked):
        client.delete_fleet(found.id)
        typer.echo(f"fleet {output.plain(found.name)} is deleted")


@app.command()
@connected
def draft(
    client: Client,
    fleet: Fleet,
    config: Annotated[str, typer.Option("--config", "-f", help="File with the config (- for standard input).")],
    format: FormatName = None,
    message: Message = "",
) -> None:
    """Prepare a config; no agent gets it until it is published. Tells what would change."""
    id = client.fleet(fleet).id
    client.put_draft(id, {**_text(config, format), "message": message})
    typer.echo(client.diff(id, to="draft").text or "no difference by meaning\n", nl=False)


@app.command()
@connected
def publish(
    client: Client,
    fleet: Fleet,
    message: Message = "",
    urgent: Urgent = False,
    stages: Stages = "",
    force: Annotated[bool, typer.Option("--force", help="Also when the fleet moved on since the draft was begun.")] = False,
) -> None:
    """Publish the draft."""
    body: dict[str, Any] = {"urgent": urgent, "force": force}
    body |= {"message": message} if message else {}
    body |= {"rollout": {"stages": stages}} if stages else {}
    _tell(client.publish_draft(client.fleet(fleet).id, body))


@app.command()
@connected
def history(
    client: Client,
    fleet: Fleet,
    shown: Shown = Format.TABLE,
) -> None:
    """What was published, newest first: when, by whom and why."""
    output.show(list(client.revisions(client.fleet(fleet).id)), _REVISIONS, shown)


@app.command()
@connected
def diff(
    client: Client,
    fleet: Fleet,
    from_: Annotated[str | None, typer.Option("--from", help="A revision's number; without: the one before.")] = None,
    to: Annotated[str | None, typer.Option(help="A revision's number, or draft; without: the newest.")] = None,
) -> None:
    """What changed between two revisions, by meaning."""
    found = client.diff(client.fleet(fleet).id, from_, to)
    for line in found.text.splitlines():
        typer.echo(output.plain(line))
    if found.unreadable:
        output.stop(f"the texts cannot be compared: {found.unreadable}", 1)


@app.command()
@connected
def back(
    client: Client,
    fleet: Fleet,
    revision: Annotated[int, typer.Option("--to", help="The revision to go back to.", min=1)],
    message: Message = "",
    urgent: Urgent = False,
    stages: Stages = "",
) -> None:
    """Publish an older revision again, text and files."""
    body: dict[str, Any] = {"revision": revision, "message": message, "urgent": urgent}
    body |= {"rollout": {"stages": stages}} if stages else {}
    _tell(client.roll_back(client.fleet(fleet).id, body))


@app.command()
@connected
def check(
    client: Client,
    fleet: Fleet,
    config: File = None,
    format: FormatName = None,
    draft: Annotated[bool, typer.Option("--draft", help="The draft, and not what is published.")] = False,
) -> None:
    """Whether the fleet's agents can run a config, for each version that they report. Code 1: some cannot."""
    body = None if config is None else _text(config, format)
    found = client.check(client.fleet(fleet).id, body, draft=draft)
    for one in (found.minimum, *found.versions):
        for line in _lines(one):
            typer.echo(output.plain(line))
    for added in found.added:
        typer.echo(output.plain(f"added to what agents get: {added}"))
    for name, why in found.unservable.items():
        typer.echo(output.plain(f"agents that ask for {name} would get nothing: {why}"))
    if not found.sound:
        raise typer.Exit(1)


def _lines(one: VersionCheck) -> list[str]:
    held = "" if one.known else f" (not known, held against {one.checked_against})"
    whose = f", {one.agents} {'agent' if one.agents == 1 else 'agents'}" if one.agents else ""
    lines = [f"Fluent Bit {one.version}{held}{whose}: {'can run it' if one.runs else 'cannot run it'}"]
    lines += [f"  {each.file}:{each.line}: {each.severity}: {each.message}" for each in one.findings]
    more = f" and {one.agents - len(one.names)} more" if one.agents > len(one.names) else ""
    return lines + ([f"  agents: {', '.join(one.names)}{more}"] if one.names else [])
