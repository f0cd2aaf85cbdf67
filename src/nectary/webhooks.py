"""Webhooks: telling another program what happened, so that it can tell that it was us.

Deliveries are signed as Standard Webhooks says (standardwebhooks.com): the text `<id>.<timestamp>.<body>` with HMAC-SHA-256,
in the headers `webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64>`. A secret is `whsec_` and base64.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

_PREFIX = "whsec_"
_KEY_BYTES = 24
_PATIENCE = 10.0  # seconds


class UndeliveredError(Exception):
    """The other side could not be reached, or did not answer with success; the text says which."""


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def require_sendable(url: str, hosts: Iterable[str]) -> None:
    """Raises ValueError, with the reason, for an address that webhooks are not sent to. `hosts`: those that are; none: any."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an address has no blanks, control characters or letters beyond ASCII")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address is http://host/path or https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user name or password; deliveries are signed instead")
    _ = parts.port  # raises for one that is no number up to 65535
    allowed = [host.lower() for host in hosts]
    if allowed and not any(fnmatchcase(parts.hostname.lower(), pattern) for pattern in allowed):
        raise ValueError(f"this server sends webhooks to {', '.join(allowed)} only")


async def deliver(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """POST once. Redirects are not followed, and nothing is read of the answer but its status. Raises UndeliveredError."""
    import httpx  # noqa: PLC0415 - few servers send any, and all of them start

    try:
        async with (
            httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False, trust_env=True) as client,
            client.stream("POST", url, content=body, headers={**headers, "content-type": "application/json"}) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                raise UndeliveredError(f"answered {answer.status_code}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UndeliveredError(str(error) or type(error).__name__) from error
