"""`nectary fleet`: prepare and publish fleets' configs, look at what was published, and go back."""

from typing import Annotated, Any

import typer

from nectary.cli import files, output
from nectary.cli.connection import connected
from nectary.cli.output import Column, Format, Shown
from nectary.client import Client
from nectary.client.things import PublishedRevision, VersionCheck

app = output.group("Prepare, check and publish fleets' configs; look at their history; go back.")

Fleet = Annotated[str, typer.Argument(help="The fleet's name or id.")]
File = Annotated[str | None, typer.Option("--config", "-f", help="File with the config (- for standard input).")]
FormatName = Annotated[str | None, typer.Option("--format", help="classic, yaml or json; else by the file's name.")]
Message = Annotated[str, typer.Option("--message", "-m", help="What the change is for; kept with its revision.")]
Urgent = Annotated[bool, typer.Option("--urgent", help="To all agents at once, past a rollout and the fleet's policy.")]

_REVISIONS = [
    Column("NUMBER", lambda r: str(r.number)),
    Column("AGE", lambda r: output.age(r.created_at)),
    Column("AUTHOR", lambda r: r.author.name),
    Column("CAUSE", lambda r: f"{r.cause} {r.based_on}" if r.cause == "rolled_back" else r.cause),
    Column("MESSAGE", lambda r: r.message),
]
_FLEETS = [
    Column("NAME", lambda f: f.name),
    Column("REVISION", lambda f: str(f.revision)),
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
    output.show(list(client.fleets()), _FLEETS, shown)


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
    stages: Annotated[str, typer.Option(help="Roll it out, such as `5% 10m, 25% 10m, 100%`.")] = "",
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
) -> None:
    """Publish an older revision again, text and files."""
    body = {"revision": revision, "message": message, "urgent": urgent}
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
