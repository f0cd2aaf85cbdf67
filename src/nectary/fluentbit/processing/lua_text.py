"""Values as Lua source: every string a rule carries is quoted here, so none of them can end up as code."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

LuaValue: TypeAlias = "bool | float | str | bytes | Code | Source | Sequence[LuaValue] | Mapping[str, LuaValue] | None"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEYWORDS = frozenset(
    "and break do else elseif end false for function goto if in local nil not or repeat return then true until while".split()  # noqa: SIM905
)
_WIDTH = 100


@dataclass(frozen=True)
class Code:
    """Lua source that goes in as it is: a call around a value, such as ``regex.compile`` and its pattern."""

    call: str
    value: LuaValue


@dataclass(frozen=True)
class Source:
    """Lua source as it is, already safe: what `block` made of a script."""

    text: str


def quoted(text: str | bytes) -> str:
    """The Lua string literal of a text or of bytes, on one line.

    Besides what Lua needs escaped, the ``{`` after ``$`` or ``{`` is: Fluent Bit's reader would otherwise replace ``${NAME}``
    in an inline script (flb_env_var_translate), and a product template ``{{ files.NAME }}`` would be filled in.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    parts: list[str] = []
    previous = ""
    for char in raw.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char in '"\\':
            parts.append("\\" + char)
        elif char == "\n":
            parts.append("\\n")
        elif (char == "{" and previous in ("$", "{")) or code < 0x20 or code == 0x7F:
            parts.append(f"\\{code:03d}")
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\{code - 0xDC00:03d}")
        elif 0x80 <= code <= 0x9F or code in (0x2028, 0x2029, 0xFEFF):
            parts.append("".join(f"\\{byte:03d}" for byte in char.encode()))
        else:
            parts.append(char)
        previous = char
    return '"' + "".join(parts) + '"'


def block(text: str) -> str:
    """A script as a Lua literal that can still be read: a long bracket where its text allows one, else quoted."""
    plain = all(char in "\n\t" or char.isprintable() for char in text)
    if not plain or "\n" not in text or "${" in text or "{{" in text:
        return quoted(text)
    level = ""
    while f"]{level}]" in text + "]":
        level += "="
    return f"[{level}[\n{text}]{level}]"


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no Lua literal")
    return repr(value)


def _key(name: str) -> str:
    return name if _IDENTIFIER.match(name) and name not in _KEYWORDS else f"[{quoted(name)}]"


def literal(value: LuaValue, indent: int = 0) -> str:
    """The Lua source of a value; tables that do not fit on a line are broken into several."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str | bytes):
        return quoted(value)
    if isinstance(value, Source):
        return value.text
    if isinstance(value, Code):
        return f"{value.call}({literal(value.value, indent)})"
    return _table(value, indent)


def _table(value: Sequence[LuaValue] | Mapping[str, LuaValue], indent: int) -> str:
    def items(depth: int) -> list[str]:
        if isinstance(value, Mapping):
            return [f"{_key(name)} = {literal(item, depth)}" for name, item in value.items() if item is not None]
        return [literal(item, depth) for item in value]

    inline = "{" + ", ".join(items(indent)) + "}"
    # Two opening braces in a row would read as the start of a product template.
    inline = inline.replace("{{", "{ {", 1) if inline.startswith("{{") else inline
    if "\n" not in inline and len(inline) + indent <= _WIDTH:
        return inline
    margin = " " * (indent + 2)
    return "{\n" + "".join(f"{margin}{item},\n" for item in items(indent + 2)) + " " * indent + "}"
