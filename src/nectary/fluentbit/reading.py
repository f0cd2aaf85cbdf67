"""What reading one configuration gathers: its files, its pieces so far, and its problems.

Shared by the classic, YAML and JSON parsers. Nothing here opens a file: included ones come from the caller's `read` and `glob`.
"""

import posixpath
from collections.abc import Callable, Sequence
from typing import NoReturn

from nectary.fluentbit.document import (
    Command,
    ConfigError,
    Document,
    Format,
    Include,
    Limits,
    Place,
    Problem,
    Section,
    Severity,
    Source,
    Variable,
)

Read = Callable[[str], bytes | None]
"""Gives a file's bytes, or None when there is no such file."""
Glob = Callable[[str], Sequence[str]]
"""Gives the names that fit a pattern with `*`, as `read` takes them."""

BLANKS = " \t\n\v\f\r"
"""What C's isspace takes, which is what Fluent Bit trims (flb_sds_trim); Python's own strip would take Unicode blanks too."""

_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def folded(word: str) -> str:
    """Lower case as C's tolower does it: ASCII letters only."""
    return word.lower() if word.isascii() else "".join(letter.lower() if letter.isascii() else letter for letter in word)


def enough_for(text: str) -> Limits:
    """Limits within which a text that was read or written already is read again, whatever it holds."""
    return Limits(bytes=4 * len(text) + 1024, depth=1000, values=len(text) + 1)


class Reading:
    """One parse in progress, over a main file and what it includes."""

    def __init__(self, file: str, format: Format, read: Read | None, glob: Glob | None, limits: Limits) -> None:
        self.file = file
        self.format = format
        self.limits = limits
        self.sections: list[Section | None] = []
        self.variables: list[Variable] = []
        self.includes: list[Include] = []
        self.commands: list[Command] = []
        self.sources: list[Source] = []
        self.service_seen = False
        self._read = read
        self._glob = glob
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._bytes = 0
        self._seen: set[str] = {posixpath.normpath(file)}
        self._open: list[str] = []

    def problem(self, kind: str, at: Place, message: str, advice: str = "") -> None:
        """Note an error; too many of them end the reading."""
        self._problems.append(Problem(at, kind, message, advice))
        if len(self._problems) >= self.limits.problems:
            self.stop()

    def warn(self, kind: str, at: Place, message: str, advice: str = "") -> None:
        """Note something odd that Fluent Bit accepts; beyond the limit of problems no more are kept."""
        if len(self._warnings) < self.limits.problems:
            self._warnings.append(Problem(at, kind, message, advice, Severity.WARNING))

    def too_many_values(self, file: str, line: int, column: int) -> NoReturn:
        """Give up on a file that holds more values than any configuration does."""
        what = f"more than {self.limits.values} values in one file"
        self.problem("too_large", Place(file, line, column), what, "split it, or raise the limit")
        self.stop()

    def stop(self) -> NoReturn:
        """Give up now, with what was found so far."""
        raise ConfigError(tuple(self._problems), self._document())

    def finish(self) -> Document:
        """The document, or a ConfigError when there were problems."""
        if self._problems:
            self.stop()
        return self._document()

    def _document(self) -> Document:
        return Document(
            format=self.format,
            file=self.file,
            sections=tuple(section for section in self.sections if section is not None),
            variables=tuple(self.variables),
            includes=tuple(self.includes),
            commands=tuple(self.commands),
            sources=tuple(self.sources),
            warnings=tuple(self._warnings),
        )

    def open(self, data: str | bytes, file: str, format: Format) -> str | None:
        """Take one file in: its text, kept as a source; None, and a problem, when it cannot be text."""
        encoding = "utf-8"
        try:
            if isinstance(data, str):
                size = len(data) if data.isascii() else len(data.encode())
                text = data
            else:
                size = len(data)
                encoding = _UTF_16.get(data[:2], "utf-8") if format is not Format.CLASSIC else "utf-8"
                text = data.decode(encoding)
        except UnicodeError as error:
            line, column = _place_of(data, error, encoding)
            self.problem("bad_encoding", Place(file, line, column), "this is not UTF-8 text", "save the file as UTF-8")
            return None
        self._bytes += size
        if self._bytes > self.limits.bytes:
            what = f"the configuration is larger than {self.limits.bytes} bytes"
            self.problem("too_large", Place(file, 1, 1), what, "split it, or raise the limit")
            self.stop()
        self.sources.append(Source(file, format, text, encoding))
        return text

    def include(self, pattern: str, at: Place, from_directory: str, parse: Callable[[str, bytes], None]) -> None:
        """Bring in the file, or the files that fit a pattern with `*`, by `parse(file, bytes)`.

        Tried as given and then in `from_directory` for classic; YAML and JSON look in the including file's directory only.
        """
        if self._read is None:
            self.includes.append(Include(pattern, (), *at))
            return
        slot = len(self.includes)
        self.includes.append(Include(pattern, (), *at))
        names = self._matching(pattern, at, from_directory) if "*" in pattern else [pattern]
        done = []
        for name in names:
            found = self._fetch(name, at, from_directory, pattern)
            if found is not None:
                done.append(found[0])
                self._open.append(found[0])
                parse(*found)
                self._open.pop()
        self.includes[slot] = Include(pattern, tuple(done), *at)

    def _matching(self, pattern: str, at: Place, directory: str) -> list[str]:
        if self._glob is None:
            self.warn("include_not_read", at, f"{pattern!r} is a pattern, and patterns are not followed here")
            return []
        names = list(self._glob(posixpath.join(directory, pattern)))
        if names:
            return names
        what = f"no file fits {pattern!r}"
        # A relative YAML pattern is only warned about; all others fail (read_glob in flb_cf_yaml.c and flb_cf_fluentbit.c).
        if self.format is Format.CLASSIC or pattern.startswith("/"):
            self.problem("include_no_match", at, what, "write a pattern that fits a file, or remove the line")
        else:
            self.warn("include_no_match", at, what, "write a pattern that fits a file, or remove the line")
        return []

    def _fetch(self, name: str, at: Place, directory: str, pattern: str) -> tuple[str, bytes] | None:
        assert self._read is not None
        inside = posixpath.join(directory, name)
        candidates = [name, inside] if self.format is Format.CLASSIC or "*" in pattern else [inside]
        for candidate in dict.fromkeys(candidates):
            known = posixpath.normpath(candidate)
            if known in self._seen:
                circle = known in map(posixpath.normpath, [self.file, *self._open])
                what = f"{name!r} includes itself" if circle else f"{name!r} is included twice"
                self.problem(
                    "include_circle" if circle else "include_twice", at, what, "Fluent Bit reads a file once; remove this"
                )
                return None
            data = self._read(candidate)
            if data is None:
                continue
            self._seen.add(known)
            if len(self.sources) >= self.limits.files:
                self.problem("too_many_files", at, f"more than {self.limits.files} files")
                self.stop()
            if len(self._open) >= self.limits.depth:
                self.problem("too_deep", at, f"files include files more than {self.limits.depth} deep")
                return None
            return candidate, data
        self.problem("file_missing", at, f"there is no file {name!r} to include", "add the file, or correct the path")
        return None


def _place_of(data: str | bytes, error: UnicodeError, encoding: str) -> tuple[int, int]:
    start = error.start if isinstance(error, UnicodeDecodeError | UnicodeEncodeError) else 0
    before = data[:start] if isinstance(data, str) else data[:start].decode(encoding, "replace")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
