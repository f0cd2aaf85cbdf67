"""`nectary core run`: a core instance, which runs pipelines where the data is."""

import asyncio
import os
import re
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

import nectary
from nectary import log
from nectary.cli import output
from nectary.cli.connection import DATA_DIR, URL, DataDir, token_given
from nectary.client.calls import claims_of
from nectary.core import kubernetes_settings, running
from nectary.core.identity import NotOursError, Wanted
from nectary.core.pace import Pace
from nectary.core.runtimes import Runtime, RuntimeUnavailableError
from nectary.core.server import Server
from nectary.errors import Unstartable

app = output.group("Run pipelines on this machine or in a cluster.")


class Where(StrEnum):
    PROCESS = "process"
    KUBERNETES = "kubernetes"
    FAKE = "fake"


class PortKind(StrEnum):
    LOAD_BALANCER = "LoadBalancer"
    NODE_PORT = "NodePort"
    CLUSTER_IP = "ClusterIP"


def _seconds(text: str) -> float:
    """`15s`, `1m`, or a number of seconds. Raises Unstartable."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?", text.strip())
    if match is None:
        raise Unstartable(f"{text!r} is no time such as 15s or 1m.")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2] or "s"]


def _secret(token: str | None, file: Path | None, data_dir: Path) -> str:
    if token is None and file is not None:
        try:
            return file.read_text().strip()
        except OSError as error:
            raise Unstartable(f"The token file {file} cannot be read: {error.strerror}.") from None
    return token_given(token, data_dir)


def _require_usable(url: str, token: str, name: str) -> None:
    """Raises Unstartable for what no server would ever take, so that nobody waits for it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unstartable(f"{url!r} is no address of a server: that is http://host:port or https://host.")
    if not claims_of(token).get("ProjectID"):
        raise Unstartable("The token is no project token: it does not name its project. Copy it again, whole.")
    if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise Unstartable(f"{name!r} is no name of a core instance: 1 to 63 small letters, digits, and hyphens between them.")


@app.callback()
def nothing_of_its_own() -> None:
    """Keeps `run` a command among others, where it would be the only one that typer sees."""


def _option(*names: str, env: tuple[str, ...], help: str) -> Any:
    """An option that the environment may give, too: `NECTARY_<NAME>`, or by the original's own name."""
    return typer.Option(*names, envvar=[f"NECTARY_{env[0]}", *env[1:]], help=help, show_default=not help.endswith("]."))


Runs = Annotated[Where, _option(env=("RUNTIME",), help="process: Fluent Bits of this machine; fake: runs nothing.")]
Url = Annotated[str, _option(env=("URL", "CLOUD_URL"), help="The server's address.")]
Token = Annotated[str | None, _option(env=("TOKEN", "TOKEN", "PROJECT_TOKEN"), help="A project token [that of --data-dir].")]
TokenFile = Annotated[Path | None, _option(env=("TOKEN_FILE",), help="A file that holds it.")]
Name = Annotated[str, _option(env=("NAME", "CORE_INSTANCE", "AGGREGATOR_NAME"), help="Its name [this host's].")]
Environment = Annotated[str, _option(env=("ENVIRONMENT", "CORE_INSTANCE_ENVIRONMENT"), help="Its environment.")]
Tags = Annotated[str, _option(env=("TAGS", "CORE_INSTANCE_TAGS"), help="Its tags, a comma between.")]
StateDir = Annotated[Path, _option(env=("STATE_DIR",), help="Where it keeps who it is, and its pipelines; mode 0700.")]
Program = Annotated[str, _option(env=("FLUENT_BIT",), help="Path of fluent-bit [looked for].")]
Listen = Annotated[str, _option(env=("LISTEN",), help="Address that pipelines' ports open on [as each says].")]
Advertise = Annotated[str, _option(env=("ADVERTISE",), help="Host reported as theirs.")]
Interval = Annotated[str, _option(env=("INTERVAL", "INTERVAL"), help="How often it looks.")]
Timeout = Annotated[str, _option(env=("TIMEOUT", "CLOUD_TIMEOUT"), help="How long the server may take; 0: no end.")]
Proxy = Annotated[str, _option(env=("PROXY", "CLOUD_PROXY"), help="Proxy on the way to the server [none].")]
NoVerify = Annotated[bool, _option("--no-tls-verify", env=("NO_TLS_VERIFY", "NO_TLS_VERIFY"), help="Trust any server.")]
Logging = Annotated[
    bool, _option("--cluster-logging", env=("CLUSTER_LOGGING", "CLUSTER_LOGGING"), help="Collect the logs of all containers.")
]
HealthCheck = Annotated[
    bool,
    _option(
        "--health-check-pipeline",
        env=("ENABLE_HEALTH_CHECK_PIPELINE", "ENABLE_HEALTH_CHECK_PIPELINE"),
        help="Make a pipeline that only proves that pipelines run.",
    ),
]
HealthPort = Annotated[int, _option(env=("HEALTH_CHECK_PIPELINE_PORT", "HEALTH_CHECK_PIPELINE_PORT"), help="Its port.")]
HealthKind = Annotated[
    PortKind,
    _option(
        env=("HEALTH_CHECK_PIPELINE_SERVICE_TYPE", "HEALTH_CHECK_PIPELINE_SERVICE_TYPE"), help="How it is reached in a cluster."
    ),
]
NoServices = Annotated[
    bool,
    _option("--skip-services", env=("SKIP_SERVICE_CREATION", "SKIP_SERVICE_CREATION"), help="Make no Services for ports."),
]
Stops = Annotated[
    bool, typer.Option("--stop-pipelines", help="Stop pipelines when it ends; else they run on, and it finds them again.")
]
Level = Annotated[str, _option(env=("LOG_LEVEL",), help="debug, info, warning or error.")]


