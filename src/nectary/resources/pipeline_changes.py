"""What a change to a pipeline does beyond setting columns: history, ports, checks, files, secrets, statuses."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from nectary import clock
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.transaction import WriteTx
from nectary.errors import Conflict, Invalid
from nectary.fluentbit.document import Format
from nectary.resources import (
    files,
    pipeline_configs,
    pipeline_intake,
    pipeline_ports,
    pipeline_statuses,
    pipeline_text,
    resource_profiles,
    secrets,
    uses,
)
from nectary.resources.checks import Check
from nectary.resources.files import FilePatch, NewFile
from nectary.resources.pipeline_bodies import PipelinePatch, automatic
from nectary.resources.pipeline_ports import Port
from nectary.resources.pipelines import require_scalable
from nectary.resources.secrets import NewSecret, SecretPatch
from nectary.settings import Settings
from nectary.shape import Shape

pipelines, configs = tables.pipelines, tables.pipeline_configs
_files, _secrets = tables.pipeline_files, tables.pipeline_secrets

# Columns that are what was sent.
_PLAIN = ("name", "deployment_strategy", "port_kind", "metadata", "tags", "labels", "wait_for_checks")


class UpdatedPipeline(Shape):
    added_ports: list[Port] = []
    removed_ports: list[Port] = []
    added_checks: list[Check] = []
    removed_checks: list[Check] = []


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: PipelinePatch, settings: Settings) -> UpdatedPipeline:
    """Change what is given, and tell which ports and checks a new configuration brought and took.

    Secrets and files are put before the configuration is looked at, since it may name them. Raises Conflict for another kind,
    and for replicas of what has none; else as for a new pipeline.
    """
    query = select(pipelines).where(pipelines.c.id == id, statements.visible(pipelines, caller))
    row = (await tx.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise statements.not_found(pipelines)
    values = await _columns(tx, caller, row, patch)
    await _put_secrets(tx, caller, row, patch.secrets or [], settings)
    await _put_files(tx, caller, row, patch.files or [], settings)
    row = await statements.change(tx, caller, pipelines, id, **values)
    updated = UpdatedPipeline()
    if patch.raw_config is not None:
        row, updated = await _configure(tx, caller, row, patch.raw_config, patch, settings)
    await _report(tx, row, patch)
    return updated


async def _columns(tx: WriteTx, caller: Caller, row: Row[Any], patch: PipelinePatch) -> dict[str, Any]:
    if patch.kind not in (None, row.kind):
        raise Conflict("pipeline kind cannot be updated", f"it is a {row.kind}")
    given = patch.changes()
    values = {name: given[name] for name in _PLAIN if name in given}
    values["updated_at"] = clock.now()
    if patch.replicas_count is not None:
        if row.kind == "daemonSet":
            sentence = "pipeline replicas can only be set for pipelines of kind deployment"
            raise Conflict(sentence, "a daemonSet runs once on every node")
        values |= {"replicas_count": patch.replicas_count, "replicas_count_prev": row.replicas_count}
    if patch.image is not None:
        values["image"] = patch.image or None
    if patch.resource_profile is not None:
        profile = await resource_profiles.named(tx, caller, row.core_instance_id, patch.resource_profile)
        values["resource_profile_id"] = profile.id
    if scaling := patch.scaling():
        values["scaling"] = {**row.scaling, **scaling}
        require_scalable(values["scaling"])
    if scheduling := patch.scheduling():
        values["scheduling"] = {**row.scheduling, **scheduling}
    has_ports = automatic(patch.no_auto_create_endpoints_from_config, patch.auto_create_ports_from_config)
    has_checks = automatic(patch.no_auto_create_checks_from_config, patch.auto_create_checks_from_config)
    values |= {"ports_from_config": has_ports} if has_ports is not None else {}
    return values | ({"checks_from_config": has_checks} if has_checks is not None else {})


async def _configure(
    tx: WriteTx, caller: Caller, row: Row[Any], raw_config: str, patch: PipelinePatch, settings: Settings
) -> tuple[Row[Any], UpdatedPipeline]:
    """Give a pipeline another configuration: one more in its history, and ports and checks that follow it.

    The stored format changes here and only here: the CLI sends `configFormat: ini` with every change of anything.
    """
    old = (await tx.execute(select(configs).where(configs.c.id == row.config_id))).one()
    stored = Format(old.config_format)
    format = patch.config_format or await pipeline_configs.format_of(tx, row.id, raw_config, stored)
    skip = bool(patch.skip_config_validation)
    text = pipeline_intake.read(raw_config, format, with_checks=row.checks_from_config, skip=skip, settings=settings)
    if not skip:
        keys = (await tx.execute(select(_secrets.c.key).where(_secrets.c.pipeline_id == row.id))).scalars()
        names = (await tx.execute(select(_files.c.name).where(_files.c.pipeline_id == row.id))).scalars()
        await pipeline_intake.require_defined(tx, text, row.core_instance_id, secrets=list(keys), files=list(names))
    config = await pipeline_configs.add(tx, row.project_id, row.id, text.raw_config, text.format)
    changed = await statements.change(tx, caller, pipelines, row.id, config_id=config.id)
    added_ports: list[Port] = []
    removed_ports: list[Port] = []
    added_checks: list[Check] = []
    removed_checks: list[Check] = []
    if row.ports_from_config and text.document:
        wanted = pipeline_text.open_ports(text.document)
        added_ports, removed_ports = await pipeline_ports.follow(tx, row.project_id, row.id, wanted)
    if row.checks_from_config and text.document:
        before = pipeline_text.read(old.raw_config, stored)
        gone = pipeline_text.endpoints(before) if before else []
        come = pipeline_text.endpoints(text.document)
        added_checks, removed_checks = await pipeline_intake.follow_checks(tx, row.project_id, row.id, gone, come)
    return changed, UpdatedPipeline(
        added_ports=added_ports,
        removed_ports=removed_ports,
        added_checks=added_checks,
        removed_checks=removed_checks,
    )


async def _report(tx: WriteTx, row: Row[Any], patch: PipelinePatch) -> None:
    """What a core instance says: every status is one more in the history, events belong to the newest one.

    A status said without a word of events keeps those there were; null or none with a status means that there are none.
    """
    sent = "events" in patch.model_fields_set
    events = [event.model_dump(mode="json", by_alias=True) for event in patch.events or ()]
    if patch.status is not None:
        kept = events if sent else await pipeline_statuses.events_of(tx, row.status_id)
        made = await pipeline_statuses.add(tx, row.project_id, row.id, row.config_id, patch.status, kept)
        newest = pipelines.update().where(pipelines.c.id == row.id).values(status_id=made.id)
        await statements.written(tx, newest)
    elif patch.events is not None:
        await pipeline_statuses.set_events(tx, row.status_id, events)


async def _put_secrets(tx: WriteTx, caller: Caller, row: Row[Any], sent: list[SecretPatch], settings: Settings) -> None:
    """Change those with the same key, add the others."""
    here = select(_secrets.c.key, _secrets.c.id).where(_secrets.c.pipeline_id == row.id)
    known = {each.key: each.id for each in await tx.execute(here)} if sent else {}
    new = []
    for secret in sent:
        if secret.key in known:
            await secrets.change(tx, caller, secrets.PIPELINES, known[secret.key], secret, settings)
        elif secret.key is None:
            raise Invalid("invalid secret key", "which secret is meant?")
        elif secret.value is None:
            raise Invalid("secret value required", f"there is no secret {secret.key!r} yet")
        else:
            new.append(NewSecret(key=secret.key, value=secret.value))
    if new:
        key = await uses.key_of(tx, pipelines, row)
        await secrets.put(tx, secrets.PIPELINES, row.project_id, row.id, new, key, settings)


async def _put_files(tx: WriteTx, caller: Caller, row: Row[Any], sent: list[FilePatch], settings: Settings) -> None:
    """Change those with the same name, add the others."""
    here = select(_files.c.name, _files.c.id).where(_files.c.pipeline_id == row.id)
    known = {each.name: each.id for each in await tx.execute(here)} if sent else {}
    new = []
    for file in sent:
        if file.name in known:
            await files.change(tx, caller, files.PIPELINES, known[file.name], file, settings)
        elif file.name is None:
            raise Invalid("invalid file name", "which file is meant?")
        elif file.contents is None:
            raise Invalid("file contents required", f"there is no file {file.name!r} yet")
        else:
            new.append(NewFile(name=file.name, contents=file.contents, encrypted=file.encrypted))
    if new:
        key = await uses.key_of(tx, pipelines, row)
        await files.put(tx, files.PIPELINES, row.project_id, row.id, new, key, settings)
