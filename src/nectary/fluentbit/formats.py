"""Reads a configuration in whichever of the three formats it is written."""

from nectary.fluentbit import classic, json, yaml
from nectary.fluentbit.document import LIMITS, Document, Format, Limits
from nectary.fluentbit.reading import Glob, Read

UNNAMED = {Format.CLASSIC: "fluent-bit.conf", Format.YAML: "fluent-bit.yaml", Format.JSON: "fluent-bit.json"}
_PARSERS = {Format.CLASSIC: classic.parse, Format.YAML: yaml.parse, Format.JSON: json.parse}


_NAMES = {"": Format.CLASSIC, "ini": Format.CLASSIC, "conf": Format.CLASSIC, "classic": Format.CLASSIC}
_NAMES |= {"yml": Format.YAML, "yaml": Format.YAML, "json": Format.JSON}


def format_named(name: str) -> Format:
    """The format for any of its published names ("ini", "classic", "conf", "", "yml", "yaml", "json"), in any case.

    Raises ValueError for another.
    """
    found = _NAMES.get(name.lower())
    if found is None:
        raise ValueError(f'"{name}" is no configuration format; known: classic, ini, yaml, json')
    return found


def format_of(file: str) -> Format:
    """The format by a file's name: Fluent Bit takes .yaml and .yml for YAML and all else for classic; .json is ours."""
    ending = file.rpartition(".")[2].lower()
    return {"yaml": Format.YAML, "yml": Format.YAML, "json": Format.JSON}.get(ending, Format.CLASSIC)


def parse(
    data: str | bytes,
    file: str | None = None,
    format: Format | None = None,
    *,
    read: Read | None = None,
    glob: Glob | None = None,
    limits: Limits = LIMITS,
) -> Document:
    """Read a configuration; the format is told by the file's name unless given. Raises ConfigError.

    Without a file's name, places name the file that Fluent Bit would look for.
    """
    known = format or format_of(file or "")
    return _PARSERS[known](data, file or UNNAMED[known], read, glob, limits)
