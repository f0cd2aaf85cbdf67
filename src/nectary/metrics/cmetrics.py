"""Reads what Fluent Bit posts about itself: cmetrics MessagePack in, the few counters people look at out.

Both layouts ever sent are read, by key, so that new keys do no harm:

* cmetrics 0.5 and later (Fluent Bit 2.0 and later): a map `{meta, metrics: [family]}`, static labels in
  `meta.processing.static_labels` as pairs, labels as strings;
* cmetrics 0.1 to 0.3 (Fluent Bit 1.8 and 1.9): an array `[family]`, each family with its own `label_dictionary`, into which
  `labels` and `static_labels` (key, value, key, value...) are indexes. cmetrics v0.3.7, src/cmt_encode_msgpack.c, pack_header.

Both call themselves `ver` 2, so only the outermost type tells them apart. The Content-Type header is of no help either: some
clients send MessagePack as `application/json`.
"""

from typing import Final, NoReturn

import msgpack
import msgspec

from nectary.errors import Invalid

INPUT_FIELDS: Final = ("bytes_total", "records_total")
FILTER_FIELDS: Final = ("bytes_total", "records_total", "add_records_total", "drop_records_total", "emit_records_total")
OUTPUT_FIELDS: Final = (
    "proc_bytes_total",
    "proc_records_total",
    "errors_total",
    "retries_total",
    "retried_records_total",
    "retries_failed_total",
    "dropped_records_total",
)
#: Kind of plugin -> its counters, in the order of every row. Rows are stored: only ever append.
FIELDS: Final = {"input": INPUT_FIELDS, "filter": FILTER_FIELDS, "output": OUTPUT_FIELDS}

#: The plugin that stands for all plugins beyond a limit.
OTHER: Final = "other"
#: More plugins of one kind in one post than this are counted together as `other`.
MAX_PLUGINS: Final = 1000
#: The largest counter, as in a signed 64-bit integer. Larger values are passed over, larger sums stay here.
CEILING: Final = 2**63 - 1

_MAX_BODY = 64 << 20
_MAX_DOCUMENTS = 1000
_MAX_SERIES = 65_535  # entries of one array, as in cmetrics' own decoder
_MAX_REPAIRED = 1 << 20
_MAX_LABELS = 64
_MAX_TEXT = 255
# What the calyptia plugin, the storage engine and rewrite_tag or multiline add by themselves.
_HIDDEN = ("fluentbit_metrics.", "calyptia_fleet.", "calyptia.", "storage_backlog.", "emitter_for_")
_DELTA = 1  # cmetrics CMT_AGGREGATION_TYPE_DELTA: no running count, so not one of the counters meant here


class Readings(msgspec.Struct, frozen=True, array_like=True):
    """Raw counters as one post reports them: plugin instance -> one value per field of `FIELDS`, None where not reported."""

    input: dict[str, tuple[int | None, ...]] = {}
    filter: dict[str, tuple[int | None, ...]] = {}
    output: dict[str, tuple[int | None, ...]] = {}


class Snapshot(msgspec.Struct, frozen=True):
    """What one document says about one agent at one moment.

    taken_at    epoch seconds: the largest time stamp among the series kept, 0.0 when there is none
    started_at  epoch seconds: when its counters were zero (start of the process, or its latest hot reload)
    reloads     hot reloads that succeeded in this process
    version     Fluent Bit's version, as in "5.1.1"
    labels      static labels, such as pipeline_id and fleet_id
    values      the counters kept, without the plugins that Fluent Bit and its calyptia plugin add by themselves
    unknown     how many series were seen and not kept
    """

    taken_at: float
    started_at: float | None
    reloads: float | None
    version: str | None
    labels: dict[str, str]
    values: Readings
    unknown: int


_NO_LABELS = msgspec.Raw(b"\x90")
_JUST_NAME = b"\x91\xa4name"  # how the label keys ["name"] are sent


class _Options(msgspec.Struct, gc=False):
    ns: str | None = None
    ss: str | None = None
    name: str | None = None


class _Meta(msgspec.Struct, gc=False):
    opts: _Options
    labels: msgspec.Raw = _NO_LABELS  # like `values` below decoded only where the family is kept
    aggregation_type: int = 0
    label_dictionary: tuple[str, ...] = ()
    static_labels: tuple[int, ...] = ()


class _Family(msgspec.Struct, gc=False):
    meta: _Meta
    values: msgspec.Raw = msgspec.Raw(b"\x90")


class _Series(msgspec.Struct, gc=False):
    ts: int = 0
    value: float | None = None
    value_type: int = 0
    value_int64: int = 0
    value_uint64: int = 0
    labels: tuple[str | int | None, ...] = ()


class _Processing(msgspec.Struct):
    static_labels: list[tuple[str, str]] = []


class _ContextMeta(msgspec.Struct):
    processing: _Processing = msgspec.field(default_factory=_Processing)


