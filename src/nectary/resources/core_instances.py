"""Core instances, once called aggregators: where pipelines run; each says by pinging that it is there."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import Row, Select, delete, func, select

from nectary import clock
from nectary.auth import tokens as proofs
from nectary.caller import Caller, Kind
from nectary.db import dialects, statements, tables
from nectary.db.cursors import Place
from nectary.db.transaction import ReadTx, WriteTx
from nectary.errors import Conflict, Gone, Unauthenticated
from nectary.metrics import store
from nectary.resources import environments, pipelines, quotas, resource_profiles
from nectary.resources.names import IMAGE, LABEL, Tags, invented
from nectary.resources.pipeline_views import Pipeline
from nectary.resources.resource_profiles import ResourceProfile
from nectary.sealing import Pair
from nectary.settings import Settings
from nectary.shape import Page, Patch, Says, Shape, Time

core_instances, _pipelines, _environments, _projects = (
    tables.core_instances,
    tables.pipelines,
    tables.environments,
    tables.projects,
)

_CLAIMS = ("AggregatorID", "ProjectID")
# What the published types fill in for a core instance that does not say its version.
_VERSION = "v2.0-dev"
_SLACK = timedelta(seconds=5)

# The keys that are kept of what a core instance says of its surroundings; numbers are Google's, of 64 bits.
_METADATA = {
    "k8s": "namespace cluster_name zone cluster_version cluster_platform",
    "aws": "ami_id account_id hostname vpc_id private_ipv4 public_ipv4 ec2_instance_id ec2_instance_type az",
    "gcp": "project_number project_id instance_id instance_image machine_type instance_name zone",
}
_KNOWN = {f"{cloud}.{key}" for cloud, keys in _METADATA.items() for key in keys.split()}
_NUMBERS = {"gcp.project_number", "gcp.instance_id"}
_METADATA_LIMIT = 8 * 1024


def _kept(metadata: dict[str, Any]) -> dict[str, Any]:
    """The known keys that say something. Raises ValueError for a value of the wrong kind, or too much of it all."""
    size = len(json.dumps(metadata, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > _METADATA_LIMIT:
        raise ValueError(f"{size} bytes, more than {_METADATA_LIMIT}")
    kept: dict[str, Any] = {}
    for key, value in metadata.items():
        if key not in _KNOWN or value in (None, "", 0):
            continue
        kept[key] = _number(key, value) if key in _NUMBERS else value
        if key not in _NUMBERS and not isinstance(value, str):
            raise ValueError(f"{key} is a text")
    return kept


def _number(key: str, value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**64:
        raise ValueError(f"{key} is a whole number of 64 bits")
    return value


Name = Annotated[str, StringConstraints(pattern=LABEL), Says("invalid aggregator name")]
NameOrNone = Annotated[str, StringConstraints(pattern=f"^$|{LABEL}"), Says("invalid aggregator name")]
Version = Annotated[str, StringConstraints(pattern=r"^[!-~]{0,128}$"), Says("invalid aggregator version")]
Image = Annotated[str, StringConstraints(pattern=f"^$|{IMAGE}", max_length=1024), Says("invalid docker image")]
Metadata = Annotated[dict[str, Any], AfterValidator(_kept), Says("invalid aggregator metadata")]
PortNumber = Annotated[int, Field(ge=0, le=65535), Says("invalid pipeline port number")]
PortKind = Annotated[Literal["", "LoadBalancer", "ClusterIP", "NodePort"], Says("invalid pipeline port type")]
EnvironmentID = Annotated[str, Says("invalid environment ID")]


class CoreInstance(Shape):
    id: UUID
    token: str = ""  # told once, when it is made; never read back
    name: str
    version: str
    image: str
    status: str
    metadata: dict[str, Any]
    tags: list[str]
    pipelines_count: int
    cluster_logging_enabled: bool
    skip_service_creation: bool
    environment_name: str
    created_at: Time
    updated_at: Time


class NewCoreInstance(Shape):
    """Real clients leave out most of it, or send null."""

    name: NameOrNone | None = None
    version: Version | None = None
    image: Image | None = None
    add_health_check_pipeline: bool | None = None
    health_check_pipeline_port: PortNumber | None = None
    health_check_pipeline_port_kind: PortKind | None = None
    cluster_logging: bool | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None
    environment_id: EnvironmentID | None = None
    skip_service_creation: bool | None = None


class CreatedCoreInstance(Shape):
    """The only time that the private key and the token are told."""

    id: UUID
    token: str
    private_rsa_key: str
    public_rsa_key: str
    name: str
    version: str
    image: str
    tags: list[str]
    health_check_pipeline: Pipeline | None
    cluster_logging_pipeline: Pipeline | None
    resource_profiles: list[ResourceProfile]
    environment_name: str
    skip_service_creation: bool
    created_at: Time


class CoreInstancePatch(Patch):
    name: Name | None = None
    version: Version | None = None
    image: Image | None = None
    cluster_logging: bool | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None
    environment_id: EnvironmentID | None = None
    skip_service_creation: bool | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a project's core instances are asked for. Tags are joined by ` AND `, and all must be there."""

    name: str | None = None
    tags_query: str | None = None
    environment_id: UUID | None = None
    exclude_internal: bool = False


