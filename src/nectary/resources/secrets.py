"""Secrets of pipelines and core instances, sealed on arrival: what only their core instance can read."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, Field
from sqlalchemy import Row, Table, select

from nectary import sealing
from nectary.caller import Caller
from nectary.db import statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Invalid
from nectary.resources import quotas, uses
from nectary.resources.names import Bytes, SecretKey, SecretValue
from nectary.settings import Settings
from nectary.shape import Page, Patch, Shape, Time


@dataclass(frozen=True, slots=True)
class Safe:
    """A table of secrets, the table of things that own them, and the column that says which."""

    secrets: Table
    owners: Table
    owner_id: str


CORE_INSTANCES = Safe(tables.core_instance_secrets, tables.core_instances, "core_instance_id")
PIPELINES = Safe(tables.pipeline_secrets, tables.pipelines, "pipeline_id")


class PipelineSecret(Shape):
    id: UUID
    key: str
    value: Bytes  # sealed; what was sent cannot be read back
    created_at: Time
    updated_at: Time


class CoreInstanceSecret(PipelineSecret):
    core_instance_id: UUID


class NewSecret(Shape):
    key: SecretKey
    value: SecretValue


class SecretPatch(Patch):
    # The Go client calls the key of a changed secret its name.
    key: Annotated[SecretKey | None, Field(validation_alias=AliasChoices("key", "name"))] = None
    value: SecretValue | None = None


async def create(tx: WriteTx, caller: Caller, safe: Safe, owner_id: UUID, new: NewSecret, settings: Settings) -> Row[Any]:
    owner = await statements.get(tx, caller, safe.owners, owner_id)
    key = await uses.key_of(tx, safe.owners, owner)
    return (await put(tx, safe, caller.project_id, owner_id, [new], key, settings))[0]


async def put(
    tx: WriteTx, safe: Safe, project_id: UUID, owner_id: UUID, secrets: list[NewSecret], key: str, settings: Settings
) -> list[Row[Any]]:
    """Add secrets to an owner known to be there; `key` is the public one of its core instance."""
    if safe is PIPELINES:
        quota = settings.quota_pipeline_secrets
        await quotas.require_room(tx, project_id, safe.secrets, quota, "pipeline secrets quota exceeded", more=len(secrets))
    rows = []
    for secret in secrets:
        values = {"key": secret.key, "value": _sealed(secret.value, key, settings), safe.owner_id: owner_id}
        rows.append(await statements.add(tx, safe.secrets, project_id=project_id, **values))
    return rows


async def get(tx: ReadTx, caller: Caller, safe: Safe, id: UUID) -> Row[Any]:
    return await statements.get(tx, caller, safe.secrets, id)


async def of_owner(
    tx: ReadTx, caller: Caller, safe: Safe, owner_id: UUID, *, last: int, before: Place | None, counted: bool = False
) -> Page[Any]:
    await statements.get(tx, caller, safe.owners, owner_id)
    query = select(safe.secrets).where(statements.visible(safe.secrets, caller), safe.secrets.c[safe.owner_id] == owner_id)
    shape = CoreInstanceSecret if safe is CORE_INSTANCES else PipelineSecret
    return await statements.page(tx, query, safe.secrets, shape.model_validate, last=last, before=before, counted=counted)


async def change(tx: WriteTx, caller: Caller, safe: Safe, id: UUID, patch: SecretPatch, settings: Settings) -> Row[Any]:
    row = await statements.get(tx, caller, safe.secrets, id)
    given = patch.changes()
    if patch.value is not None:
        owner = await statements.get(tx, caller, safe.owners, row._mapping[safe.owner_id])
        given["value"] = _sealed(patch.value, await uses.key_of(tx, safe.owners, owner), settings)
    if safe is PIPELINES and patch.key not in (None, row.key):
        await uses.require_unused(tx, row.pipeline_id, "secrets", row.key)
    return await statements.change(tx, caller, safe.secrets, id, **given)


async def remove(tx: WriteTx, caller: Caller, safe: Safe, id: UUID) -> None:
    """Delete a secret, unless its pipeline's config still names it."""
    row = await statements.get(tx, caller, safe.secrets, id)
    if safe is PIPELINES:
        await uses.require_unused(tx, row.pipeline_id, "secrets", row.key)
    await statements.remove(tx, caller, safe.secrets, id)


def _sealed(value: bytes, key: str, settings: Settings) -> bytes:
    if len(value) > settings.secret_limit:
        raise Invalid("secret size exceeded", f"{len(value)} bytes, more than {settings.secret_limit}")
    return sealing.seal(key, value)
