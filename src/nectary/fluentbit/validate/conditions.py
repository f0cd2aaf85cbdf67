"""Conditions of processor units and routes: the operator, and rules of field, operator and value."""

import re

from nectary.fluentbit.document import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.validate import regexes
from nectary.fluentbit.validate.report import Report, shown, start

OPERATORS = ("eq", "neq", "gt", "lt", "gte", "lte", "regex", "not_regex", "in", "not_in")
ROUTE_CONTEXTS = frozenset(
    {
        *("metadata", "record_metadata", "attributes", "body", "record", "message", "record_body", "group_metadata"),
        *("group_attributes", "group_body", "otel_resource_attributes", "otel_scope_attributes", "otel_scope_name"),
        *("otel_scope_version", "otel_scope_metadata"),
    }
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?").fullmatch


def type_of(scalar: Scalar) -> str:
    """How the reader types a scalar inside processors and routes: "string", "number", "boolean" or "null"."""
    if not scalar.plain:
        return "string"
    if scalar.text in {"true", "false"}:
        return "boolean"
    if scalar.text in {"null", ""}:
        return "null"
    return "number" if len(scalar.text) < 400 and _NUMBER(scalar.text) else "string"


class Conditions:
    """One condition being checked; `route` says whose rules count. Lives as long as that check."""

    def __init__(self, report: Report, file: str, subject: str, *, route: bool = False) -> None:
        self.report = report
        self.file = file
        self.subject = subject
        self.route = route

    def _wrong(self, where: tuple[int, int], message: str, remedy: str = "") -> None:
        self.report.error((self.file, *where), "bad_condition", self.subject, message, remedy, Stage.LOAD)

    def check(self, node: Node) -> None:
        """A whole condition (flb_processor_unit_set_condition, parse_condition in src/flb_router_config.c)."""
        if not isinstance(node, MapNode):
            self._wrong(start(node), "a condition is a map with rules")
            return
        operator = node.get("op")
        if isinstance(operator, Scalar) and operator.text.lower() not in {"and", "or"}:
            where = operator.line, operator.column
            self._wrong(where, f"{shown(operator.text)} does not join rules", 'use "and" or "or"')
        default = node.get("default") if self.route else None
        rules = node.get("rules")
        if not isinstance(rules, ListNode) or not rules.items:
            if not (isinstance(default, Scalar) and default.text.lower() in {"true", "on", "yes", "1"}):
                self._wrong(start(node), "a condition needs a list of rules that is not empty", "add rules")
            return
        for rule in rules.items:
            self._rule(rule)

    def _rule(self, node: Node) -> None:
        if not isinstance(node, MapNode):
            self._wrong(start(node), "a rule is a map with field, op and value")
            return
        field, operator, value = node.get("field"), node.get("op"), node.get("value")
        for name, part in (("field", field), ("op", operator)):
            if not isinstance(part, Scalar) or type_of(part) != "string":
                self._wrong(start(node), f'this rule has no "{name}"', f'add "{name}"')
                return
        assert isinstance(operator, Scalar)
        word = operator.text.lower()
        if word not in OPERATORS:
            remedy = self.report.did_you_mean(word, OPERATORS) or "use one of " + ", ".join(OPERATORS)
            self._wrong((operator.line, operator.column), f"{shown(operator.text)} is no operator of a rule", remedy)
            return
        if value is None:
            self._wrong(start(node), 'this rule has no "value"', 'add "value"')
            return
        self._value(word, value)
        context = node.get("context")
        if self.route and context is not None and not (isinstance(context, Scalar) and context.text.lower() in ROUTE_CONTEXTS):
            self._wrong(start(context), "this is no part of a record", "use body or metadata")

    def _value(self, operator: str, value: Node) -> None:
        several = operator in {"in", "not_in"}
        if isinstance(value, ListNode):
            if not several and not self.route:
                self._wrong(start(value), f'"{operator}" takes one value, not a list', 'use "in" or "not_in" for a list')
            for item in value.items if not self.route else ():
                if not isinstance(item, Scalar) or type_of(item) != "string":
                    self._wrong(start(item), "a list of values holds only text", "put it in quotes")
        elif several and not self.route:
            self._wrong(start(value), f'"{operator}" takes a list of values', "write [a, b]")
        elif not isinstance(value, Scalar):
            self._wrong(start(value), "a rule compares with text or a number, not with a map")
        elif not self.route and type_of(value) in {"boolean", "null"}:
            self._wrong(start(value), f"{shown(value.text)} without quotes is no text and no number", "put it in quotes")
        elif operator in {"regex", "not_regex"} and (fault := regexes.fault(value.text)):
            where = (self.file, value.line, value.column)
            self.report.error(where, "bad_regex", self.subject, f"the regular expression is broken: {fault}", "", Stage.LOAD)
