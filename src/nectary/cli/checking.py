"""One configuration checked with all that lies beside it: included files, files of parsers, and a real Fluent Bit if asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nectary.cli import child, dry_run, files
from nectary.cli.files import Given
from nectary.cli.output import stop
from nectary.fluentbit import formats
from nectary.fluentbit.document import ConfigError, Document, Kind
from nectary.fluentbit.findings import Finding, from_problem
from nectary.fluentbit.schema import Schema
from nectary.fluentbit.validate import Surroundings, examine
from nectary.fluentbit.validate import check as check_text
from nectary.fluentbit.variables import TEMPLATE


@dataclass(frozen=True, slots=True)
class Asked:
    """How to check. here: it will run on this machine, so its files and variables must be there. program: a fluent-bit.
    secrets, files: the names there will be, None when that is not known.
    """

    schema: Schema
    fleet: bool = False
    here: bool = False
    program: str | None = None
    secrets: frozenset[str] | None = None
    files: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. documents: whose lines the findings stand in. note: a sentence about the second opinion, or ""."""

    name: str
    findings: tuple[Finding, ...]
    documents: tuple[Document, ...]
    note: str = ""


def program(path: str) -> str:
    """The fluent-bit to ask. Stops the command when there is none."""
    found = child.program(path)
    if found is None:
        stop(f"there is no program {path} to run")
    return found


def check(given: Given, asked: Asked) -> Checked:
    """Every problem of one configuration and of the files of parsers that its service names."""
    document, found, documents = _look(given, asked)
    if asked.program is None:
        return Checked(given.name, tuple(found), documents)
    opinion = dry_run.ask(asked.program, given, document)
    if opinion.accepts is False:
        found.append(opinion.finding(given.name))
        return Checked(given.name, tuple(found), documents)
    note = "fluent-bit --dry-run accepts it" if opinion.accepts else f"no second opinion: {opinion.reason}"
    return Checked(given.name, tuple(found), documents, note)


def _look(given: Given, asked: Asked) -> tuple[Document | None, list[Finding], tuple[Document, ...]]:
    try:
        document = files.parse(given)
    except ConfigError as error:
        around = _around(asked, given.name, None)
        found = check_text(
            given.data, given.format, schema=asked.schema, file=given.name, read=files.read, glob=files.matching,
            files=around.files, secrets=around.secrets, env=around.env, fleet=around.fleet,
        )  # fmt: skip
        return error.document, found, (error.document,) if error.document is not None else ()
    names, found, others = _parsers(document, asked)
    found += examine(document, schema=asked.schema, around=_around(asked, given.name, names))
    return document, found, (document, *others)


def _around(asked: Asked, main: str, parsers: frozenset[str] | None) -> Surroundings:
    env: Mapping[str, str] | None = os.environ if asked.here else None
    exists = (lambda path: _exists(main, path)) if asked.here else asked.files
    return Surroundings(exists, asked.secrets, parsers, env, asked.fleet)


def _exists(main: str, path: str) -> bool | None:
    if "\0" in path:
        return False
    return files.beside(main, path) is not None or Path(path).exists()


def _parsers(document: Document, asked: Asked) -> tuple[frozenset[str] | None, list[Finding], list[Document]]:
    """The names of all parsers in the files the service names (None: one is not to be had here), and what is wrong in these."""
    names: set[str] | None = set()
    found: list[Finding] = []
    others: list[Document] = []
    for prop in document.service:
        if prop.name != "parsers_file":
            continue
        readable = not ("${" in prop.value or TEMPLATE.search(prop.value) or "\0" in prop.value)
        path = files.beside(document.file, prop.value) if readable else None
        data = None if path is None else files.read(path)
        if path is None or data is None:
            names = None
            continue
        try:
            other = formats.parse(data, path, read=files.read, glob=files.matching)
        except ConfigError as error:
            found += [from_problem(problem) for problem in error.problems]
            names = None
            if error.document is not None:
                others.append(error.document)
            continue
        others.append(other)
        found += examine(other, schema=asked.schema)
        if names is not None:
            names |= {section.get("name") or "" for section in other.of(Kind.PARSER, Kind.MULTILINE_PARSER)}
    return None if names is None else frozenset(names), found, others
