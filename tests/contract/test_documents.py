"""What is written from the code is as the code is."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from nectary.edge.openapi import operations
from tests.contract.documents import COMPATIBILITY, OPENAPI, PERMISSIONS, written
from tests.contract.published import our_document


@pytest.mark.parametrize("path", [OPENAPI, PERMISSIONS, COMPATIBILITY], ids=lambda path: path.name)
def test_documents_are_not_stale(path: Any) -> None:
    assert path.read_text() == written()[path], f"{path.name} is out of date: run `make docs`"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return our_document()


def test_every_operation_says_what_it_does_and_takes(document: dict[str, Any]) -> None:
    ids = set()
    for address, operation in operations(document):
        assert operation["summary"], address
        assert operation["description"].strip().endswith((".", "`.", ")")), f"{address}: {operation['description']}"
        assert operation["tags"], address
        assert operation["operationId"] not in ids, address
        ids.add(operation["operationId"])
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], f"{address}: {parameter['name']}"
        names = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"}
        assert names == {part[1:-1] for part in address.split("/") if part.startswith("{")}, address


def test_every_operation_says_how_it_answers_and_refuses(document: dict[str, Any]) -> None:
    for address, operation in operations(document):
        responses = operation["responses"]
        assert any(status[0] in "235" for status in responses), address
        assert responses["default"]["$ref"].endswith("/Refused")
        for status, response in responses.items():
            if status.startswith("4"):
                assert response["$ref"].endswith(f"/Refused{status}"), f"{address} {status}"
            elif "$ref" not in response:
                assert response["description"], f"{address} {status}"
        assert ("401" in responses) == bool(operation.get("security")), address


def test_every_example_is_as_its_schema_says(document: dict[str, Any]) -> None:
    wrong, shown = [], 0
    registry: Registry[Any] = Registry().with_resource("", DRAFT202012.create_resource(document))
    for where, schema in _schemas(document):
        for example in [*schema.get("examples", ()), *([schema["example"]] if "example" in schema else ())]:
            shown += 1
            validator = Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
            wrong += [f"{where}: {error.message}" for error in validator.iter_errors(example)]
    assert not wrong, "\n".join(wrong)
    assert shown > 300


def test_every_text_that_is_sent_shows_what_it_looks_like(document: dict[str, Any]) -> None:
    """By its form, the words there are, or an example: those stand in edge/examples.py."""
    bare = set()
    for address, operation in operations(document):
        sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for where, schema in _schemas(_whole(document, sent)):
            if schema.get("type") == "string" and "properties" in where.split("/"):
                name = where.rpartition("properties/")[2]
                if not {"examples", "enum", "const", "format", "default"} & set(schema) and "/" not in name:
                    bare.add(f"{address}: {name}")
    assert not bare, sorted(bare)


def _schemas(said: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(said, dict):
        if isinstance(said.get("type"), str) or "anyOf" in said:
            yield where, said
        for key, inner in said.items():
            if key not in ("example", "examples", "default", "enum", "const"):
                yield from _schemas(inner, f"{where}/{key}")
    elif isinstance(said, list):
        for number, inner in enumerate(said):
            yield from _schemas(inner, f"{where}/{number}")


def _whole(document: dict[str, Any], schema: Any, inside: tuple[str, ...] = ()) -> Any:
    """A schema with what it refers to in place of the references."""
    if isinstance(schema, dict):
        name = schema.get("$ref")
        if isinstance(name, str):
            return {} if name in inside else _whole(document, _at(document, name), (*inside, name))
        return {key: _whole(document, inner, inside) for key, inner in schema.items()}
    return [_whole(document, inner, inside) for inner in schema] if isinstance(schema, list) else schema


def _at(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_every_answer_with_a_body_says_what_is_in_it(document: dict[str, Any]) -> None:
    without = [
        f"{address} {status} {kind}"
        for address, operation in operations(document)
        for status, response in operation["responses"].items()
        for kind, said in response.get("content", {}).items()
        if not said.get("schema")
    ]
    assert without == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return here + [each for inner in value.values() for each in references(inner)]
        return [each for inner in value for each in references(inner)] if isinstance(value, list) else []

    names = {f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named}
    used = set(references(document))
    assert used - names == set()
    assert not any("HTTPValidationError" in each for each in used)
