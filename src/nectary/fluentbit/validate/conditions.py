"""Conditions of processor units and routes: the operator, and rules of field, operator and value."""

import re
import struct

from nectary.fluentbit.findings import Stage
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
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
_SEVERAL = frozenset({"in", "not_in"})
_ORDERED = frozenset({"gt", "lt", "gte", "lte"})
_WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
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

    def _wrong(self, where: tuple[int, int], message: str, remedy: str = "", stage: Stage = Stage.LOAD) -> None:
        self.report.error((self.file, *where), "bad_condition", self.subject, message, remedy, stage)

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
        if default is not None and not (isinstance(default, Scalar) and default.text.lower() in {"true", "false"}):
            self._wrong(start(default), '"default" is true or false')
        rules = node.get("rules")
        if not isinstance(rules, ListNode) or not rules.items:
            if not (isinstance(default, Scalar) and default.text.lower() == "true"):
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
            # A route with such a rule is taken and never fits.
            stage = Stage.NEVER if self.route else Stage.LOAD
            self._wrong((operator.line, operator.column), f"{shown(operator.text)} is no operator of a rule", remedy, stage)
        elif value is not None:
            self._value(word, value)
        if value is None:
            self._wrong(start(node), 'this rule has no "value"', 'add "value"')
        context = node.get("context")
        if self.route and context is not None and not (isinstance(context, Scalar) and context.text.lower() in ROUTE_CONTEXTS):
            self._wrong(start(context), "this is no part of a record", "use body or metadata")

    def _value(self, operator: str, value: Node) -> None:
        if isinstance(value, ListNode):
            self._list(operator, value)
        elif not isinstance(value, Scalar):
            self._wrong(start(value), "a rule compares with text or a number, not with a map")
        elif self.route:
            if type_of(value) == "null":
                self._wrong(start(value), "a rule compares with text or a number", "put it in quotes")
        elif operator in _SEVERAL:
            self._wrong(start(value), f'"{operator}" takes a list of values', "write [a, b]")
        elif type_of(value) in {"boolean", "null"}:
            self._wrong(start(value), f"{shown(value.text)} without quotes is no text and no number", "put it in quotes")
        else:
            self._number(operator, value)
        if isinstance(value, Scalar) and operator in {"regex", "not_regex"} and (fault := regexes.fault(value.text)):
            where = (self.file, value.line, value.column)
            self.report.error(where, "bad_regex", self.subject, f"the regular expression is broken: {fault}", "", Stage.LOAD)

    def _list(self, operator: str, value: ListNode) -> None:
        if not value.items:
            self._wrong(start(value), "this list of values is empty", "add values")
        elif operator not in _SEVERAL and not self.route:
            self._wrong(start(value), f'"{operator}" takes one value, not a list', 'use "in" or "not_in" for a list')
        for item in value.items if not self.route else ():
            if not isinstance(item, Scalar) or type_of(item) != "string":
                self._wrong(start(item), "a list of values holds only text", "put it in quotes")

    def _number(self, operator: str, value: Scalar) -> None:
        """Values that the processor core hands on as raw memory (flb_processor_unit_set_condition, rule_create).

        Seen with 5.1.1: `gt` takes the bytes for a decimal number, whatever they are, so only 5.0 works and 5 counts as
        about 0; `eq` takes them for text, so a number fits nothing, and one whose first byte is 0 (256, 1.5) stops the load.
        """
        text, where = value.text, (value.line, value.column)
        if operator in _ORDERED:
            if _raw(value) is None or _WHOLE(text):
                message = f'"{operator}" misreads {shown(text)}: Fluent Bit compares only with decimal numbers'
                remedy = f"write {text}.0" if _WHOLE(text) else "write a number such as 5.0, without quotes"
                self.report.warn((self.file, *where), "misread_number", self.subject, message, remedy)
        elif _raw(value) is not None:
            if _raw(value) == 0:
                self._wrong(where, f'"{operator}" cannot be compared with the number {shown(text)}', "put it in quotes")
                return
            message = f'"{operator}" compares text, and Fluent Bit misreads the number {shown(text)}'
            self.report.warn((self.file, *where), "misread_number", self.subject, message, "put it in quotes")
        elif not text:
            self._wrong(where, f'"{operator}" cannot be compared with empty text', "give it a value")


def _raw(value: Scalar) -> int | None:
    """The first byte in memory of what a plain number becomes: a 64-bit integer or a double. None for text."""
    if type_of(value) != "number":
        return None
    if _WHOLE(value.text) and len(value.text) < 20:
        return int(value.text) & 0xFF
    return struct.pack("<d", float(value.text))[0]
