"""Configurations from disk or standard input, with what they include, found as Fluent Bit finds it and read within limits."""

import os
import posixpath
import stat
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import typer

from nectary.cli.output import stop
from nectary.fluentbit import findings, formats
from nectary.fluentbit.document import ConfigError, Document, Format

LONGEST = 16 * 1024 * 1024
"""Bytes of one file that are read at all; the engine's own limit for a configuration is far below."""
_ENTRIES = 100_000
"""Names that all patterns of one include may look at; a pattern such as `/*/*/*/*` would walk through the whole disk."""
STDIN = "stdin"


@dataclass(frozen=True, slots=True)
class Given:
    """One configuration as it was given: its name ("stdin" for `-`), bytes and format."""

    name: str
    data: bytes
    format: Format


def content(path: str, most: int = LONGEST) -> bytes:
    """The bytes of a file, or of standard input for `-`. Stops the command where there is nothing to read, or too much."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(most + 1)
    except IsADirectoryError:
        stop(f"{path} is a directory; name a file in it")
    except (OSError, ValueError) as error:
        stop(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")
    if len(data) > most:
        stop(f"{path} is larger than {most} bytes; nothing of its kind is", 1)
    return data


def given(path: str, format_name: str | None = None) -> Given:
    """A file with its format: as said, else by its name, else (standard input) by how it begins. Stops as `content` does."""
    try:
        said = None if format_name is None else formats.format_named(format_name)
    except ValueError as error:
        stop(str(error))
    data = content(path)
    if path != "-":
        return Given(path, data, said or formats.format_of(path))
    return Given(STDIN, data, said or _format_by_look(data))


def _format_by_look(data: bytes) -> Format:
    """Classic text begins with `[HEADER]` or `@COMMAND`, JSON with `{`, and YAML with neither."""
    for line in data[:65536].decode("utf-8", "replace").removeprefix("\ufeff").splitlines():
        begin = line.strip()
        if begin and not begin.startswith("#"):
            return Format.JSON if begin[0] == "{" else Format.CLASSIC if begin[0] in "[@" else Format.YAML
    return Format.CLASSIC


def parse(one: Given) -> Document:
    """Read a configuration with what it includes. Raises ConfigError."""
    return formats.parse(one.data, one.name, one.format, read=read, glob=matching)


def document(path: str, format_name: str | None = None) -> Document:
    """Read a configuration; where it is none, its problems go to standard error and the command ends with code 1."""
    try:
        return parse(given(path, format_name))
    except ConfigError as error:
        problems = findings.in_order(findings.from_problem(problem) for problem in error.problems)
        typer.echo(findings.as_report(problems, texts(error.document)), err=True, nl=False)
        raise typer.Exit(1) from None


def texts(*documents: Document | None) -> dict[str, str]:
    """The text of each file, by name, to show lines of."""
    return {source.file: source.text for each in documents if each is not None for source in each.sources}


def read(path: str) -> bytes | None:
    """An included file's bytes; None unless it is a regular file that may be read: a pipe or device would never end."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read(LONGEST)


def matching(pattern: str) -> list[str]:
    """The regular files that fit a pattern, sorted; as glob(3), but it gives up after so many names."""
    budget = _ENTRIES
    found = ["/" if pattern.startswith("/") else ""]
    for part in filter(None, pattern.split("/")):
        fitting: list[str] = []
        for folder in found:
            if not any(sign in part for sign in "*?["):
                budget -= 1
                fitting += [posixpath.join(folder, part)] * os.path.lexists(posixpath.join(folder, part))
                continue
            names = _names(folder or ".", budget)
            budget -= len(names) + 1
            fitting += [posixpath.join(folder, name) for name in names if _fits(name, part)]
            if budget <= 0:
                break
        found = fitting
    return sorted(name for name in found if Path(name).is_file())


def _names(folder: str, most: int) -> list[str]:
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) >= most:
                    break
    except (OSError, ValueError):
        return []
    return names


def _fits(name: str, part: str) -> bool:
    return fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))


def beside(main: str, name: str) -> str | None:
    """Where a file that a service names is: as named, else in the main file's directory (flb_parser_conf_file), or None."""
    for path in (name, posixpath.join(posixpath.dirname(main), name)):
        if Path(path).is_file():
            return path
    return None
