"""Processing rules as the first API version had them: six actions on the keys at the top of a record, kept as a Lua file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nectary.fluentbit.processing.lua_text import quoted

CALL: Final = "processing_rule"
FILE_NAME: Final = "processing-rule"
KINDS: Final = ("add", "rename", "copy", "mask", "remove", "skip")
DESCRIPTION_LIMIT: Final = 100

# What a product template {{ files.NAME }} recognises: letters or digits, then parts of three or four letters.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z]{3,4})*\Z")


class ActionError(ValueError):
    """A rule that the published API refuses: its own sentence, and the index of the action at fault (None: the rule)."""

    def __init__(self, sentence: str, index: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence, self.index = sentence, index


@dataclass(frozen=True)
class Action:
    """One step: what to do (`kind`) with which keys (`keys`, its selectors), and the argument its kind needs."""

    kind: str
    keys: tuple[str, ...] = ()
    enabled: bool = False
    description: str = ""
    key: str = ""
    value: str = ""


@dataclass(frozen=True)
class ActionRule:
    """A rule of the first API version: what it matches and the actions it runs, top to bottom."""

    match: str
    is_match_regexp: bool
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Materialised:
    """What a rule becomes in its pipeline: a file, and a config section of kind filter that uses it."""

    file_name: str
    contents: str
    kind: str
    properties: tuple[tuple[str, str], ...]


def read_action_rule(body: Mapping[str, Any]) -> ActionRule:
    """A rule from the API's ``{match, isMatchRegexp, language, actions}``. Raises ActionError.

    Checked in the order in which the original answered: match, language, then each action's description, kind, selectors
    (kind, op, expr) and arguments.
    """
    match = body.get("match")
    if not isinstance(match, str) or not match.strip() or not match.isprintable():
        raise ActionError("invalid processing rule match")
    return ActionRule(match, body.get("isMatchRegexp") is True, read_actions(body))


def read_actions(body: Mapping[str, Any]) -> tuple[Action, ...]:
    """The actions of ``{language, actions}``, as the preview gets them too. Raises ActionError."""
    if body.get("language") != "lua":
        raise ActionError("invalid processing rule language")
    return tuple(_action(index, action) for index, action in enumerate(body.get("actions") or []))


def _action(index: int, action: Mapping[str, Any]) -> Action:
    description = action.get("description") or ""
    if not isinstance(description, str) or len(description) > DESCRIPTION_LIMIT:
        raise ActionError("invalid processing rule action desc", index)
    kind = action.get("kind")
    if kind not in KINDS:
        raise ActionError("invalid processing rule action kind", index)
    keys = _selected(index, action.get("selectors") or [])
    key, value = _arguments(index, kind, action)
    return Action(kind, keys, action.get("enabled") is True, description, key, value)


def _selected(index: int, selectors: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    keys: list[str] = []
    for selector in selectors:
        if selector.get("kind") != "key":
            raise ActionError("invalid processing rule action selector kind", index)
        if selector.get("op") != "equal":
            raise ActionError("invalid processing rule action selector op", index)
        expr = selector.get("expr")
        if not isinstance(expr, str) or not expr:
            raise ActionError("invalid processing rule action selector expr", index)
        keys.append(expr)
    return tuple(keys)


def _arguments(index: int, kind: str, action: Mapping[str, Any]) -> tuple[str, str]:
    """The argument of a kind as (key, value). A name must not be empty; a value may be."""
    added = action.get("add") or {}
    key, value = {
        "add": (added.get("key"), added.get("value")),
        "rename": (action.get("renameTo"), ""),
        "copy": (action.get("copyAs"), ""),
        "mask": ("-", action.get("maskWith")),
    }.get(kind, ("-", ""))
    if not isinstance(key, str) or not key or not isinstance(value, str):
        raise ActionError("invalid processing rule action args", index)
    return key, value


def actions_script(actions: Sequence[Action]) -> str:
    """The Lua file of a rule: ``processing_rule(tag, ts, record)``, one paragraph per enabled action.

    A record that nothing applied to is kept as it was (code 0), so that Fluent Bit leaves its bytes alone. A time or null
    needs no care here: nothing changes the one, and stock Fluent Bit drops the other from records that a script changes unless
    the section says enable_flb_null.
    """
    lines = [
        "-- A processing rule, compiled by Nectary for the lua filter of Fluent Bit. Change the rule, not this file.",
        f"function {CALL}(tag, ts, record)",
        "  local changed, value = false, nil",
    ]
    for number, action in enumerate(actions, 1):
        state = "" if action.enabled else " (not enabled)"
        description = f": {quoted(action.description)}" if action.description else ""
        lines += ["", f"  -- {number}. {action.kind}{state}{description}"]
        if action.enabled:
            lines += _action_lines(action)
    lines += ["", "  if changed then return 2, ts, record end", "  return 0, ts, record", "end", ""]
    return "\n".join(lines)


def _action_lines(action: Action) -> list[str]:
    if action.kind == "add":
        return [f"  record[{quoted(action.key)}] = {quoted(action.value)}", "  changed = true"]
    lines: list[str] = []
    for key in action.keys:
        place = f"record[{quoted(key)}]"
        if action.kind == "skip":
            lines.append(f"  if {place} ~= nil then return -1, ts, record end")
            continue
        lines += [f"  value = {place}", "  if value ~= nil then"]
        if action.kind in ("rename", "remove"):
            lines.append(f"    {place} = nil")
        if action.kind in ("rename", "copy"):
            lines.append(f"    record[{quoted(action.key)}] = value")
        if action.kind == "mask":
            lines.append(f"    {place} = {quoted(action.value)}")
        lines += ["    changed = true", "  end"]
    return lines


def materialise(rule: ActionRule, *, file_name: str = FILE_NAME, keep_nulls: bool = False) -> Materialised:
    """The file and filter section of a rule. ``keep_nulls`` adds enable_flb_null, which Fluent Bits before it would refuse.

    Raises ValueError for a file name that a ``{{ files.NAME }}`` reference would not recognise.
    """
    if not _FILE_NAME.match(file_name):
        raise ValueError(f"{file_name!r} cannot be used in a reference: letters and digits, then -abc or -abcd parts")
    properties = [
        ("name", "lua"),
        ("match_regex" if rule.is_match_regexp else "match", rule.match),
        ("script", "{{files." + file_name + "}}"),
        ("call", CALL),
    ]
    if keep_nulls:
        properties.append(("enable_flb_null", "true"))
    return Materialised(file_name, actions_script(rule.actions), "filter", tuple(properties))
