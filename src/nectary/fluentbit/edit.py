"""Changes one thing in a configuration and leaves every other character as it was.

Each function gives a new document. The changed text is read again and must mean exactly the old meaning with this one change;
else ConfigError is raised and nothing is changed. So no value, however it is made, can open a section or add a key.
"""

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import replace

from nectary.fluentbit import classic_edit, formats, meaning, tree_edit
from nectary.fluentbit.document import (
    PLUGIN_KINDS,
    ConfigError,
    Document,
    Format,
    Kind,
    Limits,
    Place,
    Problem,
    Property,
    Section,
    Source,
)
from nectary.fluentbit.reading import folded
from nectary.fluentbit.structure import option_name

Edits = list[tuple[int, int, str]]
"""Replacements in one source's text: from, to, by."""

ADDABLE = (Kind.SERVICE, *PLUGIN_KINDS)
"""The kinds of section that can be added in every format."""


def set_property(document: Document, section: Section, name: str, value: str) -> Document:
    """Give an option a value: the last one of that name is changed, or one is added at the section's end."""
    prop = section.find(folded(name))
    if prop is None:
        return add_property(document, section, name, value)
    if prop.nested is not None:
        raise _refusal(prop.place, f"{prop.key!r} holds a list or map, and not one value", "edit the text")
    if prop.value == value:
        return document
    source = _source(document, section)
    engine = _engine(source)
    edits = engine.change(source, section, prop, value)
    changed = tuple(one if one is not prop else prop._replace(value=value) for one in section.properties)
    return _applied(document, source, edits, section, section._replace(properties=changed))


def add_property(document: Document, section: Section, key: str, value: str) -> Document:
    """Add an option at the section's end, also when one of that name is there already."""
    source = _source(document, section)
    name = folded(key) if source.format is Format.CLASSIC else option_name(key)
    added = Property(key, name, value, section.file, 0, 0, 0, 0)
    edits = _engine(source).add(source, section, key, value)
    return _applied(document, source, edits, section, section._replace(properties=(*section.properties, added)))


def remove_property(document: Document, section: Section, prop: Property) -> Document:
    """Remove one property (one line of a classic text, one entry of a YAML or JSON list or map)."""
    source = _source(document, section)
    edits = _engine(source).remove(source, section, prop)
    left = tuple(one for one in section.properties if one is not prop)
    return _applied(document, source, edits, section, section._replace(properties=left))


def add_section(document: Document, kind: Kind, properties: Sequence[tuple[str, str]]) -> Document:
    """Add a section of ADDABLE kind with these keys and values at the end of its kind, in the main file."""
    place = Place(document.file, 1, 1)
    if kind not in ADDABLE:
        raise _refusal(place, f"a section of kind {kind} cannot be added", "edit the text")
    if kind is Kind.SERVICE and document.format is not Format.CLASSIC and document.of(Kind.SERVICE):
        raise _refusal(place, "there is a service section already", "set its properties")
    source = document.sources[0]
    name_of = folded if source.format is Format.CLASSIC else option_name
    made = [Property(key, name_of(key), value, document.file, 0, 0, 0, 0) for key, value in properties]
    section = Section(kind, kind.upper(), tuple(made), (), document.file, 0, 0)
    edits = _engine(source).add_section(source, document, kind, properties)
    return _checked(document, source, edits, replace(document, sections=_with(document, section)))


def remove_section(document: Document, section: Section) -> Document:
    """Remove a section with its properties and the comments among them."""
    source = _source(document, section)
    edits = _engine(source).remove_section(source, document, section)
    return _applied(document, source, edits, section, None)


def _with(document: Document, section: Section) -> tuple[Section, ...]:
    """The sections with one more: last in a classic text; in YAML and JSON after the last of its kind in the main file."""
    sections = list(document.sections)
    own = [index for index, one in enumerate(sections) if one.kind is section.kind and one.file == document.file]
    at = own[-1] + 1 if own and document.format is not Format.CLASSIC else len(sections)
    return (*sections[:at], section, *sections[at:])


def _refusal(place: Place, what: str, advice: str) -> ConfigError:
    return ConfigError((Problem(place, "refused_edit", what, advice),))


def _source(document: Document, section: Section) -> Source:
    for source in document.sources:
        if source.file == section.file:
            return source
    raise _refusal(section.place, "the text of this section is not known", "add it to a document that was read")


def _engine(source: Source) -> "type[classic_edit.Lines | tree_edit.Tree]":
    return classic_edit.Lines if source.format is Format.CLASSIC else tree_edit.Tree


def _applied(document: Document, source: Source, edits: Edits, old: Section, new: Section | None) -> Document:
    sections = []
    for section in document.sections:
        if section is not old:
            sections.append(section)
        elif new is not None:
            sections.append(new)
    return _checked(document, source, edits, replace(document, sections=tuple(sections)))


def _checked(document: Document, source: Source, edits: Edits, expected: Document) -> Document:
    text = source.text
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    changed = _read_again(document, source._replace(text=text))
    if not meaning.same(expected, changed):
        place = Place(source.file, 1, 1)
        raise _refusal(place, "this change cannot be written without changing something else", "edit the text")
    return changed


def _read_again(document: Document, changed: Source) -> Document:
    """Parse the document anew from the texts it holds, with one of them changed."""
    texts = {source.file: source for source in document.sources} | {changed.file: changed}

    def read(name: str) -> bytes | None:
        source = texts.get(name)
        return source.text.encode(source.encoding) if source is not None else None

    patterns: dict[str, Sequence[str]] = {}
    for include in document.includes:
        directories = {posixpath.dirname(document.file), posixpath.dirname(include.file)}
        patterns |= {posixpath.join(directory, include.path): include.files for directory in directories}
    followed = any(include.files for include in document.includes)
    find: Callable[[str], Sequence[str]] = lambda pattern: patterns.get(pattern, ())  # noqa: E731
    main = texts[document.file]
    size = sum(len(source.text.encode(source.encoding)) for source in texts.values())
    limits = Limits(bytes=size + 1, depth=1000, values=size + 1)
    data = main.text if main.encoding == "utf-8" else main.text.encode(main.encoding)
    return formats.parse(data, document.file, document.format, read=read if followed else None, glob=find, limits=limits)
