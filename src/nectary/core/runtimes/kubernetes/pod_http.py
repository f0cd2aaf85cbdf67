"""Asks the HTTP servers of Fluent Bits in pods: what they counted, and how often they read their configuration anew."""

from typing import Any

import httpx


class PodHttp:
    """Calls to addresses such as `http://10.1.2.3:2020`. One that does not answer is None, never an error: from outside of a
    cluster its pods are out of reach."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(3.0, connect=1.0), trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def reloads(self, address: str) -> int | None:
        """How often it was reloaded since it started (`hot_reload_count` of /api/v2/reload)."""
        found = await self._json(f"{address}/api/v2/reload")
        count = found.get("hot_reload_count") if found else None
        return count if isinstance(count, int) else None

    async def counts(self, address: str) -> dict[str, Any] | None:
        """`{"input": {name: {...}}, "filter": ..., "output": ...}` of /api/v1/metrics."""
        return await self._json(f"{address}/api/v1/metrics")

    async def _json(self, url: str) -> dict[str, Any] | None:
        try:
            body = (await self._http.get(url)).json()
        except (httpx.HTTPError, ValueError):
            return None
        return body if isinstance(body, dict) else None
