"""Tags and matches: a Match that fits no Tag, and a Tag that nobody matches.

Fluent Bit says nothing about either: the records are dropped. A tag that only running can tell (from a URL, a record, a
forwarder) counts as one that could be anything, so what is reported here is sure as far as the text goes.
"""

from bisect import bisect_left
from itertools import accumulate
from typing import NamedTuple

from nectary.fluentbit.document import Kind, Plugin, Property
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.globs import glob_fits, may_overlap
from nectary.fluentbit.validate.report import Report, key_place, shown, value_place
from nectary.fluentbit.values import boolean, words

_LAST = chr(0x10FFFF)
_BUDGET = 2_000_000
"""Characters that patterns with a star in the middle may look at; beyond it they count as fitting."""

_TAG_FROM_DATA = frozenset({"forward", "http", "splunk", "elasticsearch", "opentelemetry", "prometheus_remote_write", "mqtt"})
"""Inputs that take the tag from a request or record when none is set, or even when one is."""

_TAG_OPTIONS = ("tag_key", "tag_regex", "tag_prefix")


class Tag(NamedTuple):
    """What an input (or a filter that makes new records) may put on its records: text, with `*` for what is not known."""

    pattern: str
    place: tuple[str, int, int]
    subject: str
    routed: bool


class Match(NamedTuple):
    """The match of one filter or output."""

    pattern: str
    place: tuple[str, int, int]
    subject: str
    output: bool


def check(report: Report) -> None:
    """Compare all tags with all matches, in time that grows with their number and not with its square."""
    plugins = report.document.plugins_of(Kind.INPUT, Kind.FILTER, Kind.OUTPUT)
    tags, matches, sure = _collect(report, plugins)
    exact = sorted({tag.pattern for tag in tags if "*" not in tag.pattern})
    open_tags = sorted({tag.pattern for tag in tags if "*" in tag.pattern})
    budget = [_BUDGET]
    if tags and sure:
        fits: dict[str, bool] = {}
        for match in matches:
            pattern = match.pattern
            if pattern not in fits:
                low, high = _range(exact, pattern)
                fits[pattern] = any(glob_fits(pattern, exact[index], budget) for index in range(low, high)) or any(
                    may_overlap(pattern, tag, budget) for tag in open_tags
                )
            if not fits[pattern]:
                message = f"no input has a tag that {shown(pattern)} fits"
                remedy = _nearest_tag(report, pattern, exact)
                report.warn(match.place, "no_match", match.subject, message, remedy, Stage.NEVER)
    outputs = {match.pattern for match in matches if match.output}
    if any(plugin.kind is Kind.OUTPUT for plugin in plugins) and _all_outputs_known(report, plugins):
        _unmatched(report, tags, exact, outputs, budget)


def _nearest_tag(report: Report, pattern: str, exact: list[str]) -> str:
    return report.did_you_mean(pattern, exact[:200]) or (f"tags are {', '.join(exact[:5])}" if exact else "")


def _unmatched(report: Report, tags: list[Tag], exact: list[str], outputs: set[str], budget: list[int]) -> None:
    """Tags no output takes: each pattern covers a stretch of the sorted tags; the stretches are added up once."""
    covered = [0] * (len(exact) + 1)
    fitted: set[str] = set()
    for pattern in outputs:
        low, high = _range(exact, pattern)
        if "*" in pattern[:-1]:
            for index in range(low, high):
                if glob_fits(pattern, exact[index], budget):
                    fitted.add(exact[index])
            if budget[0] < 0:
                return
        else:
            covered[low] += 1
            covered[high] -= 1
    depth = dict(zip(exact, accumulate(covered), strict=False))
    for tag in tags:
        if tag.routed:
            continue
        open_tag = "*" in tag.pattern
        if (
            (open_tag and any(may_overlap(pattern, tag.pattern, budget) for pattern in outputs))
            or depth.get(tag.pattern)
            or tag.pattern in fitted
        ):
            continue
        message = f"no output matches the tag {shown(tag.pattern)}, so these records go nowhere"
        report.warn(tag.place, "unmatched_tag", tag.subject, message, "give an output a match that fits", Stage.NEVER)


