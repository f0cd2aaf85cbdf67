"""Which server a command speaks to, and as whom."""

import functools
import inspect
from collections.abc import Callable
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from nectary.client import Client
from nectary.errors import Unstartable

P = ParamSpec("P")

Url = Annotated[str, typer.Option(envvar="NECTARY_URL", help="The server's address.")]
Token = Annotated[
    str | None,
    typer.Option(envvar="NECTARY_TOKEN", help="A project token or bearer token; else that of --data-dir.", show_default=False),
]
Project = Annotated[str | None, typer.Option(envvar="NECTARY_PROJECT", help="Id of the project to look in.")]
DataDir = Annotated[Path, typer.Option(envvar="NECTARY_DATA_DIR", help="Where a server on this machine keeps its data.")]

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


def connected(command: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """A command that takes a client first, as one that takes options which say what server the client is for."""

    @functools.wraps(command)
    def run(*, url: str, token: str | None, project: str | None, data_dir: Path, **given: Any) -> None:
        with Client(url, token_given(token, data_dir), project=project) as client:
            command(client, **given)  # type: ignore[call-arg]  # typer gives what the signature below names

    options = [
        Parameter("url", Parameter.KEYWORD_ONLY, default=URL, annotation=Url),
        Parameter("token", Parameter.KEYWORD_ONLY, default=None, annotation=Token),
        Parameter("project", Parameter.KEYWORD_ONLY, default=None, annotation=Project),
        Parameter("data_dir", Parameter.KEYWORD_ONLY, default=DATA_DIR, annotation=DataDir),
    ]
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    taken = [*(one.replace(kind=Parameter.KEYWORD_ONLY) for one in own), *options]
    run.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in taken}
    return run
