"""`nectary get`: what there is, as a table, JSON or YAML."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

import typer

from nectary.cli import output
from nectary.cli.connection import connected
from nectary.cli.fleet import FLEETS
from nectary.cli.output import Column, Format, Shown
from nectary.client import Client, Refused
from nectary.client.things import AgentFleetStatus

app = output.group("List agents, their errors, stragglers, fleets, projects, tokens or environments; show an agent.")


_AGENTS = [
    Column("NAME", lambda a: a.name),
    Column("STATUS", lambda a: a.status),
    Column("VERSION", lambda a: a.version),
    Column("ENVIRONMENT", lambda a: a.environment_name),
    Column("OS/ARCH", lambda a: f"{a.os}/{a.arch}"),
    Column("LAST METRICS", lambda a: output.age(a.last_metrics_added_at)),
    Column("AGE", lambda a: output.age(a.created_at)),
    Column("ID", lambda a: a.id),
]


def _show(things: Callable[[Client], Iterable[Any]], columns: list[Column], client: Client, shown: Format) -> None:
    output.show(list(things(client)), columns, shown)


@app.command()
@connected
def agents(
    client: Client,
    search: Annotated[str, typer.Option(help="Only those with this in their names.")] = "",
    fleet: Annotated[str, typer.Option(help="Only those of this fleet, by its name or id.")] = "",
    version: Annotated[str, typer.Option(help="Only this Fluent Bit: 5.1.1, or 5.1.")] = "",
    status: Annotated[str, typer.Option(help="healthy or unhealthy.")] = "",
    fleet_status: Annotated[str, typer.Option(help="waiting, applying, applied or drifted.")] = "",
    environment: Annotated[str, typer.Option(help="Only those in this environment, by its name or id.")] = "",
    tags: Annotated[str, typer.Option(help="Tags joined by ` AND `; all must be there.")] = "",
    shown: Shown = Format.TABLE,
) -> None:
    """Agents, newest first."""
    asked = {"search": search, "version": version, "status": status, "fleet_status": fleet_status, "tags_query": tags}

    def wanted(client: Client) -> Iterable[Any]:
        of = {"fleet_id": client.fleet(fleet).id} if fleet else {}
        of |= {"environment_id": _environment(client, environment)} if environment else {}
        return client.agents(**of, **{name: value for name, value in asked.items() if value})

    _show(wanted, _AGENTS, client, shown)


def _environment(client: Client, named: str) -> str:
    found = next((one.id for one in client.environments() if named in (one.name, one.id)), None)
    return found or output.stop(f"the project has no environment {named!r}", 1)


@app.command()
@connected
def agent(
    client: Client,
    named: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name or id.")],
    shown: Shown = Format.TABLE,
) -> None:
    """One agent: what it should run and runs, how that differs, its errors, and its last starts."""
    found = client.agent(named)
    output.show([found], _AGENTS, shown)
    if shown is not Format.TABLE:
        return
    for line in _described(client, found.id):
        typer.echo(output.plain(line))


def _described(client: Client, id: str) -> Iterator[str]:
    try:
        now = client.agent_fleet_status(id)
    except Refused as refused:
        if refused.status != 404:
            raise
        yield "it is in no fleet"
    else:
        yield from _in_fleet(client, now)
    for error in client.agent_errors(agent_id=id):
        yield f"error {output.age(error.created_at)} ago: {error.error}"


def _in_fleet(client: Client, now: AgentFleetStatus) -> Iterator[str]:
    runs = f"should run revision {_revision(now.assigned_revision)}, fetched {_revision(now.downloaded_revision)}"
    yield f"fleet {client.fleet(now.fleet_id).name}: {now.state}; {runs}, runs {_revision(now.runs_revision)}"
    for one in now.drift or ():
        sides = [f"should be {one.wanted}" if one.wanted else "", f"is {one.reported}" if one.reported else ""]
        yield f"  {one.change} {one.subject}" + "".join(f", {side}" for side in sides if side)
    if now.drift is None:
        yield "  nobody can say how what it runs differs"
    for start in now.starts:
        yield f"  {start.created_at:%Y-%m-%d %H:%M:%S}  started, running revision {_revision(start.runs_revision)}"


@app.command()
@connected
def errors(
    client: Client,
    fleet: Annotated[str, typer.Option(help="The fleet's name or id.")],
    shown: Shown = Format.TABLE,
) -> None:
    """What went wrong with a fleet's agents and nobody dismissed, newest first."""
    names: dict[str, str] = {}
    columns = [
        Column("AGENT", lambda e: names.get(e.agent_id, e.agent_id)),
        Column("AGE", lambda e: output.age(e.created_at)),
        Column("ERROR", lambda e: e.error),
        Column("ID", lambda e: e.id),
    ]
    id = client.fleet(fleet).id
    found = list(client.agent_errors(fleet_id=id))
    if found and shown is Format.TABLE:
        names = {agent.id: agent.name for agent in client.agents(fleet_id=id)}
    output.show(found, columns, shown)


@app.command()
@connected
def fleets(client: Client, shown: Shown = Format.TABLE) -> None:
    """Fleets, newest first."""
    output.show(list(client.fleets()), FLEETS, shown)


@app.command()
@connected
def stragglers(
    client: Client,
    fleet: Annotated[str, typer.Option(help="The fleet's name or id.")],
    shown: Shown = Format.TABLE,
) -> None:
    """A fleet's agents that do not run what they should, and how far each has come."""
    columns = [
        Column("NAME", lambda s: s.name),
        Column("STATE", lambda s: s.state),
        Column("VERSION", lambda s: s.version),
        Column("SHOULD RUN", lambda s: _revision(s.assigned_revision)),
        Column("FETCHED", lambda s: _revision(s.downloaded_revision)),
        Column("RUNS", lambda s: _revision(s.runs_revision)),
        Column("STARTED", lambda s: output.age(s.registered_at)),
        Column("HEARD OF", lambda s: output.age(s.seen_at)),
        Column("ID", lambda s: s.agent_id),
    ]
    _show(lambda client: client.stragglers(client.fleet(fleet).id), columns, client, shown)


def _revision(number: int | None) -> str:
    return "?" if number is None else str(number)


@app.command()
@connected
def projects(client: Client, shown: Shown = Format.TABLE) -> None:
    """Projects: yours, or the one a project token is for."""
    columns = [
        Column("NAME", lambda p: p.name),
        Column("AGENTS", lambda p: str(p.agents_count)),
        Column("MEMBERS", lambda p: str(p.members_count)),
        Column("AGE", lambda p: output.age(p.created_at)),
        Column("ID", lambda p: p.id),
    ]
    _show(Client.projects, columns, client, shown)


@app.command()
@connected
def tokens(
    client: Client,
    shown: Shown = Format.TABLE,
) -> None:
    """Project tokens: all for a person, itself for a token. The text is in json and yaml only."""
    columns = [
        Column("NAME", lambda t: t.name),
        Column("PERMISSIONS", lambda t: ", ".join(t.permissions) or "all"),
        Column("AGE", lambda t: output.age(t.created_at)),
        Column("ID", lambda t: t.id),
    ]
    _show(Client.tokens, columns, client, shown)


@app.command()
@connected
def environments(
    client: Client,
    shown: Shown = Format.TABLE,
) -> None:
    """Environments, newest first."""
    columns = [
        Column("NAME", lambda e: e.name),
        Column("AGE", lambda e: output.age(e.created_at)),
        Column("ID", lambda e: e.id),
    ]
    _show(Client.environments, columns, client, shown)
