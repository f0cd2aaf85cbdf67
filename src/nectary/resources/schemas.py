"""Schemas of Fluent Bit versions: those that ship with Nectary, and those learned by `nectary schema learn`."""

import re
from functools import lru_cache
from pathlib import Path

from nectary.fluentbit import schema
from nectary.fluentbit.schema import InvalidSchemaError, Schema, UnknownVersionError

_NUMBER = re.compile(r"\d{1,6}(\.\d{1,6}){1,3}[A-Za-z0-9.+~-]{0,40}")
_LONGEST = 64 * 1024 * 1024


def plain(version: str) -> str:
    """A version as schemas are named by: `v5.1.1` is `5.1.1`."""
    return version.strip().removeprefix("v")


def find(version: str, folder: Path | None) -> Schema | None:
    """The schema of just this version, a learned one before a shipped one; None when it is not known."""
    wanted = plain(version)
    if folder is not None and _NUMBER.fullmatch(wanted):
        path = folder / f"fluentbit-{wanted}.json"
        try:
            found = path.stat()
        except OSError:
            pass
        else:
            if learned := _learned(path, found.st_mtime_ns, found.st_size):
                return learned
    try:
        return schema.load(wanted)
    except UnknownVersionError:
        return None


@lru_cache(16)
def _learned(path: Path, _changed: int, size: int) -> Schema | None:
    """Read once, until the file is another."""
    try:
        return schema.parse(path.read_text(encoding="utf-8")) if size <= _LONGEST else None
    except (OSError, InvalidSchemaError, UnicodeDecodeError):
        return None
