"""Bodies made from an operation's own schema: whole ones that should be taken, and broken ones that should not."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import hypothesis
from hypothesis import strategies as st

from tests.harness.operations import Operation

CONFIG = "[INPUT]\n    name dummy\n    tag  made.up\n[OUTPUT]\n    name  stdout\n    match *\n"
_numbers = itertools.count(1)

Known = Callable[[str], str | None]
"""Gives the id of a thing that is really there for the name of a field or parameter, if it is one."""

# What a field's name means, where its schema alone does not say enough. Everything else follows from the schema.
MEANINGS: dict[str, Callable[[int], Any]] = {
    "name": lambda n: f"thing-{n}",
    "email": lambda n: f"somebody-{n}@example.com",
    "machineID": lambda n: f"machine-{n}",
    "redirectURI": lambda n: "http://127.0.0.1:5000/join",
    "rawConfig": lambda n: CONFIG,
    "config": lambda n: CONFIG,
    "configFormat": lambda n: "ini",
    "permissions": lambda n: ["read:*"],
    "version": lambda n: "5.1.1",
    "type": lambda n: "fluentbit",
    "tags": lambda n: [f"tag-{n}"],
    "plugins": lambda n: ["dummy.0"],
    "properties": lambda n: [{"key": "name", "value": "dummy"}],
    "key": lambda n: f"key_{n}",
    "host": lambda n: f"host-{n}",
    "regex": lambda n: f"^thing-{n}$",
    "frontendPort": lambda n: 1024 + n,
}

# Optional fields that make an operation one about something else: its own tests send them, and bodies made up do not.
LEFT_OUT = {"rollout", "rolloutPolicy", "ifRevision", "count"}

_FORMATS: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid4()),
    "email": lambda: f"somebody-{next(_numbers)}@example.com",
    "uri": lambda: "http://127.0.0.1:5000/",
    "date-time": lambda: "2026-01-01T00:00:00Z",
    "duration": lambda: "PT1M",
    "byte": lambda: "aGVsbG8=",
    "base64": lambda: "aGVsbG8=",
    "binary": lambda: "hello",
}


def resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A schema without a reference at its top, and without `null` among its choices."""
    while True:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif choices := (schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")):
            schema = next((choice for choice in choices if choice.get("type") != "null"), choices[0])
        else:
            return schema


def example(schema: dict[str, Any], schemas: dict[str, Any], known: Known, *, name: str = "", optional: bool = True) -> Any:
    """A value that the schema allows; with `optional`, objects have all their fields."""
    if name in MEANINGS and "enum" not in (plain := resolved(schema, schemas)) and _fits(MEANINGS[name](0), plain):
        return MEANINGS[name](next(_numbers))
    schema = resolved(schema, schemas)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        required = schema.get("required", [])
        return {
            key: example(inner, schemas, known, name=key, optional=optional)
            for key, inner in schema.get("properties", {}).items()
            if (optional and key not in LEFT_OUT) or key in required
        }
    if kind == "array":
        least = max(1 if optional else 0, schema.get("minItems", 0))
        return [example(schema.get("items", {}), schemas, known, name=name.removesuffix("s")) for _ in range(least)]
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return False
    if kind == "string":
        return known(name) or _text(schema)
    return {}  # anything is allowed


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    kinds = {str: "string", int: "integer", list: "array"}
    return bool(schema.get("type") == kinds[type(value)])


def _text(schema: dict[str, Any]) -> str:
    if made := _FORMATS.get(schema.get("format", "")):
        return made()
    if shown := schema.get("examples"):
        return str(shown[0])
    if pattern := schema.get("pattern"):
        return _matching(pattern)
    return "made up".ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", 100)]


_OFTEN_MATCH = ("made-up", "made_up", "MADE_UP", "a", "1", "1.0.0", "10m", "1Gi", "a.b", "a=b", "/a", "http://127.0.0.1:5000/")


@functools.cache
def _matching(pattern: str) -> str:
    """A text that matches: a usual one, else the first that can be found; looking for it takes a second and more."""
    usual = next((text for text in _OFTEN_MATCH if re.fullmatch(pattern, text)), None)
    if usual is not None:
        return usual
    settings = hypothesis.settings(database=None, phases=[hypothesis.Phase.generate], deadline=None)
    return hypothesis.find(st.from_regex(pattern, fullmatch=True), bool, settings=settings)


def whole(operation: Operation, known: Known) -> Any:
    assert operation.body is not None
    return example(operation.body, operation.schemas, known)


def candidates(operation: Operation, known: Known) -> Iterator[Any]:
    """Bodies that may be taken: whole, with what has a meaning here, bare, then bare with one optional field each."""
    if operation.body is None:
        yield None
        return
    yield whole(operation, known)
    schema = resolved(operation.body, operation.schemas)
    bare = example(operation.body, operation.schemas, known, optional=False)
    meant = {key: inner for key, inner in schema.get("properties", {}).items() if key in MEANINGS}
    if isinstance(bare, dict) and meant.keys() - bare.keys():
        yield {**bare, **{key: example(inner, operation.schemas, known, name=key) for key, inner in meant.items()}}
    yield example(operation.body, operation.schemas, known, optional=False)
    for key, inner in schema.get("properties", {}).items():
        if key not in schema.get("required", []):
            bare = example(operation.body, operation.schemas, known, optional=False)
            yield {**bare, key: example(inner, operation.schemas, known, name=key)}


BROKEN_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    2**64,
    10**400,
    1e308,
    "",
    "\0",
    "a\0b",
    "\U0001f41d" * 300,
    "x" * 70_000,
    [],
    [None],
    ["\0"],
    [[]],
    {},
    {"\0": "\0"},
    {"": {"": []}},
)


def broken(body: Any) -> Iterator[Any]:
    """A good body with one field at a time replaced by what it most likely is not, then bodies that are no objects."""
    if isinstance(body, dict):
        for key in body:
            for value in BROKEN_VALUES:
                yield {**body, key: value}
            yield {other: value for other, value in body.items() if other != key}
        yield {**body, "unknown": {"deep": [1, "\0"]}}
    yield from ([], [body], "text", 7, 1.5, True, None, {"": None})
