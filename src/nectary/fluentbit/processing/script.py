"""Rule lists as Lua scripts for a stock Fluent Bit: the modules they need, the rules they use, and one cb_filter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

from nectary.fluentbit.processing.lua_text import LuaValue, Source, block, literal, quoted
from nectary.fluentbit.processing.options import Path, Script, Template, Texts, computation, steps, template
from nectary.fluentbit.processing.reading import Rule, in_regex_mode, is_regex, option_fields, parsed, pattern_of
from nectary.fluentbit.processing.rules import Aggregate, Options

CALL: Final = "cb_filter"
_MODULES: Final = ("records", "regex", "json", "csv", "digest")
_USES: Final = re.compile(r"-- uses: ([a-z ]+)\n")


def script(rules: Sequence[Rule], numbers: Sequence[int] | None = None) -> str:
    """The Lua source that does what the active rules say, top to bottom. `numbers`: their places in a longer list.

    It defines ``cb_filter(tag, ts, record)`` for the lua filter or processor, and ``cb_flush()``, which Fluent Bit never calls:
    it gives the records that rules still hold back, for a preview. The filter should have ``enable_flb_null`` on, else nulls
    get lost (plugins/filter_lua); time may come as a number or, with ``time_as_table``, as a table.
    """
    active = [(number, rule) for number, rule in zip(numbers or range(len(rules)), rules, strict=True) if rule.active]
    sources = {name: _rule_source(name) for name in sorted({rule.options.type for _, rule in active})}
    uses = {"records"}
    for source in sources.values():
        uses.update(_uses(source))
    if "json" in uses or "csv" in uses:
        uses.add("records")
    parts = [_heading(active)]
    parts.extend(module_source(name) for name in _MODULES if name in uses)
    parts.append(module_source("pipeline"))
    if sources:
        parts.append("-- The rules.\nlocal rules = {}\n")
        parts.extend(_USES.sub("", source) for source in sources.values())
    parts.append(_steps(active))
    parts.append(_ENTRY)
    return "\n".join(parts)


_ENTRY: Final = """\
function cb_filter(tag, ts, record) return pipeline.filter(steps, tag, ts, record) end

function cb_flush() return pipeline.flush(steps) end
"""


@cache
def module_source(name: str) -> str:
    """The Lua source of one module of the prelude: records, regex, json, csv, digest or pipeline."""
    return resources.files("nectary.fluentbit.processing").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@cache
def _rule_source(name: str) -> str:
    folder = resources.files("nectary.fluentbit.processing").joinpath("lua", "rules")
    return folder.joinpath(f"{name}.lua").read_text(encoding="utf-8")


def _uses(source: str) -> list[str]:
    found = _USES.match(source)
    return found[1].split() if found else []


def _heading(active: Iterable[tuple[int, Rule]]) -> str:
    lines = ["-- Processing rules, compiled by Nectary for the lua filter of Fluent Bit. Change the rules, not this file."]
    for index, rule in active:
        # Quoted, so that a comment stays on its line whatever it says.
        comment = f": {quoted(rule.comment)}" if rule.comment else ""
        lines.append(f"--   rule {index}: {rule.options.type}{comment}")
    return "\n".join(lines) + "\n"


def _steps(active: Iterable[tuple[int, Rule]]) -> str:
    lines = ["-- The steps, in order.", "local steps = {}"]
    for index, rule in active:
        name = quoted(f"rule {index} ({rule.options.type})")
        lines.append(f"\nsteps[#steps + 1] = rules.{rule.options.type}({literal(lua_options(rule.options))})")
        lines.append(f"steps[#steps].name = {name}")
    return "\n".join(lines) + "\n"


def lua_options(options: Options) -> Mapping[str, LuaValue]:
    """A rule's options as the Lua side reads them: paths as lists, expressions as matchers, templates as parts."""
    values: dict[str, LuaValue] = {}
    for name, field, kind in option_fields(type(options)):
        value = getattr(options, field.name)
        if value is None or name in ("regexEngine", "matchCase"):
            continue
        if is_regex(options, kind):
            values[name] = parsed(options, value).lua()
        elif isinstance(kind, Template):
            values[name] = template(value, pattern_of(options, kind.regex).groups)
        elif isinstance(kind, Path) and kind.or_template and in_regex_mode(options):
            values[name] = template(value, pattern_of(options, "src").groups)
        elif isinstance(kind, Path):
            values[name] = steps(value)
        elif isinstance(kind, Script):
            values[name] = Source(block(value))
        elif isinstance(kind, Texts) and kind.comma_separated:
            values[name] = [column.strip() for column in value.split(",")]
        else:
            values[name] = value
    if isinstance(options, Aggregate):
        values["keys"] = [steps(key) for key in options.keys]
        values["compute"] = [_metric(name, wanted) for name, wanted in options.compute.items()]
    return values


def _metric(name: str, wanted: object) -> Mapping[str, LuaValue]:
    func, key = computation(name, wanted)
    return {"name": name, "func": func, "path": steps(key) if key else None}
