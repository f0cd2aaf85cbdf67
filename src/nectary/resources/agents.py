"""Agents: running Fluent Bits, each one row for its machine in a project."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import StringConstraints
from sqlalchemy import Row, delete, func, select

from nectary import clock
from nectary.auth import tokens as proofs
from nectary.caller import Caller, Kind
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Forbidden, Gone, Invalid, Unauthenticated
from nectary.metrics import store
from nectary.resources import agent_starts, environments, fleet_serving, quotas
from nectary.resources.names import HOSTNAME
from nectary.shape import Page, Patch, Says, Shape, Time, wire_name

agents, agent_configs, _projects, _environments = tables.agents, tables.agent_configs, tables.projects, tables.environments

_CLAIMS = ("AgentID", "ProjectID", "TokenID")

# Field of a body -> what the contract calls a wrong one.
SENTENCES = {
    "name": "invalid agent name",
    "machineID": "invalid machine ID",
    "type": "invalid agent type",
    "version": "invalid agent version",
    "edition": "invalid agent edition",
    "os": "invalid agent operating system",
    "arch": "invalid agent architecture",
    "flags": "invalid agent flags",
    "tags": "invalid tag",
    "rawConfig": "invalid agent raw config",
    "metadata": "invalid agent metadata",
    "environmentID": "invalid environment ID",
    "fleetID": "invalid fleet ID",
}
KNOWN = {
    "type": ("fluentbit", "fluentd"),
    "edition": ("community", "enterprise"),
    "os": ("unknown", "linux", "macos", "windows", "freebsd", "netbsd", "openbsd"),
    "arch": ("unknown", "x86", "x86_64", "arm", "arm64"),
}
_VERSION = re.compile(r"v?\d+\.\d+(\.\d+)?([-+.][0-9A-Za-z.+-]*)?")
_RAW_CONFIG_LIMIT = 4 * 1024 * 1024


class Agent(Shape):
    id: UUID
    project_id: UUID
    fleet_id: UUID | None = None
    pipeline_id: UUID | None = None
    token: str = ""  # told to the agent once, at registration; never read back
    name: str
    machine_id: str
    type: str
    version: str
    edition: str
    status: str
    os: str
    arch: str
    flags: list[str]
    tags: list[str]
    raw_config: str
    metadata: dict[str, Any]
    metrics_count: int
    first_metrics_added_at: Time | None
    last_metrics_added_at: Time | None
    created_at: Time
    updated_at: Time
    environment_name: str


class AgentConfig(Shape):
    id: UUID
    raw_config: str
    created_at: Time


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says of itself, when it registers and when it reports again."""

    name: str
    machine_id: str
    type: str
    version: str
    edition: str
    raw_config: str
    os: str = "unknown"
    arch: str = "unknown"
    flags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    environment_id: str | None = None
    fleet_id: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    id: UUID
    token: str
    name: str
    created_at: Any
    environment_name: str


class AgentPatch(Patch):
    """What people and their tools may send. Everything but name and environment is the agent's own to say."""

    name: Annotated[str, StringConstraints(pattern=HOSTNAME, max_length=253), Says("invalid agent name")] | None = None
    environment_id: Annotated[str, Says("invalid environment ID")] | None = None
    fleet_id: Annotated[UUID, Says("invalid fleet ID")] | None = None
    version: Annotated[str, Says("invalid agent version")] | None = None
    edition: Annotated[str, Says("invalid agent edition")] | None = None
    flags: Annotated[list[str], Says("invalid agent flags")] | None = None
    raw_config: Annotated[str, Says("invalid agent raw config")] | None = None
    metadata: Annotated[dict[str, Any], Says("invalid agent metadata")] | None = None
    os: Annotated[str, Says("invalid agent operating system")] | None = None
    arch: Annotated[str, Says("invalid agent architecture")] | None = None


# -- The agent's own side --------------------------------------------------------------------------------------------------


async def register(tx: WriteTx, caller: Caller, report: Report, *, address: str = "", quota: int = 0) -> Registered:
    """Find or make the agent of this machine. The same machine is the same agent, and its token stays good. A new one counts
    for the project's quota; raises Forbidden when that is full. `address`: where it comes from, as its polls will.

    Fluent Bit registers at every start and after every reload (custom_calyptia), so most calls change little.
    """
    _require_sound(report)
    query = select(agents).where(statements.visible(agents, caller), agents.c.machine_id == report.machine_id)
    row = (await tx.execute(query)).one_or_none()
    key = fleet_serving.poll_key(caller.id, address, one_host=caller.one_host)
    if row is None:
        await quotas.require_room(tx, caller.project_id, agents, quota, "agents quota exceeded")
        row = await _insert(tx, caller.project_id, uuid4(), report, key)
    else:
        row = await _update(tx, row, report, key)
    place = (await tx.execute(select(_environments.c.name).where(_environments.c.id == row.environment_id))).scalar_one()
    token = proofs.sign(await _key(tx, caller.project_id), AgentID=row.id, ProjectID=caller.project_id, TokenID=caller.id)
    return Registered(row.id, token, row.name, row.created_at, place)


