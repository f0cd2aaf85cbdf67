"""Pipelines: a configuration that a core instance keeps running, and what follows from it."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Row, delete, select

from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Forbidden, Invalid
from nectary.fluentbit.document import Format
from nectary.metrics import store
from nectary.resources import (
    files,
    pipeline_configs,
    pipeline_intake,
    pipeline_ports,
    pipeline_statuses,
    pipeline_text,
    pipeline_views,
    quotas,
    resource_profiles,
    secrets,
)
from nectary.resources.checks import Check
from nectary.resources.files import PARSERS, PARSERS_TEXT, NewFile
from nectary.resources.names import invented
from nectary.resources.pipeline_bodies import NewPipeline, automatic
from nectary.resources.pipeline_intake import Text
from nectary.resources.pipeline_views import EVERYTHING, Asked, CreatedPipeline, Pipeline
from nectary.settings import Settings

pipelines, core_instances, _checks = tables.pipelines, tables.core_instances, tables.pipeline_checks
HEALTH_CHECK_PORT = 2020

Internal = Literal["health-check", "cluster-logging"]


# -- Made ------------------------------------------------------------------------------------------------------------------


async def create(
    tx: WriteTx,
    caller: Caller,
    core_instance_id: UUID,
    new: NewPipeline,
    settings: Settings,
    *,
    internal: Internal | None = None,
) -> CreatedPipeline:
    """A pipeline with its first configuration and status, its ports and checks, its files and secrets.

    Raises Invalid for an unsound configuration, NotFound for an unknown resource profile or secret, Forbidden over quota.
    """
    owner = await statements.get(tx, caller, core_instances, core_instance_id)
    if internal is None:
        countable = pipelines.c.internal.is_(None)
        sentence = "pipelines quota exceeded"
        await quotas.require_room(tx, owner.project_id, pipelines, settings.quota_pipelines, sentence, countable)
    profile = await resource_profiles.named(tx, caller, owner.id, new.resource_profile or "")
    has_checks = automatic(new.no_auto_create_checks_from_config, new.auto_create_checks_from_config) is not False
    skip = bool(new.skip_config_validation)
    format = new.config_format or Format.CLASSIC
    text = pipeline_intake.read(new.raw_config, format, with_checks=has_checks, skip=skip, settings=settings)
    if not skip:
        keys, names = (secret.key for secret in new.secrets or ()), (file.name for file in new.files or ())
        await pipeline_intake.require_defined(tx, text, owner.id, secrets=keys, files=[*names, PARSERS])
    row = await _insert(tx, owner, profile.id, new, text, internal=internal, has_checks=has_checks)
    if row.ports_from_config and text.document:
        await pipeline_ports.follow(tx, row.project_id, row.id, pipeline_text.open_ports(text.document))
    if row.checks_from_config and text.document:
        endpoints = pipeline_text.endpoints(text.document)
        await pipeline_intake.follow_checks(tx, row.project_id, row.id, [], endpoints)
    await secrets.put(tx, secrets.PIPELINES, row.project_id, row.id, new.secrets or [], owner.public_key, settings)
    beside = list(new.files or [])
    if not any(file.name == PARSERS for file in beside):
        beside.append(NewFile(name=PARSERS, contents=PARSERS_TEXT, encrypted=False))
    counted = internal is None
    await files.put(tx, files.PIPELINES, row.project_id, row.id, beside, owner.public_key, settings, counted=counted)
    tx.touched["pipelineID"] = row.id
    return await _created(tx, caller, row.id)


async def create_internal(
    tx: WriteTx,
    caller: Caller,
    core_instance_id: UUID,
    internal: Internal,
    settings: Settings,
    *,
    port: int = 0,
    port_kind: str = "",
) -> Pipeline:
    """A pipeline of the system's own: one that proves that a core instance works, or one that collects its cluster's logs.

    It counts for no quota, and only the system deletes it. `port`: where the health check answers.
    """
    made = _health_check(port or HEALTH_CHECK_PORT, port_kind) if internal == "health-check" else _cluster_logging()
    created = await create(tx, caller, core_instance_id, made, settings, internal=internal)
    return Pipeline.model_validate(created.model_dump(exclude={"checks"}))


def _health_check(port: int, port_kind: str) -> NewPipeline:
    """Its own HTTP server is what is probed; it carries nobody's data."""
    everywhere = "0.0.0.0"  # noqa: S104 - in a pod of its own
    sections: list[tuple[str, dict[str, Any]]] = [
        ("service", {"http_server": "on", "http_listen": everywhere, "http_port": port}),
        ("input", {"name": "fluentbit_metrics", "tag": "internal.metrics"}),
        ("output", {"name": "null", "match": "*"}),
    ]
    return NewPipeline(
        name=f"health-check-{uuid4().hex[:4]}",
        raw_config=_written(sections),
        config_format=Format.YAML,
        port_kind=port_kind,
        no_auto_create_checks_from_config=True,
    )


