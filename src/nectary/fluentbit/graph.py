"""How records flow: from each input by its tag through the filters that match, in order, to the outputs that match."""

import re
from itertools import pairwise
from typing import NamedTuple

from nectary.fluentbit.document import ConfigError, Document, Kind, Place, Plugin, Problem
from nectary.fluentbit.globs import glob_fits, may_overlap
from nectary.fluentbit.nodes import ListNode, MapNode, Node, Scalar
from nectary.fluentbit.values import words
from nectary.fluentbit.variables import TEMPLATE, expand


class Point(NamedTuple):
    """One plugin. kind: "input", "filter" or "output"; rules: its match or tag as written; line: of its section."""

    id: str
    kind: str
    name: str
    display: str
    rule: str
    file: str
    line: int


class Flow(NamedTuple):
    """One way records go. source: the owner name of an input, or of a filter that gives records a new tag.

    tag: with `*` for what only running shows. filters and outputs: owner names in the order they run. sure: False when a match
    or tag cannot be judged from the text (a variable, a template, a regex beyond us, a tag from data): then these may match.
    routed: by the input's `routes` and not by matches.
    """

    source: str
    tag: str
    filters: tuple[str, ...]
    outputs: tuple[str, ...]
    sure: bool
    routed: bool = False


class Edge(NamedTuple):
    """A line to draw between two points (owner names), once for any number of tags."""

    source: str
    target: str
    tags: tuple[str, ...]


class Graph(NamedTuple):
    """points: all inputs, filters and outputs. flows: per input and tag. edges: flows drawn. lost: owners nothing reaches."""

    points: tuple[Point, ...]
    flows: tuple[Flow, ...]
    edges: tuple[Edge, ...]
    lost: tuple[str, ...]


_BUDGET = 20_000_000
"""Characters that comparisons of matches and tags may look at in all."""
_REGEX_COST = 30
_STEPS = 200_000
"""Steps of all flows together; more is nothing that anybody can look at, and grows with inputs times matches."""
_TAGGED_BY_DATA = frozenset({"forward", "http", "splunk", "elasticsearch", "opentelemetry", "prometheus_remote_write", "mqtt"})
# A regex that Python surely runs as Onigmo does, and in time: no look-around, no back-references, at most two open repeats.
_EASY_REGEX = re.compile(r"\^?(?:[\w /:@-]|\\[.\-_dw]|\.|\[\^?[\w.-]+\]|[*+](?![*+?])|\?(?![*+?])|\|(?!$))*\$?")


class _Matcher:
    """A filter's or output's `match` and `match_regex`: True fits, False does not, None may."""

    def __init__(self, plugin: Plugin, final: "_Final", budget: list[int]) -> None:
        section = plugin.section
        self.budget = budget
        match, regex = section.find("match"), section.find("match_regex")
        self.match = None if match is None else final(match.value)
        self.unknown = match is not None and self.match is None
        self.regex: re.Pattern[str] | None = None
        if regex is not None:
            text = final(regex.value)
            if text is not None and len(text) < 200 and _EASY_REGEX.fullmatch(text) and len(re.findall(r"[*+]", text)) < 3:
                self.regex = re.compile(text)
            else:
                self.unknown = True

    @property
    def is_exact(self) -> bool:
        """Whether it is one tag and nothing else."""
        return self.match is not None and "*" not in self.match and self.regex is None and not self.unknown

    def fits(self, tag: str) -> bool | None:
        """Either of the two is enough (flb_router_match)."""
        answers: list[bool | None] = [None] if self.unknown else []
        if self.match is not None:
            if "*" not in tag:
                fits: bool | None = glob_fits(self.match, tag, self.budget)
            elif self.match == "*":
                fits = True
            else:
                fits = None if may_overlap(self.match, tag, self.budget) else False
            answers.append(None if self.budget[0] < 0 and fits else fits)
        if self.regex is not None:
            self.budget[0] -= len(tag) + _REGEX_COST
            answers.append(None if "*" in tag or len(tag) > 300 else self.regex.search(tag) is not None)
        return True if True in answers else None if None in answers else False


class _Final:
    """Values with the document's own variables put in; None when only running can tell."""

    def __init__(self, document: Document) -> None:
        self.defined: dict[str, str | None] = {one.name: None if one.uri else one.value for one in document.variables}

    def __call__(self, value: str) -> str | None:
        return None if TEMPLATE.search(value) else expand(value, self.defined, None)


class _Group:
    """The filters or the outputs, in order: those whose match is one plain tag are looked up, the rest are compared."""

    def __init__(self, plugins: tuple[Plugin, ...], final: "_Final", budget: list[int]) -> None:
        self.plugins = plugins
        self.matchers = [_Matcher(one, final, budget) for one in plugins]
        self.exact: dict[str, list[int]] = {}
        self.compared: list[int] = []
        for number, matcher in enumerate(self.matchers):
            if matcher.is_exact:
                self.exact.setdefault(matcher.match or "", []).append(number)
            else:
                self.compared.append(number)

    def fitting(self, tag: str) -> tuple[list[str], bool]:
        """The owner names that a tag reaches, and whether that is sure."""
        found, sure = [], True
        exact = [] if "*" in tag else self.exact.get(tag, [])
        for number in self.compared if "*" not in tag else range(len(self.plugins)):
            fits = self.matchers[number].fits(tag)
            if fits is not False:
                sure = sure and fits is True
                found.append(number)
        return [self.plugins[number].owner for number in sorted([*exact, *found])], sure


