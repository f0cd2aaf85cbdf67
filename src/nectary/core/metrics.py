"""Counts what pipelines do: reads each replica's own counters, and posts them as that of an agent.

Fluent Bit could post them itself, by its calyptia plugin. It is not asked to: that plugin registers with the whole
configuration as it runs, variables put in (custom_calyptia_pipeline_config_get, plugins/custom_calyptia), so that a secret in
any option it does not know for one would be readable on the API; it needs a project's token in every pipeline's environment;
and a new version on trial would post as the replica it is to replace. What is registered here is the configuration as people
wrote it.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from nectary import log
from nectary.client import Refused
from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.client.core_things import Pipeline, RegisteredAgent

PATH = "/api/v2/metrics/prometheus"
_AT_ONCE = 8
_MOST_LAST = 20
_SYSTEMS = ("linux", "macos", "freebsd")  # what Fluent Bit (get_os_name, flb_metrics.c) and the API name alike
_MOST_BYTES = 4 * 1024 * 1024
_log = log.logger("nectary.core")

# The families that the server makes its charts of, by what they are called: namespace fluentbit, subsystem, name.
_KEPT = re.compile(
    r"fluentbit_(?:(?P<kind>input|filter|output)_(?P<name>[a-z_]+_total)"
    r"|(?P<build>build)_(?P<info>info)|(?P<process>uptime|hot_reloaded_times|process_start_time_seconds))"
)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_SAMPLE = re.compile(rf"([a-z_]+)(?:\{{((?:{_LABEL.pattern},?)*)\}})? (\S+)(?: [0-9]+)?")
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass
class Counted:
    """One replica: its number, and the agent it is on the server."""

    number: int
    agent: RegisteredAgent | None = None
    registered: str = ""  # the configuration and version it was registered with
    refused: str = ""  # why it was not counted the last time: said once
    is_here: bool = True  # else it may be about to leave, and its last counts still to come


@dataclass
class Meter:
    """Posts the counters of every replica. `project` has the project's token, which registers agents."""

    project: Asking
    http: Callable[[str], Awaitable[Sequence[str]]]
    environment_id: str = ""
    replicas: dict[str, dict[str, Counted]] = field(default_factory=dict)  # pipeline -> address -> replica
    # Pipeline -> what Fluent Bits said as they left, and when (nanoseconds since the epoch): posted before anything newer.
    _last: dict[str, list[tuple[Counted, str, int]]] = field(default_factory=dict)
    _client: httpx.AsyncClient | None = None

    async def round(self, pipelines: Mapping[str, Pipeline]) -> int:
        """Read and post once for each replica of these; gives how many were. Raises Unreachable."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(pipeline: Pipeline) -> int:
            async with limit:
                return await self.of_pipeline(pipeline)

        done = await asyncio.gather(*(one(pipeline) for pipeline in pipelines.values()), return_exceptions=True)
        if fault := next((each for each in done if isinstance(each, BaseException)), None):
            raise fault
        return sum(each for each in done if isinstance(each, int))

    async def of_pipeline(self, pipeline: Pipeline) -> int:
        addresses = list(await self.http(pipeline.id))
        known = self.replicas.setdefault(pipeline.id, {})
        for address, replica in list(known.items()):
            if address not in addresses and not replica.is_here:
                del known[address]
            replica.is_here = address in addresses
        for address in addresses:
            if address not in known:
                taken = {one.number for one in known.values() if one.is_here}
                known[address] = Counted(next(n for n in range(len(addresses) + len(taken) + 1) if n not in taken))
        posted = 0
        while kept := self._last.get(pipeline.id):
            first = kept[0]
            await self._post(pipeline, *first)
            if kept and kept[0] is first:
                del kept[0]
        for address, replica in [(address, known[address]) for address in addresses]:
            text = await self._read(address)
            if text and await self._post(pipeline, replica, text, time.time_ns()):
                posted += 1
        return posted

    async def last(self, pipeline_id: str, address: str) -> None:
        """Read the counts of one that leaves. They are posted the next time, so that nothing waits for the server here."""
        replica = self.replicas.get(pipeline_id, {}).get(address)
        if replica is not None and (text := await self._read(address)):
            kept = self._last.setdefault(pipeline_id, [])
            kept.append((replica, text, time.time_ns()))
            del kept[:-_MOST_LAST]

    def agent(self, pipeline_id: str, address: str) -> RegisteredAgent | None:
        """The agent that a replica is, once it has been counted."""
        replica = self.replicas.get(pipeline_id, {}).get(address)
        return replica.agent if replica else None

    def forget(self, pipeline_id: str) -> list[str]:
        """The agents of a pipeline that is gone."""
        self._last.pop(pipeline_id, None)
        gone = self.replicas.pop(pipeline_id, {})
        return [one.agent.id for one in gone.values() if one.agent is not None]

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _read(self, address: str) -> str:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=5, trust_env=False)
        try:
            answer = await self._client.get(address + PATH)
        except httpx.HTTPError:
            return ""  # starting, reloading or gone: what it is, the runtime observes
        return answer.text if answer.status_code == 200 and len(answer.content) <= _MOST_BYTES else ""

    async def _post(self, pipeline: Pipeline, replica: Counted, text: str, at: int) -> bool:
        families = read(text)
        build = next((labels for labels, _ in families.get("fluentbit_build_info", []) if "version" in labels), {})
        version = build.get("version", "")
        try:
            if replica.agent is None or replica.registered != f"{version} {pipeline.config.id}":
                replica.agent = await self._register(pipeline, replica.number, version, build.get("os", ""))
                replica.registered = f"{version} {pipeline.config.id}"
            content = encode(families, {"pipeline_id": pipeline.id}, at)
            await calls.post_metrics(self.project, replica.agent, content)
        except Refused as refused:
            if refused.status in (429, 503):
                return False
            replica.agent = None  # deleted by somebody, or not allowed: registered anew the next time
            if replica.refused != str(refused):
                _log.warning("counters were refused", pipeline=pipeline.name, reason=str(refused))
            replica.refused = str(refused)
            return False
        replica.refused = ""
        return True

    async def _register(self, pipeline: Pipeline, number: int, version: str, os: str) -> RegisteredAgent:
        body: dict[str, Any] = {
            "name": f"{pipeline.name}-{number}",
            "machineID": f"pipeline-{pipeline.id}-{number}",
            "type": "fluentbit",
            "version": version or "0.0.0",
            "edition": "community",
            "rawConfig": pipeline.config.raw_config,
            "os": os if os in _SYSTEMS else "unknown",
        }
        if self.environment_id:
            body["environmentID"] = self.environment_id
        return await calls.register_agent(self.project, body)


Families = dict[str, list[tuple[dict[str, str], float]]]


def read(text: str) -> Families:
    """The samples of the families that are kept, by family: labels and value. What cannot be read is passed over."""
    found: Families = {}
    for line in text.splitlines():
        if not line.startswith("fluentbit_"):
            continue
        match = _SAMPLE.fullmatch(line)
        if match is None or not _KEPT.fullmatch(match[1]):
            continue
        try:
            value = float(match[5])
        except ValueError:
            continue
        labels = {
            name: re.sub(r"\\.", lambda m: _ESCAPES.get(m[0], m[0]), said) for name, said in _LABEL.findall(match[2] or "")
        }
        found.setdefault(match[1], []).append((labels, value))
    return found


def encode(families: Families, labels: Mapping[str, str], at: int) -> bytes:
    """As cmetrics' MessagePack, version 2, which agents post; `at` in nanoseconds since the epoch."""
    processing = {"static_labels": [[name, value] for name, value in labels.items()]}
    context = {"cmetrics": {}, "external": {}, "processing": processing}
    return msgspec.msgpack.encode({"meta": context, "metrics": [_family(*one, at) for one in families.items()]})


def _family(family: str, samples: list[tuple[dict[str, str], float]], at: int) -> dict[str, Any]:
    match = _KEPT.fullmatch(family)
    assert match is not None
    subsystem, name = match["kind"] or match["build"] or "", match["name"] or match["info"] or match["process"]
    keys = list(dict.fromkeys(key for labels, _ in samples for key in labels))
    gauge = family in ("fluentbit_build_info", "fluentbit_process_start_time_seconds")
    meta: dict[str, Any] = {
        "ver": 2,
        "type": int(gauge),
        "opts": {"ns": "fluentbit", "ss": subsystem, "name": name, "desc": "", "unit": ""},
        "labels": keys,
    }
    if not gauge:
        meta["aggregation_type"] = 2
    values = [
        {"ts": at, "value": value, "labels": [labels.get(key) for key in keys], "hash": place}
        for place, (labels, value) in enumerate(samples)
    ]
    return {"meta": meta, "values": values}
