"""Cursors: the place of a row in a list, newest first, as the opaque text that clients hand back."""

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from nectary.errors import Invalid

Place = tuple[datetime, UUID]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def encode(created_at: datetime, id: UUID) -> str:
    return base64.urlsafe_b64encode(struct.pack(">q", (created_at - _EPOCH) // _MICROSECOND) + id.bytes).decode()


def decode(cursor: str) -> Place:
    """Raises Invalid("decode cursor") for anything that `encode` did not make."""
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        microseconds, id = struct.unpack(">q16s", raw)
        return _EPOCH + microseconds * _MICROSECOND, UUID(bytes=id)
    except (UnicodeEncodeError, binascii.Error, struct.error, OverflowError, ValueError):
        raise Invalid("decode cursor", f"{cursor[:60]!r} is not a cursor this server gave") from None
