"""The server: settings, database, routes and loops, put together, started and stopped."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server as Granian
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

import nectary
from nectary import agent_api, api, log
from nectary.agent_api.described import OPERATIONS
from nectary.agent_api.fleet_config import CONFIG_ROUTE, is_poll
from nectary.agent_api.metrics import METRICS_ROUTE
from nectary.auth.attempts import Attempts
from nectary.db.transaction import Database
from nectary.edge import openapi, refusals
from nectary.edge.context import Context
from nectary.edge.credentials import Credentials
from nectary.edge.fleet_configs import FleetConfigs
from nectary.edge.measures import Measures
from nectary.edge.middleware import Around
from nectary.errors import Refusal, Unstartable
from nectary.first_start import Introduction, default_token, introduce
from nectary.loops import LOOPS
from nectary.loops import fleets as fleets_loop
from nectary.loops import metrics as metrics_loop
from nectary.loops.supervisor import Supervisor
from nectary.metrics.buffer import Buffer
from nectary.own_core import OwnCore
from nectary.settings import Settings

_log = log.logger("nectary")
_CONNECTION_RESTS = 75  # seconds; agents post their metrics every thirty, over a connection that they keep


def make_context(settings: Settings, database: Database) -> Context:
    measures = Measures()
    buffer = Buffer(settings.metrics_buffer)
    credentials = Credentials(settings.credential_cache)
    measures.watch(buffer=lambda: len(buffer), database=database.size)
    fleet_configs = FleetConfigs(settings.fleet_config_cache)
    return Context(settings, database, credentials, Attempts(settings.sign_in_attempts), buffer, measures, fleet_configs)


def make_app(context: Context) -> FastAPI:
    app = FastAPI(
        title="Nectary",
        version=nectary.__version__,
        summary="An open, self-hosted control plane for Fluent Bit fleets and telemetry pipelines.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
    )
    app.state.context = context
    app.router.routes[0:0] = agent_api.ROUTES  # agents first: they ask most often
    for router in api.ROUTES:
        app.include_router(router)
    refusals.install(app, [*agent_api.ROUTES, *(route for router in api.ROUTES for route in router.routes)])
    openapi.install(app, api.ROUTES, OPERATIONS)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=context.settings.allowed_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Project-Token"],
        expose_headers=["Link"],
    )
    return app


def make_asgi(app: FastAPI, context: Context) -> ASGIApp:
    """What is served: the application, with a short cut to the two paths that agents take most."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] = _with_places(scope["path"])
        if scope["method"] == "POST" and path.startswith("/v1/agents/") and path.endswith("/metrics") and path.count("/") == 4:
            scope["app"], scope["route"] = app, METRICS_ROUTE
            await METRICS_ROUTE.app(scope, receive, send)
        elif scope["method"] == "GET" and path.startswith("/v1/fleets/") and path.endswith("/config") and is_poll(scope):
            scope["app"], scope["route"] = app, CONFIG_ROUTE
            await CONFIG_ROUTE.app(scope, receive, send)
        else:
            await app(scope, receive, send)

    return Around(front, measures=context.measures, body_limit=context.settings.body_limit)


def _with_places(path: str) -> str:
    """A blank where a name is missing: `/v1/projects//agents`, which the CLI asks for without a token, is the address of some
    project's agents, and must be refused as that (401, or 422), not as an address that is not served."""
    if "//" not in path and (path[-1:] != "/" or path == "/"):
        return path
    return "/" + "/".join(part or " " for part in path[1:].split("/"))


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises Unstartable before anything is changed when it cannot begin."""
    log.set_up(settings.log_level, settings.log_style)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    _require_free(settings.host, settings.port)
    async with _opened(settings) as database:
        introduction = await introduce(settings, database)
        context = make_context(settings, database)
        granian = Granian(
            make_asgi(make_app(context), context),
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            http1_settings=HTTP1Settings(header_read_timeout=_CONNECTION_RESTS * 1000),
            websockets=False,
            log_enabled=False,
            backlog=1024,
        )
        supervisor = Supervisor(context)
        supervisor.start(LOOPS)
        serving = asyncio.create_task(granian.serve())
        own_core = OwnCore(settings, await default_token(database))
        _say(settings, introduction, own_core.says)
        own_core.start()
        await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            raise Unstartable(f"The web server ended by itself: {serving.exception() or 'see the log above'}.")
        await own_core.stop()
        context.stopping.set()
        granian.stop()  # type: ignore[no-untyped-call]  # takes no new connections, and finishes what runs
        await serving
        await supervisor.stop()
        await metrics_loop.write(context)
        await fleets_loop.note_polls(context)
    _log.info("stopped")


@contextlib.asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, and its folder if it is ours to make."""
    database = Database(settings.database)
    if database.path is not None:
        _make_folder(database.path.parent)
    try:
        yield database
    except (SQLAlchemyError, Refusal) as error:
        reason = getattr(error, "orig", None) or error.__cause__ or error
        raise Unstartable(f"The database {_shown(settings)} cannot be used: {reason}.") from error
    finally:
        await database.close()


def _shown(settings: Settings) -> str:
    return make_url(settings.database).render_as_string(hide_password=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unstartable(f"The data folder {folder} cannot be made: {error.strerror}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Unstartable(f"The data folder {folder} cannot be written to.")


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise Unstartable(f"Port {port} on {host} cannot be listened on: {error.strerror}.") from None


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _say(settings: Settings, introduction: Introduction | None, of_pipelines: str) -> None:
    """To standard output, for the person at the terminal."""
    lines = [f"Nectary {nectary.__version__} is at {settings.address}"]
    if introduction is not None:
        lines += [
            "",
            f"  administrator   {introduction.email}",
            f"  password        {introduction.password or '(as set)'}",
            f"  project token   {introduction.token}",
            "",
            "They are shown this once. For a first agent, save this as agent.conf and run `fluent-bit -c agent.conf`:",
            "",
            snippet(settings, introduction.token),
        ]
    lines += ["", of_pipelines] if of_pipelines else []
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def snippet(settings: Settings, token: str) -> str:
    """A Fluent Bit configuration that joins this server; hot reload on, so that a later fleet can take over cleanly."""
    address = urlsplit(settings.address)
    tls = "on" if address.scheme == "https" else "off"
    return "\n".join(
        [
            "[SERVICE]",
            "    hot_reload      on",
            "[CUSTOM]",
            "    name            calyptia",
            f"    api_key         {token}",
            f"    calyptia_host   {address.hostname}",
            f"    calyptia_port   {address.port or (443 if tls == 'on' else 80)}",
            f"    calyptia_tls    {tls}",
            "    net.io_timeout  30s",
            "[INPUT]",
            "    name            dummy",
            "[OUTPUT]",
            "    name            stdout",
            "    match           *",
        ]
    )
