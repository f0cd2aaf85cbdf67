"""What each Fluent Bit version knows: its plugins and their options, with types, as data to look things up in.

The data is one JSON file per version in `data/` ("fluentbit-plugin-options/1": facts read from that version's own listing and
from its plugin tables). `learn` makes the same shape from any binary's `fluent-bit -J`.

Which version counts: `load` wants one that is known. `nearest` picks for any other: the newest known version that is not newer
than the one asked for, or the oldest known one when all are newer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

from nectary.fluentbit.values import CORE_FATAL_AT_LOAD, CORE_VALUES, SERVICE_VALUES, ValueType, one_of, type_named

SHAPE = "fluentbit-plugin-options/1"
DEFAULT_VERSION = "5.1.1"
PLUGIN_KINDS = ("custom", "input", "processor", "filter", "output")
_KNOWN = ("5.1.1",)
_VERSION = re.compile(r"v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?").match


class UnknownVersionError(ValueError):
    """A Fluent Bit version no schema is known for; the text names those that are."""


class InvalidSchemaError(ValueError):
    """Text that is not a schema, or not a listing one can be learned from."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option as the program declares it. type: its own word ("size"); repeatable: may be set more than once; values: the
    only ones with which it starts, () for any.
    """

    name: str
    type: str
    default: str | None = None
    repeatable: bool = False
    dynamic_env: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a property of one name must obey in one plugin.

    origin: who reads it: "plugin", "core" (the last of several counts), "net", "oauth2", "http_server", "unchecked".
    late: found out at start only. strict_at_load: a wrong value fails the load (and so the dry run).
    """

    option: Option
    value: ValueType
    origin: str
    late: bool = False
    strict_at_load: bool = False


_NOTABLE = frozenset(
    {
        *("tls", "tls.ca_file", "tls.ca_path", "tls.crt_file", "tls.key_file", "tls.key_passwd", "tls.proxy.ca_file"),
        *("tls.proxy.ca_path", "oauth2.client_secret", "oauth2.jwt_key_file", "oauth2.jwt_cert_file", "match_regex"),
        *("regex", "exclude", "tag_regex", "rule", "condition"),
    }
)


