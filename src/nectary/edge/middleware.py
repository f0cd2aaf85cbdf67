"""What happens around every request: its size is bounded, its time and outcome are measured, and it is logged."""

import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nectary import log
from nectary.edge import refusals
from nectary.edge.measures import Measures
from nectary.errors import TooLarge, Unsupported

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = log.logger("nectary.request")


class Around:
    """The one middleware; plain ASGI, because Starlette's class-based kind costs a task a request."""

    def __init__(self, app: ASGIApp, *, measures: Measures, body_limit: int) -> None:
        self.app = app
        self.measures = measures
        self.body_limit = body_limit
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if refusal := self._refused(scope):
                await refusals.response(refusal)(scope, receive, sent)
            else:
                await self.app(scope, _bounded(receive, self.body_limit), sent)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _refused(self, scope: Scope) -> TooLarge | Unsupported | None:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self.body_limit:
                return too_large(self.body_limit)
            # Nothing is unpacked here, so nothing can blow up here. Fluent Bit never compresses what it sends us.
            if name == b"content-encoding" and value.lower() not in (b"", b"identity"):
                return Unsupported("unsupported content encoding", "send the body uncompressed")
        return None

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # Words that anybody makes up are one to the measures, which keep every one they hear.
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        route = getattr(scope.get("route"), "path", "(none)")
        known = self._known.get((method, route, status))
        if known is None:  # looking them up takes longer than counting
            known = self.measures.requests.labels(method, route, status), self.measures.seconds.labels(route)
            self._known[method, route, status] = known
        requests, duration = known
        requests.inc()
        duration.observe(seconds)
        _log.debug("answered", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1))


def too_large(limit: int) -> TooLarge:
    return TooLarge("request body too large", f"at most {limit} bytes")


def _bounded(receive: Receive, limit: int) -> Any:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise too_large(limit)
        return message

    return bounded
