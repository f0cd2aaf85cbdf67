"""The kinds of options a processing rule can have: what each accepts, and how it reads to the Lua side."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Enough for any record; a deeper path is a mistake.
PATH_LIMIT: Final = 32
_STEP: Final = re.compile(r"""\[(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|(\d{1,6}))\]""")
_ROOT: Final = re.compile(r"\$[^\[\]'\"]*")


class OptionError(ValueError):
    """An option's value that cannot be; the sentence says why, without the option's name."""


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise OptionError(f"must be true or false, not {_shown(value)}")
        return value


@dataclass(frozen=True)
class Number:
    """A whole number between two ends."""

    least: int
    most: int = 2**31 - 1

    def read(self, value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise OptionError(f"must be a whole number, not {_shown(value)}")
        if not self.least <= value <= self.most:
            raise OptionError(f"must be between {self.least} and {self.most}, not {value}")
        return value


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise OptionError(f"must be one of {', '.join(self.words)}, not {_shown(value)}")
        return value


@dataclass(frozen=True)
class Scalar:
    """A text or a boolean, as it is."""

    text_only: bool = False

    def read(self, value: object) -> bool | str:
        if isinstance(value, str) or (isinstance(value, bool) and not self.text_only):
            return value
        raise OptionError(f"must be a text{'' if self.text_only else ', true or false'}, not {_shown(value)}")


@dataclass(frozen=True)
class Script:
    """Lua source."""

    def read(self, value: object) -> str:
        text = _text(value)
        if text.startswith("\x1b"):
            raise OptionError("must be Lua source, not compiled code")
        return text


@dataclass(frozen=True)
class Path:
    """A key at the top of the record, or with a leading $ a record accessor such as $user['ip'] or $list[0]."""

    or_regex: bool = False
    or_template: bool = False

    def read(self, value: object) -> str:
        # Whether it is a path shows only with the rule's regexMode at hand; a template may be empty.
        if self.or_template and value == "":
            return ""
        text = _text(value)
        if not (self.or_regex or self.or_template):
            steps(text)
        return text


@dataclass(frozen=True)
class Regex:
    """A regular expression, in the dialect of the rule's regexEngine."""

    groups: int = 0
    named: bool = False

    def read(self, value: object) -> str:
        return _text(value)


@dataclass(frozen=True)
class Template:
    """What a match becomes: %0 is the match, %1 to %9 its groups (%1 the match where there are none), %% a %."""

    regex: str

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise OptionError(f"must be a text, not {_shown(value)}")
        return value


@dataclass(frozen=True)
class Texts:
    """A list of texts, also as JSON text, or as one text with commas."""

    comma_separated: bool = False

    def read(self, value: object) -> Any:
        if self.comma_separated:
            return _text(value)
        found = _from_json(value)
        if not isinstance(found, list | tuple) or not found or not all(isinstance(item, str) and item for item in found):
            raise OptionError(f"must be a list of keys, not {_shown(value)}")
        for item in found:
            steps(item)
        return tuple(found)


@dataclass(frozen=True)
class ObjectOf:
    """Names and what to compute for each: count, sum(KEY) or average(KEY), also as {"sum": "KEY"}."""

    def read(self, value: object) -> Mapping[str, Any]:
        found = _from_json(value)
        if not isinstance(found, dict) or not found:
            raise OptionError(f"must be an object of names and computations, not {_shown(value)}")
        for name, wanted in found.items():
            computation(name, wanted)
        return found


Kind = Flag | Number | Choice | Scalar | Script | Path | Regex | Template | Texts | ObjectOf


def required(kind: Kind) -> Any:
    """A field for an option that must be given."""
    return field(metadata={"kind": kind})


def option(kind: Kind, default: Any = None) -> Any:
    """A field for an option that may be left out."""
    return field(default=default, metadata={"kind": kind})


_COMPUTATION: Final = re.compile(r"(count|sum|average|avg)(?:\((.*)\))?\Z", re.DOTALL)


def computation(name: str, wanted: object) -> tuple[str, str | None]:
    """The function (count, sum, average) and key of one entry of aggregate's compute. Raises OptionError."""
    text = wanted
    if isinstance(wanted, dict) and len(wanted) == 1:
        [(func, key)] = wanted.items()
        text = f"{func}({key})" if isinstance(key, str) and key else func
    found = _COMPUTATION.match(text.strip()) if isinstance(text, str) else None
    if not found:
        raise OptionError(f"{name!r} must be count, sum(KEY) or average(KEY), not {_shown(wanted)}")
    func, key = "average" if found[1] == "avg" else found[1], (found[2] or "").strip()
    if key in ("", "*"):
        if func != "count":
            raise OptionError(f"{name!r}: {func} needs a key, as in {func}(KEY)")
        return func, None
    steps(key)
    return func, key


def steps(text: str) -> tuple[str | int, ...]:
    """The keys (and places in lists, from 1) that a path goes through. Raises OptionError for a broken accessor."""
    if not text:
        raise OptionError("must not be empty")
    if not text.startswith("$"):
        return (text,)
    root = _ROOT.match(text)
    assert root is not None
    found: list[str | int] = [root[0][1:]] if len(root[0]) > 1 else []
    at = root.end()
    while at < len(text):
        step = _STEP.match(text, at)
        if not step:
            raise OptionError(f"{text!r} is no record accessor: write $key['inner'] or $key[0]")
        if step[3] is not None:
            found.append(int(step[3]) + 1)
        else:
            found.append(step[1].replace("''", "'") if step[1] is not None else step[2].replace('""', '"'))
        at = step.end()
    if not found or isinstance(found[0], int) or len(found) > PATH_LIMIT:
        raise OptionError(f"{text!r} is no record accessor: write $key['inner'] or $key[0]")
    return tuple(found)


def template(text: str, groups: int) -> tuple[str | int, ...]:
    """The texts and group numbers of a replacement. Raises OptionError for a group that the expression has not."""
    parts: list[str | int] = []
    for found in re.finditer(r"%(.?)|[^%]+", text, re.DOTALL):
        mark = found[1]
        if mark is None or mark == "%":
            parts.append("%" if mark else found[0])
        elif mark.isascii() and mark.isdigit():
            number = int(mark)
            if number == 1 and groups == 0:
                number = 0
            if number > groups:
                raise OptionError(f"%{number} stands for a group that the expression does not have")
            parts.append(number)
        else:
            raise OptionError("after % there must be a digit or another %")
    return tuple(parts)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise OptionError(f"must be a text, not {_shown(value)}")
    if not value:
        raise OptionError("must not be empty")
    return value


def _from_json(value: object) -> object:
    # The original editor keeps lists and objects as JSON text.
    if not isinstance(value, str):
        return value
    try:
        found: object = json.loads(value)
    except ValueError:
        return value
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