@dataclass(frozen=True)
class PluginSchema:
    """One plugin: own options, the shared groups it has, and what is known about its files, secrets, ports and needs.

    required: groups of names, one of each must be set or start fails; excuses: the first of a group to the options, and their
    values (none: any), with which it need not be. signals: what it handles ("logs", ...). tls: "none",
    "optional", "on" or "". unchecked: takes any property. listen: {"port", "protocol"} or None. build: "release",
    "optional", "windows" or "test".
    """

    kind: str
    name: str
    options: tuple[Option, ...]
    groups: frozenset[str] = frozenset()
    build: str = "release"
    role: str = ""
    tls: str = ""
    signals: frozenset[str] = frozenset()
    unchecked: bool = False
    listen: Mapping[str, Any] | None = None
    target_default: Any = None
    files: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    required: tuple[tuple[str, ...], ...] = ()
    excuses: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    shared: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Every name this plugin takes, in lower case, with its rule. Prefixed options are in `prefixes`."""
        rules = {option.name.lower(): _rule(option, "plugin") for option in self.options if option.type != "prefixed string"}
        rules |= _core_rules(self.kind, self.shared)
        if self.network:
            rules |= _group_rules(self.shared, self.network, "net")
        if oauth2 := {"input": "oauth2_jwt_server", "output": "oauth2_client"}.get(self.kind):
            rules |= _group_rules(self.shared, oauth2, "oauth2", late=True)
        if "http_server" in self.groups:
            rules |= _group_rules(self.shared, "http_server", "http_server", late=True)
        return rules

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """Lower-case beginnings of which any longer name is taken (`rdkafka.`)."""
        return tuple(option.name.lower() for option in self.options if option.type == "prefixed string")

    @cached_property
    def network(self) -> str:
        """The group its `net.*` options come from, or "" when the plugin has no network of its own.

        Every output and custom is checked against the upstream table (flb_output_net_property_check), inputs by their role.
        """
        if self.kind in {"output", "custom"}:
            return "net_upstream"
        return next((group for group in ("net_downstream", "net_upstream") if group in self.groups), "")

    @cached_property
    def notable(self) -> frozenset[str]:
        """Names that mean more than their type says: files, secrets, parsers, TLS and regular expressions, in lower case."""
        own = {name for name in self.rules if "parser" in name or "password" in name}
        return frozenset(own | set(self.files) | self.secrets | _NOTABLE)

    def rule(self, name: str) -> Rule | None:
        """The rule for a property name in any case, or None when the plugin does not know it."""
        lowered = name.lower()
        if found := self.rules.get(lowered):
            return found
        if any(lowered.startswith(prefix) and len(lowered) > len(prefix) for prefix in self.prefixes):
            return Rule(Option(name, "prefixed string"), type_named("prefixed string"), "plugin")
        return None

    def option(self, name: str) -> Option | None:
        """The option of that name in any case: own, shared or prefixed; None when there is none."""
        rule = self.rule(name)
        return rule.option if rule else None


@dataclass(frozen=True)
class Schema:
    """All plugins and service keys of one Fluent Bit version."""

    version: str
    os: str
    plugins: Mapping[str, Mapping[str, PluginSchema]]
    aliases: Mapping[str, Mapping[str, str]]
    private: Mapping[str, frozenset[str]]
    sections: Mapping[str, Mapping[str, Option]]
    product: bool = False
    """Whether the Calyptia/Chronosphere plugins are in it, and its rule that `core.*` properties pass."""

    def plugin(self, kind: str, name: str) -> PluginSchema | None:
        """The plugin of a kind by name in any case, alias or URL (`tcp://0.0.0.0:9999`). A processor may be a filter."""
        wanted = name.partition("://")[0].lower()
        plugins = self.plugins.get(kind, {})
        found = plugins.get(wanted) or plugins.get(self.aliases.get(kind, {}).get(wanted, ""))
        if found is None and kind == "processor":
            return self.plugins.get("filter", {}).get(wanted)
        return found

    def names(self, kind: str) -> Iterator[str]:
        """The names a section of that kind may give, aliases too, private ones not."""
        yield from self.plugins.get(kind, {})
        yield from self.aliases.get(kind, {})
        if kind == "processor":
            yield from self.plugins.get("filter", {})

    def kinds_of(self, name: str) -> list[str]:
        """The kinds that have a plugin of that name: `grep` is a filter."""
        return [kind for kind in PLUGIN_KINDS if name.lower() in self.plugins.get(kind, {})]

    def is_private(self, kind: str, name: str) -> bool:
        """Whether Fluent Bit keeps that plugin for itself and refuses it in a configuration."""
        return name.partition("://")[0].lower() in self.private.get(kind, ())

    @cached_property
    def service(self) -> dict[str, Rule]:
        """The keys of the service section, in lower case."""
        return {
            name: Rule(
                option, SERVICE_VALUES.get(name) or type_named(option.type), "core", strict_at_load=name in SERVICE_VALUES
            )
            for name, option in self.sections.get("service", {}).items()
        }


def known_versions() -> tuple[str, ...]:
    """The Fluent Bit versions whose schema is shipped, oldest first."""
    return _KNOWN


def nearest(version: str, known: tuple[str, ...] = _KNOWN) -> str:
    """The known version to use for any other: the newest not newer, else the oldest. Text that is no version: the newest."""
    ranked = sorted(known, key=_numbers)
    wanted = _numbers(version)
    if not wanted:
        return ranked[-1]
    return next((each for each in reversed(ranked) if _numbers(each) <= wanted), ranked[0])


@cache
def load(version: str = DEFAULT_VERSION, *, product: bool = False) -> Schema:
    """The shipped schema of a version; read once. product: with the extra plugins of the vendor's own distribution.

    Raises UnknownVersionError.
    """
    if version not in _KNOWN:
        raise UnknownVersionError(f'no schema for Fluent Bit "{version}"; known: {", ".join(_KNOWN)}')
    data = json.loads(_read(f"fluentbit-{version}.json"))
    if product:
        extra = json.loads(_read("lts-plugins.json"))["plugins"]
        for kind, plugins in extra.items():
            data["plugins"].setdefault(kind, {}).update(plugins)
    return from_data(data, product=product)


def shipped_data(version: str = DEFAULT_VERSION) -> dict[str, Any]:
    """The shipped file of a version as plain data, for `learn`. Raises UnknownVersionError."""
    if version not in _KNOWN:
        raise UnknownVersionError(f'no schema for Fluent Bit "{version}"; known: {", ".join(_KNOWN)}')
    data: dict[str, Any] = json.loads(_read(f"fluentbit-{version}.json"))
    return data


def parse(text: str) -> Schema:
    """A schema from the JSON text `learn.listing_to_data` made and somebody kept. Raises InvalidSchemaError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSchemaError(f"a schema is JSON text: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SHAPE:
        raise InvalidSchemaError(f'a schema is a JSON object with "schema": "{SHAPE}"')
    try:
        return from_data(data)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidSchemaError(f"the schema lacks or mistypes something: {error}") from error


def from_data(data: Mapping[str, Any], *, product: bool = False) -> Schema:
    """A schema from the plain data of one file."""
    shared = {"core": data["core"], "groups": data["groups"]}
    return Schema(
        version=data["fluent_bit"]["version"],
        os=data["fluent_bit"]["os"],
        plugins={
            kind: {name.lower(): _plugin(kind, name, raw, shared) for name, raw in plugins.items()}
            for kind, plugins in data["plugins"].items()
        },
        aliases=data.get("aliases", {}),
        private={kind: frozenset(names) for kind, names in data.get("private", {}).items()},
        sections={
            name: {option["name"].lower(): _option(option) for option in options} for name, options in data["sections"].items()
        },
        product=product,
    )


def _read(name: str) -> str:
    return resources.files("nectary.fluentbit").joinpath("data", name).read_text(encoding="utf-8")


def _numbers(version: str) -> tuple[int, ...]:
    found = _VERSION(version.strip())
    return tuple(int(part) for part in found.groups(default="0")) if found else ()


def _option(raw: Mapping[str, Any]) -> Option:
    return Option(
        raw["name"], raw["type"], raw.get("default"), raw.get("multi", False), raw.get("dynamic_env", False),
        tuple(raw.get("values", ())),
    )  # fmt: skip


def _plugin(kind: str, name: str, raw: Mapping[str, Any], shared: Mapping[str, Any]) -> PluginSchema:
    return PluginSchema(
        kind,
        name,
        tuple(_option(option) for option in raw["options"]),
        frozenset(raw.get("groups", ())),
        raw.get("build", "release"),
        raw.get("role", ""),
        raw.get("tls", ""),
        frozenset(raw.get("signals", ())),
        raw.get("unchecked", False),
        raw.get("listen"),
        raw.get("target_default"),
        {option.lower(): role for option, role in raw.get("files", {}).items()},
        frozenset(option.lower() for option in raw.get("secrets", ())),
        tuple(tuple(group) for group in raw.get("requires_at_start", ())),
        raw.get("required_unless", {}),
        shared,
    )


def _rule(option: Option, origin: str, *, late: bool = False) -> Rule:
    return Rule(option, one_of(option.values) if option.values else type_named(option.type), origin, late)


def _group_rules(shared: Mapping[str, Any], group: str, origin: str, *, late: bool = False) -> dict[str, Rule]:
    return {raw["name"].lower(): _rule(_option(raw), origin, late=late) for raw in shared["groups"].get(group, ())}


_CORE_GROUPS = {
    "input": ("tls", "input_core_extra", "input_common"),
    "filter": ("filter_common",),
    "output": ("tls", "output_core_extra", "output_common"),
    "processor": ("processor_common",),
    "custom": ("custom_common",),
}


def _core_rules(kind: str, shared: Mapping[str, Any]) -> dict[str, Rule]:
    """What the core takes for every plugin of a kind, before the plugin is asked (the set-property functions of src/)."""
    core = shared["core"].get(kind, {})
    typed = {raw["name"].lower(): raw for group in _CORE_GROUPS.get(kind, ()) for raw in shared["groups"].get(group, ())}
    rules = {}
    for name in (*core.get("accepted_names", ()), *core.get("accepted_unchecked", ())):
        option = _option(typed.get(name, {"name": name, "type": "string"}))
        if name in core.get("accepted_unchecked", ()):
            rules[name] = Rule(option, type_named("string"), "unchecked")
            continue
        value = CORE_VALUES.get(name) or type_named(option.type)
        rules[name] = Rule(option, value, "core", strict_at_load=name in CORE_FATAL_AT_LOAD)
    return rules
