"""What the API answers with, as much of it as callers use. Unknown keys are ignored, so newer servers are understood."""

from datetime import datetime
from typing import Any

import msgspec


def _wire(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join("ID" if word == "id" else word.capitalize() for word in rest)


class Row(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    id: str
    created_at: datetime


class Thing(Row, frozen=True, kw_only=True):
    name: str


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


class AgentsCount(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """Agents heard of lately and not, and those with an error that stands."""

    active: int
    inactive: int
    with_errors: int


class Fleet(Thing, frozen=True, kw_only=True):
    """`revision` is the number of the newest published."""

    agents_count: AgentsCount
    raw_config: str
    config_format: str
    min_fluent_bit_version: str
    tags: list[str] | None
    revision: int
    updated_at: datetime


class FailedAgent(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    id: str
    name: str
    cause: str
    why: str


class RolloutProgress(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """Agents in reach: how many, and how far they are. `outlook`: a sentence that says what it waits for."""

    in_reach: int
    waiting: int
    stragglers: int
    downloaded: int
    applied: int
    failed: int
    failures: list[FailedAgent]
    outlook: str


class Rollout(Row, frozen=True, kw_only=True):
    """`state` is running, paused, done, rolled_back or cancelled; `stage` counts from 0; `progress` is there while it is open,
    where one rollout was asked for."""

    fleet_id: str
    state: str
    reason: str
    from_revision: int
    to_revision: int
    back_revision: int | None
    stages: str
    stage: int
    reach: float
    stage_started_at: datetime
    updated_at: datetime
    progress: RolloutProgress | None = None


class RolloutEvent(Row, frozen=True, kw_only=True):
    kind: str
    stage: int
    reason: str
    agents: list[str]


class Straggler(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """`state` is waiting (has not fetched what it should run), applying (has, and not said yet) or drifted (runs something
    else); times are in UTC."""

    agent_id: str
    name: str
    version: str
    state: str
    assigned_revision: int | None
    downloaded_revision: int | None
    downloaded_at: datetime | None
    runs_revision: int | None
    registered_at: datetime | None
    seen_at: datetime


class AgentStart(Row, frozen=True, kw_only=True):
    """A start or a reload, and the revision of its fleet that the agent then ran, where it was one."""

    version: str
    runs_revision: int | None


class Drift(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """One difference between what an agent should run and what it says it runs."""

    change: str
    subject: str
    wanted: str
    reported: str


class AgentFleetStatus(Straggler, frozen=True, kw_only=True):
    """`state` may be applied, too; `drift`: None where nobody can say; `starts`: the newest first."""

    fleet_id: str
    drift: list[Drift] | None
    starts: list[AgentStart]


class AgentError(Row, frozen=True, kw_only=True):
    agent_id: str
    error: str
    dismissed_at: datetime | None
    dismiss_reason: str | None


class FleetStatus(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    managed: int
    healthy: int
    in_progress: int
    unhealthy: int


class FleetFile(Thing, frozen=True, kw_only=True):
    contents: bytes
    updated_at: datetime


class Author(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    kind: str
    name: str
    id: str | None = None


class FleetRevision(Row, frozen=True, kw_only=True):
    """What was published of a fleet; `cause` is created, edited, file, published or rolled_back."""

    number: int
    message: str
    author: Author
    cause: str
    based_on: int | None
    config_format: str


class WholeRevision(FleetRevision, frozen=True, kw_only=True):
    raw_config: str


class PublishedRevision(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """`rollout_id` where it is rolled out in stages."""

    revision: int
    rollout_id: str | None


class FleetDiff(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """`text`: a line for each change; `unreadable`: why a text could not be compared."""

    to: str
    text: str
    same_text: bool
    unreadable: str | None
    from_: str = msgspec.field(name="from")


class CheckFinding(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    severity: str
    file: str
    line: int
    column: int
    kind: str
    message: str
    remedy: str


class VersionCheck(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    version: str
    known: bool
    checked_against: str
    runs: bool
    agents: int
    names: list[str]
    findings: list[CheckFinding]


class FleetCheck(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """`added`: what agents get beside the text. `unservable`: formats that they may ask for and would not get, with why."""

    sound: bool
    minimum: VersionCheck
    versions: list[VersionCheck]
    added: list[str]
    unservable: dict[str, str]


class EnrolledHost(msgspec.Struct, rename=_wire, frozen=True, kw_only=True):
    """`config`: what its Fluent Bit is started with; the token stands in it."""

    id: str
    host: str
    token: str
    config: str