async def report_again(tx: WriteTx, token: str, id: str, report: Report, *, address: str = "") -> Caller:
    """An agent that kept its session says what it runs now (PATCH with X-Agent-Token).

    If it was deleted meanwhile it is made again under its old id: an agent whose PATCH fails is mute until it restarts
    (out_calyptia never registers again). Only while the project token it came with still stands, though.
    """
    claimed, project_id, token_id = await require_own(tx, token, id)
    _require_sound(report)
    caller = Caller(Kind.AGENT, claimed, report.name, project_id)
    row = (await tx.execute(select(agents).where(agents.c.id == claimed))).one_or_none()
    standing = select(tables.tokens.c.host).where(tables.tokens.c.id == token_id, tables.tokens.c.project_id == project_id)
    its_token = (await tx.execute(standing)).one_or_none()
    one_host = its_token is not None and its_token.host is not None
    key = fleet_serving.poll_key(token_id, address, one_host=one_host)
    if row is not None:
        await _update(tx, row, report, key)
    elif its_token is not None:
        await _insert(tx, project_id, claimed, report, key)
    else:
        raise Gone("agent gone", "it was deleted, and so was the project token it registered with")
    return caller


async def require_own(tx: ReadTx, token: str, id: str) -> tuple[UUID, UUID, UUID]:
    """The ids of agent, project and project token that the token of agent `id` names, even a deleted one's.

    Raises Unauthenticated or Forbidden.
    """
    claims = await _proven_claims(tx, token)
    if str(claims[0]) != id:
        raise Forbidden("permission denied", "an agent token speaks for its own agent only")
    return claims


async def reported(tx: ReadTx, id: UUID) -> dict[str, Any]:
    """What an agent last said of itself, as it says it; nothing for one that is gone."""
    row = (await tx.execute(select(agents).where(agents.c.id == id))).one_or_none()
    if row is None:
        return {}
    said = ("type", "version", "edition", "os", "arch", "flags", "raw_config", "metadata", "machine_id")
    return {"name": row.reported_name} | {wire_name(name): row._mapping[name] for name in said}


async def prove(tx: ReadTx, token: str) -> Caller:
    """Whom an agent token speaks for. Raises Unauthenticated, or Gone for a deleted agent."""
    id, project_id, _ = await _proven_claims(tx, token)
    row = (await tx.execute(select(agents.c.name).where(agents.c.id == id, agents.c.project_id == project_id))).one_or_none()
    if row is None:
        raise Gone("agent gone")
    return Caller(Kind.AGENT, id, row.name, project_id)


async def _proven_claims(tx: ReadTx, token: str) -> tuple[UUID, UUID, UUID]:
    id, project_id, token_id = proofs.claims(token, *_CLAIMS, refusal="invalid agent token")
    key = (await tx.execute(select(_projects.c.agent_key).where(_projects.c.id == project_id))).scalar_one_or_none()
    if key is None or not proofs.proven(token, key):
        raise Unauthenticated("invalid agent token")
    return id, project_id, token_id


async def _key(tx: ReadTx, project_id: UUID) -> bytes:
    key: bytes = (await tx.execute(select(_projects.c.agent_key).where(_projects.c.id == project_id))).scalar_one()
    return key


async def _insert(tx: WriteTx, project_id: UUID, id: UUID, report: Report, key: str) -> Row[Any]:
    environment_id, _ = await environments.named(tx, project_id, report.environment_id)
    row = await statements.add(
        tx,
        agents,
        id=id,
        project_id=project_id,
        environment_id=environment_id,
        fleet_id=await _fleet(tx, project_id, report.fleet_id),
        metrics_count=0,
        name=_hostname(report.name),
        tags=list(report.tags or ()),
        seen_at=clock.now(),
        registered_at=clock.now(),
        **_reported(report),
        **agent_starts.counted(key) | {"starts": 1},
    )
    config = await statements.add(tx, agent_configs, project_id=project_id, agent_id=id, raw_config=report.raw_config)
    await agent_starts.note(tx, row, config.id)
    return row


async def _update(tx: WriteTx, row: Row[Any], report: Report, key: str) -> Row[Any]:
    moment = clock.now()
    changed = {key: value for key, value in _reported(report).items() if row._mapping[key] != value}
    if "reported_name" in changed:
        changed["name"] = _hostname(report.name)
    if report.environment_id:
        changed["environment_id"], _ = await environments.named(tx, row.project_id, report.environment_id)
    fleet_id = await _fleet(tx, row.project_id, report.fleet_id)
    if fleet_id not in (None, row.fleet_id):
        changed["fleet_id"] = fleet_id
    if report.tags is not None:
        changed["tags"] = list(report.tags)
    config_id = None
    if "raw_config" in changed:
        text = {"project_id": row.project_id, "agent_id": row.id, "raw_config": report.raw_config}
        config_id = (await statements.add(tx, agent_configs, **text)).id
    if changed:
        changed["updated_at"] = moment
        tx.touched["agentID"] = row.id
    changed |= {"seen_at": moment, "registered_at": moment} | agent_starts.counted(key)
    query = agents.update().where(agents.c.id == row.id).values(changed).returning(agents)
    updated: Row[Any] = (await statements.written(tx, query)).one()
    await agent_starts.note(tx, updated, config_id)
    return updated


