"""The shapes that cross the border: snake_case here, the contract's camelCase on the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict

# The contract keeps these words in capitals inside a name: projectID, avatarURL, checksOK, privateRSAKey.
_CAPITALS = {"id": "ID", "ids": "IDs", "ok": "OK", "url": "URL", "uri": "URI", "rsa": "RSA", "cpu": "CPU"}


def wire_name(name: str) -> str:
    """`project_id` -> `projectID`; a first word stays lower-case, also `id`."""
    first, *rest = name.split("_")
    return first + "".join(_CAPITALS.get(word, word.capitalize()) for word in rest)


# Clients say "" for "whatever is usual" or "as it is" (Go's zero values).
UNSAID = BeforeValidator(lambda value: None if value == "" else value)

Time = datetime  # always in UTC; written as RFC 3339 with up to microseconds


@dataclass(frozen=True, slots=True)
class Says:
    """What a field's refusal is called in the contract, whatever was wrong with the value."""

    sentence: str


class Shape(BaseModel):
    """A body: unknown keys are ignored, as the original did; both spellings of a name are understood."""

    model_config = ConfigDict(
        alias_generator=wire_name, validate_by_name=True, validate_by_alias=True, from_attributes=True, frozen=True
    )


class Patch(Shape):
    """A body of changes: None leaves a field as it is."""

    def changes(self) -> dict[str, Any]:
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of the rows, newest first; `cursor` names the last of them, None when there are none."""

    items: Sequence[Item]
    cursor: str | None
    count: int | None = None


class Created(Shape):
    id: UUID
    created_at: Time


class Updated(Shape):
    updated_at: Time


class Listing(Shape, Generic[Item]):
    """A list as an object, where the contract has it so; `endCursor` is null on an empty page, where the Go client stops."""

    items: Sequence[Item]
    end_cursor: str | None
    count: int


class Deleted(Shape):
    deleted: bool
    deleted_at: Time | None
