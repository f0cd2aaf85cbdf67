"""The yardstick: a granian RSGI handler that reads the body and answers given bytes, and does nothing else."""

import asyncio
import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


class Bare:
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def __rsgi_init__(self, loop: Any) -> None:
        pass

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        await protocol()
        status = 201 if scope.method == "POST" else 200
        protocol.response_bytes(status, [("content-type", "application/json")], self._answer)


if __name__ == "__main__":
    server = Server(
        Bare(sys.stdin.buffer.read()),
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.RSGI,
        log_enabled=False,
        websockets=False,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())