def _cluster_logging() -> NewPipeline:
    """On every node: the logs of all containers, named after their pods. Where to send them, an output added later says."""
    sections: list[tuple[str, dict[str, Any]]] = [
        (
            "input",
            {
                "name": "tail",
                "tag": "kube.*",
                "path": "/var/log/containers/*.log",
                "multiline.parser": "docker, cri",
                "mem_buf_limit": "5MB",
                "skip_long_lines": True,
            },
        ),
        ("filter", {"name": "kubernetes", "match": "kube.*", "merge_log": True, "keep_log": False}),
        ("output", {"name": "null", "match": "kube.*"}),
    ]
    return NewPipeline(
        name=f"cluster-logging-{uuid4().hex[:4]}",
        kind="daemonSet",
        raw_config=_written(sections),
        config_format=Format.YAML,
        no_auto_create_endpoints_from_config=True,
        no_auto_create_checks_from_config=True,
    )


def _written(sections: list[tuple[str, dict[str, Any]]]) -> str:
    pairs = [(kind, [{"key": key, "value": value} for key, value in given.items()]) for kind, given in sections]
    return pipeline_text.rendered("", Format.YAML, pairs)


async def _insert(
    tx: WriteTx,
    owner: Row[Any],
    profile_id: UUID,
    new: NewPipeline,
    text: Text,
    *,
    internal: Internal | None,
    has_checks: bool,
) -> Row[Any]:
    require_scalable(new.scaling())
    id, kind = uuid4(), new.kind or "deployment"
    has_ports = automatic(new.no_auto_create_endpoints_from_config, new.auto_create_ports_from_config) is not False
    row = await statements.add(
        tx,
        pipelines,
        id=id,
        project_id=owner.project_id,
        core_instance_id=owner.id,
        resource_profile_id=profile_id,
        name=new.name or invented(),
        kind=kind,
        internal=internal,
        config_id=id,  # until it has one
        status_id=id,
        deployment_strategy=new.deployment_strategy or "recreate",
        image=new.image or None,
        replicas_count=new.replicas_count,
        replicas_count_prev=new.replicas_count,
        ports_from_config=has_ports,
        checks_from_config=has_checks,
        wait_for_checks=bool(new.wait_for_checks_before_deploying),
        port_kind=new.port_kind or "LoadBalancer",
        tags=new.tags or [],
        labels=new.labels,
        metadata=new.metadata or {},
        scaling=new.scaling(),
        scheduling=new.scheduling(),
    )
    config = await pipeline_configs.add(tx, row.project_id, row.id, text.raw_config, text.format)
    status = await pipeline_statuses.add(tx, row.project_id, row.id, config.id, "NEW", [])
    pointed = pipelines.update().where(pipelines.c.id == row.id).values(config_id=config.id, status_id=status.id)
    made: Row[Any] = (await statements.written(tx, pointed.returning(pipelines))).one()
    return made


async def _created(tx: WriteTx, caller: Caller, id: UUID) -> CreatedPipeline:
    shown = await pipeline_views.get(tx, caller, id, Asked(include=EVERYTHING))
    query = select(_checks).where(_checks.c.pipeline_id == id).order_by(_checks.c.created_at.desc(), _checks.c.id.desc())
    return CreatedPipeline.model_validate(
        {**shown.model_dump(), "checks": [Check.model_validate(row) for row in await tx.execute(query)]}
    )


def require_scalable(scaling: dict[str, Any]) -> None:
    most = scaling["maxReplicas"]
    if most and scaling["minReplicas"] > most:
        raise Invalid("invalid min replica count", f"{scaling['minReplicas']} is more than maxReplicas, {most}")


# -- Gone ------------------------------------------------------------------------------------------------------------------


async def remove(tx: WriteTx, caller: Caller, id: UUID) -> None:
    row = await statements.get(tx, caller, pipelines, id)
    _require_own([row])
    await _forget(tx, [id])
    await statements.remove(tx, caller, pipelines, id)


async def remove_several(tx: WriteTx, caller: Caller, core_instance_id: UUID, ids: Sequence[UUID]) -> None:
    """Delete those of the named pipelines that are there; if one is the system's own, none."""
    await statements.get(tx, caller, core_instances, core_instance_id)
    mine = statements.visible(pipelines, caller), pipelines.c.core_instance_id == core_instance_id, pipelines.c.id.in_(ids)
    rows = (await tx.execute(select(pipelines).where(*mine))).all()
    _require_own(rows)
    await _forget(tx, [row.id for row in rows])
    await tx.execute(delete(pipelines).where(pipelines.c.id.in_([row.id for row in rows])))


async def remove_internal(tx: WriteTx, core_instance_id: UUID, internal: Internal) -> None:
    """Delete the system's own pipeline of a core instance, if it has one of that sort."""
    theirs = pipelines.c.core_instance_id == core_instance_id, pipelines.c.internal == internal
    ids = list((await tx.execute(select(pipelines.c.id).where(*theirs))).scalars())
    await _forget(tx, ids)
    await tx.execute(delete(pipelines).where(pipelines.c.id.in_(ids)))


async def has_internal(tx: ReadTx, core_instance_id: UUID, internal: Internal) -> bool:
    theirs = pipelines.c.core_instance_id == core_instance_id, pipelines.c.internal == internal
    return (await tx.execute(select(pipelines.c.id).where(*theirs).limit(1))).first() is not None


def _require_own(rows: Sequence[Row[Any]]) -> None:
    if internal := next((row for row in rows if row.internal), None):
        raise Forbidden("pipeline can only be deleted by the system", f"{internal.name} goes with its core instance")


async def _forget(tx: WriteTx, ids: Sequence[UUID]) -> None:
    """What has no foreign key to a pipeline: its measures."""
    await store.remove(tx, ids)
