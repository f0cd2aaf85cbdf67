"""What changed between two configurations, by meaning: places, order of kinds, comments, quotes and format do not count."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from nectary.fluentbit import meaning
from nectary.fluentbit.document import Document, Kind, Place, Property, Section, Variable
from nectary.fluentbit.reading import folded


class Change(NamedTuple):
    """One difference.

    change: "added", "removed", "changed" or "moved" (it runs at another place among its kind, or its keys in another order).
    what: "variable", "section" or "property". subject: `input.tail.path`, `env.NAME`. old and new: texts, "" where none.
    old_place and new_place: None where there is none.
    """

    change: str
    what: str
    subject: str
    old: str
    new: str
    old_place: Place | None
    new_place: Place | None


def diff(old: Document, new: Document) -> tuple[Change, ...]:
    """Every difference: variables, then service, then sections by kind. Nothing when both mean the same."""
    changes = _variables(old, new)
    changes += _properties("service", old.service, new.service)
    before, after = meaning.normal_sections(old.sections), meaning.normal_sections(new.sections)
    for kind in Kind:
        if kind is not Kind.SERVICE:
            sections = ([section for section in found if section.kind is kind] for found in (before, after))
            changes += _sections(kind, *sections)
    return tuple(changes)


def as_text(changes: Iterable[Change]) -> str:
    """One line per change: `+ input.tail`, `- ...`, `~ output.http.port: 80 -> 8080`, `> filter.grep moved`."""
    signs = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
    lines = []
    for change in changes:
        values = {"added": f": {change.new}", "removed": f": {change.old}", "changed": f": {change.old} -> {change.new}"}
        text = values.get(change.change, " moved") if change.what != "section" or change.change == "moved" else ""
        lines.append(f"{signs[change.change]} {change.subject}{text}".replace("\n", "\\n"))
    return "".join(f"{line}\n" for line in lines)


def _variables(old: Document, new: Document) -> list[Change]:
    one = {variable.name: variable for variable in old.variables}
    other = {variable.name: variable for variable in new.variables}
    changes = []
    for name in dict.fromkeys((*one, *other)):
        before, after = one.get(name), other.get(name)
        was, is_now = _value(before), _value(after)
        if before is None or after is None or was != is_now:
            word = "added" if before is None else "removed" if after is None else "changed"
            places = (before.value_place if before else None, after.value_place if after else None)
            changes.append(Change(word, "variable", f"env.{name}", was, is_now, *places))
    return changes


def _value(variable: Variable | None) -> str:
    return "" if variable is None else " ".join(filter(None, (variable.value or variable.uri, variable.refresh)))


def _key(section: Section, precise: int) -> Hashable:
    """What makes two sections the same one: most precisely its alias, tag or match, and least its plugin."""
    name = folded(section.get("name") or section.header)
    if precise == 2:
        return name, section.get("alias") or "", section.get("tag") or "", section.get("match") or ""
    if precise == 1:
        return name, section.get("alias") or section.get("tag") or section.get("match") or ""
    return name


def _pairs(old: Sequence[Section], new: Sequence[Section]) -> dict[int, int]:
    """Old section numbers to new ones: first those with one meaning, then the likeliest of the rest."""
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    keys: list[Callable[[Section], Hashable]] = [meaning.of_section]
    keys += [partial(_key, precise=precise) for precise in (2, 1, 0)]
    for key in keys:
        free: dict[Any, list[int]] = defaultdict(list)
        for number, section in enumerate(new):
            if number not in taken:
                free[key(section)].append(number)
        for numbers in free.values():
            numbers.reverse()
        for number, section in enumerate(old):
            if number not in pairs and (fits := free.get(key(section))):
                pairs[number] = fits.pop()
                taken.add(pairs[number])
    return pairs


def _sections(kind: Kind, old: Sequence[Section], new: Sequence[Section]) -> list[Change]:
    pairs = _pairs(old, new)
    changes = []
    for number, section in enumerate(old):
        name = _subject(kind, section)
        if number not in pairs:
            changes.append(Change("removed", "section", name, _summary(section), "", section.place, None))
            continue
        other = new[pairs[number]]
        changes += _properties(name, section.properties, other.properties)
        changes += _groups(name, section, other)
    moved = _moved([pairs[number] for number in sorted(pairs)])
    back = {number: section for section, number in pairs.items()}
    for number, section in enumerate(new):
        name = _subject(kind, section)
        if number not in back:
            changes.append(Change("added", "section", name, "", _summary(section), None, section.place))
        elif number in moved:
            changes.append(Change("moved", "section", name, "", "", old[back[number]].place, section.place))
    return changes


def _moved(order: list[int]) -> set[int]:
    """The fewest numbers to take out so that the rest rises: all but a longest rising run (patience sorting)."""
    tops: list[int] = []
    where: list[int] = []
    before: list[int] = []
    for index, number in enumerate(order):
        low, high = 0, len(tops)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if tops[middle] < number else (low, middle)
        before.append(where[low - 1] if low else -1)
        tops[low : low + 1] = [number]
        where[low : low + 1] = [index]
    kept = set()
    index = where[-1] if where else -1
    while index >= 0:
        kept.add(order[index])
        index = before[index]
    return set(order) - kept


def _subject(kind: Kind, section: Section) -> str:
    name = section.get("alias") or section.get("name") or (section.header if kind is Kind.OTHER else "")
    return f"{kind}.{name}" if name else str(kind)


def _summary(section: Section) -> str:
    return ", ".join(f"{prop.name} {_text(prop)}" for prop in section.properties)


def _text(prop: Property) -> str:
    return prop.value if prop.nested is None else _plain(meaning.of_property(prop)[1])


def _plain(value: Any) -> str:
    """A nested meaning as short text."""
    if isinstance(value, tuple) and len(value) == 2 and value[0] in ("map", "list", "processors"):
        parts = [_plain(part) for part in value[1]]
        return "[" + ", ".join(parts) + "]" if value[0] == "list" else "{" + ", ".join(parts) + "}"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        names = ("str", "int", "float", "bool", "NoneType")
        return str(value[1]) if value[0] in names else f"{value[0]}: {_plain(value[1])}"
    if isinstance(value, tuple):
        return "{" + ", ".join(_plain(part) for part in value) + "}"
    return str(value)


def _properties(subject: str, old: Sequence[Property], new: Sequence[Property]) -> list[Change]:
    one, other = _by_name(old), _by_name(new)
    changes = []
    for name in dict.fromkeys((*one, *other)):
        before, after = one.get(name, []), other.get(name, [])
        path = f"{subject}.{name}"
        if len(before) == len(after) == 1:
            if meaning.of_property(before[0]) != meaning.of_property(after[0]):
                texts = (_text(before[0]), _text(after[0]))
                changes.append(Change("changed", "property", path, *texts, before[0].value_place, after[0].value_place))
            continue
        left = Counter(meaning.of_property(prop) for prop in after)
        gone = [prop for prop in before if not _take(left, prop)]
        right = Counter(meaning.of_property(prop) for prop in before)
        come = [prop for prop in after if not _take(right, prop)]
        changes += [Change("removed", "property", path, _text(prop), "", prop.value_place, None) for prop in gone]
        changes += [Change("added", "property", path, "", _text(prop), None, prop.value_place) for prop in come]
    if not changes and old and [meaning.of_property(prop) for prop in old] != [meaning.of_property(prop) for prop in new]:
        changes.append(Change("moved", "property", f"{subject} (order of its keys)", "", "", old[0].place, new[0].place))
    return changes


def _take(counts: Counter[tuple[str, Any]], prop: Property) -> bool:
    key = meaning.of_property(prop)
    if counts[key] <= 0:
        return False
    counts[key] -= 1
    return True


def _by_name(properties: Sequence[Property]) -> dict[str, list[Property]]:
    found: dict[str, list[Property]] = {}
    for prop in properties:
        found.setdefault(prop.name, []).append(prop)
    return found


def _groups(subject: str, old: Section, new: Section) -> list[Change]:
    """Groups pair up by name and order: rules and nodes are lists."""
    changes: list[Change] = []
    one, other = list(old.groups), list(new.groups)
    for number in range(max(len(one), len(other))):
        before = one[number] if number < len(one) else None
        after = other[number] if number < len(other) else None
        path = f"{subject}.{(before or after).name}[{number}]"  # type: ignore[union-attr]
        changes += _properties(path, before.properties if before else (), after.properties if after else ())
    return changes
