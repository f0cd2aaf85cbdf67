"""Pipelines as they are shown: one by one and in lists, with what belongs to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Row, Select, Table, exists, func, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx
from nectary.errors import Invalid
from nectary.fluentbit.document import ConfigError, Format
from nectary.resources import config_sections, pipeline_ports, pipeline_text
from nectary.resources.checks import Check
from nectary.resources.config_sections import ConfigSection
from nectary.resources.files import PipelineFile
from nectary.resources.kubernetes import (
    Affinity,
    Lifecycle,
    PvcRetentionPolicy,
    SecretVolumeMount,
    Toleration,
    TopologySpreadConstraint,
)
from nectary.resources.pipeline_bodies import Scaling
from nectary.resources.pipeline_configs import PipelineConfig
from nectary.resources.pipeline_ports import Port
from nectary.resources.pipeline_statuses import PipelineStatus
from nectary.resources.resource_profiles import ResourceProfile
from nectary.resources.secrets import PipelineSecret
from nectary.shape import Page, Time

pipelines, configs, statuses, profiles = (
    tables.pipelines,
    tables.pipeline_configs,
    tables.pipeline_statuses,
    tables.resource_profiles,
)
_checks, _sessions = tables.pipeline_checks, tables.trace_sessions
_status_configs = configs.alias("status_configs")

EVERYTHING = frozenset({"ports", "files", "secrets"})


class Pipeline(Scaling):
    id: UUID
    core_instance_id: UUID
    name: str
    kind: str
    config: PipelineConfig
    config_sections: list[ConfigSection]
    status: PipelineStatus
    resource_profile: ResourceProfile
    deployment_strategy: str
    tracing_enabled: bool
    wait_for_checks_before_deploying: bool
    no_auto_create_endpoints_from_config: bool
    no_auto_create_checks_from_config: bool
    image: str | None
    replicas_count: int
    replicas_count_prev: int
    checks_total: int
    checks_ok: int
    checks_running: int
    tags: list[str]
    metadata: dict[str, Any]
    labels: dict[str, Any] | None
    port_kind: str
    # Kubernetes' affairs, as they were sent.
    affinity: Affinity | None = None
    topology_spread_constraints: list[TopologySpreadConstraint] | None = None
    tolerations: list[Toleration] | None = None
    termination_grace_period_seconds: int | None = None
    lifecycle: Lifecycle | None = None
    storage_class: str | None = None
    pvc_retention_policy: PvcRetentionPolicy | None = None
    annotations: dict[str, str] | None = None
    service_account: str | None = None
    kubernetes_secret_name: str | None = None
    secret_volume_mounts: list[SecretVolumeMount] | None = None
    # Null unless asked for with `include`.
    ports: list[Port] | None = None
    files: list[PipelineFile] | None = None
    secrets: list[PipelineSecret] | None = None
    created_at: Time
    updated_at: Time
    error: str | None = Field(None, description="Why its config sections could not be rendered, or its format changed.")


class CreatedPipeline(Pipeline):
    checks: list[Check]


@dataclass(frozen=True, slots=True)
class Asked:
    """How pipelines are to be shown."""

    format: Format | None = None
    rendered: bool = False
    include: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pipelines of a list are meant."""

    name: str | None = None
    kind: str | None = None
    tags: tuple[str, ...] = ()
    exclude_internal: bool = False

    def conditions(self, dialect: str) -> list[ColumnElement[bool]]:
        conditions = [dialects.has_tag(dialect, pipelines.c.tags, tag) for tag in self.tags]
        if self.name:
            conditions.append(pipelines.c.name == self.name)
        if self.kind:
            conditions.append(pipelines.c.kind == self.kind)
        if self.exclude_internal:
            conditions.append(pipelines.c.internal.is_(None))
        return conditions


def _how_many(*those: ColumnElement[bool]) -> ColumnElement[int]:
    query = select(func.count()).where(_checks.c.pipeline_id == pipelines.c.id, *those)
    return query.correlate(pipelines).scalar_subquery()


def _named(table: Any, prefix: str) -> list[ColumnElement[Any]]:
    return [column.label(f"{prefix}.{column.name}") for column in table.c]


def _listed(caller: Caller) -> Select[Any]:
    tracing = exists().where(_sessions.c.pipeline_id == pipelines.c.id, _sessions.c.ends_at >= clock.now())
    query = select(
        pipelines,
        *_named(configs, "config"),
        *_named(statuses, "status"),
        *_named(_status_configs, "status_config"),
        *_named(profiles, "profile"),
        _how_many().label("checks_total"),
        _how_many(_checks.c.status == "ok").label("checks_ok"),
        _how_many(_checks.c.status == "running").label("checks_running"),
        tracing.correlate(pipelines).label("tracing_enabled"),
    )
    query = query.join(configs, configs.c.id == pipelines.c.config_id).join(statuses, statuses.c.id == pipelines.c.status_id)
    query = query.join(_status_configs, _status_configs.c.id == statuses.c.config_id)
    query = query.join(profiles, profiles.c.id == pipelines.c.resource_profile_id)
    return query.where(statements.visible(pipelines, caller))


