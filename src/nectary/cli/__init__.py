"""The command line: the whole tree on one screen, one file a verb."""

import io
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import nectary
from nectary.errors import Unstartable

COMMANDS = {
    "serve": "nectary.cli.serve",
    "get": "nectary.cli.get",
    "fleet": "nectary.cli.fleet",
    "enroll": "nectary.cli.enroll",
    "rollout": "nectary.cli.rollout",
    "watch": "nectary.cli.watch",
    "config": "nectary.cli.configs",
    "schema": "nectary.cli.schemas",
    "rules": "nectary.cli.rules",
    "core": "nectary.cli.core",
}
"""Each command and the module whose `app` it is."""


class Tree(TyperGroup):
    """Reads a command's module when that command is asked for: what the others need takes as long to load as they to run."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command = get_command(import_module(COMMANDS[cmd_name]).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=Tree,
    help="Nectary: an open, self-hosted control plane for Fluent Bit.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def nothing_of_its_own() -> None:
    """Keeps `version` a command among others, where it would be the only one that typer sees."""


@app.command()
def version(short: Annotated[bool, typer.Option("--short", help="The number alone.")] = False) -> None:
    """Say which Nectary this is."""
    typer.echo(nectary.__version__ if short else f"nectary {nectary.__version__}")


def main() -> None:
    """Run a command. What went wrong is one sentence on standard error, and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names from files need not fit the terminal's encoding
    try:
        app()
    except Exception as error:
        from nectary.client import Refused, Unreachable  # noqa: PLC0415 - most commands never speak to a server

        if not isinstance(error, Unstartable | Refused | Unreachable):
            raise
        sys.stderr.write(f"nectary: {error}\n")
        sys.exit(1)
