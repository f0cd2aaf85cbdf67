"""Every table. Constraints are named: statements.py turns a broken one into the contract's sentence."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import BigInteger, Double

from nectary.db.dialects import UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Json = JSON().with_variant(JSONB(), "postgresql")
Serial = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[object]:
    return Column("id", Uuid, primary_key=True)


def _of(table: str, *, name: str | None = None, nullable: bool = False, on_delete: str | None = "CASCADE") -> Column[object]:
    column = name or f"{table.removesuffix('s')}_id"
    return Column(column, Uuid, ForeignKey(f"{table}.id", ondelete=on_delete), nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, UtcTime, nullable=nullable)


# -- People and projects -------------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    _id(),
    Column("email", String(320), nullable=False),  # lower-case
    Column("name", Text, nullable=False),
    Column("avatar_url", Text),
    Column("password_hash", Text, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("email"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    _of("users"),
    Column("token_hash", LargeBinary(32), nullable=False),  # SHA-256; the token itself is never stored
    _at("created_at"),
    _at("expires_at"),
    _at("last_used_at"),
    UniqueConstraint("token_hash"),
    Index(None, "user_id"),
)

projects = Table(
    "projects",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("v3_enabled", Boolean, nullable=False),
    Column("settings", Json, nullable=False),
    Column("agent_key", LargeBinary(48), nullable=False),  # signs its agents' tokens, makes keys
    _at("created_at"),
    _at("updated_at"),
    Index(None, "created_at", "id"),
)

memberships = Table(
    "memberships",
    metadata,
    _id(),
    _of("projects"),
    _of("users"),
    Column("roles", Json, nullable=False),
    Column("permissions", Json, nullable=False),
    _at("created_at"),
    _at("project_created_at"),  # the project's own, which never changes: a person's projects are listed newest first by it
    UniqueConstraint("project_id", "user_id"),
    Index(None, "user_id", "project_created_at", "project_id"),
    Index(None, "project_id", "created_at", "id"),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _of("projects"),
    Column("name", Text, nullable=False),
    Column("permissions", Json, nullable=False),
    Column("signing_key", LargeBinary(48), nullable=False),
    _of("fleets", nullable=True, on_delete="SET NULL"),  # set where it was made for one host of a fleet
    Column("host", String(253)),
    _at("created_at"),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "created_at", "id"),
    Index("uq_tokens_fleet_id_host", "fleet_id", "host", unique=True),
)

invitations = Table(
    "invitations",
    metadata,
    _id(),
    _of("projects"),
    _of("users", name="invited_by"),
    Column("email", String(320), nullable=False),
    Column("permissions", Json, nullable=False),
    Column("signing_key", LargeBinary(48), nullable=False),
    _at("created_at"),
    _at("expires_at"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "invited_by"),
)

environments = Table(
    "environments",
    metadata,
    _id(),
    _of("projects"),
    Column("name", String(63), nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "created_at", "id"),
)

# No foreign keys: what happened stays known when the thing it happened to is gone.
audit_logs = Table(
    "audit_logs",
    metadata,
    _id(),
    Column("project_id", Uuid),
    _at("created_at"),
    Column("action", String(6), nullable=False),
    Column("url", Text, nullable=False),
    Column("components", Json, nullable=False),
    Column("identity", Json, nullable=False),
    Column("response_code", SmallInteger, nullable=False),
    Index(None, "project_id", "created_at", "id"),
)

# What other processes must forget at once: a token, a session, an agent.
revocations = Table(
    "revocations",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("subject", Uuid, nullable=False),
    _at("created_at"),
    Index(None, "created_at"),
)

# -- Agents --------------------------------------------------------------------------------------------------------------

_UNKNOWN = "runs_known_at IS NULL AND fleet_id IS NOT NULL"
agents = Table(
    "agents",
    metadata,
    _id(),
    _of("projects"),
    _of("environments", on_delete=None),  # an environment in use cannot go
    _of("fleets", nullable=True, on_delete="SET NULL"),
    _of("pipelines", nullable=True, on_delete="SET NULL"),  # set where it is the Fluent Bit of a pipeline
    Column("machine_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("reported_name", Text, nullable=False),  # its own word; `name` may have been changed by a person
    Column("type", String(16), nullable=False),
    Column("version", Text, nullable=False),
    Column("edition", String(16), nullable=False),
    Column("os", String(16), nullable=False),
    Column("arch", String(16), nullable=False),
    Column("flags", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("raw_config", Text, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("metrics_count", BigInteger, nullable=False),
    _at("first_metrics_added_at", nullable=True),
    _at("last_metrics_added_at", nullable=True),
    _at("seen_at"),  # its last registration or metrics: what "healthy" is judged by
    _at("registered_at", nullable=True),  # its last start or reload: what "has the fleet's config" is judged by
    # What its fleet polls carry: its host's own token, or token and address. The cohort comes from it, 0 to 9999, for ever.
    Column("poll_key", Text),
    Column("cohort", SmallInteger),
    Column("starts", Integer, nullable=False, server_default="0"),  # registrations so far
    # The number of the fleet's revision that its last report means; None: none of them, or not looked into yet.
    Column("runs_revision", Integer),
    _at("runs_known_at", nullable=True),  # when that was worked out
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("project_id", "machine_id"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "name"),
    Index(None, "environment_id"),
    Index(None, "fleet_id", "created_at", "id"),
    Index(None, "fleet_id", "cohort"),
    Index(None, "fleet_id", "poll_key"),
    # Those whose newest report nobody has looked into: few, and asked for every second.
    Index("ix_agents_unknown", "registered_at", sqlite_where=text(_UNKNOWN), postgresql_where=text(_UNKNOWN)),
    Index(None, "pipeline_id"),
)

agent_configs = Table(
    "agent_configs",
    metadata,
    _id(),
    _of("projects"),
    _of("agents"),
    Column("raw_config", Text, nullable=False),
    _at("created_at"),
    Index(None, "agent_id", "created_at", "id"),
    Index(None, "project_id"),
)

# One row a registration, so one a start or reload; the newest of each agent are kept.
agent_starts = Table(
    "agent_starts",
    metadata,
    _id(),
    _of("projects"),
    _of("agents"),
    _of("agent_configs", name="config_id"),
    Column("version", Text, nullable=False),  # of Fluent Bit
    Column("runs_revision", Integer),  # as agents.runs_revision
    _at("created_at"),
    Index(None, "agent_id", "created_at", "id"),
    Index(None, "config_id"),
    Index(None, "project_id"),
)

agent_errors = Table(
    "agent_errors",
    metadata,
    _id(),
    _of("projects"),
    _of("agents"),
    Column("error", Text, nullable=False),
    _at("dismissed_at", nullable=True),
    Column("dismiss_reason", Text),
    _at("created_at"),
    Index(None, "agent_id", "created_at", "id"),
    Index(None, "project_id"),
)

# -- Metrics -------------------------------------------------------------------------------------------------------------
# Owners are agents, pipelines, core instances and projects. Times are seconds since the epoch: these rows are
# written by the thousand and read by the range.

counters = Table(
    "counters",
    metadata,
    Column("owner_id", Uuid, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)


def _samples(level: str) -> Table:
    """Lifetime totals of an owner, one row a moment; see metrics/counters.py for the bytes."""
    return Table(
        f"samples_{level}",
        metadata,
        Column("owner_id", Uuid, primary_key=True),
        Column("at", Double, primary_key=True),
        Column("totals", LargeBinary, nullable=False),
        Column("restarted", Boolean, nullable=False),  # totals as they were when a new process began at zero
        Index(None, "at"),
        sqlite_with_rowid=False,
    )


samples_raw = _samples("raw")
samples_1m = _samples("1m")
samples_5m = _samples("5m")

# -- Core instances and what they hold -------------------------------------------------------------------------------------

core_instances = Table(
    "core_instances",
    metadata,
    _id(),
    _of("projects"),
    _of("environments", on_delete=None),  # an environment in use cannot go
    Column("name", String(63), nullable=False),
    Column("version", Text, nullable=False),
    Column("image", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("cluster_logging", Boolean, nullable=False),
    Column("skip_service_creation", Boolean, nullable=False),
    Column("public_key", Text, nullable=False),  # as published: base64 of PEM; the private one is shown once, never kept
    _at("pinged_at", nullable=True),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("environment_id", "name"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "name"),
)

resource_profiles = Table(
    "resource_profiles",
    metadata,
    _id(),
    _of("projects"),
    _of("core_instances"),
    Column("name", String(255), nullable=False),
    Column("storage_max_chunks_up", Integer, nullable=False),
    Column("storage_sync_full", Boolean, nullable=False),
    Column("storage_backlog_mem_limit", Text, nullable=False),
    Column("storage_volume_size", Text, nullable=False),
    Column("storage_max_chunks_pause", Boolean, nullable=False),
    Column("cpu_buffer_workers", Integer, nullable=False),
    Column("cpu_limit", Text, nullable=False),
    Column("cpu_request", Text, nullable=False),
    Column("memory_limit", Text, nullable=False),
    Column("memory_request", Text, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("core_instance_id", "name"),
    Index(None, "core_instance_id", "created_at", "id"),
    Index(None, "project_id", "name"),
)

cluster_objects = Table(
    "cluster_objects",
    metadata,
    _id(),
    _of("projects"),
    _of("core_instances"),
    Column("name", String(253), nullable=False),
    Column("kind", String(16), nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("core_instance_id", "kind", "name"),
    Index(None, "core_instance_id", "created_at", "id"),
    Index(None, "project_id", "name"),
)


def _files(name: str, owner: str, *more: Column[object] | Index) -> Table:
    return Table(
        name,
        metadata,
        _id(),
        _of("projects"),
        _of(owner),
        Column("name", String(255), nullable=False),
        Column("contents", LargeBinary, nullable=False),  # sealed with the core instance's public key where `encrypted`
        Column("encrypted", Boolean, nullable=False),
        *more,
        _at("created_at"),
        _at("updated_at"),
        UniqueConstraint(f"{owner.removesuffix('s')}_id", "name"),
        Index(None, f"{owner.removesuffix('s')}_id", "created_at", "id"),
        Index(None, "project_id"),
    )


def _secrets(name: str, owner: str) -> Table:
    return Table(
        name,
        metadata,
        _id(),
        _of("projects"),
        _of(owner),
        Column("key", String(255), nullable=False),
        Column("value", LargeBinary, nullable=False),  # sealed with the core instance's public key, always
        _at("created_at"),
        _at("updated_at"),
        UniqueConstraint(f"{owner.removesuffix('s')}_id", "key"),
        Index(None, f"{owner.removesuffix('s')}_id", "created_at", "id"),
        Index(None, "project_id", "key"),
    )


def _checks(name: str, owner: str) -> Table:
    return Table(
        name,
        metadata,
        _id(),
        _of("projects"),
        _of(owner),
        Column("protocol", String(3), nullable=False),
        Column("host", String(253), nullable=False),
        Column("port", Integer, nullable=False),
        Column("retries", Integer, nullable=False),
        Column("status", String(16), nullable=False),
        _at("created_at"),
        _at("updated_at"),
        UniqueConstraint(f"{owner.removesuffix('s')}_id", "protocol", "host", "port"),
        Index(None, f"{owner.removesuffix('s')}_id", "created_at", "id"),
        Index(None, "project_id"),
    )


core_instance_files = _files("core_instance_files", "core_instances")
core_instance_secrets = _secrets("core_instance_secrets", "core_instances")
core_instance_checks = _checks("core_instance_checks", "core_instances")
# A file that a processing rule was turned into goes with the rule.
pipeline_files = _files(
    "pipeline_files", "pipelines", _of("processing_rules", nullable=True), Index(None, "processing_rule_id")
)
pipeline_secrets = _secrets("pipeline_secrets", "pipelines")
pipeline_checks = _checks("pipeline_checks", "pipelines")

ingest_checks = Table(
    "ingest_checks",
    metadata,
    _id(),
    _of("projects"),
    _of("core_instances"),
    _of("config_sections"),
    Column("status", String(16), nullable=False),
    Column("retries", Integer, nullable=False),
    Column("collect_logs", Boolean, nullable=False),
    Column("logs", LargeBinary, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("core_instance_id", "config_section_id"),
    Index(None, "core_instance_id", "created_at", "id"),
    Index(None, "config_section_id"),
    Index(None, "project_id"),
)

saml_mappings = Table(
    "saml_mappings",
    metadata,
    _id(),
    _of("projects"),
    Column("claim_key", String(255), nullable=False),
    Column("claim_value", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    _at("created_at"),
    _at("updated_at"),
    Index(None, "project_id", "created_at", "id"),
)

# -- Pipelines -----------------------------------------------------------------------------------------------------------

pipelines = Table(
    "pipelines",
    metadata,
    _id(),
    _of("projects"),
    _of("core_instances"),
    _of("resource_profiles", on_delete=None),  # a profile in use cannot go
    Column("name", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("internal", String(16)),  # what the system made it for: health-check or cluster-logging
    # The newest of its histories, so that a list of pipelines is one query. Not foreign keys: those rows point here.
    Column("config_id", Uuid, nullable=False),
    Column("status_id", Uuid, nullable=False),
    Column("deployment_strategy", String(16), nullable=False),
    Column("image", Text),
    Column("replicas_count", Integer, nullable=False),
    Column("replicas_count_prev", Integer, nullable=False),
    Column("ports_from_config", Boolean, nullable=False),
    Column("checks_from_config", Boolean, nullable=False),
    Column("wait_for_checks", Boolean, nullable=False),
    Column("port_kind", String(16), nullable=False),
    Column("tags", Json, nullable=False),
    Column("labels", Json),
    Column("metadata", Json, nullable=False),
    Column("scaling", Json, nullable=False),  # the ten numbers and words of horizontal scaling, by their wire names
    Column("scheduling", Json, nullable=False),  # what is passed on to Kubernetes as it came, by its wire names
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("core_instance_id", "name"),
    Index(None, "core_instance_id", "created_at", "id"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "name"),
    Index(None, "resource_profile_id"),
)

pipeline_configs = Table(
    "pipeline_configs",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    Column("raw_config", Text, nullable=False),
    Column("config_format", String(8), nullable=False),
    _at("created_at"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "project_id"),
)

pipeline_statuses = Table(
    "pipeline_statuses",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    _of("pipeline_configs", name="config_id"),
    Column("status", String(16), nullable=False),
    Column("events", Json, nullable=False),
    _at("created_at"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "config_id"),
    Index(None, "project_id"),
)

pipeline_ports = Table(
    "pipeline_ports",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    Column("protocol", String(8), nullable=False),
    Column("kind", String(16)),  # None: as the pipeline's port_kind says
    Column("frontend_port", Integer, nullable=False),
    Column("backend_port", Integer, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("from_config", Boolean, nullable=False),  # found there, and not opened by hand
    Column("plugin_id", Text),  # of the plugin that listens, as the contract numbers them
    Column("plugin_name", Text),
    Column("plugin_alias", Text),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("pipeline_id", "protocol", "frontend_port"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "project_id"),
)

pipeline_logs = Table(
    "pipeline_logs",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    Column("logs", Text, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("status", String(8), nullable=False),
    _at("created_at"),
    _at("updated_at"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "project_id"),
)

pipeline_cluster_objects = Table(
    "pipeline_cluster_objects",
    metadata,
    Column("pipeline_id", Uuid, ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True),
    Column("cluster_object_id", Uuid, ForeignKey("cluster_objects.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "cluster_object_id"),
)

cluster_object_regexes = Table(
    "cluster_object_regexes",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    Column("regex", Text, nullable=False),
    Column("description", Text, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("pipeline_id", "regex"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "project_id"),
)

sidecars = Table(
    "sidecars",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    Column("name", String(63), nullable=False),
    Column("image", Text, nullable=False),
    Column("container", Json, nullable=False),  # the rest of it, by its wire names
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("pipeline_id", "name"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "project_id"),
)

config_sections = Table(
    "config_sections",
    metadata,
    _id(),
    _of("projects"),
    # The rule it was generated from, and goes with; deferred, so that either may be written first.
    Column(
        "processing_rule_id", Uuid, ForeignKey("processing_rules.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    ),
    Column("kind", String(8), nullable=False),
    Column("properties", Json, nullable=False),  # [{"key", "value"}] in the order given
    _at("created_at"),
    _at("updated_at"),
    # Those that people made, which are all that is listed.
    Index(
        None,
        "project_id",
        "created_at",
        "id",
        sqlite_where=text("processing_rule_id IS NULL"),
        postgresql_where=text("processing_rule_id IS NULL"),
    ),
    Index(None, "project_id"),
    Index(None, "processing_rule_id"),
)

pipeline_config_sections = Table(
    "pipeline_config_sections",
    metadata,
    Column("pipeline_id", Uuid, ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True),
    Column("config_section_id", Uuid, ForeignKey("config_sections.id", ondelete="CASCADE"), primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Index(None, "config_section_id"),
)

trace_sessions = Table(
    "trace_sessions",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    Column("plugins", Json, nullable=False),
    Column("lifespan", BigInteger, nullable=False),  # nanoseconds, as Go counts them
    _at("ends_at"),  # created_at + lifespan; active until then
    _at("created_at"),
    _at("updated_at"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "pipeline_id", "ends_at"),
    Index(None, "project_id", "created_at", "id"),
)

trace_records = Table(
    "trace_records",
    metadata,
    _id(),
    _of("projects"),
    _of("trace_sessions", name="session_id"),
    Column("type", SmallInteger, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("start_time", BigInteger, nullable=False),  # seconds since the epoch, as the agent counts
    Column("end_time", BigInteger, nullable=False),
    Column("plugin_instance", Text, nullable=False),
    Column("plugin_alias", Text, nullable=False),
    Column("return_code", Integer, nullable=False),
    Column("records", Json, nullable=False),
    _at("created_at"),
    Index(None, "session_id", "created_at", "id"),
    Index(None, "project_id"),
)

# -- Fleets --------------------------------------------------------------------------------------------------------------

fleets = Table(
    "fleets",
    metadata,
    _id(),
    _of("projects"),
    Column("name", String(32), nullable=False),
    Column("min_fluent_bit_version", String(64), nullable=False),
    Column("raw_config", Text, nullable=False),
    Column("config_format", String(8), nullable=False),
    Column("tags", Json, nullable=False),
    # Seconds since the epoch, served as Last-Modified: agents compare it, and see no change that does not move it on.
    Column("config_version", BigInteger, nullable=False),
    _at("config_changed_at"),
    Column("revision", Integer, nullable=False, server_default="0"),  # the number of the newest published
    # The rollout that decides who gets what; None: all get the newest. No foreign key: those rows point here.
    Column("rollout_id", Uuid),
    Column("rollout_policy", Json),  # how it is rolled out when nothing is said of it; None: to all at once
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "created_at", "id"),
)

fleet_files = Table(
    "fleet_files",
    metadata,
    _id(),
    _of("projects"),
    _of("fleets"),
    Column("name", String(255), nullable=False),
    Column("contents", LargeBinary, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("fleet_id", "name"),
    Index(None, "fleet_id", "created_at", "id"),
    Index(None, "project_id"),
)

# What a fleet's config and files were at one moment, never changed again.
fleet_revisions = Table(
    "fleet_revisions",
    metadata,
    _id(),
    _of("projects"),
    _of("fleets"),
    Column("number", Integer, nullable=False),  # 1, 2, 3 ... in its fleet
    Column("raw_config", Text, nullable=False),
    Column("config_format", String(8), nullable=False),
    Column("message", Text, nullable=False),
    Column("author", Json, nullable=False),  # {"kind", "id", "name"}: who it was stays known when they are gone
    Column("cause", String(16), nullable=False),
    Column("based_on", Integer),  # the number of the revision it was made from, or rolls back to
    _at("created_at"),
    UniqueConstraint("fleet_id", "number"),
    Index(None, "fleet_id", "created_at", "id"),
    Index(None, "project_id"),
)

# The contents of files, once each: a revision that changes a line of the config copies no file.
fleet_blobs = Table(
    "fleet_blobs",
    metadata,
    Column("fleet_id", Uuid, ForeignKey("fleets.id", ondelete="CASCADE"), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    _of("projects"),
    Column("contents", LargeBinary, nullable=False),
    Index(None, "project_id"),
)

fleet_revision_files = Table(
    "fleet_revision_files",
    metadata,
    Column("revision_id", Uuid, ForeignKey("fleet_revisions.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(255), primary_key=True),
    _of("projects"),
    Column("sha256", LargeBinary(32), nullable=False),  # of fleet_blobs, which go no sooner than the fleet
    Column("file_id", Uuid, nullable=False),  # of fleet_files, as it then was
    _at("created_at"),  # both the file's
    _at("updated_at"),
    Index(None, "project_id"),
)

# What somebody prepares and has not published: one a fleet.
fleet_drafts = Table(
    "fleet_drafts",
    metadata,
    _id(),
    _of("projects"),
    _of("fleets"),
    Column("raw_config", Text, nullable=False),
    Column("config_format", String(8), nullable=False),
    Column("message", Text, nullable=False),
    Column("author", Json, nullable=False),
    Column("based_on", Integer, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("fleet_id"),
    Index(None, "project_id"),
)

# What was served to whom; written in batches, when what a key is served changes. Neither key nor token is a foreign key: what
# was written down is not lost, nor refused, because one of them went.
fleet_polls = Table(
    "fleet_polls",
    metadata,
    Column("fleet_id", Uuid, ForeignKey("fleets.id", ondelete="CASCADE"), primary_key=True),
    Column("poll_key", Text, primary_key=True),  # as agents.poll_key
    _of("projects"),
    Column("token_id", Uuid, nullable=False),
    Column("address", Text, nullable=False),
    Column("version", BigInteger, nullable=False),  # served as Last-Modified
    Column("revision", Integer, nullable=False),
    _at("at"),  # when it was first served that version
    Index(None, "project_id"),
    Index(None, "at"),
)

_OPEN = "state IN ('running', 'paused')"
rollouts = Table(
    "rollouts",
    metadata,
    _id(),
    _of("projects"),
    _of("fleets"),
    Column("state", String(16), nullable=False),  # running, paused, done, rolled_back or cancelled
    Column("reason", Text, nullable=False),  # why it is in that state
    # Revisions by number; each version is the Last-Modified of the revision before it. Out of reach is served what the
    # rollout `after_id` says, if there is one, else the from_ pair; in reach the to_ pair, once rolled back the back_ pair.
    Column("after_id", Uuid),
    Column("from_revision", Integer, nullable=False),
    Column("from_version", BigInteger, nullable=False),
    Column("to_revision", Integer, nullable=False),
    Column("to_version", BigInteger, nullable=False),
    Column("back_revision", Integer),
    Column("back_version", BigInteger),
    Column("stages", Json, nullable=False),
    Column("canary_keys", Json, nullable=False),
    Column("thresholds", Json, nullable=False),
    Column("most_applying", Integer),
    Column("stage", Integer, nullable=False),
    Column("reach", Integer, nullable=False),  # of 10000: cohorts below it are in, and so are the canary keys
    _at("stage_started_at"),
    Column("author", Json, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    Index("uq_rollouts_fleet_id", "fleet_id", unique=True, sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
    Index(None, "fleet_id", "created_at", "id"),
    Index(None, "project_id", "created_at", "id"),
)

rollout_events = Table(
    "rollout_events",
    metadata,
    _id(),
    _of("projects"),
    _of("rollouts"),
    Column("kind", String(16), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("agents", Json, nullable=False),  # the names of those it was decided by, so many and no more
    _at("created_at"),
    Index(None, "rollout_id", "created_at", "id"),
    Index(None, "project_id"),
)

# -- Processing rules ----------------------------------------------------------------------------------------------------

processing_rules = Table(
    "processing_rules",
    metadata,
    _id(),
    _of("projects"),
    _of("pipelines"),
    # The config section and the file that it was turned into point here, and go with it.
    Column("match", Text, nullable=False),
    Column("is_match_regexp", Boolean, nullable=False),
    Column("language", String(8), nullable=False),
    Column("actions", Json, nullable=False),  # as given, in order
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("pipeline_id"),
    Index(None, "project_id"),
)

processing_rule_templates = Table(
    "processing_rule_templates",
    metadata,
    _id(),
    _of("projects"),
    Column("version", SmallInteger, nullable=False),  # of the API that made it: 1 or 2; neither lists the other's
    Column("name", String(255), nullable=False),
    Column("definition", Json, nullable=False),
    Column("pipeline_version", Text),
    Column("input", Text),
    Column("is_raw_input", Boolean, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("project_id", "version", "name"),
    Index(None, "project_id", "version", "created_at", "id"),
)

# -- Alerts --------------------------------------------------------------------------------------------------------------

alert_rules = Table(
    "alert_rules",
    metadata,
    _id(),
    _of("projects"),
    Column("name", String(255), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("enabled", Boolean, nullable=False),
    # What it looks at: everything of the project, or what belongs to these. A rule goes with what it was about.
    _of("fleets", nullable=True),
    _of("environments", nullable=True),
    _of("core_instances", nullable=True),
    _of("pipelines", nullable=True),
    Column("seconds", Integer, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("webhook_url", Text),
    Column("webhook_secret", Text),  # the key that deliveries are signed with; told once
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "fleet_id"),
    Index(None, "environment_id"),
    Index(None, "core_instance_id"),
    Index(None, "pipeline_id"),
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    _of("projects"),
    _of("alert_rules"),
    Column("subject_kind", String(16), nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("subject_name", Text, nullable=False),
    Column("message", Text, nullable=False),
    _at("resolved_at", nullable=True),
    _at("created_at"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "alert_rule_id", "created_at", "id"),
    Index(None, "resolved_at"),
    Index(
        "ix_alerts_project_id_standing",
        "project_id",
        "created_at",
        "id",
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
    # A thing has one alert of a rule at a time.
    Index(
        "uq_alerts_standing",
        "alert_rule_id",
        "subject_id",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    _id(),
    _of("projects"),
    _of("alert_rules"),
    Column("payload", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("error", Text),  # why the last attempt failed
    _at("next_at"),
    _at("created_at"),
    _at("updated_at"),
    Index(None, "status", "next_at"),
    Index(None, "alert_rule_id", "created_at", "id"),
    Index(None, "created_at"),
    Index(None, "project_id"),
)