async def get(tx: ReadTx, caller: Caller, id: UUID, asked: Asked) -> Pipeline:
    """One pipeline. Raises Invalid where its configuration cannot be had in the format asked for."""
    row = (await tx.execute(_listed(caller).where(pipelines.c.id == id))).one_or_none()
    if row is None:
        raise statements.not_found(pipelines)
    [shown] = await _shown(tx, [row], asked, refuse=True)
    return shown


async def of_core_instance(
    tx: ReadTx,
    caller: Caller,
    core_instance_id: UUID,
    wanted: Wanted,
    asked: Asked,
    *,
    last: int,
    before: Place | None,
    counted: bool = False,
) -> Page[Pipeline]:
    await statements.get(tx, caller, tables.core_instances, core_instance_id)
    here = pipelines.c.core_instance_id == core_instance_id
    return await _page(tx, caller, asked, here, *wanted.conditions(tx.dialect), last=last, before=before, counted=counted)


async def of_project(
    tx: ReadTx,
    caller: Caller,
    wanted: Wanted,
    asked: Asked,
    *,
    last: int,
    before: Place | None,
    counted: bool = False,
) -> Page[Pipeline]:
    return await _page(tx, caller, asked, *wanted.conditions(tx.dialect), last=last, before=before, counted=counted)


async def _page(
    tx: ReadTx,
    caller: Caller,
    asked: Asked,
    *those: ColumnElement[bool],
    last: int,
    before: Place | None,
    counted: bool,
) -> Page[Pipeline]:
    """Pipelines that fulfil some conditions, and what is asked to go with them: one query for each kind of that."""
    query = _listed(caller).where(*those)
    found: Page[Row[Any]] = await statements.page(tx, query, pipelines, lambda row: row, last=last, before=before)
    # Counted without all that is joined for showing: every pipeline has each of that once.
    plain = select(pipelines.c.id).where(statements.visible(pipelines, caller), *those)
    count = await statements.count(tx, plain) if counted else None
    return Page(await _shown(tx, found.items, asked, refuse=False), found.cursor, count)


async def _shown(tx: ReadTx, rows: Sequence[Row[Any]], asked: Asked, *, refuse: bool) -> list[Pipeline]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    sections = await config_sections.of_pipelines(tx, ids)
    beside: dict[str, dict[UUID, list[Any]]] = {}
    if "ports" in asked.include:
        beside["ports"] = dict(await pipeline_ports.of_pipelines(tx, ids))
    if "files" in asked.include:
        beside["files"] = await _of_pipelines(tx, tables.pipeline_files, ids, PipelineFile.model_validate)
    if "secrets" in asked.include:
        beside["secrets"] = await _of_pipelines(tx, tables.pipeline_secrets, ids, PipelineSecret.model_validate)
    return [
        _shape(row, asked, sections[row.id], {name: found[row.id] for name, found in beside.items()}, refuse=refuse)
        for row in rows
    ]


async def _of_pipelines(
    tx: ReadTx, table: Table, ids: Sequence[UUID], shape: Callable[[Row[Any]], Any]
) -> dict[UUID, list[Any]]:
    query = select(table).where(table.c.pipeline_id.in_(ids)).order_by(table.c.created_at.desc(), table.c.id.desc())
    found: dict[UUID, list[Any]] = {id: [] for id in ids}
    for row in await tx.execute(query):
        found[row.pipeline_id].append(shape(row))
    return found


def _shape(
    row: Row[Any], asked: Asked, sections: list[ConfigSection], beside: dict[str, list[Any]], *, refuse: bool
) -> Pipeline:
    config = PipelineConfig.model_validate(_part(row, configs, "config"))
    status = {**_part(row, statuses, "status"), "config": _part(row, configs, "status_config")}
    of_status = PipelineStatus.model_validate(status)
    error = None
    try:
        config = _in_form(config, asked, sections)
        of_status = of_status.model_copy(update={"config": _in_form(of_status.config, asked, sections)})
    except (Invalid, ConfigError) as reason:
        # One that cannot be changed must not keep a core instance from all its others.
        if refuse and isinstance(reason, Invalid):
            raise
        error = (reason.detail if isinstance(reason, Invalid) else str(reason)) or "it cannot be rendered"
    return Pipeline.model_validate(
        {
            **row._mapping,
            **row.scaling,
            **row.scheduling,
            **beside,
            "config": config,
            "config_sections": sections,
            "status": of_status,
            "resource_profile": ResourceProfile.model_validate(_part(row, profiles, "profile")),
            "wait_for_checks_before_deploying": row.wait_for_checks,
            "no_auto_create_endpoints_from_config": not row.ports_from_config,
            "no_auto_create_checks_from_config": not row.checks_from_config,
            "error": error,
        }
    )


def _in_form(config: PipelineConfig, asked: Asked, sections: Sequence[ConfigSection]) -> PipelineConfig:
    if asked.rendered and sections:
        lent = [(one.kind, [{"key": prop.key, "value": prop.value} for prop in one.properties]) for one in sections]
        text = pipeline_text.rendered(config.raw_config, config.config_format, lent)
        config = config.model_copy(update={"raw_config": text})
    return config.in_format(asked.format)


def _part(row: Row[Any], table: Table, prefix: str) -> dict[str, Any]:
    return {column.name: row._mapping[f"{prefix}.{column.name}"] for column in table.c}
