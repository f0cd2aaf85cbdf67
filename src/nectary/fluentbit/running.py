"""Whether a running Fluent Bit runs a given configuration, told from the dump that it reports of itself.

The dump (custom_calyptia_pipeline_config_get in custom_calyptia/calyptia.c) is not the file: it numbers the plugins, leaves out
what the core takes for itself (ports, listen, alias of outputs), services, parsers and processors, puts variables' values in,
writes `mem_buf_limit` anew, and shows `--redacted--` for secrets. So what cannot be seen there is not compared: two
configurations that differ in a port alone look the same.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from nectary.fluentbit import values, variables
from nectary.fluentbit.document import PIPELINE_KINDS, Document, Kind, Plugin, Property

REDACTED = "--redacted--"

Pattern = tuple[str | None, ...]
"""A text with holes: each None stands for any text."""

_ANY: Pattern = (None,)

_COMMON = frozenset({"alias", "log_level", "log_suppress_interval"})
_TLS = frozenset(
    ("tls", *(f"tls.{name}" for name in ("verify", "verify_hostname", "debug", "vhost", "ca_path", "ca_file", "crt_file"))),
) | frozenset(f"tls.{name}" for name in ("key_file", "key_passwd", "min_version", "max_version", "ciphers"))
_HTTP_SERVER = frozenset({"http2", "buffer_max_size", "buffer_chunk_size", "max_connections", "workers"})
_HTTP_SERVERS = {
    # The plugins with FLB_INPUT_HTTP_SERVER or FLB_OUTPUT_HTTP_SERVER: http_server.* and these five are kept apart.
    Kind.INPUT: frozenset({"prometheus_remote_write", "splunk", "http", "opentelemetry", "elasticsearch"}),
    Kind.OUTPUT: frozenset({"prometheus_exporter", "vivo_exporter"}),
}
# What flb_input_set_property, flb_filter_set_property and flb_output_set_property keep for the core: none is in the list of
# properties that the dump prints. Some are printed on lines of their own, which `_first_lines` knows.
_KEPT = {
    Kind.INPUT: _COMMON
    | _TLS
    | {"tag", "routable", "mem_buf_limit", "listen", "host", "port", "ipv6", "storage.type", "threaded", "rate_window"}
    | {"tls.verify_client_cert", "thread.ring_buffer.capacity", "thread.ring_buffer.window", "rate_gate"}
    | {"rate_gate.max_bytes", "rate_gate.max_records", "rate_gate.backpressure", "rate_gate.resume_ratio"}
    | {"storage.pause_on_chunks_overlimit", "routes"},
    Kind.FILTER: _COMMON | {"match", "match_regex"},
    Kind.OUTPUT: _COMMON
    | _TLS
    | {"match", "match_regex", "host", "port", "ipv6", "retry_limit", "storage.total_limit_size", "workers"}
    | {"tls.proxy.verify", "tls.proxy.verify_hostname", "tls.proxy.ca_path", "tls.proxy.ca_file"},
}
_KEPT_PREFIXES = {Kind.INPUT: ("net.", "oauth2"), Kind.FILTER: (), Kind.OUTPUT: ("net.", "oauth2")}

# Plugins that Fluent Bit adds by itself, and properties that plugins give themselves at their start (rewrite_tag, multiline,
# kafka with an AWS sign-in).
_HIDDEN = frozenset({"calyptia", "calyptia_fleet", "storage_backlog", "emitter", "stream_processor"})
_SELF_GIVEN = frozenset({"emitter_name", "rdkafka.security.protocol", "rdkafka.sasl.mechanism"})
_HEADERS = {"[INPUT]": Kind.INPUT, "[FILTER]": Kind.FILTER, "[OUTPUT]": Kind.OUTPUT}
_NAME = re.compile(r"    name {1,2}(\S+)\.([0-9]+)")
_PROPERTY = re.compile(r"    (\S+) {0,16}(.*)", re.DOTALL)
_MOST_PAIRED = 300
_MOST_DESCRIBED = 2_000


class Difference(NamedTuple):
    """One difference between what should run and what is reported.

    change: "missing", "extra", "changed" or "moved". subject: `input.tail.0`, `output.http.1.uri`. wanted and reported: texts,
    "" where there is none; holes of `wanted` that anything fills are written as they stand in the configuration.
    """

    change: str
    subject: str
    wanted: str
    reported: str


Differences = tuple[Difference, ...]


class Instance(NamedTuple):
    """A plugin that runs: its kind, name without number, number among its kind, and the lines reported below its name."""

    kind: Kind
    name: str
    number: int
    lines: tuple[str, ...]


class _Line(NamedTuple):
    """A line that the dump should hold: any of `patterns` after the key. Optional ones may be missing."""

    key: str
    patterns: tuple[Pattern, ...]
    written: str
    optional: bool = False


def runs(document: Document, dump: str) -> Differences:
    """Every difference that can be seen between a configuration and the dump of an agent that should run it; () is none.

    document: with its includes read, as the agent reads them. dump: the `rawConfig` of a registration.
    """
    return differences(document, reported(dump))


def differences(document: Document, running: Sequence[Instance]) -> Differences:
    """As `runs`, for a dump that was read by `reported`: many agents report the same."""
    found: list[Difference] = []
    for kind in PIPELINE_KINDS:
        wanted = document.plugins_of(kind)
        there = [instance for instance in running if instance.kind is kind]
        for plugin, instance in _pairs(wanted, there):
            found += _of_pair(document, plugin, instance)
    return tuple(found)


def same(document: Document, running: Sequence[Instance]) -> bool:
    """Whether `differences` would find none, without looking for more than the first."""
    for kind in PIPELINE_KINDS:
        wanted = document.plugins_of(kind)
        there = [instance for instance in running if instance.kind is kind]
        if len(wanted) != len(there) or not all(_named(*pair) for pair in zip(wanted, there, strict=True)):
            return False
        if not all(
            _fit(list(_lines(document, plugin, one.number)), one.lines) for plugin, one in zip(wanted, there, strict=True)
        ):
            return False
    return True


def reported(dump: str) -> tuple[Instance, ...]:
    """The plugins that a dump holds, without those that Fluent Bit added by itself."""
    found: list[Instance] = []
    lines = dump.split("\n")
    starts = [n for n, line in enumerate(lines[:-1]) if line in _HEADERS and _NAME.fullmatch(lines[n + 1])]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        match = _NAME.fullmatch(lines[start + 1])
        assert match is not None, "starts are chosen so"
        body = lines[start + 2 : end]
        while body and not body[-1]:
            body.pop()
        instance = Instance(_HEADERS[lines[start]], match[1], int(match[2]), tuple(body))
        if not _is_hidden(instance):
            found.append(instance)
    return tuple(found)


def _is_hidden(instance: Instance) -> bool:
    own_metrics = instance.name == "fluentbit_metrics" and "    tag _calyptia_cloud" in instance.lines
    return own_metrics or instance.name in _HIDDEN


def _pairs(wanted: Sequence[Plugin], there: Sequence[Instance]) -> Iterator[tuple[Plugin | None, Instance | None]]:
    """Which of the two lists belong together: by place, and where names differ so that the fewest are left over."""
    if len(wanted) == len(there) and all(_named(*pair) for pair in zip(wanted, there, strict=True)):
        yield from zip(wanted, there, strict=True)
        return
    if max(len(wanted), len(there)) > _MOST_PAIRED:
        blocks = [("replace", 0, len(wanted), 0, len(there))]
    else:
        names = [plugin.name for plugin in wanted], [instance.name for instance in there]
        blocks = list(SequenceMatcher(None, *names, autojunk=False).get_opcodes())
    for word, begin, end, first, last in blocks:
        if word == "equal":
            yield from zip(wanted[begin:end], there[first:last], strict=True)
        else:
            yield from ((plugin, None) for plugin in wanted[begin:end])
            yield from ((None, instance) for instance in there[first:last])


def _named(plugin: Plugin, instance: Instance) -> bool:
    return "${" in plugin.name or plugin.name == instance.name


def _of_pair(document: Document, plugin: Plugin | None, instance: Instance | None) -> list[Difference]:
    if plugin is None:
        assert instance is not None, "one of a pair is there"
        return [Difference("extra", f"{instance.kind}.{instance.name}.{instance.number}", "", "\n".join(instance.lines))]
    if instance is None:
        return [Difference("missing", f"{plugin.kind}.{plugin.id}", plugin.display, "")]
    wanted = list(_lines(document, plugin, instance.number))
    if _fit(wanted, instance.lines):
        return []
    return _described(f"{plugin.kind}.{plugin.id}", wanted, instance.lines)


# -- What a dump should hold ---------------------------------------------------------------------------------------------


def _lines(document: Document, plugin: Plugin, number: int) -> Iterator[_Line]:
    yield from _first_lines(document, plugin, number)
    for prop in plugin.section.properties:
        if prop.name != "name" and prop.nested is None and not _is_kept(plugin, prop.name):
            # An input's or output's property without a value is not kept, and so not shown; a filter shows it.
            line = _line(document, prop.name, prop.value)
            if prop.value or plugin.kind is Kind.FILTER:
                yield line


def _is_kept(plugin: Plugin, name: str) -> bool:
    if name in _KEPT[plugin.kind] or name.startswith(_KEPT_PREFIXES[plugin.kind] or "\n"):
        return True
    serves = plugin.name in _HTTP_SERVERS.get(plugin.kind, ())
    return serves and (name in _HTTP_SERVER or name.startswith("http_server."))


def _first_lines(document: Document, plugin: Plugin, number: int) -> Iterator[_Line]:
    """The lines that are printed from what the core keeps, in the order in which they are printed."""
    section = plugin.section
    if plugin.kind is Kind.INPUT:
        if plugin.alias:
            yield _line(document, "alias", plugin.alias)
        tag = section.get("tag")
        default = ((f"{plugin.name}.{number}",),)
        yield _line(document, "tag", tag) if tag else _Line("tag", default, default[0][0], optional=True)
        yield from _limit(section.find("mem_buf_limit"))
        return
    match = section.get("match")
    if plugin.kind is Kind.FILTER:
        yield _line(document, "match", match) if match else _Line("match", (("(null)",),), "")
        return
    yield _line(document, "match", match or "*")
    yield from _tls(document, plugin)
    limit = section.get("retry_limit")
    yield _Line("retry_limit", (_retries(limit),), limit or "1")
    # Printed where a host is known, the plugin's own default included, and never told.
    yield _Line("host", (_ANY,), section.get("host") or "", optional=True)


def _limit(prop: Property | None) -> Iterator[_Line]:
    """`mem_buf_limit 5M` is kept as a number of bytes and printed as `4.8M` (flb_utils_bytes_to_human_readable_size)."""
    bytes = values.size(prop.value) if prop is not None else 0
    if prop is None or bytes == 0:
        return
    if bytes is None:
        yield _Line("mem_buf_limit", (_ANY,), prop.value, optional=True)
    elif bytes > 0:
        yield _Line("mem_buf_limit", ((human(bytes),),), prop.value)


def human(bytes: int) -> str:
    """A number of bytes as the dump prints it: `100b`, `4.8M`; units of 1024."""
    size, unit = float(bytes), 0
    while size >= 1024 and unit < 8:
        size, unit = size / 1024, unit + 1
    single: float = struct.unpack("f", struct.pack("f", size))[0]
    return f"{single:.1f}{'bKMGTPEZY'[unit]}" if unit else f"{bytes}b"


def _tls(document: Document, plugin: Plugin) -> Iterator[_Line]:
    """The lines of TLS, printed where it is on; plugins that cannot do without have it on by themselves."""
    section = plugin.section
    said = section.get("tls")
    on = values.boolean(said) if said else None
    if on is False:
        return
    unknown = on is None
    yield _Line("tls", (("on",),), said or "", optional=unknown)
    verify = section.get("tls.verify")
    checked = values.boolean(verify) if verify else True
    yield _Line("tls.verify", (_ANY if checked is None else ("on" if checked else "off",),), verify or "on", optional=unknown)
    for name in ("tls.ca_file", "tls.crt_file", "tls.key_file", "tls.key_passwd"):
        if value := section.get(name):
            yield _line(document, name, value, optional=unknown)


def _retries(limit: str | None) -> Pattern:
    if not limit:
        return ("1",)
    if "${" in limit or "{{" in limit:
        return _ANY
    word = limit.lower()
    if word in values.RETRY_WORDS:
        return ("no_retries" if word == "no_retries" else "no_limits",)
    number = int(values.leading_double(limit))
    return (str(number if number > 0 else 1),)


def _line(document: Document, key: str, value: str, *, optional: bool = False) -> _Line:
    patterns = tuple(dict.fromkeys((_pattern(document, value), (value,))))
    # A variable may be empty, and then a property that holds nothing else is not there.
    empty = all(not piece for piece in patterns[0])
    return _Line(key, patterns, value, optional or empty)


def _pattern(document: Document, value: str) -> Pattern:
    """The value with a hole for each variable that only the agent knows, and for each secret or file."""
    if "${" not in value and "{{" not in value:
        return (value,)
    if variables.trapped(value) >= 0:
        return _ANY
    pieces: list[str | None] = []
    place = 0
    for reference in variables.references(value):
        pieces += [*_templates(value[place : reference.start]), _known(document, reference.name)]
        place = value.find("}", reference.start) + 1
    return (*pieces, *_templates(value[place:]))


def _known(document: Document, name: str) -> str | None:
    variable = document.environment.get(name)
    return variable.value if variable is not None and not variable.uri and "${" not in variable.value else None


def _templates(text: str) -> list[str | None]:
    pieces: list[str | None] = []
    place = 0
    for match in variables.TEMPLATE.finditer(text):
        pieces += [text[place : match.start()], None]
        place = match.end()
    return [*pieces, text[place:]]


# -- Comparing -----------------------------------------------------------------------------------------------------------


def _fits(pattern: Pattern, text: str) -> bool:
    """Whether the text is the pattern with something in its holes; the leftmost place of each piece is as good as any."""
    if None not in pattern:
        return text == "".join(piece for piece in pattern if piece is not None)
    head, tail = pattern[0] or "", pattern[-1] or ""
    if not text.startswith(head) or not text.endswith(tail) or len(text) < len(head) + len(tail):
        return False
    place, end = len(head), len(text) - len(tail)
    for piece in pattern[1:-1]:
        if piece:
            found = text.find(piece, place, end)
            if found < 0:
                return False
            place = found + len(piece)
    return True


def _fit(wanted: Sequence[_Line], lines: Sequence[str]) -> bool:
    """Whether the reported lines are the wanted ones, in their order."""
    at = 0
    for line in wanted:
        while at < len(lines) and _is_self_given(lines[at]) and not _taken(line, lines, at):
            at += 1
        taken = _taken(line, lines, at)
        if not taken and not line.optional:
            return False
        at += taken
    return all(_is_self_given(line) for line in lines[at:])


def _taken(line: _Line, lines: Sequence[str], at: int) -> int:
    """How many of the reported lines from `at` on are this one; 0 when it is another."""
    prefix = f"    {line.key} "
    if at >= len(lines) or not lines[at].startswith(prefix):
        return 0
    if lines[at][len(prefix) :].lstrip(" ") == REDACTED:
        return 1
    for pattern in line.patterns:
        many = 1 + sum(piece.count("\n") for piece in pattern if piece)
        text = "\n".join(lines[at : at + many])[len(prefix) :]
        # The core's own lines are padded with blanks before the value, properties are not.
        if _fits(pattern, text) or _fits(pattern, text.lstrip(" ")):
            return many
    return 0


def _is_self_given(line: str) -> bool:
    match = _PROPERTY.fullmatch(line)
    return match is not None and match[1] in _SELF_GIVEN


def _described(subject: str, wanted: Sequence[_Line], lines: Sequence[str]) -> list[Difference]:
    """The differences by key, once it is known that there are some."""
    there: list[list[str]] = []
    for text in lines[:_MOST_DESCRIBED]:
        match = _PROPERTY.fullmatch(text)
        if match is not None:
            there.append([match[1], match[2]])
        elif there:
            there[-1][1] += f"\n{text}"
    free = [(key, value) for key, value in there if key not in _SELF_GIVEN]
    missing = []
    for line in wanted:
        fitting = next((one for one in free if one[0] == line.key and _says(line, one[1])), None)
        if fitting is not None:
            free.remove(fitting)
        elif not line.optional:
            missing.append(line)
    found = []
    for line in missing:
        other = next((one for one in free if one[0] == line.key), None)
        if other is not None:
            free.remove(other)
        word = "missing" if other is None else "changed"
        found.append(Difference(word, f"{subject}.{line.key}", line.written, other[1] if other is not None else ""))
    found += [Difference("extra", f"{subject}.{key}", "", value) for key, value in free]
    return found or [Difference("moved", subject, "", "its keys are in another order")]


def _says(line: _Line, value: str) -> bool:
    return value == REDACTED or any(_fits(pattern, value) for pattern in line.patterns)
