"""The command line: the whole tree on one screen, one file a verb."""

import io
import sys
from typing import Annotated

import typer

import nectary
from nectary.cli import configs, get, rules, schemas, serve
from nectary.client import Refused, Unreachable
from nectary.errors import Unstartable

app = typer.Typer(
    help="Nectary: an open, self-hosted control plane for Fluent Bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.add_typer(get.app, name="get")
app.add_typer(configs.app, name="config")
app.add_typer(schemas.app, name="schema")
app.add_typer(rules.app, name="rules")


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
    except (Unstartable, Refused, Unreachable) as error:
        sys.stderr.write(f"nectary: {error}\n")
        sys.exit(1)
