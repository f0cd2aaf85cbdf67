"""JSON bodies, read so that nothing in them can trip what comes after."""

from typing import Any

import msgspec
from fastapi import Request

from nectary.errors import Invalid, Malformed, Unsupported

DEEPEST = 64
_DEEP_ENOUGH_TO_LOOK = 64


class Asked(Request):
    """A request whose JSON is read once, by our rules; every body of the contract is optional, so none means `{}`."""

    async def body(self) -> bytes:
        return await super().body() or b"{}"

    async def json(self) -> Any:
        if not hasattr(self, "_said"):
            self._said = parse(await self.body())
        return self._said


async def require_json(request: Asked) -> None:
    """Refuse other types and encodings, then read. Raises Unsupported, Malformed or Invalid."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json") and await Request.body(request):
        raise Unsupported("unsupported content type", f"{kind!r}; send application/json")
    await request.json()


def parse(body: bytes) -> Any:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Malformed("malformed JSON", str(error)) from None
    except RecursionError:
        raise Malformed("malformed JSON", f"nested deeper than {DEEPEST} levels") from None
    if body.count(b"[") + body.count(b"{") > _DEEP_ENOUGH_TO_LOOK and _depth_exceeds(said, DEEPEST):
        raise Malformed("malformed JSON", f"nested deeper than {DEEPEST} levels")
    # PostgreSQL's text cannot hold it, and no name or config means it.
    if b"\\u0000" in body and _has_nul(said):
        raise Invalid("invalid argument", "a text holds a NUL character")
    return said


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
