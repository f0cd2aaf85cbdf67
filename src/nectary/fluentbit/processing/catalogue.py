"""The rule types and their options as data: for editors that build forms from it, and for the documentation."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from nectary.fluentbit.processing.options import (
    Choice,
    Flag,
    Kind,
    Number,
    ObjectOf,
    Path,
    Regex,
    Scalar,
    Script,
    Template,
    Texts,
)
from nectary.fluentbit.processing.reading import option_fields
from nectary.fluentbit.processing.rules import RULE_TYPES, Options

# What `units.native_unit` makes of a rule on a key at the top.
_NATIVE: Final = {"delete": "content_modifier delete", "put": "content_modifier upsert"}


def catalogue() -> list[dict[str, Any]]:
    """Every rule type: ``{"type", "summary", "keepsState", "native", "options"}``, the options as
    ``{"name", "kind", "required", "default"}`` with ``choices`` or ``least`` and ``most`` where they have them.
    """
    return [_described(kind) for kind in RULE_TYPES.values()]


def _described(kind: type[Options]) -> dict[str, Any]:
    options = []
    for name, field, option_kind in option_fields(kind):
        required = field.default is dataclasses.MISSING
        option = {
            "name": name,
            "kind": kind_name(option_kind),
            "required": required,
            "default": None if required else field.default,
        }
        options.append({**option, **_bounds(option_kind)})
    summary = (kind.__doc__ or "").strip().removesuffix(".")
    native = _NATIVE.get(kind.type)
    return {"type": kind.type, "summary": summary, "keepsState": kind.keeps_state, "native": native, "options": options}


def kind_name(kind: Kind) -> str:
    """What a value of this kind is, in a word: key, regex, template, text, script, boolean, number, choice, list or object."""
    match kind:
        case Path(or_regex=True):
            return "key or regex"
        case Path(or_template=True):
            return "key or template"
        case Path():
            return "key"
        case Regex():
            return "regex"
        case Template():
            return "template"
        case Scalar(text_only=True):
            return "text"
        case Scalar():
            return "text or boolean"
        case Script():
            return "script"
        case Flag():
            return "boolean"
        case Number():
            return "number"
        case Choice():
            return "choice"
        case Texts(comma_separated=True):
            return "names"
        case Texts():
            return "list of keys"
        case ObjectOf():
            return "object"


def _bounds(kind: Kind) -> dict[str, Any]:
    if isinstance(kind, Choice):
        return {"choices": list(kind.words)}
    if isinstance(kind, Number):
        return {"least": kind.least, "most": kind.most}
    return {}
