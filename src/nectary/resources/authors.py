"""Authors: who wrote something, told so that it stays known when they are gone."""

from typing import Any
from uuid import UUID

from nectary.caller import Caller
from nectary.shape import Shape

NECTARY: dict[str, Any] = {"kind": "nectary", "id": None, "name": "Nectary"}
"""The server itself, where a loop did it and nobody asked."""


class Author(Shape):
    kind: str  # user, token, core_instance or nectary
    id: UUID | None
    name: str


def of(caller: Caller) -> dict[str, Any]:
    """A caller as a row keeps it: a person by name, a token by what it is called."""
    [(kind, who)] = caller.identity().items()
    return {"kind": kind, "id": who["id"], "name": who.get("name") or who.get("email", "")}
