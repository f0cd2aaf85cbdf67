"""Something that answers like Fluent Bit's own HTTP server, and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.harness.listening import listening

METRICS = """\
# HELP fluentbit_uptime Number of seconds that Fluent Bit has been running.
# TYPE fluentbit_uptime counter
fluentbit_uptime{hostname="edge-01"} 37
fluentbit_hot_reloaded_times{hostname="edge-01"} 0
fluentbit_process_start_time_seconds{hostname="edge-01"} START
fluentbit_build_info{hostname="edge-01",version="5.1.1",os="linux"} 1795472884
fluentbit_input_bytes_total{name="http.0"} BYTES
fluentbit_input_records_total{name="http.0"} RECORDS
fluentbit_filter_records_total{name="modify.0"} RECORDS
fluentbit_output_proc_records_total{name="say \\"hi\\""} RECORDS
fluentbit_input_ring_buffer_writes_total{name="http.0"} nonsense
fluentbit_logger_logs_total{message_type="info"} 16
"""


@dataclass
class FluentBit:
    """`traced`: input -> the body that a tap was switched on with."""

    url: str = ""
    records: int = 0
    started: float = 0.0
    traced: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        self.asked.append((method, path))
        if path == "/api/v2/metrics/prometheus":
            numbers = {"START": f"{self.started:.0f}", "BYTES": str(self.records * 10), "RECORDS": str(self.records)}
            text = METRICS
            for name, value in numbers.items():
                text = text.replace(f" {name}\n", f" {value}\n")
            return 200, text
        name = path.removeprefix("/api/v1/trace/")
        if method == "POST":
            self.traced[name] = json.loads(body)
            return 200, '{"status":"ok"}'
        self.traced.pop(name, None)
        return 201, '{"status":"ok"}'

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
            method, path, _ = head.split(" ", 2)
            status, said = self.answer(method, path, await reader.readexactly(length))
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(said.encode())}\r\n\r\n{said}".encode())
            await writer.drain()


@asynccontextmanager
async def fluent_bit(**state: Any) -> AsyncIterator[FluentBit]:
    made = FluentBit(**state)
    async with listening(made.serve) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made