async def _fleet(tx: ReadTx, project_id: UUID, given: str | None) -> UUID | None:
    """The fleet an agent says it belongs to. One that is not there is no reason to refuse: a refused agent is never seen."""
    try:
        id = UUID(given or "")
    except ValueError:
        return None
    query = select(tables.fleets.c.id).where(tables.fleets.c.id == id, tables.fleets.c.project_id == project_id)
    return (await tx.execute(query)).scalar_one_or_none()


def _reported(report: Report) -> dict[str, Any]:
    return {
        "machine_id": report.machine_id,
        "reported_name": report.name,
        "type": report.type,
        "version": report.version,
        "edition": report.edition,
        "os": report.os,
        "arch": report.arch,
        "flags": list(dict.fromkeys(report.flags)),
        "raw_config": report.raw_config,
        "metadata": report.metadata,
    }


def _hostname(name: str) -> str:
    """The contract shows names as host names; what a host calls itself may be anything (`my_host`)."""
    labels = [re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")[:63].strip("-") for label in name.split(".")]
    shown = ".".join(label for label in labels if label)[:253].strip(".-")
    if not shown:
        raise Invalid(SENTENCES["name"], f"{name[:60]!r} holds no letter or digit")
    return shown


def _require_sound(report: Report) -> None:
    _hostname(report.name)
    if not 0 < len(report.machine_id) <= 1024:
        raise Invalid(SENTENCES["machineID"], "it has 1 to 1024 characters")
    for name, allowed in KNOWN.items():
        if getattr(report, name) not in allowed:
            raise Invalid(SENTENCES[name], f"{getattr(report, name)[:60]!r} is none of {', '.join(allowed)}")
    if not _VERSION.fullmatch(report.version) or len(report.version) > 64:
        raise Invalid(SENTENCES["version"], f"{report.version[:64]!r} is not a version such as 5.1.1")
    if len(report.raw_config) > _RAW_CONFIG_LIMIT:
        raise Invalid(SENTENCES["rawConfig"], f"at most {_RAW_CONFIG_LIMIT} characters")
    for flag in report.flags:
        if not flag or len(flag) > 255 or not flag.isprintable():
            raise Invalid("invalid agent flag", f"{flag[:60]!r}")


# -- Everybody else's side -------------------------------------------------------------------------------------------------

listed = select(agents, _environments.c.name.label("environment_name")).join(
    _environments, _environments.c.id == agents.c.environment_id
)


async def get(tx: ReadTx, caller: Caller, id: UUID, *, silent_after: timedelta) -> Agent:
    row = (await tx.execute(listed.where(agents.c.id == id, statements.visible(agents, caller)))).one_or_none()
    if row is None:
        raise statements.not_found(agents)
    return shape(row, silent_after)


def shape(row: Row[Any], silent_after: timedelta) -> Agent:
    status = "healthy" if clock.now() - row.seen_at <= silent_after else "unhealthy"
    return Agent.model_validate({**row._mapping, "status": status})


async def configs_of(tx: ReadTx, caller: Caller, id: UUID, *, last: int, before: Place | None) -> Page[AgentConfig]:
    await statements.get(tx, caller, agents, id)
    query = select(agent_configs).where(statements.visible(agent_configs, caller), agent_configs.c.agent_id == id)
    return await statements.page(tx, query, agent_configs, AgentConfig.model_validate, last=last, before=before)


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: AgentPatch) -> None:
    """Rename an agent, or move it to another environment or fleet. What it is and runs only the agent itself can say."""
    given = patch.changes()
    for own in ("version", "edition", "flags", "raw_config", "metadata", "os", "arch"):
        if own in given:
            raise Forbidden(
                f"update agent {own.replace('_', ' ')} forbidden", "only the agent itself, with its token, reports this"
            )
    if "environment_id" in given:
        given["environment_id"], _ = await environments.named(tx, caller.project_id, given["environment_id"])
    if "fleet_id" in given:
        await statements.get(tx, caller, tables.fleets, given["fleet_id"])
        given |= {"runs_revision": None, "runs_known_at": None}  # of another fleet: to be looked into again
    await statements.change(tx, caller, agents, id, **given)


async def remove(tx: WriteTx, caller: Caller, ids: list[UUID], *, must_exist: bool) -> None:
    """Delete agents with all they left. A Fluent Bit that still runs comes back when it next starts."""
    query = delete(agents).where(agents.c.id.in_(ids), statements.visible(agents, caller)).returning(agents.c.id)
    gone = list((await tx.execute(query)).scalars())
    if must_exist and not gone:
        raise statements.not_found(agents)
    await store.remove(tx, gone)
    await statements.revoke(tx, gone)


async def count_seen(tx: ReadTx, silent_after: timedelta) -> int:
    """Agents of all projects that gave a sign of life lately."""
    query = select(func.count()).select_from(agents).where(agents.c.seen_at >= clock.now() - silent_after)
    return int((await tx.execute(query)).scalar_one())
