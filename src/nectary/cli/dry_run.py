"""A second opinion on a configuration: what `fluent-bit --dry-run` says of it, in a child that can harm nothing.

The dry run starts no plugin and opens no connection, and the child has no network where this machine lets us take it away.
It works on copies in a folder of its own, with `{{ secrets.X }}` and `{{ files.X }}` replaced, as before a real start.
"""

import os
import posixpath
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nectary.cli import child, files
from nectary.cli.files import Given
from nectary.fluentbit import references
from nectary.fluentbit.document import Document, Format, Kind, Severity
from nectary.fluentbit.findings import Finding, Stage
from nectary.fluentbit.variables import TEMPLATE

_PLACEHOLDER = b"1"
"""Stands for a secret or a file: a text, a number and a path at once."""
_TEMPLATE = re.compile(TEMPLATE.pattern.encode())
_ENDINGS = {Format.CLASSIC: ".conf", Format.YAML: ".yaml", Format.JSON: ".yaml"}
_COPIED, _MOST_COPIED = 1000, 32 * 1024 * 1024
_MESSAGE = re.compile(r"^\[[\d/]+ [\d:.]+\] \[ *error\] (.*)", re.MULTILINE)
_PLACE = re.compile(r" in (\S+):(\d+): ")


@dataclass(frozen=True, slots=True)
class Opinion:
    """accepts: True, False, or None for no answer. reason: what it said, or why there is no answer. line: 1 where not known."""

    accepts: bool | None
    reason: str
    file: str = ""
    line: int = 1

    def finding(self, name: str) -> Finding:
        """The refusal of the configuration `name` as a finding."""
        message = f"fluent-bit --dry-run refuses it: {self.reason}"
        return Finding(Severity.ERROR, self.file or name, self.line, 1, "dry_run", "", message, "", Stage.DRY_RUN)


def ask(program: str, given: Given, document: Document | None, *, seconds: int = 10) -> Opinion:
    """Run `program --dry-run` on a configuration and what it includes. document: as far as it could be read.

    A crash is no answer: the dry run of 5.1.1 aborts on some configurations that run well.
    """
    if document is not None and _plugins_of_its_own(document):
        return Opinion(None, "the configuration loads plugins of its own, and that would run their code here")
    with tempfile.TemporaryDirectory(prefix="nectary-dry-run-") as folder:
        root = Path(folder).resolve()
        main = _copy(root, given, document)
        here = _inside(root, ".")
        here.mkdir(parents=True, exist_ok=True)
        command = [*child.without_network(), program, "--dry-run", "-c", str(main)]
        ended = child.run(command, folder=here, environment=_environment(document), seconds=seconds)
    return _opinion(ended, str(root), main, given.name, seconds)


def _plugins_of_its_own(document: Document) -> bool:
    return bool(document.of(Kind.PLUGINS)) or document.service_value("plugins_file") is not None


def _copy(root: Path, given: Given, document: Document | None) -> Path:
    """Everything the dry run may open, below `root` where it is in the file system, so relative names fit. Gives the main."""
    main = _inside(root, given.name)
    # The real program tells the formats apart by the name, and reads JSON as YAML.
    if given.format is not Format.CLASSIC or main.suffix.lower() in {".yaml", ".yml"}:
        main = main.with_name(main.name + _ENDINGS[given.format])
    _write(main, _TEMPLATE.sub(_PLACEHOLDER, given.data))
    left = _MOST_COPIED
    for number, (name, data) in enumerate(_others(given, document)):
        left -= len(data)
        if number >= _COPIED or left < 0:
            break
        target = _inside(root, name)
        if target != main:
            _write(target, data)
    return main


def _others(given: Given, document: Document | None) -> Iterator[tuple[str, bytes]]:
    """Included files, and the files that options name by a relative path, each with its bytes."""
    if document is None:
        return
    for source in document.sources[1:]:
        if not posixpath.isabs(source.file):
            yield source.file, _TEMPLATE.sub(_PLACEHOLDER, source.text.encode(source.encoding))
    for path in references.find(document).paths:
        if path.role.startswith("file read") and not posixpath.isabs(path.path) and len(path.path) < 4096:
            found = files.beside(given.name, path.path)
            data = None if found is None else files.read(found)
            if found is not None and data is not None:
                yield found, data


def _inside(root: Path, name: str) -> Path:
    return root / os.path.abspath(name).lstrip("/")  # noqa: PTH100 - resolve() would follow links


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _environment(document: Document | None) -> Mapping[str, str]:
    """Only the variables that the configuration names: nothing else of ours is its business."""
    used = {use.name for use in references.find(document).variables} if document is not None else set()
    return {name: value for name, value in os.environ.items() if name in used or name == "LD_LIBRARY_PATH"}


def _opinion(ended: child.Ended, root: str, main: Path, name: str, seconds: int) -> Opinion:
    said = ended.err + "\n" + ended.out
    if ended.code == 0 and "configuration test is successful" in said:
        return Opinion(True, "accepted")
    if ended.code is None:
        return Opinion(None, f"it took longer than {seconds} s")
    if ended.code < 0 or ended.code >= 128:
        return Opinion(None, f"it crashed (signal {-ended.code if ended.code < 0 else ended.code - 128})")
    errors = [_with_own_names(text, root, main, name) for text in _MESSAGE.findall(said)]
    if not errors:
        return Opinion(None, f"it ended with {ended.code} and no word: {said.strip()[-200:] or 'nothing'}")
    file, line = "", 1
    for text in errors:
        if place := _PLACE.search(text):
            file, line = place[1], max(int(place[2]), 1)
            break
    return Opinion(False, "; ".join(text.strip() for text in errors[:3]), file, line)


def _with_own_names(text: str, root: str, main: Path, name: str) -> str:
    """The message with the names its reader knows instead of those of the copies."""
    return text.replace(str(main), name).replace(root, "")
