"""Every published operation is served as published, or its difference is listed; both ways."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.published import Operation, differing, listed, operations, our_document

# Fields of differences.toml that can be seen from outside; the others are about behaviour, and tested where they are.
_SEEN = ("address", "deprecated", "security", "body", "answer ", "parameter ", "sends ", "says ")


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, Operation]:
    return operations(yaml.load((shared / "contract" / "openapi.yml").read_text(), yaml.CSafeLoader))


@pytest.fixture(scope="module")
def ours() -> dict[str, Operation]:
    return operations(our_document())


def test_all_published_operations_are_there(published: dict[str, Operation], ours: dict[str, Operation], shared: Path) -> None:
    known: list[dict[str, Any]] = json.loads((shared / "contract" / "operations.json").read_text())["operations"]
    assert len(known) == 183
    assert {each["operationId"] for each in known} == set(published)
    assert sorted(set(published) - set(ours)) == []
    for each in known:
        assert f"{each['method']} {each['path']}" == published[each["operationId"]].address


def test_each_differs_only_where_that_is_listed(published: dict[str, Operation], ours: dict[str, Operation]) -> None:
    known = {(one.operation, one.field) for one in listed() if one.kind != "added"}
    everywhere = {field for operation, field in known if operation == "*"}
    unlisted = [
        f"{id}: {field}"
        for id, operation in published.items()
        for field in differing(operation, ours[id])
        if (id, field) not in known and field not in everywhere
    ]
    assert unlisted == []


def test_each_listed_difference_is_still_one(published: dict[str, Operation], ours: dict[str, Operation]) -> None:
    """`added` is not published and there; a field that can be seen differs."""
    stale = []
    for one in listed():
        if one.kind == "added" and not one.field:
            if one.operation not in ours or one.operation in published:
                stale.append(f"{one.operation} is not ours to add")
        elif one.operation != "*" and one.operation not in published:
            stale.append(f"{one.operation} is not published")
        elif one.kind != "added" and one.field.startswith(_SEEN):
            ids = published if one.operation == "*" else [one.operation]
            if not any(one.field in differing(published[id], ours[id]) for id in ids):
                stale.append(f"{one.operation}: {one.field} does not differ")
    assert stale == []


def test_each_operation_of_our_own_is_listed(published: dict[str, Operation], ours: dict[str, Operation]) -> None:
    added = {one.operation for one in listed() if one.kind == "added" and not one.field}
    assert sorted(set(ours) - set(published) - added) == []


def test_each_difference_says_what_and_why() -> None:
    for one in listed():
        assert one.kind in ("added", "changed", "refused"), one
        assert one.what.endswith("."), one
        assert one.why.endswith("."), one
    keys = [(one.operation, one.kind, one.field) for one in listed()]
    assert len(keys) == len(set(keys)), "a difference stands twice"
