"""Live taps: for as long as a trace session lasts, a pipeline's Fluent Bits show what passes through, without a restart.

A tap is switched on over Fluent Bit's own HTTP server, input by input, and sends copies to the server's trace endpoint by an
`http` output of its own (the private calyptia output would hang it); the pipeline's own outputs see nothing of that. It ends
with its session or when the session's lifespan is over by our own clock, whichever is first, also while the server is away.

For each portion that comes in Fluent Bit copies all that is in its chunk by then, twice (flb_chunk_trace_input and
flb_chunk_trace_pre_output, src/flb_chunk_trace.c), so that what a tap costs grows with the square of what passes through: a
thousand small portions a second keep it from anything else. So where much passes, a tap is on for a moment now and then. And
when it is switched off the pipeline stands still until its last copies are delivered or given up (trace_chunk_context_destroy),
so they are given up soon.
"""

import asyncio
import contextlib
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
from nectary.core.metrics import PATH, read
from nectary.core.runtimes import Deployment, Runtime, RuntimeUnavailableError
from nectary.core.runtimes.complaints import TAP
from nectary.fluentbit import yaml
from nectary.fluentbit.document import Document, Kind
from nectary.fluentbit.values import leading_double

_LONGEST = 24 * 3600.0
_LOOK = 1.0
"""Seconds from one look at what is tapped to the next: Fluent Bit's counters are as old."""
_MOST_COPIED = 4 * 1024 * 1024
"""Bytes a second that a tap that stays on may make a Fluent Bit copy."""
_MOMENT_COPIED, _SHORTEST, _PAUSE = 128 * 1024 * 1024, 0.05, 10.0
"""Bytes that it may make it copy in a moment, seconds of the shortest, and seconds from one to the next."""
_DELIVERED = 0.5
"""Seconds that an output takes to deliver a chunk, as a rule: then it is seen at all four stages."""
_CHUNK = 2_000_000
"""Bytes that Fluent Bit puts into one chunk, about (FLB_INPUT_CHUNK_FS_MAX_SIZE)."""
_log = log.logger("nectary.core")


@dataclass
class _Place:
    """One Fluent Bit under a tap. `on`: the inputs that are switched on; `cost`: bytes a second that it copies while they are,
    by what they took since they were last looked at (`taken`: records and bytes, `at` by the monotonic clock)."""

    on: set[str] = field(default_factory=set)
    cost: float = 0.0
    at: float = 0.0
    taken: dict[str, tuple[float, float]] = field(default_factory=dict)
    rests_until: float = 0.0