class _Context(msgspec.Struct):
    metrics: list[_Family]
    meta: _ContextMeta = msgspec.field(default_factory=_ContextMeta)


_context = msgspec.msgpack.Decoder(_Context)
_families = msgspec.msgpack.Decoder(list[_Family])
_series = msgspec.msgpack.Decoder(list[_Series])
_label_keys = msgspec.msgpack.Decoder(list[str | int | None])

# Name -> subsystem -> where the family goes: (kind's position, field's position), or what it tells about the process.
# The subsystem and its spelling are as in Fluent Bit's flb_metrics.c, flb_input.c, flb_filter.c and flb_output.c.
_WANTED: dict[str, dict[str, tuple[int, int] | str]] = {
    "uptime": {"": "uptime"},
    "hot_reloaded_times": {"": "reloads"},
    "process_start_time_seconds": {"": "start"},
    "info": {"build": "build"},
}
for _kind_at, (_kind, _fields) in enumerate(FIELDS.items()):
    for _field_at, _field in enumerate(_fields):
        _WANTED.setdefault(_field, {})[_kind] = (_kind_at, _field_at)
_NO_ROW: list[int | None] = []
_NOWHERE: dict[str, tuple[int, int] | str] = {}
_WIDTHS = tuple(len(fields) for fields in FIELDS.values())


def decode(body: bytes) -> list[Snapshot]:
    """Return one snapshot per document of `body`, which holds one or more, back to back.

    Text that is not UTF-8 is kept with replacement characters. Values that no counter can have (negative, infinite, not a
    number) are passed over. Raises Invalid("invalid metrics", why) for an empty body and for whatever is not cmetrics.
    """
    if not body:
        _refuse("the body is empty")
    try:
        return [_snapshot(body)]  # nearly always it is one document, and nothing is wrong with it
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _one_by_one(body)


def _one_by_one(body: bytes) -> list[Snapshot]:
    snapshots: list[Snapshot] = []
    for document in _documents(body):
        try:
            try:
                snapshots.append(_snapshot(document))
            except UnicodeDecodeError:
                snapshots.append(_snapshot(_with_clean_text(document)))
        except (msgspec.MsgspecError, RecursionError) as fault:
            raise Invalid("invalid metrics", f"{_what(fault)}, in document {len(snapshots) + 1}") from None
    return snapshots


def _refuse(detail: str) -> NoReturn:
    raise Invalid("invalid metrics", detail)


def _what(fault: Exception) -> str:
    return "nested too deeply" if isinstance(fault, RecursionError) else str(fault)


def _documents(body: bytes) -> list[bytes]:
    """Cut `body` where one MessagePack value ends and the next begins; allocates nothing for what it steps over."""
    if len(body) > _MAX_BODY:
        _refuse(f"the body is larger than {_MAX_BODY} bytes")
    unpacker = msgpack.Unpacker(max_buffer_size=len(body))
    unpacker.feed(body)
    documents: list[bytes] = []
    begin = 0
    while begin < len(body):
        if len(documents) == _MAX_DOCUMENTS:
            _refuse(f"more than {_MAX_DOCUMENTS} documents in one body")
        try:
            unpacker.skip()
        except msgpack.OutOfData:
            _refuse(f"the body ends inside document {len(documents) + 1}")
        except ValueError:  # FormatError, StackError
            _refuse(f"document {len(documents) + 1} is not MessagePack, or nested too deeply")
        end = unpacker.tell()
        documents.append(body[begin:end])
        begin = end
    return documents


def _with_clean_text(document: bytes) -> bytes:
    """The same document with every byte that is not UTF-8 replaced; slow, so refused for what no agent sends."""
    if len(document) > _MAX_REPAIRED:
        _refuse(f"text that is not UTF-8 in a document of more than {_MAX_REPAIRED} bytes")
    try:
        value = msgpack.unpackb(document, unicode_errors="replace", strict_map_key=False, use_list=False)
        return bytes(msgpack.packb(value))
    except (ValueError, TypeError, OverflowError, RecursionError) as fault:
        _refuse(f"cannot be read: {type(fault).__name__}")


def _snapshot(document: bytes) -> Snapshot:
    first = document[0]
    if 0x80 <= first <= 0x8F or first in (0xDE, 0xDF):
        context = _context.decode(document)
        return _collect(context.metrics, dict(context.meta.processing.static_labels[:_MAX_LABELS]))
    if 0x90 <= first <= 0x9F or first in (0xDC, 0xDD):
        families = _families.decode(document)
        labels: dict[str, str] = {}
        for family in families[:1]:  # every family repeats the same ones
            words = [_word(index, family.meta.label_dictionary) or "" for index in family.meta.static_labels[: 2 * _MAX_LABELS]]
            labels = dict(zip(words[::2], words[1::2], strict=False))
        return _collect(families, labels)
    _refuse("neither a map nor an array of metric families")


