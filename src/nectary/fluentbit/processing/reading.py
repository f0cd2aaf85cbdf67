"""From the JSON of a rule list to typed rules; each mistake names its rule and option."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from nectary.fluentbit.processing import patterns
from nectary.fluentbit.processing.options import Kind, OptionError, Path, Regex, Template, steps, template
from nectary.fluentbit.processing.patterns import Pattern, PatternError
from nectary.fluentbit.processing.rules import RULE_TYPES, Options

RULES_LIMIT: Final = 200
_MEMBERS: Final = frozenset({"type", "opts", "comment", "id", "active"})


class RuleError(ValueError):
    """A rule list that cannot be read: `index` of the rule (from 0; None for the list), `option` where one is at fault."""

    def __init__(self, index: int | None, option: str | None, reason: str) -> None:
        place = "rules" if index is None else f"rule {index}" + (f", option {option!r}" if option else "")
        super().__init__(f"{place}: {reason}")
        self.index, self.option, self.reason = index, option, reason


@dataclass(frozen=True)
class Rule:
    """One step of a rule list. A rule that is not active is kept, and not run."""

    options: Options
    comment: str = ""
    id: str | None = None
    active: bool = True


def option_name(field_name: str) -> str:
    """The name an option has in JSON: match_case is matchCase."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), field_name)


def option_fields(kind: type[Options]) -> list[tuple[str, dataclasses.Field[Any], Kind]]:
    """JSON name, field and kind of each option of a rule type, by name."""
    fields = [(option_name(field.name), field, cast("Kind", field.metadata["kind"])) for field in dataclasses.fields(kind)]
    return sorted(fields, key=lambda entry: entry[0])


def read_rules(rules: object) -> tuple[Rule, ...]:
    """Typed rules from a JSON list of ``{"type", "opts", "comment"?, "id"?, "active"?}``. Raises RuleError."""
    if isinstance(rules, str | bytes) or not isinstance(rules, Sequence):
        raise RuleError(None, None, "a list of rules is needed")
    if len(rules) > RULES_LIMIT:
        raise RuleError(None, None, f"there are more than {RULES_LIMIT}")
    return tuple(read_rule(index, rule) for index, rule in enumerate(rules))


def read_unit(unit: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of a ``calyptia`` processor unit, whose ``actions`` is one rule or a list of them. Raises RuleError."""
    actions = unit.get("actions")
    return read_rules([actions] if isinstance(actions, Mapping) else actions)


def read_rule(index: int, rule: object) -> Rule:
    """One typed rule. Raises RuleError with the given index."""
    if not isinstance(rule, Mapping):
        raise RuleError(index, None, "must be an object")
    unknown = sorted(str(name) for name in rule if name not in _MEMBERS)
    if unknown:
        raise RuleError(index, None, f"unknown member {unknown[0]!r}; a rule has type, opts, comment, id and active")
    kind = RULE_TYPES.get(rule["type"]) if isinstance(rule.get("type"), str) else None
    if kind is None:
        raise RuleError(index, None, f"unknown type {rule.get('type')!r}; there are {', '.join(RULE_TYPES)}")
    comment, identity, active = rule.get("comment") or "", rule.get("id"), rule.get("active", True)
    if not isinstance(comment, str) or not isinstance(identity, str | None) or not isinstance(active, bool):
        raise RuleError(index, None, "comment and id must be texts, active true or false")
    given = rule.get("opts")
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise RuleError(index, "opts", "must be an object")
    return Rule(_options(index, kind, given), comment, identity, active)


def _options(index: int, kind: type[Options], given: Mapping[str, Any]) -> Options:
    known = option_fields(kind)
    names = [name for name, _, _ in known]
    for name in given:
        if name not in names:
            raise RuleError(index, str(name), f"{kind.type} has no such option; it has {', '.join(names)}")
    values: dict[str, Any] = {}
    for name, field, option_kind in known:
        value = given.get(name)
        optional = field.default is not dataclasses.MISSING
        # An editor leaves an option that was not filled in as null or "".
        if value is None or (optional and value == "" and isinstance(value, str)):
            if not optional:
                raise RuleError(index, name, "is required")
            continue
        try:
            values[field.name] = option_kind.read(value)
        except OptionError as problem:
            raise RuleError(index, name, str(problem)) from None
    options = kind(**values)
    _check(index, options)
    return options


def _check(index: int, options: Options) -> None:
    """What only shows with all options at hand: expressions in the chosen dialect, groups, accessors."""
    # Expressions first: what else is wrong may only be so because of them.
    for name, field, kind in sorted(option_fields(type(options)), key=lambda entry: not is_regex(options, entry[2])):
        value = getattr(options, field.name)
        if not isinstance(value, str):
            continue
        try:
            if is_regex(options, kind):
                _check_regex(value, kind, options)
            elif isinstance(kind, Path) and not (kind.or_template and in_regex_mode(options)):
                steps(value)
            elif isinstance(kind, Path):
                template(value, pattern_of(options, "src").groups)
            elif isinstance(kind, Template):
                template(value, pattern_of(options, kind.regex).groups)
        except (OptionError, PatternError) as problem:
            raise RuleError(index, name, str(problem)) from None


def _check_regex(value: str, kind: Kind, options: Options) -> None:
    pattern = parsed(options, value)
    if isinstance(kind, Regex) and pattern.groups < kind.groups:
        raise OptionError(f"needs {kind.groups} groups: the first is the key, the second its value")
    if isinstance(kind, Regex) and kind.named and not pattern.names:
        raise OptionError("needs named groups, as in (?<name>...)")


def in_regex_mode(options: Options) -> bool:
    """Whether the rule's src is a regular expression over keys."""
    return bool(getattr(options, "regex_mode", False))


def is_regex(options: Options, kind: Kind) -> bool:
    """Whether an option of this kind is a regular expression in this rule."""
    return isinstance(kind, Regex) or (isinstance(kind, Path) and kind.or_regex and in_regex_mode(options))


def parsed(options: Options, source: str) -> Pattern:
    """A regular expression of a rule, in its dialect; case counts where the rule has no matchCase. Raises PatternError."""
    engine = getattr(options, "regex_engine", "pcre2")
    match_case = getattr(options, "match_case", True)
    return patterns.parse(source, dialect="pcre" if engine in ("pcre2", "onig") else "posix", match_case=match_case)


def pattern_of(options: Options, field_name: str) -> Pattern:
    """The parsed regular expression in a field of the rule."""
    return parsed(options, getattr(options, field_name))


def as_json(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """The rule list as JSON again, every option with its value."""
    listed: list[dict[str, Any]] = []
    for rule in rules:
        opts = {name: getattr(rule.options, field.name) for name, field, _ in option_fields(type(rule.options))}
        opts = {name: list(value) if isinstance(value, tuple) else value for name, value in opts.items() if value is not None}
        entry: dict[str, Any] = {"type": rule.options.type, "opts": opts, "comment": rule.comment, "active": rule.active}
        if rule.id is not None:
            entry["id"] = rule.id
        listed.append(entry)
    return listed
