"""What the API answers with, as much of it as callers use. Unknown keys are ignored, so newer servers are understood."""

from datetime import datetime
from typing import Any

import msgspec


def _wire(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join("ID" if word == "id" else word.capitalize() for word in rest)


class Thing(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    id: str
    name: str
    created_at: datetime


class Project(Thing, frozen=True, kw_only=True):
    members_count: int
    agents_count: int


class Token(Thing, frozen=True, kw_only=True):
    token: str
    permissions: list[str]


class Environment(Thing, frozen=True, kw_only=True):
    updated_at: datetime


class Agent(Thing, frozen=True, kw_only=True):
    """`status` is `healthy` or `unhealthy`; times are in UTC."""

    machine_id: str
    type: str
    version: str
    edition: str
    status: str
    os: str
    arch: str
    tags: list[str] | None
    raw_config: str
    metadata: dict[str, Any] | None
    environment_name: str
    first_metrics_added_at: datetime | None
    last_metrics_added_at: datetime | None
    updated_at: datetime
