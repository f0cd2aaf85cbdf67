"""Processors: units of work on an input's or output's logs, metrics or traces."""

from nectary.fluentbit.document import Property
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.schema import PluginSchema
from nectary.fluentbit.validate.conditions import Conditions
from nectary.fluentbit.validate.names import unknown_plugin
from nectary.fluentbit.validate.needs import lacking, parsers_and_patterns
from nectary.fluentbit.validate.report import Report, shown, start
from nectary.fluentbit.values import STRUCTURED

SIGNALS = ("logs", "metrics", "traces")


def check(report: Report, owner: str, prop: Property) -> None:
    """The `processors` of one plugin. owner: `input.tail`."""
    subject = f"{owner}.processors"
    node = prop.nested
    if not isinstance(node, MapNode):
        line, column = start(node) if node is not None else (prop.value_line, prop.value_column)
        report.error(
            (prop.file, line, column),
            "bad_structure",
            subject,
            "processors is a map of logs, metrics or traces",
            "",
            Stage.DRY_RUN,
        )
        return
    for key, units in node.pairs:
        signal = key.text.lower()
        where = (prop.file, key.line, key.column)
        if signal not in SIGNALS:
            remedy = report.did_you_mean(signal, SIGNALS) or "use logs, metrics or traces"
            report.error(where, "bad_structure", subject, f"{shown(key.text)} is no kind of telemetry", remedy, Stage.LOAD)
            continue
        if not isinstance(units, ListNode):
            report.error(
                (prop.file, *start(units)), "bad_structure", subject, f'"{key.text}" is a list of units', "", Stage.READ
            )
            continue
        for number, unit in enumerate(units.items):
            _unit(report, prop.file, f"{subject}.{signal}[{number}]", signal, unit)


def _unit(report: Report, file: str, subject: str, signal: str, node: Node) -> None:
    if not isinstance(node, MapNode):
        report.error((file, *start(node)), "bad_structure", subject, "a unit is a map with a name", "", Stage.READ)
        return
    name = next((value for key, value in node.pairs if key.text.lower() == "name"), None)
    if not isinstance(name, Scalar) or not name.text:
        report.error(
            (file, *start(node)), "missing_name", subject, "this unit has no name", "name a processor or filter", Stage.LOAD
        )
        return
    final = report.final(name.text)
    if final is None:
        return
    where = (file, name.line, name.column)
    plugin = report.schema.plugin("processor", final)
    if plugin is None:
        unknown_plugin(report, "processor", final, where)
        return
    if plugin.signals and signal not in plugin.signals:
        message, remedy = f'"{plugin.name}" does not work on {signal}', f"it works on {', '.join(sorted(plugin.signals))}"
        if plugin.kind == "filter":
            report.error(where, "processor_signal", subject, message, remedy, Stage.LOAD)
            return
        # A native processor is created all the same, and does nothing with what it has no callback for.
        report.warn(where, "processor_signal", subject, message, remedy)
    for key, value in node.pairs:
        _option(report, (file, subject), plugin, key, value)
    _needs(report, (file, *start(node)), node, plugin)


def _option(report: Report, at: tuple[str, str], plugin: PluginSchema, key: Scalar, value: Node) -> None:
    file, subject = at
    name = key.text.lower()
    if name == "name":
        return
    if name == "condition" and (plugin.kind == "processor" or isinstance(value, MapNode)):
        Conditions(report, file, f"{subject}.condition").check(value)
        return
    rule = plugin.rule(name)
    about = f"processor.{plugin.name}.{key.text[:200]}"
    if rule is None:
        if not (plugin.unchecked or (report.schema.product and name.startswith("core."))):
            remedy = report.did_you_mean(name, plugin.rules)
            message = f"unknown option {shown(key.text)} of the processor {plugin.name}"
            report.error((file, key.line, key.column), "unknown_property", about, message, remedy, Stage.START)
        return
    if rule.value.name in STRUCTURED:
        return
    for item in value.items if isinstance(value, ListNode) else (value,):
        if not isinstance(item, Scalar):
            message = f'"{key.text}" of {plugin.name} takes text, not a list or map'
            report.error((file, *start(item)), "bad_structure", about, message, "", Stage.START)
            continue
        text = report.final(item.text)
        if text is not None and (wants := rule.value.problem(text)):
            message = f'"{key.text}" of {plugin.name} cannot be {shown(text)}'
            stage = Stage.START if rule.value.fatal else Stage.NEVER
            report.error((file, item.line, item.column), "bad_value", about, message, f"it takes {wants}", stage)
        elif text and name != "match_regex":
            prop = Property(key.text, name, item.text, file, key.line, key.column, item.line, item.column)
            parsers_and_patterns(report, plugin, prop, text)


def _needs(report: Report, where: tuple[str, int, int], node: MapNode, plugin: PluginSchema) -> None:
    given = {key.text.lower(): value.text if isinstance(value, Scalar) else "" for key, value in node.pairs}
    for group in lacking(plugin, given, lambda option: report.final(given[option])):
        subject = f"processor.{plugin.name}.{'|'.join(group)}"
        message = f"the processor {plugin.name} needs {' or '.join(group)}"
        report.error(where, "missing_property", subject, message, f"add {group[0]}", Stage.START)
