"""Routes: which outputs an input's records go to, by condition, without tags."""

from nectary.fluentbit.document import Property
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.validate.conditions import Conditions
from nectary.fluentbit.validate.report import Report, shown, start, targets

_SIGNALS = frozenset({"logs", "metrics", "traces", "any"})
_ROUTE_KEYS = ("name", "condition", "per_record_routing", "processors", "to")
_FIELDS = {
    # The only roots a rule's field may have per signal (validate_rule_field in src/flb_router_config.c).
    "metrics": ("$metric.", "$resource[", "$attributes["),
    "traces": ("$span.", "$resource[", "$scope["),
}
_NOT_IN_LOGS = ("$metric.", "$span.", "$scope.")


def check(report: Report, owner: str, prop: Property) -> None:
    """The `routes` of one input. The real program stops on a mistake here without a word of explanation."""
    subject = f"{owner}.routes"
    if not isinstance(prop.nested, MapNode):
        where = (prop.file, *(start(prop.nested) if prop.nested else (prop.value_line, prop.value_column)))
        report.error(where, "bad_structure", subject, "routes is a map of logs, metrics, traces or any", "", Stage.LOAD)
        return
    routes_seen: set[str] = set()
    for key, node in prop.nested.pairs:
        signals = {part for part in key.text.lower().replace(",", " ").replace("|", " ").replace("+", " ").split() if part}
        if not signals or not signals <= _SIGNALS:
            message = f"{shown(key.text)} is no kind of telemetry"
            where = (prop.file, key.line, key.column)
            report.error(where, "bad_structure", subject, message, "use logs, metrics, traces or any", Stage.LOAD)
            continue
        routes = node.items if isinstance(node, ListNode) else (node,)
        if not routes:
            report.error((prop.file, *start(node)), "bad_structure", subject, "this list of routes is empty", "", Stage.LOAD)
        for route in routes:
            _targets(report, prop.file, subject, route)
            _named(report, prop.file, subject, route, routes_seen)
            _route(report, prop.file, subject, route, signals)


def _named(report: Report, file: str, subject: str, node: Node, names: set[str]) -> None:
    """A route is a map with a name of its own."""
    if not isinstance(node, MapNode):
        report.error((file, *start(node)), "bad_structure", subject, "a route is a map with a name and to", "", Stage.LOAD)
        return
    name = node.get("name")
    if not isinstance(name, Scalar) or not name.text:
        report.error((file, *start(node)), "missing_name", subject, "this route has no name", 'add "name"', Stage.LOAD)
    elif name.text in names:
        where = (file, name.line, name.column)
        message = f"a second route called {shown(name.text)}"
        report.error(where, "duplicate_name", subject, message, "give it another name", Stage.LOAD)
    else:
        names.add(name.text)


def _route(report: Report, file: str, subject: str, node: Node, signals: set[str]) -> None:
    if not isinstance(node, MapNode):
        return
    for key, _ in node.pairs:
        if key.text.lower() not in _ROUTE_KEYS:
            remedy = report.did_you_mean(key.text, _ROUTE_KEYS)
            where = (file, key.line, key.column)
            report.warn(
                where, "unknown_property", f"{subject}.{key.text[:200]}", f"unknown part {shown(key.text)} of a route", remedy
            )
    _units(report, file, subject, node.get("processors"))
    condition = node.get("condition")
    if condition is not None:
        Conditions(report, file, f"{subject}.condition", route=True).check(condition)
        _fields(report, file, f"{subject}.condition", condition, signals)


def _units(report: Report, file: str, subject: str, node: Node | None) -> None:
    """A route's own processors: a list of maps with a name (parse_processors in src/flb_router_config.c)."""
    if node is None:
        return
    if not isinstance(node, ListNode):
        report.error((file, *start(node)), "bad_structure", subject, "processors of a route is a list of units", "", Stage.LOAD)
        return
    for unit in node.items:
        if not isinstance(unit, MapNode) or not isinstance(unit.get("name"), Scalar):
            report.error((file, *start(unit)), "missing_name", subject, "this unit has no name", 'add "name"', Stage.LOAD)


def _fields(report: Report, file: str, subject: str, condition: Node, signals: set[str]) -> None:
    rules = condition.get("rules") if isinstance(condition, MapNode) else None
    if "any" in signals or not isinstance(rules, ListNode):
        return
    for rule in rules.items:
        field = rule.get("field") if isinstance(rule, MapNode) else None
        if not isinstance(field, Scalar):
            continue
        in_logs = "logs" in signals and not field.text.startswith(_NOT_IN_LOGS)
        if not in_logs and not any(field.text.startswith(_FIELDS[signal]) for signal in signals & set(_FIELDS)):
            roots = ", ".join(root for signal in sorted(signals & set(_FIELDS)) for root in _FIELDS[signal])
            message = f"{shown(field.text)} is no field of {' and '.join(sorted(signals))}"
            remedy = f"start it with one of {roots}" if roots else ""
            report.error((file, field.line, field.column), "bad_condition", subject, message, remedy, Stage.LOAD)


def _targets(report: Report, file: str, subject: str, node: Node) -> None:
    if not isinstance(node, MapNode):
        return
    to = node.get("to")
    outputs = to.get("outputs") if isinstance(to, MapNode) else to
    items = outputs.items if isinstance(outputs, ListNode) else (outputs,) if outputs is not None else ()
    if not items:
        where = (file, *start(to if to is not None else node))
        report.error(
            where, "missing_property", f"{subject}.to", "this route goes nowhere", "add to: {outputs: [NAME]}", Stage.LOAD
        )
        return
    for item in items:
        if isinstance(item, ListNode) or (isinstance(item, MapNode) and not isinstance(item.get("name"), Scalar)):
            report.error(
                (file, *start(item)),
                "bad_structure",
                f"{subject}.to",
                "an output is a name, or a map with a name",
                "",
                Stage.LOAD,
            )
    for target in targets(node):
        if target.text not in report.output_names:
            remedy = report.did_you_mean(target.text, report.output_names)
            where = (file, target.line, target.column)
            report.warn(where, "unknown_output", f"{subject}.to", f"no output is called {shown(target.text)}", remedy)
