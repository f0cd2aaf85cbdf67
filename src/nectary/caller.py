"""Who is asking, once known: a person, or a caller inside one project."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from nectary.errors import Forbidden

PERMISSIONS = ("create:*", "read:*", "update:*", "delete:*")


class Kind(StrEnum):
    USER = "user"
    PROJECT_TOKEN = "project token"
    AGENT = "agent token"
    CORE_INSTANCE = "core instance token"


_IDENTITIES = {Kind.AGENT: "agent", Kind.CORE_INSTANCE: "core_instance"}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in, before a project is chosen."""

    id: UUID
    email: str
    name: str
    session_id: UUID

    def identity(self) -> dict[str, Any]:
        return {"user": {"id": str(self.id), "email": self.email, "name": self.name}}


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone acting inside one project. No permissions listed means all of them (contract: Token, Membership)."""

    kind: Kind
    id: UUID
    name: str
    project_id: UUID
    permissions: frozenset[str] = frozenset()
    roles: frozenset[str] = field(default=frozenset())
    person: Person | None = None
    one_host: bool = False  # a project token that was made for one host of a fleet

    def may(self, permission: str) -> bool:
        return not self.permissions or permission in self.permissions

    def require(self, permission: str) -> None:
        if not self.may(permission):
            raise Forbidden("permission denied", f"this needs {permission}")

    def holds(self, permissions: Iterable[str]) -> bool:
        """Whether the caller has every one of these; an empty list means all there are."""
        return not self.permissions or self.permissions.issuperset(permissions or PERMISSIONS)

    def require_holds(self, permissions: Iterable[str]) -> None:
        """Nobody gives away more than they have."""
        if not self.holds(permissions):
            raise Forbidden("permission denied", "you cannot give permissions that you do not hold; an empty list means all")

    def identity(self) -> dict[str, Any]:
        """How the audit log names the caller."""
        if self.person is not None:
            return self.person.identity()
        return {_IDENTITIES.get(self.kind, "token"): {"id": str(self.id), "name": self.name}}
