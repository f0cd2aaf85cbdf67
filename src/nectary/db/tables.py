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
    Column("agent_key", LargeBinary(48), nullable=False),  # signs the tokens of its agents
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
    UniqueConstraint("project_id", "user_id"),
    Index(None, "user_id", "project_id"),
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
    _at("created_at"),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "created_at", "id"),
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

agents = Table(
    "agents",
    metadata,
    _id(),
    _of("projects"),
    _of("environments", on_delete=None),  # an environment in use cannot go
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
    _at("created_at"),
    _at("updated_at"),
    UniqueConstraint("project_id", "machine_id"),
    Index(None, "project_id", "created_at", "id"),
    Index(None, "project_id", "name"),
    Index(None, "environment_id"),
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
)

# -- Metrics -------------------------------------------------------------------------------------------------------------
# Owners are agents and projects (later pipelines and core instances). Times are seconds since the epoch: these rows are
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
