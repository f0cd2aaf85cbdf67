"""Gives a YAML or JSON tree its meaning as a configuration: which key holds what, and what may not stand where.

The rules are the states of flb_cf_yaml.c (Fluent Bit 5.1.1); docs/config-language.md lists where this is stricter.
"""

from collections.abc import Callable, Iterator

from nectary.fluentbit.document import (
    Group,
    Kind,
    ListNode,
    MapNode,
    Node,
    Place,
    Property,
    Scalar,
    Section,
    Variable,
)
from nectary.fluentbit.reading import BLANKS, Reading, folded

Follow = Callable[[str, Place, str], None]
"""Includes a path, written at a place, seen from a file."""

_PIPELINE = {"inputs": Kind.INPUT, "filters": Kind.FILTER, "outputs": Kind.OUTPUT}
_FLAT_LISTS = {
    "parsers": Kind.PARSER,
    "multiline_parsers": Kind.MULTILINE_PARSER,
    "stream_processor": Kind.STREAM_TASK,
    "upstream_servers": Kind.UPSTREAM,
}
TOP_WORDS = frozenset({"env", "includes", "service", "customs", "pipeline", "plugins", "extensions", *_FLAT_LISTS})
"""The top-level keys that mean something; any other is a section that Fluent Bit keeps and ignores."""
_GROUPS = {Kind.MULTILINE_PARSER: ("rules", "rule"), Kind.UPSTREAM: ("nodes", "node")}
STRUCTURED = ("processors", "routes")
"""Options whose lists and maps are kept as they are; all others take lists of scalars, and maps become groups."""
SIGNALS = ("logs", "metrics", "traces")
"""The signals a processor list may be for; Fluent Bit 5.1.1 refuses `profiles` here."""


def option_name(key: str) -> str:
    """How Fluent Bit looks up a YAML key: camelCase becomes snake_case unless it has an underscore (flb_cf_key_translate)."""
    if key.islower() or not key or not ("a" <= key[0] <= "z") or "_" in key:
        return folded(key)
    return "".join("_" + letter.lower() if "A" <= letter <= "Z" else letter for letter in key)


