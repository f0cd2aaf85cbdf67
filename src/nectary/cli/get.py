"""`nectary get`: what there is, as a table, JSON or YAML."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from nectary.cli import output
from nectary.cli.output import Column, Format
from nectary.client import Client
from nectary.errors import Unstartable

app = output.group("List agents, stragglers, projects, tokens or environments.")

Url = Annotated[str, typer.Option(envvar="NECTARY_URL", help="The server's address.")]
Token = Annotated[
    str | None,
    typer.Option(envvar="NECTARY_TOKEN", help="A project token or bearer token; else that of --data-dir.", show_default=False),
]
Project = Annotated[str | None, typer.Option(envvar="NECTARY_PROJECT", help="Id of the project to look in.")]
DataDir = Annotated[Path, typer.Option(envvar="NECTARY_DATA_DIR", help="Where a server on this machine keeps its data.")]
Shown = Annotated[Format, typer.Option("--output", "-o", help="How to show it.")]

URL, DATA_DIR = "http://127.0.0.1:5000", Path("nectary-data")


def token_given(given: str | None, data_dir: Path) -> str:
    """The token given, or the one that a server on this machine left for us at its start."""
    try:
        token = given or (data_dir / "token").read_text().strip()
    except OSError:
        token = ""
    if not token:
        raise Unstartable("No token: set NECTARY_TOKEN or --token, or run where `nectary serve` keeps its data (--data-dir).")
    return token


def _show(things: Callable[[Client], Iterable[Any]], columns: list[Column], client: Client, shown: Format) -> None:
    with client:
        output.show(list(things(client)), columns, shown)


@app.command()
def agents(
    search: Annotated[str, typer.Option(help="Only those with this in their names.")] = "",
    fleet: Annotated[str, typer.Option(help="Only those of this fleet, by its name or id.")] = "",
    version: Annotated[str, typer.Option(help="Only this Fluent Bit: 5.1.1, or 5.1.")] = "",
    status: Annotated[str, typer.Option(help="healthy or unhealthy.")] = "",
    tags: Annotated[str, typer.Option(help="Tags joined by ` AND `; all must be there.")] = "",
    url: Url = URL,
    token: Token = None,
    project: Project = None,
    data_dir: DataDir = DATA_DIR,
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

    _show(wanted, columns, Client(url, token_given(token, data_dir), project=project), shown)


@app.command()
def stragglers(
    fleet: Annotated[str, typer.Option(help="The fleet's name or id.")],
    url: Url = URL,
    token: Token = None,
    project: Project = None,
    data_dir: DataDir = DATA_DIR,
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
    client = Client(url, token_given(token, data_dir), project=project)
    _show(lambda client: client.stragglers(client.fleet(fleet).id), columns, client, shown)


def _revision(number: int | None) -> str:
    return "?" if number is None else str(number)


@app.command()
def projects(url: Url = URL, token: Token = None, data_dir: DataDir = DATA_DIR, shown: Shown = Format.TABLE) -> None:
    """Projects: yours, or the one a project token is for."""
    columns = [
        Column("NAME", lambda p: p.name),
        Column("AGENTS", lambda p: str(p.agents_count)),
        Column("MEMBERS", lambda p: str(p.members_count)),
        Column("AGE", lambda p: output.age(p.created_at)),
        Column("ID", lambda p: p.id),
    ]
    _show(Client.projects, columns, Client(url, token_given(token, data_dir)), shown)


@app.command()
def tokens(
    url: Url = URL, token: Token = None, project: Project = None, data_dir: DataDir = DATA_DIR, shown: Shown = Format.TABLE
) -> None:
    """Project tokens: all for a person, itself for a token. The text is in json and yaml only."""
    columns = [
        Column("NAME", lambda t: t.name),
        Column("PERMISSIONS", lambda t: ", ".join(t.permissions) or "all"),
        Column("AGE", lambda t: output.age(t.created_at)),
        Column("ID", lambda t: t.id),
    ]
    _show(Client.tokens, columns, Client(url, token_given(token, data_dir), project=project), shown)


@app.command()
def environments(
    url: Url = URL, token: Token = None, project: Project = None, data_dir: DataDir = DATA_DIR, shown: Shown = Format.TABLE
) -> None:
    """Environments, newest first."""
    columns = [
        Column("NAME", lambda e: e.name),
        Column("AGE", lambda e: output.age(e.created_at)),
        Column("ID", lambda e: e.id),
    ]
    _show(Client.environments, columns, Client(url, token_given(token, data_dir), project=project), shown)