# -- Made and changed ------------------------------------------------------------------------------------------------------


async def create(tx: WriteTx, caller: Caller, new: NewCoreInstance, keys: Pair, settings: Settings) -> CreatedCoreInstance:
    """A core instance with its three resource profiles, and the pipelines of the system's own that were asked for. Only the
    public key is kept: what is sealed with it the server cannot read back."""
    await quotas.require_room(
        tx, caller.project_id, core_instances, settings.quota_core_instances, "aggregators quota exceeded"
    )
    environment_id, place = await environments.named(tx, caller.project_id, new.environment_id)
    row = await statements.add(
        tx,
        core_instances,
        project_id=caller.project_id,
        environment_id=environment_id,
        name=new.name or invented(),
        version=new.version or _VERSION,
        image=new.image or "",
        tags=new.tags or [],
        metadata=new.metadata or {},
        cluster_logging=bool(new.cluster_logging),
        skip_service_creation=bool(new.skip_service_creation),
        public_key=keys.public,
    )
    profiles = await resource_profiles.create_usual(tx, row)
    health_check = cluster_logging = None
    if new.add_health_check_pipeline:
        port, port_kind = new.health_check_pipeline_port or 0, new.health_check_pipeline_port_kind or ""
        health_check = await pipelines.create_internal(
            tx, caller, row.id, "health-check", settings, port=port, port_kind=port_kind
        )
    if row.cluster_logging:
        cluster_logging = await pipelines.create_internal(tx, caller, row.id, "cluster-logging", settings)
    return CreatedCoreInstance.model_validate(
        {
            **row._mapping,
            "token": proofs.sign(await _key(tx, row.project_id), AggregatorID=row.id, ProjectID=row.project_id),
            "private_rsa_key": keys.private,
            "public_rsa_key": keys.public,
            "health_check_pipeline": health_check,
            "cluster_logging_pipeline": cluster_logging,
            "resource_profiles": profiles,
            "environment_name": place,
        }
    )


async def change(tx: WriteTx, caller: Caller, id: UUID, patch: CoreInstancePatch, settings: Settings) -> None:
    """Change what was given; cluster logging makes its pipeline, or deletes it."""
    given = patch.changes()
    if "environment_id" in given:
        given["environment_id"], _ = await environments.named(tx, caller.project_id, given["environment_id"])
    await statements.change(tx, caller, core_instances, id, **given)
    if patch.cluster_logging:
        if await pipelines.has_internal(tx, id, "cluster-logging"):
            raise Conflict("a pipeline for cluster logging already exists")
        await pipelines.create_internal(tx, caller, id, "cluster-logging", settings)
    elif patch.cluster_logging is False:
        await pipelines.remove_internal(tx, id, "cluster-logging")


