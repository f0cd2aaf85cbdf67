"""Live taps: for as long as a trace session lasts, a pipeline's Fluent Bits show what passes through, without a restart.

A tap is switched on over Fluent Bit's own HTTP server, input by input, and sends copies to the server's trace endpoint by an
`http` output of its own (the private calyptia output would hang it); the pipeline's own outputs see nothing of that. It ends
with its session or when the session's lifespan is over by our own clock, whichever is first, also while the server is away.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from nectary import durations, log
from nectary.client import Refused
from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.client.core_things import KnownTraceSession, Pipeline
from nectary.core.runtimes import Deployment, Runtime
from nectary.fluentbit import yaml
from nectary.fluentbit.document import Document, Kind

_LONGEST = 24 * 3600.0
_log = log.logger("nectary.core")


@dataclass
class Tap:
    """One that is on. `ends`: by the monotonic clock; `on`: (address, input) where it was switched on, for `version`."""

    session_id: str
    plugins: Sequence[str]
    ends: float
    version: str
    on: set[tuple[str, str]] = field(default_factory=set)


def traced(document: Document, plugins: Sequence[str]) -> list[str]:
    """The inputs to trace, by the name Fluent Bit calls them: those asked for by id or alias, and all of them where a filter or
    an output is asked for. Ids are the contract's, which counts each plugin's name for itself, or Fluent Bit's own."""
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    inputs = document.plugins_of(Kind.INPUT)
    for plugin in inputs:
        number = seen.get(plugin.name, 0)
        seen[plugin.name] = number + 1
        names |= {name: plugin.display for name in (plugin.id, f"{plugin.name}.{number}") if name not in names}
        if plugin.alias:
            names[plugin.alias] = plugin.display
    asked = [names.get(plugin) for plugin in plugins]
    if None in asked:
        return [plugin.display for plugin in inputs]
    return list(dict.fromkeys(name for name in asked if name is not None))


class Taps:
    """The taps that are on. `token`: (pipeline, address) -> the token that its records are sent with."""

    def __init__(self, runtime: Runtime, server: str, token: Callable[[str, str], tuple[str, str]], *, verify: bool) -> None:
        self._runtime = runtime
        self._server = urlsplit(server)
        self._token = token
        self._verify = verify
        self._on: dict[str, Tap] = {}
        self._swept: set[str] = set()
        self._client = httpx.AsyncClient(timeout=5, trust_env=False)

    @property
    def any_on(self) -> bool:
        return bool(self._on)

    def is_tapped(self, pipeline_id: str) -> bool:
        return pipeline_id in self._on

    async def follow(self, asking: Asking, pipeline: Pipeline, deployment: Deployment | None) -> None:
        """Bring one pipeline's tap in line with its session."""
        if pipeline.tracing_enabled and deployment is not None:
            session = await _session(asking, pipeline.id)
            if session is not None:
                await self._follow(pipeline.id, session, deployment)
                return
        if pipeline.id in self._on:
            await self._off(pipeline.id)
        elif pipeline.id not in self._swept and deployment is not None:
            await self._sweep(pipeline.id, deployment)

    async def end_overdue(self) -> None:
        """Switch off what has lasted as long as it was to."""
        for id, tap in list(self._on.items()):
            if time.monotonic() >= tap.ends:
                await self._off(id)

    def forget(self, pipeline_id: str) -> None:
        self._on.pop(pipeline_id, None)
        self._swept.discard(pipeline_id)

    async def close(self) -> None:
        for id in list(self._on):
            await self._off(id)
        await self._client.aclose()

    async def _follow(self, id: str, session: KnownTraceSession, deployment: Deployment) -> None:
        tap = self._on.get(id)
        if tap is not None and tap.session_id == session.id and time.monotonic() >= tap.ends:
            await self._off(id)
            return
        if tap is None or (tap.session_id, tap.plugins, tap.version) != (session.id, session.plugins, deployment.version):
            same = tap is not None and tap.session_id == session.id
            before = tap.ends if tap is not None and same else None
            if tap is not None:
                await self._off(id)
            lifespan = min(durations.parse(session.lifespan, "trace session"), _LONGEST)
            tap = Tap(session.id, session.plugins, before or time.monotonic() + lifespan, deployment.version)
        self._on[id] = tap
        self._swept.add(id)
        names = traced(yaml.parse(deployment.config), session.plugins)
        for number, address in enumerate(await self._runtime.http(id)):
            for name in names:
                if (address, name) not in tap.on and await self._switch(address, name, self._body(id, number, address)):
                    tap.on.add((address, name))

    def _body(self, pipeline_id: str, number: int, address: str) -> dict[str, Any]:
        header, token = self._token(pipeline_id, address)
        tls = self._server.scheme == "https"
        params = {
            "host": self._server.hostname or "",
            "port": str(self._server.port or (443 if tls else 80)),
            "uri": f"{self._server.path.rstrip('/')}/v1/traces/{pipeline_id}",
            "format": "json_lines",
            "header": f"{header} {token}",
            "tls": "on" if tls else "off",
            "tls.verify": "on" if self._verify else "off",
            "retry_limit": "1",  # copies only: nothing may pile up for a server that is away
        }
        return {"prefix": f"{number}.", "output": "http", "params": params}

    async def _switch(self, address: str, name: str, body: dict[str, Any] | None) -> bool:
        url = f"{address}/api/v1/trace/{quote(name, safe='')}"
        try:
            answer = await (self._client.delete(url) if body is None else self._client.post(url, json=body))
        except httpx.HTTPError as error:
            _log.warning("a tap could not be switched", address=address, input=name, on=body is not None, reason=str(error))
            return False
        return answer.status_code in (200, 201)

    async def _off(self, id: str) -> None:
        tap = self._on.pop(id, None)
        for address, name in sorted(tap.on) if tap else ():
            await self._switch(address, name, None)

    async def _sweep(self, id: str, deployment: Deployment) -> None:
        """Switch off what an earlier run of this core instance may have left on; off twice is off."""
        names = [plugin.display for plugin in yaml.parse(deployment.config).plugins_of(Kind.INPUT)]
        addresses = await self._runtime.http(id)
        for address in addresses:
            for name in names:
                await self._switch(address, name, None)
        if addresses:
            self._swept.add(id)


async def _session(asking: Asking, pipeline_id: str) -> KnownTraceSession | None:
    try:
        return await calls.trace_session(asking, pipeline_id)
    except Refused as refused:
        if refused.status != 404:
            raise
        return None