class Tree:
    """One YAML or JSON file being read into `reading`."""

    def __init__(self, reading: Reading, file: str, follow: Follow) -> None:
        self.reading = reading
        self.file = file
        self.follow = follow
        self.names: dict[str, str] = {}

    def read(self, root: Node) -> None:
        """Read one document of the file."""
        if not isinstance(root, MapNode):
            self._refuse(root, "a configuration is a map with keys such as `service` and `pipeline`")
            return
        for key, value in root.pairs:
            self._top(folded(key.text), key, value)

    def _top(self, word: str, key: Scalar, value: Node) -> None:
        if word == "pipeline":
            for name, plugins in self._pairs(key, value):
                kind = _PIPELINE.get(folded(name.text))
                if kind is None:
                    self._refuse(name, f"`pipeline` holds inputs, filters and outputs, not {name.text!r}")
                else:
                    self._plugins(kind, name, plugins)
        elif word == "customs":
            self._plugins(Kind.CUSTOM, key, value)
        elif word == "service":
            self._service(key, value)
        elif word == "env":
            self._env(key, value)
        elif word == "includes":
            for item in self._items(key, value):
                if isinstance(item, Scalar):
                    self.follow(item.text, self._place(item), self.file)
                else:
                    self._refuse(item, "an include is one path")
        elif word == "plugins":
            self._shared_objects(key, value)
        elif word == "extensions":
            self._extensions(key, value)
        elif word in _FLAT_LISTS:
            self._flat_list(_FLAT_LISTS[word], key, value)
        else:
            self._section(Kind.OTHER, key.text, key, self._flat(self._pairs(key, value)))

    def _place(self, node: Node) -> Place:
        return Place(self.file, node.line, node.column)

    def _refuse(self, node: Node, what: str, advice: str = "") -> None:
        self.reading.problem("bad_structure", self._place(node), what, advice)

    def _pairs(self, key: Scalar, value: Node) -> tuple[tuple[Scalar, Node], ...]:
        if isinstance(value, MapNode):
            return value.pairs
        self._refuse(_seen(key, value), f"{key.text!r} is not a map of keys and values")
        return ()

    def _items(self, key: Scalar, value: Node) -> tuple[Node, ...]:
        if isinstance(value, ListNode):
            return value.items
        self._refuse(_seen(key, value), f"{key.text!r} is not a list", "write each entry on its own line after `- `")
        return ()

    def _maps(self, key: Scalar, value: Node) -> Iterator[MapNode]:
        for item in self._items(key, value):
            if isinstance(item, MapNode):
                yield item
            else:
                self._refuse(item, f"an entry of {key.text!r} is not a map of keys and values", "write `- name: ...`")

    def _section(self, kind: Kind, header: str, at: Node, properties: list[Property], groups: tuple[Group, ...] = ()) -> None:
        section = Section(kind, header, tuple(properties), groups, self.file, at.line, at.column)
        self.reading.sections.append(section)

    def _property(self, key: Scalar, value: Scalar) -> Property | None:
        text = value.text
        if text and (text[0] in BLANKS or text[-1] in BLANKS):
            text = text.strip(BLANKS)
            if not text:
                # Fluent Bit fails here for plugins, and drops the key without a word elsewhere (flb_cf_section_property_add).
                place = self._place(value)
                self.reading.problem(
                    "empty_value", place, f"{key.text!r} has a value of only blanks", "add a value, or remove it"
                )
                return None
        written = key.text
        name = self.names.get(written)
        if name is None:
            name = self._name(key)
        at = value if value.end > value.start else key
        return Property(written, name, text, self.file, key.line, key.column, at.line, at.column)

    def _name(self, key: Scalar) -> str:
        written = key.text.strip(BLANKS)
        if not written:
            self._refuse(key, "an empty key")
        name = self.names[key.text] = option_name(written)
        return name

    def _nested(self, key: Scalar, value: Node, name: str) -> Property:
        return Property(key.text, name, "", self.file, key.line, key.column, value.line, value.column, value)

    def _flat(self, pairs: tuple[tuple[Scalar, Node], ...]) -> list[Property]:
        found = []
        for key, value in pairs:
            if not isinstance(value, Scalar):
                self._refuse(value, f"{key.text!r} takes one value, not a {_word(value)}")
                continue
            prop = self._property(key, value)
            if prop is not None:
                found.append(prop)
        return found

    def _plugins(self, kind: Kind, key: Scalar, value: Node) -> None:
        # A named tuple's own constructor is a Python function around this one, and costs twice as much.
        file, names, made = self.file, self.names, tuple.__new__
        for item in self._maps(key, value):
            properties: list[Property] = []
            groups: list[Group] = []
            for name, entry in item.pairs:
                if not isinstance(entry, Scalar):
                    self._plugin_nested(kind, name, entry, properties, groups)
                    continue
                word, text = names.get(name.text), entry.text
                # The common property is made here and not by a call: a large file has many thousands of them.
                if word and text and text[0] not in BLANKS and text[-1] not in BLANKS:
                    place = (file, name.line, name.column, entry.line, entry.column)
                    properties.append(made(Property, (name.text, word, text, *place, None, -1)))
                else:
                    prop = self._property(name, entry)
                    if prop is not None:
                        properties.append(prop)
            self._section(kind, key.text, item, properties, tuple(groups))

    def _plugin_nested(
        self, kind: Kind, name: Scalar, entry: ListNode | MapNode, properties: list[Property], groups: list[Group]
    ) -> None:
        structured = name.text in STRUCTURED
        if structured or (kind is Kind.INPUT and name.text == "telemetry" and isinstance(entry, MapNode)):
            if name.text == "processors":
                self._check_processors(entry)
            properties.append(self._nested(name, entry, name.text))
        elif isinstance(entry, ListNode):
            properties.extend(self._list(name, entry))
        else:
            groups.append(self._group(name.text, name, entry))

    def _list(self, key: Scalar, value: ListNode) -> Iterator[Property]:
        """One property per item; Fluent Bit does not trim items (STATE_PLUGIN_VAL_LIST)."""
        name = self.names.get(key.text) or self._name(key)
        if not value.items:
            yield self._nested(key, value, name)
        for number, item in enumerate(value.items):
            if isinstance(item, Scalar):
                place = (self.file, key.line, key.column, item.line, item.column)
                yield Property(key.text, name, item.text, *place, item=number)
            else:
                self._refuse(item, f"an item of {key.text!r} is a {_word(item)}, not one value")

    def _group(self, key: str, at: Node, value: Node) -> Group:
        pairs = value.pairs if isinstance(value, MapNode) else ()
        return Group(key, folded(key), tuple(self._flat(pairs)), self.file, at.line, at.column)

    def _check_processors(self, value: Node) -> None:
        """Signals, each with a list of maps. A list in place of the map is read, and does nothing: no problem here."""
        if not isinstance(value, MapNode):
            return
        for signal, units in value.pairs:
            if folded(signal.text) not in SIGNALS:
                self._refuse(signal, f"processors are for logs, metrics or traces, not {signal.text!r}")
                continue
            for _ in self._maps(signal, units):
                pass

    def _service(self, key: Scalar, value: Node) -> None:
        if self.reading.service_seen:
            what = "a second `service`: Fluent Bit takes one in all files together"
            self.reading.problem("duplicate_service", self._place(key), what, "move its keys into the first one")
        self.reading.service_seen = True
        properties = []
        for name, entry in self._pairs(key, value):
            if isinstance(entry, MapNode):
                properties.append(self._nested(name, entry, self.names.get(name.text) or self._name(name)))
            else:
                properties += self._flat(((name, entry),))
        self._section(Kind.SERVICE, key.text, key, properties)

    def _extensions(self, key: Scalar, value: Node) -> None:
        properties = [self._nested(name, entry, folded(name.text)) for name, entry in self._pairs(key, value)]
        self._section(Kind.EXTENSIONS, key.text, key, properties)

    def _flat_list(self, kind: Kind, key: Scalar, value: Node) -> None:
        """Parsers, stream tasks, multiline parsers with `rules`, upstreams with `nodes` (these two words in lower case)."""
        plural, single = _GROUPS.get(kind, ("", ""))
        for item in self._maps(key, value):
            groups: list[Group] = []
            pairs = []
            for name, entry in item.pairs:
                if name.text == plural:
                    groups += [self._group(single, part, part) for part in self._maps(name, entry)]
                else:
                    pairs.append((name, entry))
            self._section(kind, key.text, item, self._flat(tuple(pairs)), tuple(groups))

    def _shared_objects(self, key: Scalar, value: Node) -> None:
        """A list of paths; as in a classic plugins file, each becomes a property `path`."""
        found = []
        for item in self._items(key, value):
            if isinstance(item, Scalar):
                place = (self.file, item.line, item.column)
                found.append(Property("path", "path", item.text.strip(BLANKS), *place, item.line, item.column))
            else:
                self._refuse(item, "a plugin is the path of one file")
        self._section(Kind.PLUGINS, key.text, key, found)

    def _env(self, key: Scalar, value: Node) -> None:
        if isinstance(value, ListNode):
            for item in self._maps(key, value):
                self._env_entry(item)
            return
        for name, entry in self._pairs(key, value):
            if isinstance(entry, Scalar):
                self._variable(name, entry, Variable(name.text, entry.text, self.file, 0, 0, 0, 0))
            else:
                self._refuse(entry, f"the variable {name.text!r} takes one value, not a {_word(entry)}")

    def _variable(self, key: Scalar, value: Scalar, found: Variable) -> None:
        """Keep a variable, with the places of its key and its value."""
        at = value if value.end > value.start else key
        uri = found.uri or (found.value if found.value.startswith("file://") else "")
        placed = found._replace(line=key.line, column=key.column, value_line=at.line, value_column=at.column, uri=uri)
        self.reading.variables.append(placed)

    def _env_entry(self, item: MapNode) -> None:
        """`name`, `value`, `uri`, `refresh_interval`; any other key is a name with its value (STATE_ENV_LIST_VAL)."""
        found: dict[str, Scalar] = {}
        name, key, value = "", None, None
        for word, entry in item.pairs:
            if not isinstance(entry, Scalar):
                self._refuse(entry, f"{word.text!r} of a variable takes one value, not a {_word(entry)}")
            elif folded(word.text) in ("name", "value", "uri", "refresh_interval"):
                found[folded(word.text)] = entry
                if folded(word.text) == "name":
                    name, key = entry.text, word
            elif not name:
                name, key, value = word.text, word, entry
        if key is None or not name:
            what = "a variable without a name: Fluent Bit drops it"
            self.reading.warn("env_without_name", self._place(item), what, "add `name: ...`")
            return
        value = found.get("value", value)
        uri, refresh = found.get("uri"), found.get("refresh_interval")
        text, uri_text, refresh_text = (part.text if part else "" for part in (value, uri, refresh))
        variable = Variable(name, text, self.file, 0, 0, 0, 0, uri_text, refresh_text)
        self._variable(key, value or uri or key, variable)


def _seen(key: Scalar, value: Node) -> Node:
    """Where to report a value: an empty one has no place of its own, so at its key."""
    return key if isinstance(value, Scalar) and value.start == value.end else value


def _word(node: Node) -> str:
    return "list" if isinstance(node, ListNode) else "map"