async def ping(tx: WriteTx, caller: Caller, id: UUID) -> None:
    query = core_instances.update().where(core_instances.c.id == id, statements.visible(core_instances, caller))
    if (await tx.execute(query.values(pinged_at=clock.now()).returning(core_instances.c.id))).first() is None:
        raise statements.not_found(core_instances)


async def remove(tx: WriteTx, caller: Caller, ids: list[UUID], *, must_exist: bool) -> None:
    """Delete core instances with their pipelines and all that belongs to them."""
    mine = (core_instances.c.id.in_(ids), statements.visible(core_instances, caller))
    gone = list((await tx.execute(select(core_instances.c.id).where(*mine))).scalars())
    if must_exist and not gone:
        raise statements.not_found(core_instances)
    await store.remove(tx, select(_pipelines.c.id).where(_pipelines.c.core_instance_id.in_(gone)))
    await store.remove(tx, gone)
    await tx.execute(delete(core_instances).where(core_instances.c.id.in_(gone)))
    await statements.revoke(tx, gone)


# -- Looked at -------------------------------------------------------------------------------------------------------------


def _listed(caller: Caller, *, exclude_internal: bool) -> Select[Any]:
    count = select(func.count()).where(_pipelines.c.core_instance_id == core_instances.c.id).correlate(core_instances)
    if exclude_internal:
        count = count.where(_pipelines.c.internal.is_(None))
    query = select(
        core_instances, _environments.c.name.label("environment_name"), count.scalar_subquery().label("pipelines_count")
    )
    query = query.join(_environments, _environments.c.id == core_instances.c.environment_id)
    return query.where(statements.visible(core_instances, caller))


def _shape(row: Row[Any], ping_interval: timedelta) -> CoreInstance:
    if row.pinged_at is None:
        status = "waiting"
    else:
        status = "running" if clock.now() - row.pinged_at <= ping_interval + _SLACK else "unreachable"
    return CoreInstance.model_validate({**row._mapping, "status": status, "cluster_logging_enabled": row.cluster_logging})


async def get(
    tx: ReadTx, caller: Caller, id: UUID, *, exclude_internal: bool = False, ping_interval: timedelta
) -> CoreInstance:
    query = _listed(caller, exclude_internal=exclude_internal).where(core_instances.c.id == id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise statements.not_found(core_instances)
    return _shape(row, ping_interval)


async def of_project(
    tx: ReadTx,
    caller: Caller,
    wanted: Wanted,
    *,
    ping_interval: timedelta,
    last: int,
    before: Place | None,
    counted: bool = False,
) -> Page[CoreInstance]:
    query = _listed(caller, exclude_internal=wanted.exclude_internal)
    for tag in (wanted.tags_query or "").split(" AND "):
        if tag.strip():
            query = query.where(dialects.has_tag(tx.dialect, core_instances.c.tags, tag.strip()))
    if wanted.name:
        query = query.where(core_instances.c.name == wanted.name)
    if wanted.environment_id:
        query = query.where(core_instances.c.environment_id == wanted.environment_id)
    return await statements.page(
        tx, query, core_instances, lambda row: _shape(row, ping_interval), last=last, before=before, counted=counted
    )


# -- Proven ----------------------------------------------------------------------------------------------------------------


async def prove(tx: ReadTx, token: str) -> Caller:
    """Whom an X-Aggregator-Token speaks for. Raises Unauthenticated, or Gone for a deleted core instance."""
    refusal = "invalid aggregator token"
    id, project_id = proofs.claims(token, *_CLAIMS, refusal=refusal)
    key = (await tx.execute(select(_projects.c.agent_key).where(_projects.c.id == project_id))).scalar_one_or_none()
    if key is None or not proofs.proven(token, key):
        raise Unauthenticated(refusal)
    query = select(core_instances.c.name).where(core_instances.c.id == id, core_instances.c.project_id == project_id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise Gone("aggregator gone")
    return Caller(Kind.CORE_INSTANCE, id, row.name, project_id)


async def _key(tx: ReadTx, project_id: UUID) -> bytes:
    key: bytes = (await tx.execute(select(_projects.c.agent_key).where(_projects.c.id == project_id))).scalar_one()
    return key
