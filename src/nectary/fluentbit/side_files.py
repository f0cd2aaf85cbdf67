"""Converts a configuration together with the files it keeps apart: parsers, stream tasks, plugins and upstreams.

A file that an option names is written in the new format under a new name, and the option names that. What YAML may hold in
the main file and classic may not becomes a file of its own. Nothing here opens a file: the caller's `look` gives what a path
names.
"""

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from nectary.fluentbit import comments, meaning
from nectary.fluentbit.convert import ENDINGS, Conversion, convert
from nectary.fluentbit.document import Document, Format, Kind, Place, Problem, Property, Section, Severity
from nectary.fluentbit.fit import is_side_file

Look = Callable[[str], Document | None]
"""The document that a path as written in the main file names, or None when it is not to be had."""

_KINDS = {
    "parsers_file": (Kind.PARSER, Kind.MULTILINE_PARSER),
    "streams_file": (Kind.STREAM_TASK,),
    "plugins_file": (Kind.PLUGINS,),
    "upstream": (Kind.UPSTREAM, Kind.NODE),
}
"""The options that name side files, and what Fluent Bit reads in these: flb_parser_conf_file, sp_config_file,
flb_plugin_load_config_file, flb_upstream_ha_from_file."""
_SERVICE = ("parsers_file", "streams_file", "plugins_file")
_STEMS = {"parsers_file": "parsers", "streams_file": "streams", "plugins_file": "plugins", "upstream": "upstream"}


class Named(NamedTuple):
    """One option that names a side file."""

    section: Section
    option: Property


