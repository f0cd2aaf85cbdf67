"""Rule lists as parts of a Fluent Bit configuration: one lua filter, or processors, native where one does exactly the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, TypeAlias

from nectary.fluentbit.processing.reading import Rule
from nectary.fluentbit.processing.rules import CustomScript, Delete, Options, Put
from nectary.fluentbit.processing.script import CALL, script

Unit: TypeAlias = dict[str, str]

# Text that Fluent Bit's reader or Nectary's templates would replace in a property's value.
_REPLACED: Final = ("${", "{{")


def lua_filter(rules: Sequence[Rule], *, match: str, script_path: str) -> Unit:
    """The properties of the filter that runs the script of the rules, kept in a file at `script_path`."""
    return {"name": "lua", "match": match, "script": script_path, **_lua_options(rules)}


def processors(rules: Sequence[Rule], *, native: bool = True) -> list[Unit]:
    """Processor units for ``processors: {logs: [...]}`` that together do what the active rules say, in order.

    `put` of a text and `delete`, on a key at the top, become content_modifier units (actions upsert and delete): these are
    exactly the same on every record (plugins/processor_content_modifier/cm_logs.c) and spare the record Lua, where whole
    numbers beyond 2^53 lose digits. Nothing else in stock Fluent Bit is exact: content_modifier's rename leaves two keys of one
    name where the new one exists, its hash takes the raw bytes of numbers; grep reads strings only; the sampling processor
    is for traces. All other rules share one lua unit per stretch. Rules before a custom script stay with it: the script is
    told whether they changed the record.
    """
    active = [place for place, rule in enumerate(rules) if rule.active]
    last_script = max((place for place in active if isinstance(rules[place].options, CustomScript)), default=-1)

    def made(place: int) -> Unit | None:
        return native_unit(rules[place].options) if native and place > last_script else None

    units: list[Unit] = []
    for is_native, stretch in groupby(active, key=lambda place: made(place) is not None):
        places = list(stretch)
        if is_native:
            units.extend(unit for place in places if (unit := made(place)))
        else:
            run = [rules[place] for place in places]
            units.append({"name": "lua", **_lua_options(run), "code": script(run, places)})
    return units


def native_unit(options: Options) -> Unit | None:
    """The native processor that does exactly what a rule does, or None."""
    if isinstance(options, Delete) and _plain(options.key):
        return {"name": "content_modifier", "action": "delete", "key": options.key}
    if isinstance(options, Put) and _plain(options.key) and isinstance(options.value, str) and _plain(options.value):
        return {"name": "content_modifier", "action": "upsert", "key": options.key, "value": options.value}
    return None


def _plain(text: str) -> bool:
    """Whether a value reaches the plugin as it is: not an accessor, printable, nothing that a reader trims or replaces."""
    return (
        bool(text)
        and text == text.strip()
        and text.isprintable()
        and text[0] != "$"
        and not any(mark in text for mark in _REPLACED)
    )


def _lua_options(rules: Sequence[Rule]) -> Unit:
    options = {"call": CALL, "enable_flb_null": "true"}
    if any(rule.options.exact_time for rule in rules if rule.active):
        options["time_as_table"] = "true"
    return options
