"""Learns the schema of any Fluent Bit from what its own `fluent-bit -J` prints.

The listing says names, types and defaults. It does not say which options may repeat, which hold secrets or files, what a plugin
needs to start, or what the core takes beside it: for plugins and options the nearest shipped version also has, those facts come
from there; for the rest the schema says nothing, so that nothing is refused on a guess. The only values an
option takes are left out, as another version may know more.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nectary.fluentbit.schema import SHAPE, InvalidSchemaError, Schema, from_data, nearest, shipped_data

LONGEST = 32 * 1024 * 1024
_KINDS = {"customs": "custom", "inputs": "input", "processors": "processor", "filters": "filter", "outputs": "output"}


def from_listing(text: str) -> Schema:
    """The schema of the binary that printed `text`. Raises InvalidSchemaError when it is no such listing."""
    return from_data(listing_to_data(text))


def as_text(data: Mapping[str, Any]) -> str:
    """The JSON text to keep; `schema.parse` reads it again."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def listing_to_data(text: str) -> dict[str, Any]:
    """The listing as one schema file's plain data. Raises InvalidSchemaError."""
    listing = _listing(text)
    about = listing["fluent-bit"]
    known = shipped_data(nearest(str(about.get("version", ""))))
    plugins: dict[str, dict[str, Any]] = {}
    for part, kind in _KINDS.items():
        known_plugins = known["plugins"].get(kind, {})
        plugins[kind] = {
            name: _plugin(raw, known_plugins.get(name), kind, known) for name, raw in _plugins(listing.get(part, []), part)
        }
    groups = _groups(listing, known)
    return {
        "schema": SHAPE,
        "fluent_bit": {"version": str(about["version"]), "os": str(about.get("os", "linux"))},
        "core": _core(known, groups),
        "groups": groups,
        "sections": known["sections"],
        "aliases": known["aliases"],
        "private": known["private"],
        "plugins": plugins,
    }


def _listing(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise InvalidSchemaError(f"the listing is longer than {LONGEST} characters")
    # Some builds print a banner or log lines before the JSON.
    start = text.find('{"fluent-bit"')
    try:
        listing = json.JSONDecoder().raw_decode(text, max(start, 0))[0]
    except (ValueError, RecursionError) as error:
        raise InvalidSchemaError(f"this is not what `fluent-bit -J` prints: {error}") from error
    if (
        not isinstance(listing, dict)
        or not isinstance(listing.get("fluent-bit"), dict)
        or "version" not in listing["fluent-bit"]
    ):
        raise InvalidSchemaError('this is not what `fluent-bit -J` prints: it has no "fluent-bit" with a version')
    return listing


def _plugins(listed: Any, part: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(listed, list):
        raise InvalidSchemaError(f'"{part}" of the listing is not a list')
    for raw in listed:
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or not isinstance(raw.get("properties", {}), dict):
            raise InvalidSchemaError(f'"{part}" of the listing holds something that is no plugin')
        yield raw["name"].lower(), raw


def _options(raw: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    listed = raw.get("properties", {}).get(part, [])
    if not isinstance(listed, list):
        raise InvalidSchemaError(f'"{part}" of the plugin {raw["name"]} is not a list')
    found = []
    for option in listed:
        if not isinstance(option, dict) or not isinstance(option.get("name"), str):
            raise InvalidSchemaError(f"the plugin {raw['name']} has an option without a name")
        default = option.get("default")
        default = None if default is None else str(default).removeprefix("(").removesuffix(")")
        found.append({"name": option["name"], "type": str(option.get("type", "string")), "default": default})
    return found


def _plugin(raw: Mapping[str, Any], known: Mapping[str, Any] | None, kind: str, shipped: Mapping[str, Any]) -> dict[str, Any]:
    """One plugin; `known` is the shipped facts about a plugin of that name, or None."""
    options = _options(raw, "options")
    shared = _shared_names(known, shipped)
    facts = {option["name"].lower(): option for option in (known or {}).get("options", ())}
    own = []
    for option in options:
        if option["name"].lower() in shared:
            continue
        fact = facts.get(option["name"].lower())
        # Of an option nobody knows it is not known whether it may repeat; a false alarm is worse than none.
        extra = {key: fact[key] for key in ("multi", "dynamic_env") if key in fact} if fact else {"multi": True}
        own.append({**option, **extra})
    if known is None:
        network = bool(_options(raw, "networking"))
        tls = bool(_options(raw, "network_tls"))
        groups = ["net_upstream"] * (network and kind == "output") + ["tls"] * tls
        new: dict[str, Any] = {"options": own, "build": "release", "groups": groups}
        if kind == "input" and network:
            new["groups"] = [*groups, _input_network(raw)]
        if not own and kind in {"input", "filter"}:
            new["unchecked"] = True
        return new
    kept = {key: value for key, value in known.items() if key not in {"options", "build"}}
    names = {option["name"].lower() for option in options}
    if required := known.get("requires_at_start"):
        kept["requires_at_start"] = [group for group in required if any(name.lower() in names | shared for name in group)]
    return {**kept, "options": own, "build": "release"}


def _shared_names(known: Mapping[str, Any] | None, shipped: Mapping[str, Any]) -> set[str]:
    """Names that come from a shared group and so are not the plugin's own."""
    groups = (known or {}).get("groups", ())
    names = {option["name"].lower() for group in groups for option in shipped["groups"].get(group, ())}
    own = {option["name"].lower() for option in (known or {}).get("options", ())}
    return names - own


def _input_network(raw: Mapping[str, Any]) -> str:
    """Listeners have `net.backlog`, clients do not."""
    names = {option["name"] for option in _options(raw, "networking")}
    return "net_downstream" if "net.backlog" in names else "net_upstream"


def _groups(listing: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The shared groups: core and network options as this binary lists them, the rest as shipped."""
    listed: dict[str, dict[str, Any]] = {}
    for part, kind in _KINDS.items():
        for _, raw in _plugins(listing.get(part, []), part):
            network = _input_network(raw) if kind == "input" else "net_upstream"
            for section, group in (("global_options", f"{kind}_common"), ("networking", network), ("network_tls", "tls")):
                for option in _options(raw, section):
                    listed.setdefault(group, {}).setdefault(option["name"].lower(), option)
    groups = dict(known["groups"])
    for group, options in listed.items():
        shipped = {option["name"].lower(): option for option in groups.get(group, ())}
        kept = shipped if group == "tls" else {name: shipped[name] for name in shipped if name in options}
        groups[group] = [*kept.values(), *(option for name, option in options.items() if name not in shipped)]
    return groups


def _core(known: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """What the core takes per kind: the shipped names, less those this binary does not list, and its own new ones."""
    core = {}
    for kind, facts in known["core"].items():
        shipped = {option["name"] for option in known["groups"].get(f"{kind}_common", ())}
        # Printed for every output, and refused by all of them outside Windows.
        refused = set(facts.get("listed_by_J_but_rejected", ()))
        listed = {option["name"] for option in groups.get(f"{kind}_common", ())} - refused
        names = [name for name in facts.get("accepted_names", ()) if name not in shipped or name in listed]
        core[kind] = {**facts, "accepted_names": names + sorted(listed - set(names))}
    return core
