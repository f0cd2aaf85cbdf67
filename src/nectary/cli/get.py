"""`nectary get`: what there is, as a table, JSON or YAML."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from nectary.cli import output
from nectary.cli.connection import connected
from nectary.cli.output import Column, Format, Shown
from nectary.client import Client

app = output.group("List agents, stragglers, projects, tokens or environments.")


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
    tags: Annotated[str, typer.Option(help="Tags joined by ` AND `; all must be there.")] = "",
    shown: Shown = Format.TABLE,
) -> None:
    """Agents, newest first."""
    columns = [
        Column("NAME", lambda a: a.name),
        Column("STATUS", lambda a: a.status),
        Column("VERSION", lambda a: a.version),
        Column("ENVIRONMENT", lambda a: a.environment_name),
        Column("OS/ARCH", lambda a: f"{a.os}/{a.arch}"),
        Column("LAST METRICS", lambda a: output.age(a.last_metrics_added_at)),
        Column("AGE", lambda a: output.age(a.created_at)),
        Column("ID", lambda a: a.id),
    ]
    asked = {"search": search, "version": version, "status": status, "tags_query": tags}

    def wanted(client: Client) -> Iterable[Any]:
        of = {"fleet_id": client.fleet(fleet).id} if fleet else {}
        return client.agents(**of, **{name: value for name, value in asked.items() if value})

    _show(wanted, columns, client, shown)


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
