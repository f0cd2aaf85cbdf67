"""The API asked without waiting in line: the same answers and errors as `Client`, for programs that do many things at once."""

import re
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from nectary.client.calls import Unreachable, claims_of, refusal

T = TypeVar("T")
_PAGE = 500
_MOST_PAGES = 10_000


class Asking:
    """One server and one credential: `header` and its value, as `X-Project-Token` or `X-Aggregator-Token`.

    Every call raises `Refused` for an answer of 400 or more, and `Unreachable` when there is none within `timeout` seconds.
    """

    def __init__(
        self,
        url: str,
        header: str,
        token: str,
        *,
        timeout: float | None = 30.0,
        verify: bool = True,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.project_id = claims_of(token).get("ProjectID", "")
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=45)
        headers = {header: token, "User-Agent": "nectary-core"}
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=timeout,
            verify=verify,
            proxy=proxy or None,
            limits=limits,
            transport=transport,
            trust_env=proxy is None,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, shape: type[T], query: dict[str, Any] | None = None, **options: Any) -> T:
        return msgspec.json.decode((await self.send("GET", path, query=query, **options)).content, type=shape)

    async def make(self, path: str, body: Any, shape: type[T]) -> T:
        """POST, and what it answers with."""
        return msgspec.json.decode((await self.send("POST", path, body)).content, type=shape)

    async def rows(self, path: str, shape: type[T], query: dict[str, Any] | None = None) -> list[T]:
        """Everything of a list that comes as a bare array, page by page; the Link header says where the next one begins."""
        found: list[T] = []
        before: str | None = None
        for _ in range(_MOST_PAGES):
            asked = {"last": _PAGE, **(query or {})} | ({"before": before} if before else {})
            answer = await self.send("GET", path, query=asked)
            page = msgspec.json.decode(answer.content, type=list[shape])  # type: ignore[valid-type]
            found += page
            link = re.search(r'[?&]before=([^&>]+)[^>]*>; rel="next"', answer.headers.get("link", ""))
            if link is None or len(page) < _PAGE:
                break
            before = httpx.QueryParams(f"before={link[1]}")["before"]
        return found

    async def items(self, path: str, shape: type[T], query: dict[str, Any] | None = None) -> list[T]:
        """Everything of a list that comes as an object, page by page."""
        found: list[T] = []
        before: str | None = None
        for _ in range(_MOST_PAGES):
            asked = {"last": _PAGE, **(query or {})} | ({"before": before} if before else {})
            answer = await self.send("GET", path, query=asked)
            page = msgspec.json.decode(answer.content, type=_Listing)
            found += [msgspec.json.decode(item, type=shape) for item in page.items]
            before = page.end_cursor
            if not before or len(page.items) < _PAGE:
                break
        return found

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        within: float | None = None,
    ) -> httpx.Response:
        """One request: `body` goes as JSON, `content` as it is; `within`: seconds, where the usual ones are not meant."""
        sent = dict(headers or {})
        if body is not None:
            content, sent["Content-Type"] = msgspec.json.encode(body), "application/json"
        options: dict[str, Any] = {} if within is None else {"timeout": within}
        try:
            answer = await self._http.request(method, path, params=query, content=content, headers=sent, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self.url} does not answer: {str(error) or type(error).__name__}") from error
        if answer.status_code >= 400:
            raise refusal(answer)
        return answer


class _Listing(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw]
    end_cursor: str | None = msgspec.field(default=None, name="endCursor")
