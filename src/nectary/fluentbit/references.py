"""Everything a configuration refers to outside itself: variables, secrets, files, parsers, includes, and where each is used."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from nectary.fluentbit.document import PLUGIN_KINDS, Document, Include, Kind, Place, Property, Section, Variable
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.reading import folded
from nectary.fluentbit.schema import Schema, load
from nectary.fluentbit.variables import TEMPLATE, references


class Use(NamedTuple):
    """One use of a name. owner: `input:tail:tail.0`, `service`, `env:NAME`; option: the key or ""; default: of `${X:-d}`."""

    name: str
    owner: str
    option: str
    place: Place
    default: str | None = None


class Path(NamedTuple):
    """A file, directory or socket. role: words such as "file read", "dir write", "db", "secret file read", "socket listen"."""

    path: str
    owner: str
    option: str
    role: str
    place: Place


class SecretOption(NamedTuple):
    """An option that holds a secret. plain: its text stands in the configuration, and not a template or a variable."""

    owner: str
    option: str
    place: Place
    plain: bool


class References(NamedTuple):
    """All that was found, each in the order of the document."""

    variables: tuple[Use, ...]
    defined: tuple[Variable, ...]
    secrets: tuple[Use, ...]
    files: tuple[Use, ...]
    paths: tuple[Path, ...]
    parsers: tuple[Use, ...]
    includes: tuple[Include, ...]
    secret_options: tuple[SecretOption, ...]


class Text(NamedTuple):
    """One value that Fluent Bit reads, with who it belongs to. section is None for a variable's value."""

    value: str
    owner: str
    option: str
    place: Place
    plugin: str
    kind: Kind | None


# Files every plugin with TLS or OAuth2 takes (src/tls/flb_tls.c, src/flb_oauth2.c).
_COMMON_FILES = {
    "tls.ca_file": "file read",
    "tls.ca_path": "dir read",
    "tls.crt_file": "file read",
    "tls.key_file": "secret file read",
    "tls.proxy.ca_file": "file read",
    "tls.proxy.ca_path": "dir read",
    "oauth2.jwt_key_file": "secret file read",
    "oauth2.jwt_cert_file": "file read",
}
_COMMON_SECRETS = frozenset({"tls.key_passwd", "oauth2.client_secret"})
_SERVICE_FILES = {
    "parsers_file": "file read",
    "plugins_file": "file read",
    "streams_file": "file read",
    "log_file": "file write",
    "storage.path": "dir write",
}
_PARSER_OPTIONS = re.compile(r"parser|multiline\.parser|merge_parser|parser_firstline|parser_[0-9]+|docker_mode_parser")


def find(document: Document, schema: Schema | None = None) -> References:
    """Look through every value. Without a schema, the shipped one says which options name files and secrets."""
    known = schema or load()
    variables: list[Use] = []
    secrets: list[Use] = []
    files: list[Use] = []
    paths: list[Path] = []
    parsers: list[Use] = []
    secret_options: list[SecretOption] = []
    for text in texts(document):
        value = text.value
        if "${" in value and text.kind is not None:
            found = (Use(one.name, text.owner, text.option, text.place, one.default) for one in references(value))
            variables.extend(found)
        if "{{" in value:
            for match in TEMPLATE.finditer(value):
                use = Use(match[2], text.owner, text.option, text.place)
                (secrets if match[1] == "secrets" else files).append(use)
        role = _role(text, known)
        if role and value:
            paths += _paths(text, role)
        if text.kind in PLUGIN_KINDS and _PARSER_OPTIONS.fullmatch(text.option) and text.option != "parser_file":
            names = re.split(r"\s*,\s*", value) if text.option == "multiline.parser" else [value]
            parsers += [Use(name, text.owner, text.option, text.place) for name in names if name]
        if _is_secret(text, known):
            plain = bool(value) and "${" not in value and not TEMPLATE.search(value)
            secret_options.append(SecretOption(text.owner, text.option, text.place, plain))
    return References(
        tuple(variables),
        document.variables,
        tuple(secrets),
        tuple(files),
        tuple(paths),
        tuple(parsers),
        document.includes,
        tuple(secret_options),
    )


