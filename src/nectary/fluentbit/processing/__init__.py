"""Processing rules: what people say should happen to their records, compiled to what a stock Fluent Bit runs."""

from nectary.fluentbit.processing.reading import Rule, RuleError, as_json, read_rule, read_rules, read_unit
from nectary.fluentbit.processing.rules import RULE_TYPES, Options
from nectary.fluentbit.processing.script import CALL, script

__all__ = ["CALL", "RULE_TYPES", "Options", "Rule", "RuleError", "as_json", "read_rule", "read_rules", "read_unit", "script"]