@dataclass
class Tap:
    """One that is on. `ends`: by the monotonic clock; `inputs`: by Fluent Bit's names for them, of `version`; `flush`: seconds
    that a chunk of theirs is filled; `places`: by address."""

    session_id: str
    plugins: Sequence[str]
    ends: float
    version: str
    inputs: Sequence[str]
    flush: float
    places: dict[str, _Place] = field(default_factory=dict)


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
        self._lock = asyncio.Lock()

    @property
    def any_on(self) -> bool:
        return bool(self._on)

    def is_tapped(self, pipeline_id: str) -> bool:
        return pipeline_id in self._on

    async def watch(self) -> None:
        """Look after the taps for ever: neither their end nor what they cost may wait for an answer of the server."""
        while True:
            async with self._lock:
                await self._end_overdue()
                for id, tap in list(self._on.items()):
                    with contextlib.suppress(RuntimeUnavailableError):
                        await self._show(id, tap)
            await asyncio.sleep(_LOOK)

    async def follow(self, asking: Asking, pipeline: Pipeline, deployment: Deployment | None) -> None:
        """Bring one pipeline's tap in line with its session."""
        session = None
        if pipeline.tracing_enabled and deployment is not None:
            session = await _session(asking, pipeline.id)
        async with self._lock:
            if session is not None and deployment is not None:
                await self._follow(pipeline.id, session, deployment)
            elif pipeline.id in self._on:
                await self._off(pipeline.id)
            elif pipeline.id not in self._swept and deployment is not None:
                await self._sweep(pipeline.id, deployment)

    async def end_overdue(self) -> None:
        """Switch off what has lasted as long as it was to."""
        async with self._lock:
            await self._end_overdue()

    def forget(self, pipeline_id: str) -> None:
        self._on.pop(pipeline_id, None)
        self._swept.discard(pipeline_id)

    async def close(self) -> None:
        async with self._lock:
            for id in list(self._on):
                await self._off(id)
        await self._client.aclose()

    async def _end_overdue(self) -> None:
        for id, tap in list(self._on.items()):
            if time.monotonic() >= tap.ends:
                await self._off(id)

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
            document = yaml.parse(deployment.config)
            flush = document.service_value("flush")
            tap = Tap(
                session.id,
                session.plugins,
                before or time.monotonic() + lifespan,
                deployment.version,
                traced(document, session.plugins),
                leading_double(flush.value if flush else "") or 1.0,
            )
        self._on[id] = tap
        self._swept.add(id)
        await self._show(id, tap)

    async def _show(self, id: str, tap: Tap) -> None:
        """Switch on what is not, for good or for a moment."""
        addresses = list(await self._runtime.http(id))
        for gone in tap.places.keys() - set(addresses):
            del tap.places[gone]
        await asyncio.gather(*(self._show_at(id, tap, *one) for one in enumerate(addresses)))

    async def _show_at(self, id: str, tap: Tap, number: int, address: str) -> None:
        place, body = tap.places.setdefault(address, _Place()), self._body(id, number, address)
        await self._weigh(place, address, tap)
        if place.cost <= _MOST_COPIED:
            await self._switch_on(address, place, tap.inputs, body)
            return
        await self._switch_off(address, place)
        now = time.monotonic()
        if now >= place.rests_until:
            place.rests_until = now + _PAUSE
            await self._switch_on(address, place, tap.inputs, body)
            await asyncio.sleep(max(_SHORTEST, min(_MOMENT_COPIED / place.cost, tap.flush + _DELIVERED)))
            await self._switch_off(address, place)

    async def _weigh(self, place: _Place, address: str, tap: Tap) -> None:
        """Learn what the tap costs at most: as if each record came by itself. Fluent Bit tells new counts once a second, so
        two looks may see the same: what it costs is taken to go down by half at most."""
        now = time.monotonic()
        since = now - place.at
        if place.at and since < 0.9 * _LOOK:
            return
        try:
            said = read((await self._client.get(address + PATH)).text)
        except httpx.HTTPError:
            return
        records, sizes = (
            {labels.get("name"): value for labels, value in said.get(f"fluentbit_input_{what}_total", ())}
            for what in ("records", "bytes")
        )
        taken = {name: (records.get(name, 0.0), sizes.get(name, 0.0)) for name in tap.inputs}
        if not place.at:
            since = max((value for _, value in said.get("fluentbit_uptime", ())), default=0.0)
        cost = sum(_copied(place.taken.get(name, (0.0, 0.0)), count, since, tap.flush) for name, count in taken.items())
        place.cost, place.at, place.taken = max(cost, place.cost / 2), now, taken

    async def _switch_on(self, address: str, place: _Place, names: Sequence[str], body: dict[str, Any]) -> None:
        for name in names:
            if name not in place.on and await self._switch(address, name, body):
                place.on.add(name)

    async def _switch_off(self, address: str, place: _Place) -> None:
        for name in sorted(place.on):
            await self._switch(address, name, None)
        place.on.clear()

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
            "alias": TAP,  # so that what it says of itself is not taken for an output of the pipeline
            # Copies only: nothing may pile up, and nothing wait, for a server that is away or slow.
            "retry_limit": "no_retries",
            "net.connect_timeout": "3s",
            "net.io_timeout": "10s",
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
        for address, place in tap.places.items() if tap else ():
            await self._switch_off(address, place)

    async def _sweep(self, id: str, deployment: Deployment) -> None:
        """Switch off what an earlier run of this core instance may have left on; off twice is off."""
        names = [plugin.display for plugin in yaml.parse(deployment.config).plugins_of(Kind.INPUT)]
        addresses = await self._runtime.http(id)
        for address in addresses:
            for name in names:
                await self._switch(address, name, None)
        if addresses:
            self._swept.add(id)


def _copied(before: tuple[float, float], now: tuple[float, float], since: float, flush: float) -> float:
    """Bytes a second that are copied of an input that took so many records and bytes."""
    if since <= 0 or now < before:
        return 0.0
    records, size = ((after - then) / since for then, after in zip(before, now, strict=True))
    return records * min(size * flush, _CHUNK)


async def _session(asking: Asking, pipeline_id: str) -> KnownTraceSession | None:
    try:
        return await calls.trace_session(asking, pipeline_id)
    except Refused as refused:
        if refused.status != 404:
            raise
        return None
