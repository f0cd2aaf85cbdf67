"""The 28 processing rules: what each is called, does, and can be told (names, defaults and ranges as the rule library's v6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from nectary.fluentbit.processing.options import (
    Choice,
    Flag,
    Number,
    ObjectOf,
    Path,
    Regex,
    Scalar,
    Script,
    Template,
    Texts,
    option,
    required,
)

ENGINES: Final = ("pcre2", "onig", "posix", "tre", "gnu")
_ANY_NUMBER: Final = "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every rule type is: its name in a rule list, and whether it remembers something from record to record."""

    type: ClassVar[str]
    keeps_state: ClassVar[bool] = False
    # Rules that hand a record out later want its time to the nanosecond (the lua filter's time_as_table).
    exact_time: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class _Engine(Options):
    regex_engine: str = option(Choice(ENGINES), "pcre2")


@dataclass(frozen=True, kw_only=True)
class _Matching(_Engine):
    match_case: bool = option(Flag(), default=False)


@dataclass(frozen=True, kw_only=True)
class Aggregate(Options):
    """Figures (count, sum, average) per group and window of seconds instead of the records."""

    type = "aggregate"
    keeps_state = True
    compute: Mapping[str, Any] = required(ObjectOf())
    keys: tuple[str, ...] = required(Texts())
    window: int = required(Number(1))


@dataclass(frozen=True, kw_only=True)
class AllowKeys(_Matching):
    """Keep the keys that match."""

    type = "allow_keys"
    nested_path: str | None = option(Path())
    regex: str = required(Regex())


@dataclass(frozen=True, kw_only=True)
class AllowRecords(_Matching):
    """Keep the records whose value matches."""

    type = "allow_records"
    key: str = option(Path(), "log")
    regex: str = required(Regex())


@dataclass(frozen=True, kw_only=True)
class BlockKeys(_Matching):
    """Remove the keys that match."""

    type = "block_keys"
    nested_path: str | None = option(Path())
    regex: str = required(Regex())


@dataclass(frozen=True, kw_only=True)
class BlockRecords(_Matching):
    """Drop the records whose value matches; all of them without key and regex."""

    type = "block_records"
    key: str | None = option(Path())
    regex: str | None = option(Regex())


@dataclass(frozen=True, kw_only=True)
class Copy(_Engine):
    """Copy a value to another key."""

    type = "copy"
    dst: str = required(Path(or_template=True))
    regex_mode: bool = option(Flag(), default=False)
    src: str = required(Path(or_regex=True))


@dataclass(frozen=True, kw_only=True)
class CsvDecode(Options):
    """Read a line of CSV into a list or a map."""

    type = "csv_decode"
    keeps_state = True
    dst: str = option(Path(), "decoded_csv")
    header: str | None = option(Texts(comma_separated=True))
    parse_header: bool = option(Flag(), default=False)
    src: str = option(Path(), "log")


@dataclass(frozen=True, kw_only=True)
class CsvEncode(Options):
    """Write a list or a map as a line of CSV."""

    type = "csv_encode"
    dst: str = option(Path(), "encoded_csv")
    header: str | None = option(Texts(comma_separated=True))
    src: str | None = option(Path())


@dataclass(frozen=True, kw_only=True)
class CustomScript(Options):
    """Run a Lua function of your own."""

    type = "custom_script"
    keeps_state = True
    script: str = required(Script())


@dataclass(frozen=True, kw_only=True)
class Deduplicate(Options):
    """Drop records whose value came already within a window of seconds."""

    type = "deduplicate"
    keeps_state = True
    key: str = required(Path())
    skip_missing: bool = option(Flag(), default=True)
    window: int = required(Number(1))


@dataclass(frozen=True, kw_only=True)
class Delete(Options):
    """Remove a key."""

    type = "delete"
    key: str = required(Path())


@dataclass(frozen=True, kw_only=True)
class ExtractKv(_Engine):
    """Collect key and value of every match in a text."""

    type = "extract_kv"
    dst: str = required(Path())
    regex: str = required(Regex(groups=2))
    src: str = required(Path())


@dataclass(frozen=True, kw_only=True)
class Flatten(Options):
    """Move the fields of a map to the top of the record."""

    type = "flatten"
    keep_orig: bool = option(Flag(), default=False)
    key: str = required(Path())
    key_replacement: str = option(Template("regex"), "%1")
    regex: str = option(Regex(), "^.+$")


@dataclass(frozen=True, kw_only=True)
class Hash(Options):
    """Replace a value by its digest."""

    type = "hash"
    algo: str = option(Choice(("sha256", "md5")), "sha256")
    dst: str | None = option(Path())
    encoding: str = option(Choice(("hex", "binary", "base64")), "hex")
    src: str = required(Path())


