"""Where the cluster is and who we are to it: from the pod we run in, or from a kubeconfig file.

Read are the parts of a kubeconfig that clusters of today use: certificates, tokens, and programs that fetch a token (`exec`).
"""

import asyncio
import base64
import json
import os
import ssl
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from nectary.core.runtimes import RuntimeUnavailableError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_SECONDS = 60.0
_EXEC_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Access:
    """A cluster's address and how to speak to it. `namespace`: where we are, or where the context points."""

    server: str
    namespace: str
    tls: ssl.SSLContext | bool
    auth: httpx.Auth | None = field(default=None, repr=False)
    proxy: str | None = None


def find(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """The given file, or $KUBECONFIG's; else the pod's own account; else ~/.kube/config. Raises RuntimeUnavailableError."""
    named = kubeconfig or _first_of(os.environ.get("KUBECONFIG", ""))
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if not named and host and (_ACCOUNT / "token").is_file():
        return _of_pod(host, os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    path = Path(named) if named else Path.home() / ".kube" / "config"
    if not path.is_file():
        where = f"this pod has no account at {_ACCOUNT}" if host else "we run in no pod"
        raise RuntimeUnavailableError(f"no cluster: {where}, and there is no kubeconfig at {path}; set KUBECONFIG to one")
    try:
        return _of_file(path, yaml.safe_load(path.read_text()), context)
    except (AttributeError, KeyError, TypeError):
        why = "its contexts, clusters and users are not as a kubeconfig has them"
    except yaml.MarkedYAMLError as error:  # whose own words quote the line, with the secret that may stand in it
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        why = f"it is no YAML: {error.problem}{line}"
    except (yaml.YAMLError, ValueError, OSError) as error:
        why = str(error)
    raise RuntimeUnavailableError(f"the kubeconfig {path} cannot be used: {why}")


def _first_of(paths: str) -> str:
    """Of several the first that is there; kubectl would merge them."""
    given = [path for path in paths.split(os.pathsep) if path]
    return next((path for path in given if Path(path).is_file()), given[0] if given else "")


def _of_pod(host: str, port: str) -> Access:
    address = f"[{host}]" if ":" in host else host
    try:
        namespace = (_ACCOUNT / "namespace").read_text().strip()
        tls = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    except OSError as error:  # ssl's own errors are such, too
        raise RuntimeUnavailableError(f"the account of this pod at {_ACCOUNT} cannot be used: {error}") from error
    return Access(f"https://{address}:{port}", namespace, tls, _Bearer(_ACCOUNT / "token"))


def _of_file(path: Path, config: Mapping[str, Any], context: str | None) -> Access:
    name = context or config["current-context"]
    chosen = _named(config, "contexts", name)["context"]
    cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
    user = _named(config, "users", chosen["user"])["user"] or {} if chosen.get("user") else {}
    tls = _tls(path.parent, cluster, user)
    return Access(
        cluster["server"].rstrip("/"),
        chosen.get("namespace") or "default",
        tls if cluster["server"].startswith("https") else False,
        _auth(path.parent, user),
        cluster.get("proxy-url"),
    )


def _named(config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    for entry in config[kind]:
        if entry["name"] == name:
            return dict(entry)
    raise ValueError(f"it has no {name!r} among its {kind}")


def _tls(folder: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _pem(folder, cluster, "certificate-authority")
    made = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    certificate, key = _pem(folder, user, "client-certificate"), _pem(folder, user, "client-key")
    if certificate and key:
        # Python's ssl takes a key from a file only: one of mode 0600 that is gone at once.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            made.load_cert_chain(file.name)
    return made


def _pem(folder: Path, given: Mapping[str, Any], name: str) -> bytes | None:
    if data := given.get(f"{name}-data"):
        return base64.b64decode(data)
    return (folder / given[name]).read_bytes() if given.get(name) else None


def _auth(folder: Path, user: Mapping[str, Any]) -> httpx.Auth | None:
    if program := user.get("exec"):
        return _Program(program)
    if file := user.get("tokenFile"):
        return _Bearer(folder / file)
    return _Fixed(user["token"]) if user.get("token") else None


class _Fixed(httpx.Auth):
    """A token that never changes."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class _Bearer(httpx.Auth):
    """A token in a file, which the cluster renews under our hands."""

    def __init__(self, path: Path) -> None:
        self._path, self._token, self._read_at = path, "", float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() - self._read_at > _TOKEN_SECONDS:
            self._token, self._read_at = self._path.read_text().strip(), time.monotonic()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401:
            self._read_at = float("-inf")


class _Program(httpx.Auth):
    """A program that prints an ExecCredential, as the clouds' do; asked again when its token is refused."""

    def __init__(self, program: Mapping[str, Any]) -> None:
        self._program, self._token = program, ""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        fresh = not self._token
        if fresh:
            self._token = await self._ask()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and not fresh:
            self._token = await self._ask()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    async def _ask(self) -> str:
        command, version = self._program["command"], self._program.get("apiVersion", "client.authentication.k8s.io/v1")
        info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        given = {entry["name"]: entry["value"] for entry in self._program.get("env") or ()}
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *(self._program.get("args") or ()),
                env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(info)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise RuntimeUnavailableError(f"the kubeconfig's program {command} cannot be run: {error}") from error
        try:
            async with asyncio.timeout(_EXEC_SECONDS):
                out, err = await process.communicate()
            return str(json.loads(out)["status"]["token"])
        except TimeoutError:
            process.kill()
            await process.wait()
            raise RuntimeUnavailableError(
                f"the kubeconfig's program {command} said nothing for {_EXEC_SECONDS:.0f} s"
            ) from None
        except (ValueError, KeyError, TypeError):
            said = err.decode(errors="replace").strip()[-300:]
            raise RuntimeUnavailableError(f"the kubeconfig's program {command} gave no token: {said}") from None
