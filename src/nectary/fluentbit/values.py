"""What an option's value may look like: Fluent Bit's own rules for each type, and what would do instead.

The rules are those of Fluent Bit 5.1.1 (src/flb_utils.c, src/flb_config_map.c, src/flb_input.c, src/flb_output.c), made strict
where the program is silent: `rate abc` is 0 for it and a problem here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class ValueType:
    """One kind of value: `accepts(text)` says whether the text is one, `wants` says what would do."""

    name: str
    wants: str
    accepts: Callable[[str], object] | None
    fatal: bool = False
    """Whether the real program stops (at start) on a wrong value rather than carrying on with 0 or -1."""

    def problem(self, text: str) -> str | None:
        """None when `text` is a value of this type, else what would do."""
        return None if self.accepts is None or self.accepts(text) else self.wants


TRUE_WORDS = frozenset({"true", "on", "yes"})
FALSE_WORDS = frozenset({"false", "off", "no"})
BOOLEANS = TRUE_WORDS | FALSE_WORDS
LOG_LEVELS = ("off", "error", "warn", "warning", "info", "debug", "trace")
STORAGE_TYPES = ("filesystem", "memory", "memrb")
RETRY_WORDS = frozenset({"no_limits", "false", "off", "no_retries"})

_integer = re.compile(r"[+-]?[0-9]+").fullmatch
_natural = re.compile(r"\+?[0-9]+").fullmatch
# Possessive (++), so that a value of a million digits and a letter costs one pass and not a million.
_double = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?").fullmatch
_size = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:[kmg]b?)?|false", re.IGNORECASE).fullmatch
_time = re.compile(r"[+-]?[0-9]+[smhd]?", re.IGNORECASE).fullmatch
_minimum = re.compile(r"space delimited strings \(minimum ([0-9]+)\)").fullmatch


def boolean(text: str) -> bool | None:
    """True or False for Fluent Bit's words in any case (flb_utils_bool); None for anything else, 1 and 0 too."""
    word = text.lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def seconds(text: str) -> int | None:
    """A time in seconds: digits and one letter of s, m, h, d (flb_utils_time_to_seconds); None when it is not a time."""
    if not _time(text) or len(text) > 40:
        return None
    scale = {"m": 60, "h": 3600, "d": 86400}.get(text[-1].lower(), 1)
    return int(text.rstrip("smhdSMHD")) * scale


def size(text: str) -> int | None:
    """A size in bytes: a number, K, M or G (of 1000), an optional B (flb_utils_size_to_bytes); None when it is not one."""
    if text.lower() == "false":
        return 0
    if not _size(text) or len(text) > 40:
        return None
    digits = text.rstrip("kmgbKMGB")
    unit = text[len(digits) : len(digits) + 1].lower()
    return int(float(digits) * {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}[unit])


def number(text: str) -> float | None:
    """A whole or decimal number, else None."""
    return float(text) if len(text) <= 400 and _double(text) else None


def integer(text: str) -> int | None:
    """A whole number with an optional sign, else None; longer than 40 characters is none."""
    return int(text) if len(text) <= 40 and _integer(text) else None


def words(text: str, most: int = 0) -> list[str]:
    """Split as a space list: blanks between, double quotes around a word with blanks, at most `most` splits (0 is no limit).

    The rest after the last split is one word (flb_utils_split_quoted).
    """
    found: list[str] = []
    place, end = 0, len(text)
    while place < end:
        while place < end and text[place].isspace():
            place += 1
        if place >= end:
            break
        if most and len(found) == most:
            found.append(text[place:].rstrip())
            break
        if text[place] == '"':
            close = place + 1
            while close < end and text[close] != '"':
                close += 2 if text[close] == "\\" else 1
            found.append(text[place + 1 : close].replace('\\"', '"'))
            place = close + 1
        else:
            close = place
            while close < end and not text[close].isspace():
                close += 1
            found.append(text[place:close])
            place = close
    return found


def _at_least(count: int) -> Callable[[str], bool]:
    return lambda text: len(words(text, count) if '"' in text else text.split(None, count)) >= count


def _is_boolean(text: str) -> bool:
    return text.lower() in BOOLEANS


def _within(low: float, high: float, read: Callable[[str], float | None], *, open_ends: bool = False) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        value = read(text)
        if value is None:
            return False
        return low < value < high if open_ends else low <= value <= high

    return check


def _one_of(*allowed: str) -> Callable[[str], bool]:
    known = frozenset(allowed)
    return lambda text: text.lower() in known


_NUMBERS = (
    ValueType("boolean", "true, on, yes, false, off or no", _is_boolean, fatal=True),
    ValueType("integer", "a whole number", _integer),
    ValueType("double", "a number such as 5 or 0.5", _double),
    ValueType("size", "a number of bytes, such as 512, 64K, 5M or 1G (no blank, no Ki or Mi)", _size),
    ValueType("time", "a whole number of seconds, or one with s, m, h or d behind it, such as 30s", _time),
)
_TEXTS = ("string", "multiple comma delimited strings", "prefixed string", "variant", "deprecated", "map")
_BY_NAME = {rule.name: rule for rule in (*_NUMBERS, *(ValueType(name, "any text", None) for name in _TEXTS))}
STRUCTURED = frozenset({"variant", "multiple keyvalues", "keyvalue", "multiple keyvalue"})
"""Types that are maps or lists: Fluent Bit's one, and those of the vendor's own distribution."""


