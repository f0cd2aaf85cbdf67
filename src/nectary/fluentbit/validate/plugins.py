"""Customs, inputs, filters and outputs: does the plugin exist, does it know these options, can it take these values."""

from collections.abc import Callable

from nectary.fluentbit.document import Kind, Property, Section
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.nodes import ListNode, MapNode
from nectary.fluentbit.schema import PluginSchema, Rule
from nectary.fluentbit.validate import needs, processors, routes, telemetry
from nectary.fluentbit.validate.names import unknown_plugin
from nectary.fluentbit.validate.report import Report, key_place, shown, value_place
from nectary.fluentbit.values import fails_load

_NESTED: dict[tuple[str, str], Callable[[Report, str, Property], None]] = {
    ("input", "processors"): processors.check,
    ("output", "processors"): processors.check,
    ("input", "routes"): routes.check,
    ("input", "telemetry"): telemetry.check_input,
}

_EMPTY_IS_FINE = {
    # Core text options that take "" for "not set"; with the others an empty value falls through to the plugin's own table and
    # is refused there as unknown (flb_input_set_property, flb_output_set_property).
    "input": frozenset({"host", "listen", "port"}),
    "output": frozenset({"match", "host", "port", "retry_limit"}),
}


def check(report: Report, section: Section) -> None:
    """Everything about one plugin section."""
    kind = section.kind.value
    found = None
    for prop in section.properties:
        if prop.name == "name":
            found = prop
            break
    if found is None:
        report.error(
            section.place, "missing_name", kind, f'this {kind} has no "name", so nobody knows which plugin it is',
            f'add "name" with one of the {kind} plugins', Stage.LOAD,
        )  # fmt: skip
        return
    if found.nested is not None or not found.value:
        report.error(value_place(found), "empty_value", f"{kind}.name", "the name of the plugin is empty", "", Stage.LOAD)
        return
    name = found.value
    plugin = report.plugin(kind, name)
    if plugin is None:
        final = report.final(name)
        if final is None:
            return
        name = final
        plugin = report.plugin(kind, name)
    if plugin is None:
        unknown_plugin(report, kind, name, value_place(found))
        return
    if plugin.build not in {"release", "optional"}:
        report.warn(
            value_place(found), "plugin_not_built", f"{kind}.{plugin.name}",
            f'the {kind} "{plugin.name}" is only in the {plugin.build} build of Fluent Bit', "", Stage.LOAD,
        )  # fmt: skip
    properties(report, section, plugin, name)


def properties(report: Report, section: Section, plugin: PluginSchema, name: str) -> None:
    """The options of a section whose plugin is known. This is where the time goes, so the common case is short."""
    rules = plugin.rules
    names = []
    for prop in section.properties:
        _, option, value, _, _, _, _, _, nested, _ = prop
        names.append(option)
        if nested is not None:
            _nested(report, section, plugin, prop)
            continue
        rule = rules.get(option)
        if rule is None:
            if option == "name":
                continue
            rule = plugin.rule(option)
            if rule is None:
                if not plugin.unchecked:
                    _unknown(report, plugin, prop)
                continue
        accepts = rule.value.accepts
        if not value:
            _empty(report, plugin, prop, rule)
        elif accepts is None:
            if "${" in value:
                _unset(report, plugin, prop, rule)
        elif not accepts(value):
            _value(report, plugin, prop, rule)
    if section.groups:
        _groups(report, section, plugin)
    distinct = set(names)
    if len(distinct) != len(names) and not plugin.unchecked:
        _repeats(report, section, plugin)
    needs.check(report, section, plugin, name, distinct)


def _subject(plugin: PluginSchema, prop: Property) -> str:
    return f"{plugin.kind}.{plugin.name}.{prop.name[:200]}"


def _unknown(report: Report, plugin: PluginSchema, prop: Property) -> None:
    """An option the plugin does not know. oauth2.* and http_server.* are looked at when it starts, the rest by the dry run."""
    name = prop.name
    if report.schema.product and name.startswith("core."):
        return
    late = name.startswith("oauth2") and plugin.kind in {"input", "output"}
    # Without a value the core does not take them aside, and the plugin's own table refuses them.
    late = (late or (name.startswith("http_server.") and "http_server" in plugin.groups)) and report.final(prop.value) != ""
    stage = Stage.START if late or "{{" in prop.value else Stage.DRY_RUN
    if plugin.kind == "output" and name.startswith("_debug.http."):
        return
    if name.startswith("net.") and not plugin.network:
        remedy = f'"{plugin.name}" does not use the network'
    elif name in plugin.prefixes:
        remedy = f'write the rest of the name after "{prop.key}"'
    else:
        remedy = report.did_you_mean(name, plugin.rules)
    report.error(
        key_place(prop),
        "unknown_property",
        _subject(plugin, prop),
        f"unknown option {shown(prop.key)} of {plugin.name}",
        remedy,
        stage,
    )


def _unset(report: Report, plugin: PluginSchema, prop: Property, rule: Rule) -> None:
    """Text that is only a variable which has no value counts as empty."""
    if report.final(prop.value) == "":
        _empty(report, plugin, prop, rule)