def of_document(document: Document) -> Graph:
    """The graph of one configuration. Work grows with inputs times matches, for distinct tags and open matches only.

    Raises ConfigError when that is more than anybody could look at.
    """
    final, budget, steps = _Final(document), [_BUDGET], 0
    filters = _Group(document.plugins_of(Kind.FILTER), final, budget)
    outputs = _Group(document.plugins_of(Kind.OUTPUT), final, budget)
    named = _by_name(outputs.plugins)
    known: dict[str, Flow] = {}
    flows = []
    for source, tag in _sources(document, final):
        flow = known.get(tag)
        if flow is None:
            flow = known[tag] = _flow(tag, filters, outputs)
        flow = flow._replace(source=source.owner)
        routes = source.section.find("routes")
        if source.kind is Kind.INPUT and routes is not None and routes.nested is not None:
            flow = flow._replace(outputs=_routed(routes.nested, named), routed=True)
        flows.append(flow)
        steps += 1 + len(flow.filters) + len(flow.outputs)
        if budget[0] < 0 or steps > _STEPS:
            what = "too many ways from inputs to outputs for a graph"
            raise ConfigError((Problem(Place(document.file, 1, 1), "too_large", what, "look at a part of it"),), document)
    points = tuple(_point(plugin) for plugin in document.plugins_of(Kind.INPUT, Kind.FILTER, Kind.OUTPUT))
    reached = {owner for flow in flows for owner in (*flow.filters, *flow.outputs)}
    lost = tuple(point.id for point in points if point.kind != Kind.INPUT and point.id not in reached)
    return Graph(points, tuple(flows), _edges(flows), lost)


def _flow(tag: str, filters: _Group, outputs: _Group) -> Flow:
    (first, sure), (last, sure_too) = filters.fitting(tag), outputs.fitting(tag)
    return Flow("", tag, tuple(first), tuple(last), sure and sure_too)


def _point(plugin: Plugin) -> Point:
    section = plugin.section
    rule = section.get("tag") if plugin.kind is Kind.INPUT else section.get("match") or section.get("match_regex")
    return Point(plugin.owner, str(plugin.kind), plugin.name, plugin.display, rule or "", section.file, section.line)


def _sources(document: Document, final: _Final) -> list[tuple[Plugin, str]]:
    """Each input with its tag, and each filter that gives records a new tag with that."""
    found = []
    for plugin in document.plugins_of(Kind.INPUT):
        written = plugin.section.get("tag")
        if written is None:
            found.append((plugin, "*" if plugin.name in _TAGGED_BY_DATA else plugin.id))
        else:
            found.append((plugin, final(written) or "*"))
    for plugin in document.plugins_of(Kind.FILTER):
        tags = [plugin.section.get("tag") or ""] if plugin.name == "log_to_metrics" else []
        if plugin.name == "rewrite_tag":
            rules = (words(prop.value) for prop in plugin.section.every("rule"))
            tags = [rule[2] for rule in rules if len(rule) > 2]
        # $1 and $TAG[0] are parts of the record or the old tag.
        found += [
            (plugin, re.sub(r"\$(?:TAG)?(?:\[[^\]]*\]|\w+(?:\[[^\]]*\])*)?", "*", final(tag) or "*")) for tag in tags if tag
        ]
    return found


def _by_name(outputs: tuple[Plugin, ...]) -> dict[str, list[tuple[int, str]]]:
    """Number and owner name of the outputs that routes may mean by an alias, an id or a plugin's name."""
    found: dict[str, list[tuple[int, str]]] = {}
    for number, one in enumerate(outputs):
        for name in {one.alias, one.id, one.name} - {""}:
            found.setdefault(name, []).append((number, one.owner))
    return found


def _routed(routes: Node, named: dict[str, list[tuple[int, str]]]) -> tuple[str, ...]:
    """The outputs that routes name, in order."""
    names: list[str] = []
    waiting = [routes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ListNode):
            waiting.extend(node.items)
        elif isinstance(node, MapNode):
            for key, value in node.pairs:
                if key.text == "outputs" and isinstance(value, ListNode):
                    names += _names(value)
                else:
                    waiting.append(value)
    found = {output for name in set(names) for output in named.get(name, ())}
    return tuple(owner for _, owner in sorted(found))


def _names(outputs: ListNode) -> list[str]:
    found = []
    for item in outputs.items:
        values = (
            [item]
            if isinstance(item, Scalar)
            else [item.get("name"), item.get("fallback")]
            if isinstance(item, MapNode)
            else []
        )
        found += [value.text for value in values if isinstance(value, Scalar)]
    return found


def _edges(flows: list[Flow]) -> tuple[Edge, ...]:
    tags: dict[tuple[str, str], dict[str, None]] = {}
    for flow in flows:
        # A filter's new records start again at the first filter, except that they do not pass the filter that made them.
        steps = [flow.source, *(owner for owner in flow.filters if owner != flow.source)]
        pairs = [*pairwise(steps), *((steps[-1], output) for output in flow.outputs)]
        for pair in pairs:
            tags.setdefault(pair, {})[flow.tag] = None
    return tuple(Edge(source, target, tuple(found)) for (source, target), found in tags.items())