def texts(document: Document) -> Iterator[Text]:
    """Every value with its owner: variables first, then sections in order, what is nested in them included."""
    for variable in document.variables:
        value = variable.value or variable.uri
        yield Text(value, f"env:{variable.name}", "", variable.value_place, "", None)
        if variable.uri and variable.value and variable.uri != variable.value:
            yield Text(variable.uri, f"env:{variable.name}", "", variable.value_place, "", None)
    owners = {(one.section.file, one.section.line, one.section.column): (one.owner, one.name) for one in document.plugins}
    for section in document.sections:
        name = section.get("name") or ""
        other = f"{section.kind}:{name}" if name else str(section.kind)
        owner, plugin = owners.get((section.file, section.line, section.column), (other, ""))
        yield from _of_section(section, owner, plugin)


def _of_section(section: Section, owner: str, plugin: str) -> Iterator[Text]:
    for prop in section.properties:
        if prop.nested is None:
            yield Text(prop.value, owner, prop.name, prop.value_place, plugin, section.kind)
        elif prop.name == "processors":
            yield from _of_processors(section, prop, owner)
        else:
            yield from _of_node(prop.nested, prop.name, section, owner, plugin)
    for group in section.groups:
        for prop in group.properties:
            yield Text(prop.value, owner, prop.name, prop.value_place, "", section.kind)


def _of_processors(section: Section, prop: Property, owner: str) -> Iterator[Text]:
    """A unit is a plugin of its own: its options are a filter's or a processor's."""
    signals = prop.nested.pairs if isinstance(prop.nested, MapNode) else ()
    for signal, units in signals:
        for number, unit in enumerate(units.items if isinstance(units, ListNode) else ()):
            if isinstance(unit, MapNode):
                name = unit.get("name")
                plugin = folded(name.text) if isinstance(name, Scalar) else ""
                inner = f"{owner}/processors.{folded(signal.text)}[{number}]:{plugin}"
                for key, value in unit.pairs:
                    yield from _of_node(value, folded(key.text), section, inner, plugin)


def _of_node(node: Node, option: str, section: Section, owner: str, plugin: str) -> Iterator[Text]:
    waiting = [(node, option)]
    while waiting:
        node, option = waiting.pop()
        if isinstance(node, Scalar):
            yield Text(node.text, owner, option, Place(section.file, node.line, node.column), plugin, section.kind)
        elif isinstance(node, ListNode):
            waiting += [(item, option) for item in reversed(node.items)]
        else:
            waiting += [(value, f"{option}.{key.text}") for key, value in reversed(node.pairs)]


def _kinds(text: Text) -> tuple[str, ...]:
    return ("filter", "processor") if "/processors." in text.owner else (str(text.kind),)


def _role(text: Text, schema: Schema) -> str:
    if text.kind is None:
        return "secret file read" if text.value.startswith("file://") else ""
    if text.kind is Kind.SERVICE:
        return _SERVICE_FILES.get(text.option, "")
    if text.kind is Kind.PLUGINS:
        return "file read"
    if not text.plugin:
        return ""
    if text.option.startswith("rdkafka.") and text.option.endswith(".location"):
        return "secret file read" if "key" in text.option else "file read"
    for kind in _kinds(text):
        plugin = schema.plugin(kind, text.plugin)
        if plugin is not None and text.option in plugin.files:
            return plugin.files[text.option]
    return _COMMON_FILES.get(text.option, "")


def _paths(text: Text, role: str) -> list[Path]:
    """A list of globs is one path each; a secret's or a file's template is not a path but stands for one, and is kept as is."""
    value = text.value
    if text.kind is None:
        value = value.removeprefix("file://")
    option = "" if text.kind is Kind.PLUGINS else text.option
    parts = re.split(r"\s*,\s*", value) if "list" in role else [value]
    return [Path(part, text.owner, option, role, text.place) for part in parts if part]


def _is_secret(text: Text, schema: Schema) -> bool:
    if not text.plugin:
        return False
    if text.option in _COMMON_SECRETS or (text.option.startswith("rdkafka.") and text.option.endswith("password")):
        return True
    found = (schema.plugin(kind, text.plugin) for kind in _kinds(text))
    return any(plugin is not None and text.option in {folded(name) for name in plugin.secrets} for plugin in found)
