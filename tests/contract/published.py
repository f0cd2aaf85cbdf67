"""The published contract and our own description, in one shape that can be compared."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nectary.db.transaction import Database
from nectary.server import make_app, make_context
from nectary.settings import Settings

ROOT = Path(__file__).parents[2]
DIFFERENCES = ROOT / "contract" / "differences.toml"
PEOPLE_AND_PROJECTS = {"user", "project"}


@dataclass(frozen=True)
class Operation:
    """What callers rely on of one operation."""

    address: str  # `GET /v1/...`
    parameters: frozenset[str]
    answers: Mapping[str, frozenset[str]]  # success status -> media types
    takes: frozenset[str]  # media types of its body
    security: frozenset[str]
    sends: frozenset[str]  # properties of its body
    says: frozenset[str]  # properties of its answer, or of its answer's items
    deprecated: bool


def our_document() -> dict[str, Any]:
    """Our OpenAPI, as /openapi.json serves it; no database is needed for that."""
    settings = Settings(database_url="sqlite:///not-opened.db")
    return make_app(make_context(settings, Database(settings.database))).openapi()


def operations(document: Mapping[str, Any]) -> dict[str, Operation]:
    """The operations of an OpenAPI document by their ids."""
    found = {}
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, said in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                found[said["operationId"]] = _operation(document, f"{method.upper()} {path}", said, shared)
    return found


def _operation(document: Mapping[str, Any], address: str, said: Mapping[str, Any], shared: list[Any]) -> Operation:
    parameters = [_resolved(document, each) for each in [*shared, *said.get("parameters", [])]]
    body = _resolved(document, said.get("requestBody", {}))
    answers = {}
    says: set[str] = set()
    for status, response in said["responses"].items():
        if str(status)[0] in "23":
            content = _resolved(document, response).get("content", {})
            answers[str(status)] = frozenset(content)
            for kind in content.values():
                says |= set(_properties(document, kind.get("schema", {})))
    sends: set[str] = set()
    for kind in body.get("content", {}).values():
        sends |= set(_properties(document, kind.get("schema", {})))
    return Operation(
        address=address,
        parameters=frozenset(f"{each['in']} {each['name']}" for each in parameters),
        answers=answers,
        takes=frozenset(body.get("content", {})),
        security=frozenset(scheme for each in said.get("security", []) for scheme in each) & PEOPLE_AND_PROJECTS,
        sends=frozenset(sends),
        says=frozenset(says),
        deprecated=bool(said.get("deprecated")),
    )


def _resolved(document: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in said:
        target: Any = document
        for step in said["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        said = target
    return said


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Names of an object's properties, or of an array's or a page's items; one level is what lists and bodies have."""
    schema = _resolved(document, schema)
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _properties(document, part)
    if "items" in schema:
        yield from _properties(document, schema["items"])
    for name, said in schema.get("properties", {}).items():
        yield name
        if name == "items":
            yield from _properties(document, said)


@dataclass(frozen=True)
class Difference:
    operation: str
    kind: str
    field: str
    what: str
    why: str


def listed() -> list[Difference]:
    rows = tomllib.loads(DIFFERENCES.read_text())["difference"]
    return [Difference(row["operation"], row["kind"], row.get("field", ""), row["what"], row["why"]) for row in rows]


def differing(published: Operation, ours: Operation) -> Iterator[str]:
    """Where our operation is not the published one, as `field` of differences.toml names it. More is no difference in
    parameters, bodies and answers: clients ignore it."""
    if ours.address != published.address:
        yield "address"
    if ours.deprecated != published.deprecated:
        yield "deprecated"
    if ours.security != published.security:
        yield "security"
    if ours.takes != published.takes:
        yield "body"
    for status in sorted(set(ours.answers) | set(published.answers)):
        if ours.answers.get(status) != published.answers.get(status):
            yield f"answer {status}"
    yield from (f"parameter {name}" for name in sorted(published.parameters - ours.parameters))
    yield from (f"sends {name}" for name in sorted(published.sends - ours.sends))
    yield from (f"says {name}" for name in sorted(published.says - ours.says))