@dataclass(frozen=True, kw_only=True)
class Join(Options):
    """Make one record of those with the same time, with the list of their values."""

    type = "join"
    keeps_state = True
    exact_time = True
    key: str = required(Path())
    skip_missing: bool = option(Flag(), default=False)


@dataclass(frozen=True, kw_only=True)
class JsonDecode(Options):
    """Read JSON text into a value."""

    type = "json_decode"
    dst: str = option(Path(), "decoded_json")
    src: str = option(Path(), "log")


@dataclass(frozen=True, kw_only=True)
class JsonEncode(Options):
    """Write a value as JSON text."""

    type = "json_encode"
    dst: str = option(Path(), "encoded_json")
    src: str | None = option(Path())


@dataclass(frozen=True, kw_only=True)
class Lift(_Engine):
    """Move the fields of a map some levels up."""

    type = "lift"
    keep_orig: bool = option(Flag(), default=False)
    key: str = required(Path())
    key_replacement: str = option(Template("regex"), "%1")
    levels: int = option(Number(1), 1)
    regex: str = option(Regex(), "^.+$")


@dataclass(frozen=True, kw_only=True)
class MultilineJoin(_Engine):
    """Make one record of a first line and the lines that follow it."""

    type = "multiline_join"
    keeps_state = True
    exact_time = True
    line_limit: int = option(Number(2), 1000)
    regex: str = required(Regex())
    src: str = option(Path(), "log")


@dataclass(frozen=True, kw_only=True)
class Nest(_Matching):
    """Move values into a map."""

    type = "nest"
    dst: str = required(Path())
    merge: bool = option(Flag(), default=False)
    regex_mode: bool = option(Flag(), default=False)
    src: str | None = option(Path(or_regex=True))


@dataclass(frozen=True, kw_only=True)
class Parse(_Engine):
    """Collect the named groups of a regular expression."""

    type = "parse"
    dst: str = required(Path())
    regex: str | None = option(Regex(named=True))
    src: str = required(Path())


@dataclass(frozen=True, kw_only=True)
class ParseNumber(Options):
    """Turn a text into a number."""

    type = "parse_number"
    base: int = option(Number(2, 36), 10)
    key: str = required(Path())
    regex: str = option(Regex(), _ANY_NUMBER)


@dataclass(frozen=True, kw_only=True)
class Put(Options):
    """Set a value."""

    type = "put"
    key: str = required(Path())
    value: bool | str = required(Scalar())


@dataclass(frozen=True, kw_only=True)
class Redact(_Matching):
    """Cover what matches."""

    type = "redact"
    key: str = required(Path())
    regex: str = required(Regex())
    replace_char: str = option(Scalar(text_only=True), "*")


@dataclass(frozen=True, kw_only=True)
class Rename(_Matching):
    """Move a value to another key."""

    type = "rename"
    dst: str = required(Path(or_template=True))
    regex_mode: bool = option(Flag(), default=False)
    src: str = required(Path(or_regex=True))


@dataclass(frozen=True, kw_only=True)
class Replace(_Matching):
    """Replace what matches."""

    type = "replace"
    key: str = required(Path())
    regex: str = required(Regex())
    replacement: str = required(Template("regex"))
    submax: int | None = option(Number(1))


@dataclass(frozen=True, kw_only=True)
class Sampling(Options):
    """Keep a percentage of the records."""

    type = "sampling"
    keeps_state = True
    percentage: int = required(Number(1, 100))
    seed: int | None = option(Number(0, 2**53))
    window: int | None = option(Number(1))


@dataclass(frozen=True, kw_only=True)
class Split(Options):
    """Make one record of each item of a list."""

    type = "split"
    dest: str | None = option(Path())
    keep_orig: bool = option(Flag(), default=False)
    key: str = required(Path())
    skip_empty: bool = option(Flag(), default=False)
    skip_missing: bool = option(Flag(), default=False)


RULE_TYPES: Final[Mapping[str, type[Options]]] = {
    kind.type: kind
    for kind in (
        Aggregate, AllowKeys, AllowRecords, BlockKeys, BlockRecords, Copy, CsvDecode, CsvEncode, CustomScript, Deduplicate,
        Delete, ExtractKv, Flatten, Hash, Join, JsonDecode, JsonEncode, Lift, MultilineJoin, Nest, Parse, ParseNumber, Put,
        Redact, Rename, Replace, Sampling, Split,
    )
}  # fmt: skip
