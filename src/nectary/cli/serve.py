"""`nectary serve`: the server, on one machine, with nothing else needed."""

import gc
import os
from pathlib import Path
from typing import Annotated

import typer

from nectary import settings
from nectary.cli import output

app = output.group()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [5000].")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded database [nectary-data].")] = None,
    database_url: Annotated[str | None, typer.Option(help="postgresql://... instead of the embedded database.")] = None,
    core: Annotated[
        bool | None, typer.Option("--core/--no-core", help="Run pipelines here, too, if fluent-bit is found [yes].")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error [info].")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
) -> None:
    """Serve the API. Every setting is also read from NECTARY_<NAME> and from the TOML file: see docs/settings.md."""
    if config is not None:
        os.environ["NECTARY_CONFIG"] = str(config)
    flags = {"host": host, "port": port, "data_dir": data_dir, "database_url": database_url, "log_level": log_level}
    chosen = settings.load(**flags, core=core)
    gc.disable()  # loading the web stack makes a million objects and no garbage
    from nectary import server  # noqa: PLC0415 - half a second that other commands need not wait

    gc.freeze()
    gc.enable()
    server.serve(chosen)
