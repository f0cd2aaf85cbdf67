"""What is written from the code is as the code is."""

from typing import Any

import pytest

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
