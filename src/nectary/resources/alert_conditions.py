"""What alert rules look for: the things of a project that are as a rule says they should not be, now."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select

from nectary import clock
from nectary.db import tables
from nectary.db.transaction import ReadTx
from nectary.metrics import store
from nectary.metrics.cmetrics import FIELDS
from nectary.metrics.counters import Totals

agents, pipelines, statuses, core_instances = tables.agents, tables.pipelines, tables.pipeline_statuses, tables.core_instances

# Things that one rule finds at a time; beyond it a rule says no more by saying more.
MOST = 10_000
_CHUNK = 1000
_FAILED = ("FAILED", "CHECKS_FAILED")
# Fluent Bit counts a chunk that was not taken as a retry; that it is given up as a failed retry, or as an error at once.
_COUNTED = ("errors_total", "retries_total", "retries_failed_total")
_PLACES = tuple(FIELDS["output"].index(name) for name in _COUNTED)


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing that a rule is about, and why."""

    kind: str
    id: UUID
    name: str
    message: str


async def met(tx: ReadTx, rule: Row[Any]) -> list[Subject]:
    """What meets the rule's condition now, MOST of it at most; nothing of a rule that is switched off."""
    if not rule.enabled:
        return []
    match rule.kind:
        case "pipeline_failed":
            return await _failed_pipelines(tx, rule)
        case "agent_silent":
            return await _silent_agents(tx, rule)
        case "core_instance_unreachable":
            return await _unreachable_core_instances(tx, rule)
        case "pipeline_errors":
            return [one async for one in _erring(tx, rule, select(pipelines.c.id, pipelines.c.name), pipelines, "pipeline")]
        case "agent_errors":
            mine = select(agents.c.id, agents.c.name).where(agents.c.pipeline_id.is_(None))
            return [one async for one in _erring(tx, rule, mine, agents, "agent")]
    return []


def _in_scope(rule: Row[Any], table: Any) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [table.c.project_id == rule.project_id]
    for column in ("fleet_id", "environment_id", "core_instance_id", "pipeline_id"):
        wanted = rule._mapping[column]
        own = column == f"{table.name.removesuffix('s')}_id"
        if wanted is not None:
            conditions.append((table.c.id if own else table.c[column]) == wanted)
    return conditions


async def _failed_pipelines(tx: ReadTx, rule: Row[Any]) -> list[Subject]:
    query = (
        select(pipelines.c.id, pipelines.c.name, statuses.c.status, statuses.c.events)
        .join(statuses, statuses.c.id == pipelines.c.status_id)
        .where(*_in_scope(rule, pipelines), statuses.c.status.in_(_FAILED), statuses.c.created_at <= _ago(rule.seconds))
    )
    return [
        Subject("pipeline", row.id, row.name, f"pipeline {row.name} is {row.status}{_last_word(row.events)}")
        for row in await tx.execute(query.limit(MOST))
    ]


def _last_word(events: list[dict[str, Any]]) -> str:
    if not events:
        return ""
    newest = max(events, key=lambda event: str(event.get("logged_at") or event.get("loggedAt") or ""))
    said = newest.get("message") or newest.get("reason") or ""
    return f": {said[:500]}" if said else ""


async def _silent_agents(tx: ReadTx, rule: Row[Any]) -> list[Subject]:
    """Agents on their own; those of a pipeline come and go with its replicas, and the pipeline has a status of its own."""
    query = select(agents.c.id, agents.c.name, agents.c.seen_at).where(
        *_in_scope(rule, agents), agents.c.pipeline_id.is_(None), agents.c.seen_at < _ago(rule.seconds)
    )
    return [
        Subject("agent", row.id, row.name, f"agent {row.name} has been silent since {_shown(row.seen_at)}")
        for row in await tx.execute(query.limit(MOST))
    ]


async def _unreachable_core_instances(tx: ReadTx, rule: Row[Any]) -> list[Subject]:
    query = select(core_instances.c.id, core_instances.c.name, core_instances.c.pinged_at).where(
        *_in_scope(rule, core_instances), core_instances.c.pinged_at < _ago(rule.seconds)
    )
    return [
        Subject("core instance", row.id, row.name, f"core instance {row.name} was last heard of at {_shown(row.pinged_at)}")
        for row in await tx.execute(query.limit(MOST))
    ]


async def _erring(tx: ReadTx, rule: Row[Any], owners: Select[Any], table: Any, kind: str) -> AsyncIterator[Subject]:
    """Whose outputs failed to send more often a second than the rule allows, over its window. A window must be half full."""
    since = clock.seconds() - rule.seconds
    found, last = 0, UUID(int=0)
    while found < MOST:
        query = owners.where(*_in_scope(rule, table), table.c.id > last).order_by(table.c.id).limit(_CHUNK)
        names = {row.id: row.name for row in await tx.execute(query)}
        if not names:
            return
        last = max(names)
        for id, ((began, before), (ended, after)) in (await store.edges(tx, list(names), since=since)).items():
            rate = _failures(before, after) / (ended - began)
            if ended - began >= rule.seconds / 2 and rate > rule.threshold:
                found += 1
                told = f"{kind} {names[id]}: {rate:.{2 if rate < 100 else 6}g} failed sends a second over {rule.seconds} s"
                yield Subject(kind, id, names[id], f"{told}{_worst(before, after)}")


def _failures(before: Totals, after: Totals, plugin: str | None = None) -> int:
    nothing = (0,) * len(FIELDS["output"])
    names = after.output if plugin is None else [plugin]
    return sum(
        max(after.output[name][place] - before.output.get(name, nothing)[place], 0) for name in names for place in _PLACES
    )


def _worst(before: Totals, after: Totals) -> str:
    return f", most by {max(after.output, key=lambda name: _failures(before, after, name))}" if after.output else ""


def _ago(seconds: int) -> Any:
    return clock.now() - timedelta(seconds=seconds)


def _shown(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