def _empty(report: Report, plugin: PluginSchema, prop: Property, rule: Rule) -> None:
    """An empty value: refused by the core for most of its options, fine for text of the plugin's own."""
    if plugin.unchecked:
        return
    name, kind = prop.name, plugin.kind
    message = f'"{prop.key}" is empty'
    if kind in _EMPTY_IS_FINE and rule.origin in {"core", "net", "oauth2", "http_server"}:
        if name in _EMPTY_IS_FINE[kind] or (name.startswith("tls.") and rule.value.accepts is None):
            return
        message += ", which Fluent Bit takes for an unknown option"
        stage = Stage.DRY_RUN
    elif rule.strict_at_load and fails_load(name, ""):
        stage = Stage.LOAD
    else:
        if rule.value.accepts is not None and not prop.value and rule.origin != "core":
            _value(report, plugin, prop, rule)
        return
    where = value_place(prop) if prop.value or _is_written(report, prop) else key_place(prop)
    report.error(where, "empty_value", _subject(plugin, prop), message, "give it a value or leave it out", stage)


def _is_written(report: Report, prop: Property) -> bool:
    """Whether something (quotes) stands where the empty value is, so that a finger can point at it."""
    lines = report.lines(prop.file)
    line = lines[prop.value_line - 1] if 0 < prop.value_line <= len(lines) else ""
    return line[prop.value_column - 1 : prop.value_column] in {'"', "'", "|", ">", "["}


def _value(report: Report, plugin: PluginSchema, prop: Property, rule: Rule) -> None:
    """A value that is not of the option's type, once variables are put in."""
    value = report.final(prop.value)
    if value is None or rule.value.problem(value) is None:
        return
    if value == "" and prop.value:
        _empty(report, plugin, prop, rule)
        return
    value_rule = rule.value
    if value_rule.name.startswith("space") and not rule.option.repeatable:
        return  # only checked for options that may be repeated (flb_config_map_set)
    stage = Stage.START if value_rule.fatal and rule.origin != "core" else Stage.NEVER
    if rule.strict_at_load and fails_load(prop.name, value):
        stage = Stage.LOAD
    kind = "bad_port" if value_rule.name == "port" and value.lstrip("+-").isdigit() else "bad_value"
    message = f'"{prop.key}" of {plugin.name} cannot be {shown(value)}'
    remedy = f"it takes {value_rule.wants}"
    if kind == "bad_port" and len(value) < 12:
        message += f": Fluent Bit would use port {int(value) % 65536}"
    place = value_place(prop)
    if prop.name == "retry_limit":
        report.warn(place, kind, _subject(plugin, prop), message + "; it would count as 1", remedy)
    else:
        report.error(place, kind, _subject(plugin, prop), message, remedy, stage)


def _nested(report: Report, section: Section, plugin: PluginSchema, prop: Property) -> None:
    """A list or map as a value: for the few options that have a structure, and a mistake for all others."""
    node = prop.nested
    if isinstance(node, ListNode) and not node.items and (plugin.kind, prop.key) not in _NESTED:
        report.error(
            value_place(prop),
            "empty_value",
            _subject(plugin, prop),
            f'"{prop.key}" is an empty list',
            "leave it out",
            Stage.LOAD,
        )
        return
    handler = _NESTED.get((plugin.kind, prop.key))
    if handler is not None:
        handler(report, f"{plugin.kind}.{plugin.name}", prop)
        return
    if prop.name == "processors" and section.kind is Kind.FILTER:
        report.error(
            key_place(prop), "processors_on_filter", _subject(plugin, prop), "filters do not run processors, they are ignored",
            "put them on an input or output", Stage.NEVER,
        )  # fmt: skip
        return
    what = "a map" if isinstance(node, MapNode) else "a list of maps"
    report.error(
        key_place(prop), "bad_structure", _subject(plugin, prop), f'"{prop.key}" of {plugin.name} cannot be {what}',
        "it takes text", Stage.LOAD,
    )  # fmt: skip


def _groups(report: Report, section: Section, plugin: PluginSchema) -> None:
    """A map under an option nobody reads as one: fatal in YAML; a classic `[My Group]` is kept and not used."""
    for group in section.groups:
        subject = f"{plugin.kind}.{plugin.name}.{group.key[:200]}"
        if report.classic:
            message = f"no plugin uses the group {shown(group.key)}"
            report.warn(group.place, "unused_group", subject, message, "write its keys as options, or remove it")
        else:
            message = f'"{group.key}" of {plugin.name} cannot be a map'
            report.error(group.place, "bad_structure", subject, message, "it takes text", Stage.LOAD)


def _repeats(report: Report, section: Section, plugin: PluginSchema) -> None:
    """Options set more than once that are meant once: the plugin refuses, the core lets the last win, `name` the first."""
    seen: set[str] = set()
    told: set[str] = set()
    for prop in section.properties:
        name = prop.name
        if name not in seen:
            seen.add(name)
            continue
        rule = plugin.rule(name)
        if name == "name":
            message = "a second name: Fluent Bit takes the first one"
            report.warn(key_place(prop), "duplicate_property", f"{plugin.kind}.{plugin.name}.name", message, "remove it")
        elif rule is None or rule.option.repeatable or rule.origin == "unchecked" or name in told:
            continue
        elif rule.origin in {"core", "http_server"} or prop.nested is not None:
            message = f'"{prop.key}" is set again: the last one counts'
            report.warn(key_place(prop), "duplicate_property", _subject(plugin, prop), message, "remove one of them")
        else:
            told.add(name)
            stage = Stage.START if rule.origin == "oauth2" else Stage.DRY_RUN
            message = f'"{prop.key}" of {plugin.name} is set more than once'
            report.error(key_place(prop), "duplicate_property", _subject(plugin, prop), message, "remove all but one", stage)
