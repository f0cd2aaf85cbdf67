"""A small HTTP load: the same request over some kept connections, bounded in count."""

import asyncio
import time


def request(method: str, path: str, body: bytes = b"", /, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answered(port: int, sent: bytes) -> tuple[int, bytes]:
    """One request over its own connection: status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await _answer(reader)
    finally:
        writer.close()


async def per_second(port: int, sent: bytes, *, expect: int, count: int = 2000, connections: int = 4) -> float:
    """Requests answered per second, all with the expected status."""
    began = time.perf_counter()
    await asyncio.gather(*(_repeat(port, sent, expect, count // connections) for _ in range(connections)))
    return count / (time.perf_counter() - began)


async def _repeat(port: int, sent: bytes, expect: int, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(sent)
        status, body = await _answer(reader)
        if status != expect:
            raise RuntimeError(f"answered {status}: {body[:200]!r}")
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return int(head[9:12]), await reader.readexactly(length)
