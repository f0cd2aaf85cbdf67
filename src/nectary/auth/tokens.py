"""Tokens: what they look like, and the proof that we made them.

A signed token is `payload.signature`: the payload says which row it speaks for, the signature is an HMAC with that row's own
key. Fluent Bit and the published clients look inside a project token, so its payload is kept byte for byte
(custom_calyptia of Fluent Bit decodes the first segment with the standard base64 alphabet and adds `4 - length % 4` padding).
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import zlib
from uuid import UUID

from nectary.errors import Unauthenticated

KEY_BYTES = 48
_SESSION_PREFIX = "nectary_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONGEST = 1024


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def key_of(secret: bytes, id: UUID) -> bytes:
    """The key of token `id`, made from its project's secret: what was signed with it is told from a forgery even when its row
    is gone."""
    return hmac.digest(secret, b"token " + id.bytes, "sha384")


def sign(key: bytes, **ids: UUID) -> str:
    """A token that names `ids` in the given order, as `{"TokenID":"...","ProjectID":"..."}` does."""
    payload = json.dumps({name: str(id) for name, id in ids.items()}, separators=(",", ":")).encode()
    return f"{_encode(payload)}.{_encode(_mac(key, payload))}"


def claims(token: str, *names: str, refusal: str) -> tuple[UUID, ...]:
    """The ids a signed token names, not yet proven. Raises Unauthenticated(refusal) unless they are exactly `names`."""
    head, dot, tail = token.partition(".")
    try:
        if not dot or "." in tail or len(token) > _LONGEST:
            raise ValueError("shape")
        said = json.loads(_decode(head))
        if not isinstance(said, dict) or tuple(said) != names:
            raise ValueError("claims")
        return tuple(UUID(said[name]) for name in names)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Unauthenticated(refusal) from None


def proven(token: str, key: bytes) -> bool:
    """Whether `token` carries the signature that `key` makes; never raises, whatever the text."""
    head, _, tail = token.partition(".")
    try:
        return hmac.compare_digest(_decode(tail), _mac(key, _decode(head)))
    except ValueError:
        return False


def new_session_token() -> str:
    """190 random bits with a prefix and a checksum, so that secret scanners can tell it from noise."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return f"{_SESSION_PREFIX}{random}{_checksum(random)}"


def looks_like_session_token(token: str) -> bool:
    random, check = token[len(_SESSION_PREFIX) : -6], token[-6:]
    return token.startswith(_SESSION_PREFIX) and token.isascii() and len(random) == 32 and check == _checksum(random)


def digest(token: str) -> bytes:
    """What is stored of a session token."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    letters = ""
    for _ in range(6):
        number, letter = divmod(number, 62)
        letters = _ALPHABET[letter] + letters
    return letters


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, "sha384")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError(str(error)) from None