@cache
def type_named(name: str) -> ValueType:
    """The rule for a type as schemas name it ("boolean", "size", "space delimited strings (minimum 2)").

    A name no rule is known for takes any text, so that a newer Fluent Bit's new type is never refused.
    """
    if minimum := _minimum(name):
        count = int(minimum[1])
        return ValueType(name, f"at least {count} words with blanks between them", _at_least(count), fatal=True)
    return _BY_NAME.get(name) or ValueType(name, "any text", None)


@cache
def one_of(values: tuple[str, ...]) -> ValueType:
    """The rule for an option that takes nothing but these words, in any case."""
    return ValueType("one of", f"{', '.join(values[:-1])} or {values[-1]}", _one_of(*values), fatal=True)


_HIGHEST = 2**31 - 1
_LEVEL = ValueType("log level", "off, error, warn, info, debug or trace", _one_of(*LOG_LEVELS), fatal=True)
_PORT = ValueType("port", "a port number from 1 to 65535", _within(0, 65535, integer))


def _total_limit(text: str) -> bool:
    return text.lower() in FALSE_WORDS or size(text) is not None


def _size_from_zero(text: str) -> bool:
    return (size(text) or 0) >= 0 and bool(_size(text))


def _time_from_zero(text: str) -> bool:
    return (seconds(text) or 0) >= 0 and bool(_time(text))


def _retry_limit(text: str) -> bool:
    return text.lower() in RETRY_WORDS or bool(_natural(text) and int(text[-40:]) > 0)


def _records(text: str) -> bool:
    return len(text) <= 20 and bool(_natural(text))


CORE_VALUES: dict[str, ValueType] = {
    # Options the core reads itself, with their ranges: flb_input_set_property, flb_output_set_property.
    "log_level": _LEVEL,
    "storage.type": ValueType("storage type", "filesystem, memory or memrb", _one_of(*STORAGE_TYPES), fatal=True),
    "retry_limit": ValueType("retry limit", "a number above 0, no_limits, no_retries, false or off", _retry_limit),
    "storage.total_limit_size": ValueType("size or off", "a size such as 5M, or off", _total_limit, fatal=True),
    "thread.ring_buffer.capacity": ValueType("capacity", "a number above 0", _within(1, _HIGHEST, integer), fatal=True),
    "thread.ring_buffer.window": ValueType("window", "a number from 1 to 100", _within(1, 100, integer), fatal=True),
    "rate_window": ValueType("time", "a time above 0, such as 1s", _within(1, _HIGHEST, seconds), fatal=True),
    "rate_gate.max_records": ValueType("count", "digits only", _records, fatal=True),
    "rate_gate.resume_ratio": ValueType(
        "ratio", "a number above 0 and below 1", _within(0, 1, number, open_ends=True), fatal=True
    ),
    "mem_buf_limit": ValueType("size", "a size such as 5M, or 0 for no limit", _size_from_zero, fatal=True),
    "rate_gate.max_bytes": ValueType("size", "a size such as 5M", _size_from_zero, fatal=True),
    "log_suppress_interval": ValueType(
        "time", "a whole number of seconds, or one with s, m, h or d behind it", _time_from_zero
    ),
    "port": _PORT,
}

CORE_FATAL_AT_LOAD = frozenset(
    # Names whose wrong value makes the set-property function itself fail, so the load and the dry run fail too. The other core
    # booleans (ipv6, tls.verify, routable) are stored as -1 without a word.
    {
        *("log_level", "mem_buf_limit", "storage.type", "threaded", "tls.verify_client_cert", "rate_window", "rate_gate"),
        *("thread.ring_buffer.capacity", "thread.ring_buffer.window", "rate_gate.max_bytes", "rate_gate.max_records"),
        *(
            "log_suppress_interval",
            "rate_gate.backpressure",
            "rate_gate.resume_ratio",
            "storage.pause_on_chunks_overlimit",
            "storage.total_limit_size",
        ),
    }
)

_leading_double = re.compile(r"[ \t\n\v\f\r]*([+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))").match


def leading_double(text: str) -> float:
    """The number at the start of the text as C's atof reads it: 0 when there is none. Exponents are left out."""
    found = _leading_double(text)
    return float(found[1]) if found else 0.0


_leading_number = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,18})").match
_ACCEPTED_AS_NUMBER = {
    # What the core asks of the number at the start of the text (C's atoi: 0 when there is none), whatever stands behind it.
    "log_suppress_interval": lambda number: number != -1,
    "rate_window": lambda number: number > 0,
    "thread.ring_buffer.capacity": lambda number: number > 0,
    "thread.ring_buffer.window": lambda number: 0 < number <= 100,
}


def fails_load(name: str, text: str) -> bool:
    """Whether the core itself stops on this wrong value of one of its options, rather than reading a number out of it."""
    accepted = _ACCEPTED_AS_NUMBER.get(name)
    found = _leading_number(text)
    return accepted is None or not accepted(int(found[1]) if found else 0)


SMALLEST_STACK = 4096
"""Bytes of a page on most machines: Fluent Bit refuses a smaller coro_stack_size."""

SERVICE_VALUES: dict[str, ValueType] = {
    "coro_stack_size": ValueType(
        "stack size", f"a whole number of bytes from {SMALLEST_STACK}", _within(SMALLEST_STACK, _HIGHEST, integer), fatal=True
    ),
    "log_level": _LEVEL,
    "flush": ValueType("flush", "a number of seconds above 0, such as 1 or 0.5", _within(1e-9, 1e18, number), fatal=True),
    "http_port": _PORT,
}