def _collect(report: Report, plugins: tuple[Plugin, ...]) -> tuple[list[Tag], list[Match], bool]:
    """All tags and matches; and whether all tags are in the text (False: some could be anything)."""
    tags: list[Tag] = []
    matches: list[Match] = []
    sure = not report.document.of(Kind.STREAM_TASK) and report.document.service_value("streams_file") is None
    for plugin in plugins:
        section = plugin.section
        if plugin.kind is Kind.INPUT:
            tag = _tag_of_input(report, plugin)
            sure = sure and tag is not None
            if tag is not None:
                tags.append(tag)
            continue
        match = section.find("match")
        pattern = report.final(match.value) if match is not None else None
        if match is not None and pattern and match.nested is None:
            subject = f"{plugin.kind}.{plugin.name}.match"
            matches.append(Match(pattern, value_place(match), subject, plugin.kind is Kind.OUTPUT))
        if plugin.kind is Kind.FILTER and plugin.name in {"rewrite_tag", "log_to_metrics"}:
            made = _tags_of_filter(report, plugin)
            sure = sure and made is not None
            tags += made or ()
    # Files that are included but were not read may hold more inputs and outputs.
    sure = sure and all(include.files for include in report.document.includes)
    return tags, matches, sure


def _all_outputs_known(report: Report, plugins: tuple[Plugin, ...]) -> bool:
    if any(not include.files for include in report.document.includes):
        return False
    for plugin in plugins:
        if plugin.kind is not Kind.OUTPUT:
            continue
        section = plugin.section
        match = section.find("match")
        if section.find("match_regex") is not None or (match is not None and report.final(match.value) is None):
            return False
    return True


def _tag_of_input(report: Report, plugin: Plugin) -> Tag | None:
    """The tag of one input, None when it could be anything."""
    section = plugin.section
    found: dict[str, Property] = {prop.name: prop for prop in section.properties}
    prop = found.get("tag")
    place = value_place(prop) if prop is not None else key_place(found["name"])
    subject = f"input.{plugin.name}.tag"
    if any(option in found for option in _TAG_OPTIONS) or (prop is not None and prop.nested is not None):
        return None
    if plugin.name in _TAG_FROM_DATA and (prop is None or boolean((found.get("tag_from_uri") or prop).value)):
        return None
    if report.schema.plugin("input", plugin.name) is None and prop is None:
        return None
    tag = plugin.id if prop is None else report.final(prop.value)
    if not tag:
        return None
    routable = found.get("routable")
    routed = "routes" in found or (routable is not None and boolean(routable.value) is False)
    return Tag(tag, place, subject, routed)


def _tags_of_filter(report: Report, plugin: Plugin) -> list[Tag] | None:
    """Tags a filter gives: rewrite_tag's third word, log_to_metrics' tag. None when one could be anything."""
    made = []
    for prop in plugin.section.properties:
        if prop.name == "tag" and plugin.name == "log_to_metrics":
            made.append((report.final(prop.value), prop))
        elif prop.name == "rule" and plugin.name == "rewrite_tag":
            parts = words(report.final(prop.value) or "")
            made.append((parts[2] if len(parts) > 2 else None, prop))
    tags = []
    for tag, prop in made:
        if not tag or "$" in tag:
            return None
        tags.append(Tag(tag, value_place(prop), f"filter.{plugin.name}.{prop.name}", False))
    return tags


def _range(exact: list[str], pattern: str) -> tuple[int, int]:
    """The stretch of sorted tags that begin as the pattern does before its first star."""
    head, star, _ = pattern.partition("*")
    if not star:
        low = bisect_left(exact, pattern)
        return low, low + (low < len(exact) and exact[low] == pattern)
    return bisect_left(exact, head), bisect_left(exact, head + _LAST)
