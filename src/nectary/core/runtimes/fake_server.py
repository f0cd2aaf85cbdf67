"""The HTTP servers that the Fluent Bits of the fake runtime would have: counters that grow, and taps that show made-up records.

One listener on the loopback serves all of them: `http://127.0.0.1:<port>/<pipeline id>/<replica>` stands for each.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from nectary.fluentbit import yaml
from nectary.fluentbit.document import Kind

METRICS, TRACE = "/api/v2/metrics/prometheus", "/api/v1/trace/"
_MOST = 1024 * 1024
_BYTES = 100  # of a record

Described = Callable[[str], "tuple[str, float, float] | None"]
"""Pipeline id -> its configuration, since when it runs (seconds since the epoch), and records a second; None if it does not."""


class FakeServer:
    """Answers as long as it is open."""

    def __init__(self, described: Described) -> None:
        self._described = described
        self._server: asyncio.Server | None = None
        self._taps: set[asyncio.Task[None]] = set()
        self.address = ""

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        for task in list(self._taps):
            task.cancel()
        await asyncio.gather(*self._taps, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.lower().split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
                body = await reader.readexactly(min(length, _MOST))
                method, path, _ = head.split(" ", 2)
                status, said = self._answer(method, path, body)
                head = f"HTTP/1.1 {status}\r\ncontent-length: {len(said.encode())}\r\n\r\n"
                writer.write(head.encode() + said.encode())
                await writer.drain()
        writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        pipeline_id, _, rest = path.lstrip("/").partition("/")
        described = self._described(pipeline_id)
        rest = "/" + rest.partition("/")[2]
        if described is None:
            return 404, ""
        if rest == METRICS:
            return 200, counters(*described, time.time())
        if not rest.startswith(TRACE):
            return 404, ""
        if method == "POST":
            records = stages(described[0], unquote(rest.removeprefix(TRACE)), time.time())
            task = asyncio.create_task(_shown(json.loads(body)["params"], records))
            self._taps.add(task)
            task.add_done_callback(self._taps.discard)
        return (201 if method == "DELETE" else 200), '{"status":"ok"}'


def counters(config: str, since: float, rate: float, now: float) -> str:
    """What Fluent Bit would say in Prometheus' text: every input has taken, and every filter and output seen, `rate` records a
    second since it began."""
    records = int(max(now - since, 0.0) * rate)
    lines = [f'fluentbit_process_start_time_seconds{{hostname="fake"}} {since:.0f}']
    lines.append(f'fluentbit_build_info{{hostname="fake",version="5.1.1",os="none"}} {since:.0f}')
    names = {Kind.INPUT: "", Kind.FILTER: "", Kind.OUTPUT: "proc_"}
    for plugin in yaml.parse(config).plugins_of(*names):
        name = plugin.display.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        for what, value in (("records", records), ("bytes", records * _BYTES)):
            lines.append(f'fluentbit_{plugin.kind}_{names[plugin.kind]}{what}_total{{name="{name}"}} {value}')
    return "".join(f"{line}\n" for line in lines)


def stages(config: str, name: str, now: float) -> list[Mapping[str, Any]]:
    """One made-up record at all four stages of the way through a configuration."""
    document = yaml.parse(config)
    shown: dict[str, Any] = {"trace_id": "fake.0", "start_time": int(now), "end_time": int(now)}
    shown["records"] = [{"timestamp": int(now), "record": {"log": "nothing runs here: this is the fake runtime"}}]
    found = [{"type": 1, "plugin_instance": name, **shown}]
    found += [{"type": 2, "plugin_instance": one.display, **shown} for one in document.plugins_of(Kind.FILTER)]
    found.append({"type": 3, "plugin_instance": name, **shown})
    outputs = ({**shown, "type": 4, "plugin_instance": one.display} for one in document.plugins_of(Kind.OUTPUT))
    return [*found, *({**one, "records": None, "return": 1} for one in outputs)]


async def _shown(params: Mapping[str, str], records: list[Mapping[str, Any]]) -> None:
    """Post them where the tap was told to, once: nobody needs more of what is made up."""
    scheme = "https" if params.get("tls") == "on" else "http"
    url = f"{scheme}://{params['host']}:{params['port']}{params['uri']}"
    header, _, token = params["header"].partition(" ")
    content = "".join(f"{json.dumps(one)}\n" for one in records)
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(verify=params.get("tls.verify") == "on", timeout=10) as http:
            await http.post(url, content=content, headers={header: token, "Content-Type": "application/x-ndjson"})