@app.command()
def run(
    runtime: Runs = Where.PROCESS,
    url: Url = URL,
    token: Token = None,
    token_file: TokenFile = None,
    data_dir: DataDir = DATA_DIR,
    name: Name = "",
    environment: Environment = "default",
    tags: Tags = "",
    state_dir: StateDir = Path("nectary-core"),
    fluent_bit: Program = "",
    listen: Listen = "",
    advertise: Advertise = "127.0.0.1",
    interval: Interval = "15s",
    timeout: Timeout = "30s",
    proxy: Proxy = "",
    no_tls_verify: NoVerify = False,
    cluster_logging: Logging = False,
    health_check: HealthCheck = False,
    health_check_port: HealthPort = 2020,
    health_check_port_kind: HealthKind = PortKind.LOAD_BALANCER,
    skip_services: NoServices = False,
    stop_pipelines: Stops = False,
    log_level: Level = "info",
) -> None:
    """Run a core instance until it is told to end. See docs/core-instances.md."""
    log.set_up(log_level, os.environ.get("NECTARY_LOG_STYLE", "auto"))
    wanted = Wanted(
        name=name or running.host_name(),
        environment=environment,
        tags=[tag.strip() for tag in tags.split(",") if tag.strip()],
        version=f"v{nectary.__version__}",
        cluster_logging=cluster_logging,
        health_check_port=health_check_port if health_check else 0,
        health_check_port_kind=health_check_port_kind if health_check else "",
        skip_service_creation=skip_services,
    )
    secret = _secret(token, token_file, data_dir)
    _require_usable(url, secret, wanted.name)
    server = Server(url, secret, timeout=_seconds(timeout) or None, verify=not no_tls_verify, proxy=proxy)
    pace = Pace(turn=_seconds(interval))

    def made() -> Runtime:
        if runtime is Where.KUBERNETES:
            return kubernetes_settings.runtime(wanted.name, state_dir, node_logs=cluster_logging)
        return running.local(state_dir, fake=runtime is Where.FAKE, program=fluent_bit, listen=listen, advertise=advertise)

    try:
        asyncio.run(_until_told(running.Work(server, wanted, state_dir, made, pace), stop_pipelines=stop_pipelines))
    except (NotOursError, RuntimeUnavailableError) as error:
        raise Unstartable(f"The core instance cannot start: {error}.") from None


async def _until_told(work: running.Work, *, stop_pipelines: bool) -> None:
    stop = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    await running.run(work, stop, stop_pipelines=stop_pipelines)