class _Collected:
    """What the families of one document add up to so far."""

    __slots__ = ("newest", "process", "rows", "unknown", "version")

    def __init__(self) -> None:
        self.newest = 0
        self.unknown = 0
        self.rows: tuple[dict[str, list[int | None]], ...] = ({}, {}, {})
        self.process: dict[str, float] = {}
        self.version: str | None = None

    def add_counters(self, family: _Family, place: tuple[int, int]) -> None:
        kind, field = place
        rows, newest = self.rows[kind], self.newest
        dictionary = family.meta.label_dictionary
        name_at = _position("name", family.meta)
        for series in _series.decode(family.values):
            labels = series.labels
            label = labels[name_at] if name_at < len(labels) else None
            name = _word(label, dictionary) if isinstance(label, int) else label
            value = _exact(series) if series.value_type else series.value
            row = rows.get(name) if name else _NO_ROW
            if row is None:
                row = self.new_row(kind, name or "")
            if not row or value is None or not 0 <= value <= CEILING:  # not so for NaN either
                self.unknown += 1
                continue
            if series.ts > newest:  # noqa: PLR1730 - max() takes four times as long, for every series of every agent
                newest = series.ts
            before = row[field]
            row[field] = int(value) if before is None else min(before + int(value), CEILING)
        self.newest = newest

    def new_row(self, kind: int, name: str) -> list[int | None]:
        """The row of a plugin not met before in this document; an empty one for what people did not add themselves."""
        rows, known, hidden = self.rows[kind], _clean(name), name.startswith(_HIDDEN)
        if known not in rows and len(rows) >= MAX_PLUGINS - 1:
            if hidden:
                return _NO_ROW
            known = OTHER
        return rows.setdefault(known, _NO_ROW if hidden else [None] * _WIDTHS[kind])

    def add_process(self, family: _Family, what: str) -> None:
        for series in _series.decode(family.values)[:1]:
            self.newest = max(self.newest, series.ts)
            if what == "build":
                at = _position("version", family.meta)
                version = _word(series.labels[at], family.meta.label_dictionary) if at < len(series.labels) else None
                self.version = _clean(version) if version else None
            elif series.value is not None and 0 <= series.value <= CEILING:
                self.process[what] = series.value

    def started_at(self, taken_at: float) -> float | None:
        start, uptime = self.process.get("start"), self.process.get("uptime")
        if start:
            return start
        return taken_at - uptime if taken_at and uptime is not None else None


def _collect(families: list[_Family], labels: dict[str, str]) -> Snapshot:
    collected = _Collected()
    for family in families:
        meta = family.meta
        options = meta.opts
        count = _length(family.values)
        if not count:
            continue
        where = _WANTED.get(options.name or "", _NOWHERE).get(options.ss or "")
        if where is None or options.ns != "fluentbit" or meta.aggregation_type == _DELTA:
            collected.unknown += count
        elif isinstance(where, str):
            collected.add_process(family, where)
        else:
            collected.add_counters(family, where)
    taken_at = collected.newest / 1e9
    return Snapshot(
        taken_at=taken_at,
        started_at=collected.started_at(taken_at),
        reloads=collected.process.get("reloads"),
        version=collected.version,
        labels={_clean(key): _clean(value) for key, value in labels.items()},
        values=Readings(*({name: tuple(row) for name, row in rows.items() if row} for rows in collected.rows)),
        unknown=collected.unknown,
    )


def _length(values: msgspec.Raw) -> int:
    """How many series an undecoded array holds, from its MessagePack header."""
    head = memoryview(values)
    first: int = head[0]
    if 0x90 <= first <= 0x9F:
        return first & 0x0F
    if first == 0xC0:  # nil
        return 0
    if first in (0xDC, 0xDD):
        count = int.from_bytes(head[1 : 3 if first == 0xDC else 5])
        if count <= _MAX_SERIES:
            return count
    _refuse(f"`values` of a family is no array of at most {_MAX_SERIES} series")


def _position(key: str, meta: _Meta) -> int:
    """Where the label `key` stands; beyond the end when there is none."""
    if key == "name" and bytes(meta.labels) == _JUST_NAME:
        return 0
    words = [_word(candidate, meta.label_dictionary) for candidate in _label_keys.decode(meta.labels)]
    return words.index(key) if key in words else _MAX_SERIES


def _word(label: str | int | None, dictionary: tuple[str, ...]) -> str | None:
    if isinstance(label, int):
        return dictionary[label] if 0 <= label < len(dictionary) else None
    return label


def _exact(series: _Series) -> float | None:
    """The integer that cmetrics 2 sends beside its rounded `value` (CMT_METRIC_VALUE_INT64, CMT_METRIC_VALUE_UINT64)."""
    if series.value_type == 1:
        return series.value_int64
    return series.value_uint64 if series.value_type == 2 else series.value


def _clean(text: str) -> str:
    """Short, and without NUL, which no database takes as text."""
    return text[:_MAX_TEXT].replace("\0", "\ufffd")
