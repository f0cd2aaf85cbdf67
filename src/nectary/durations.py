"""Durations as Go writes them: `-24h0m0s`, `1.5h`, `300ms`; and ISO 8601's `PT24H`, which the contract's format names."""

import math
import re

from nectary.errors import Invalid

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_GO = re.compile(rf"([+-]?)((?:{_PART})+|0)")
_ISO = re.compile(
    r"([+-]?)P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_LONGEST = 10 * 365 * 86400.0


def parse(text: str | None, refusal: str) -> float:
    """Seconds, with its sign; none or an empty text is 0. Raises Invalid(refusal)."""
    if not text:
        return 0.0
    seconds = _go(text) if len(text) <= 100 else None
    if seconds is None and len(text) <= 100:
        seconds = _iso(text)
    if seconds is None or not math.isfinite(seconds) or abs(seconds) > _LONGEST:
        raise Invalid(refusal, f"{text[:60]!r} is not a duration such as -24h or 5m, of ten years at most")
    return seconds


def _go(text: str) -> float | None:
    match = _GO.fullmatch(text)
    if match is None:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, match[2]))
    return -seconds if match[1] == "-" else seconds


def _iso(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()[1:]):
        return None
    sizes = (7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0)
    seconds = sum(float(number) * size for number, size in zip(match.groups()[1:], sizes, strict=True) if number)
    return -seconds if match[1] == "-" else seconds


def go_text(nanoseconds: int) -> str:
    """A duration as Go prints it: `10m0s`, `1h0m0.5s`, `300ms`, `0s`."""
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left == 0:
        return "0s"
    if left < 1_000_000_000:
        size, unit = next((size, unit) for size, unit in ((1_000_000, "ms"), (1_000, "µs"), (1, "ns")) if left >= size)
        return f"{sign}{_decimal(left, size)}{unit}"
    minutes, rest = divmod(left, 60 * 1_000_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, 1_000_000_000)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"


def _decimal(amount: int, size: int) -> str:
    """`amount / size` in full, without noughts at its end; `size` is a power of ten."""
    whole, rest = divmod(amount, size)
    digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if size > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)