@dataclass(frozen=True, slots=True)
class Written:
    """A configuration in its new format. files: name and text of the main file, then of each side file; no name comes twice.
    findings: of all of them, as `Conversion.findings`.
    """

    files: tuple[tuple[str, Conversion], ...]
    findings: tuple[Problem, ...]

    @property
    def lossless(self) -> bool:
        """Whether all of it means the same as before."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def named(document: Document) -> Iterator[Named]:
    """The options that name side files, in order."""
    for section in document.sections:
        for prop in section.properties:
            of_service = section.kind is Kind.SERVICE and prop.name in _SERVICE
            of_output = section.kind is Kind.OUTPUT and prop.name == "upstream"
            if (of_service or of_output) and prop.nested is None and prop.value:
                yield Named(section, prop)


def convert_all(document: Document, to: Format, look: Look) -> Written:
    """The configuration and its side files in another format.

    Side files of a JSON configuration are YAML: Fluent Bit tells a side file's format by its name, and reads no JSON there.
    Raises ConfigError as `convert` does.
    """
    if to is document.format:
        return Written(((posixpath.basename(document.file), Conversion(document, ())),), ())
    work = _Work(document, to, look)
    work.take_named()
    if to is Format.CLASSIC and not is_side_file(document):
        work.take_inline()
    return work.written()


class _Work:
    """One conversion: the new names so far, and what becomes a side file."""

    def __init__(self, document: Document, to: Format, look: Look) -> None:
        self.document = document
        self.to = to
        self.look = look
        self.side_format = Format.CLASSIC if to is Format.CLASSIC else Format.YAML
        self.stem = posixpath.basename(_stem(document.file))
        self.main_name = self.stem + ENDINGS[to]
        self.names = {self.main_name}
        self.renamed: dict[str, str] = {}  # a path as written to the new file's name
        self.sides: list[tuple[str, Document, comments.ByLine | None]] = []
        self.findings: list[Problem] = []
        self.moved: set[int] = set()  # identities of the sections that leave the main file
        self.added: list[tuple[str, str]] = []  # options that the service gets

    def take_named(self) -> None:
        """The side files that there are."""
        for _, option in named(self.document):
            path = option.value
            if path in self.renamed:
                continue
            if self._is_main(path):
                self.renamed[path] = self.main_name
                continue
            found = self.look(path)
            if found is None:
                what = f"{option.name} still names {path!r}, which is not to be had here and not converted"
                self._warn(option.value_place, "side_file_kept", what, "convert it as well")
                continue
            self.renamed[path] = name = self._new_name(_stem(path))
            self.sides.append((name, self._only(option, found), None))

    def take_inline(self) -> None:
        """What a classic main file may not hold."""
        document, notes = self.document, comments.by_line(self.document)
        for option in _SERVICE:
            sections = document.of(*_KINDS[option])
            if not sections:
                continue
            if option == "streams_file" and document.service_value(option) is not None:
                continue  # there can be one such file only, so these stay and are listed as left out
            self.added.append((option, self._part(option, sections, notes)))
        for section in document.of(Kind.UPSTREAM):
            name = self._part("upstream", (section,), notes)
            # An output that names the main file gets the last of its upstreams (flb_upstream_ha_from_file).
            self.renamed |= {path: name for path in self.renamed if self._is_main(path)}

    def written(self) -> Written:
        """All files, converted."""
        kept = tuple(section for section in self.document.sections if id(section) not in self.moved)
        main = replace(self.document, sections=self._with_names(kept))
        notes = None
        if self.moved:
            notes = comments.of_part(comments.by_line(self.document), main, with_rest=True)
        files = [(self.main_name, convert(main, self.to, notes))]
        files += [(name, convert(side, self.side_format, lines)) for name, side, lines in self.sides]
        findings = [*self.findings, *(finding for _, made in files for finding in made.findings)]
        return Written(tuple(files), tuple(sorted(dict.fromkeys(findings), key=lambda finding: finding.place)))

    def _part(self, option: str, sections: tuple[Section, ...], notes: comments.ByLine) -> str:
        """Sections of the main file that become a side file; its name."""
        name = self._new_name(f"{self.stem}.{_STEMS[option]}")
        part = replace(self.document, sections=sections, variables=(), includes=(), commands=(), warnings=())
        self.sides.append((name, part, comments.of_part(notes, part)))
        self.moved |= {id(section) for section in sections}
        self._warn(sections[0].place, "side_file_made", f"this goes to {name}: a classic main file cannot hold it")
        return name

    def _with_names(self, sections: tuple[Section, ...]) -> tuple[Section, ...]:
        """The main file's sections, naming the new files."""
        found = []
        for section in sections:
            options = {id(option) for of, option in named(replace(self.document, sections=(section,))) if of is section}
            found.append(
                section._replace(
                    properties=tuple(
                        prop._replace(value=self.renamed.get(prop.value, prop.value)) if id(prop) in options else prop
                        for prop in section.properties
                    )
                )
            )
        if not self.added:
            return tuple(found)
        extra = tuple(Property(option, option, name, "", 0, 0, 0, 0) for option, name in self.added)
        last = max((number for number, section in enumerate(found) if section.kind is Kind.SERVICE), default=-1)
        if last < 0:
            return (Section(Kind.SERVICE, "SERVICE", extra, (), "", 0, 0), *found)
        found[last] = found[last]._replace(properties=(*found[last].properties, *extra))
        return tuple(found)

    def _only(self, option: Property, side: Document) -> Document:
        """A side file without what Fluent Bit does not read in it."""
        kinds = _KINDS[option.name]
        if side.format is self.side_format:
            return side  # it stays as it is
        for section in side.sections:
            if section.kind not in kinds:
                what = f"Fluent Bit reads no {section.kind} from a file that {option.name} names, and so it is left out"
                self._warn(section.place, "left_out", what)
        if len(side.of(Kind.UPSTREAM)) > 1 and option.name == "upstream":
            what = "several upstreams in one file: the formats differ in which of them counts"
            place = side.of(Kind.UPSTREAM)[1].place
            self.findings.append(Problem(place, "unsupported", what, "write each to a file of its own"))
        return replace(side, sections=side.of(*kinds))

    def _is_main(self, path: str) -> bool:
        return posixpath.normpath(path) in (posixpath.normpath(self.document.file), posixpath.basename(self.document.file))

    def _new_name(self, stem: str) -> str:
        base = posixpath.basename(stem) or "file"
        number, name = 1, base + ENDINGS[self.side_format]
        while name in self.names:
            number += 1
            name = f"{base}-{number}{ENDINGS[self.side_format]}"
        self.names.add(name)
        return name

    def _warn(self, place: Place, kind: str, what: str, advice: str = "") -> None:
        self.findings.append(Problem(place, kind, what, advice, Severity.WARNING))


def _stem(path: str) -> str:
    root, ending = posixpath.splitext(path)
    return root if ending.lower() in (".conf", ".yaml", ".yml", ".json", ".cfg") else path


def whole(document: Document, look: Look) -> Document:
    """The configuration with the content of its side files in place of their names: what `meaning.same` compares.

    Parsers and plugins of files come before those of the main file, stream tasks after them, as Fluent Bit loads them. A file
    that `look` does not have stays a name.
    """
    before: list[Section] = []
    after: list[Section] = []
    dropped: set[int] = set()
    values: dict[int, str] = {}
    for section, option in named(document):
        main = posixpath.normpath(option.value) in (posixpath.normpath(document.file), posixpath.basename(document.file))
        side = document if main else look(option.value)
        if side is None:
            continue
        found = side.of(*_KINDS[option.name])
        if section.kind is Kind.OUTPUT:
            upstreams = meaning.normal_sections(found)
            values[id(option)] = repr([meaning.of_section(one) for one in upstreams[-1:]])
        else:
            dropped.add(id(option))
            (after if option.name == "streams_file" else before).extend(found)
    sections = []
    for section in document.sections:
        if section.kind in _KINDS["upstream"]:
            continue  # Fluent Bit reads upstreams only from the file that an output names
        kept = (prop for prop in section.properties if id(prop) not in dropped)
        properties = tuple(prop._replace(value=values.get(id(prop), prop.value)) for prop in kept)
        sections.append(section._replace(properties=properties))
    return replace(document, sections=(*before, *sections, *after))
