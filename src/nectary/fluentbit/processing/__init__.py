"""Processing rules: what people say should happen to their records, compiled to what a stock Fluent Bit runs."""

from nectary.fluentbit.processing.actions import (
    Action,
    ActionError,
    ActionRule,
    Materialised,
    actions_script,
    materialise,
    read_action_rule,
    read_actions,
)
from nectary.fluentbit.processing.catalogue import catalogue
from nectary.fluentbit.processing.reading import Rule, RuleError, as_json, read_rule, read_rules, read_unit
from nectary.fluentbit.processing.rules import RULE_TYPES, Options
from nectary.fluentbit.processing.script import CALL, script
from nectary.fluentbit.processing.templates import STATIC_TEMPLATES
from nectary.fluentbit.processing.units import lua_filter, processors

__all__ = [
    "CALL",
    "RULE_TYPES",
    "STATIC_TEMPLATES",
    "Action",
    "ActionError",
    "ActionRule",
    "Materialised",
    "Options",
    "Rule",
    "RuleError",
    "actions_script",
    "as_json",
    "catalogue",
    "lua_filter",
    "materialise",
    "processors",
    "read_action_rule",
    "read_actions",
    "read_rule",
    "read_rules",
    "read_unit",
    "script",
]  # fmt: skip
