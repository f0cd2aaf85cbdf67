"""`${NAME}` in values: what Fluent Bit makes of it, and the texts it quietly gets wrong.

The rules are flb_env_var_translate's (src/flb_env.c): it looks for the first `}` from where it stands, even one before
the `${`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_PREDEFINED = frozenset({"HOSTNAME"})
TEMPLATE = re.compile(r"\{\{[ \t]*(secrets|files)\.([A-Za-z0-9_][A-Za-z0-9_.-]*)[ \t]*\}\}")
"""`{{ secrets.NAME }}` and `{{ files.NAME }}`, put in before Fluent Bit sees the text."""


class Reference(NamedTuple):
    """One `${NAME}` or `${NAME:-word}`. start: its place in the value. default: None without `:-`."""

    name: str
    default: str | None
    start: int


def references(value: str) -> Iterator[Reference]:
    """Every variable a value names, in order."""
    place = value.find("${")
    while place >= 0:
        end = value.find("}", place)
        if end < 0:
            return
        name, mark, default = value[place + 2 : end].partition(":-")
        yield Reference(name, default if mark else None, place)
        place = value.find("${", end)


def trapped(value: str) -> int:
    """Where the first `${` stands that Fluent Bit will not put a value in for, because of a `}` before it; -1 for none.

    In `{"a":1}${X}` the `}` ends the search at once; in `${X}-{y}-${X}` the second reference stays and text is lost.
    """
    place = 0
    while (begin := value.find("${", place)) >= 0:
        if value.find("}", place, begin) >= 0:
            return begin
        end = value.find("}", begin)
        if end < 0:
            return -1
        place = end + 1
    return -1


def expand(value: str, defined: Mapping[str, str | None], env: Mapping[str, str] | None) -> str | None:
    """The value with its variables put in; None when one of them is not known here.

    defined: what @SET and env say (None: content of a file). env: the process environment, None when unknown.
    """
    if trapped(value) >= 0:
        return None
    parts: list[str] = []
    size = 0
    place = 0
    for reference in references(value):
        text = _value_of(reference, defined, env)
        if text is None:
            return None
        size += len(text)
        if size > _LONGEST:
            return None
        parts += [value[place : reference.start], text]
        place = value.find("}", reference.start) + 1
    return "".join([*parts, value[place:]])


_LONGEST = 4_096


def is_set(name: str, defined: Mapping[str, str | None], env: Mapping[str, str] | None) -> bool | None:
    """Whether a variable will have a value; None when the environment is not known. An empty one counts as unset."""
    if name in defined:
        return defined[name] is None or bool(defined[name])
    if name in _PREDEFINED:
        return True
    return None if env is None else bool(env.get(name))


def _value_of(reference: Reference, defined: Mapping[str, str | None], env: Mapping[str, str] | None) -> str | None:
    known = is_set(reference.name, defined, env)
    if known is None:
        # Nobody here knows the agent's environment. The default is what will most likely be used.
        return reference.default
    if not known:
        return reference.default or ""
    if reference.name in defined:
        return defined[reference.name]
    return None if env is None else env.get(reference.name)
