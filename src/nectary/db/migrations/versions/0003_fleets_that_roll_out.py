"""What makes fleets safe: revisions, drafts, rollouts, and what each agent was served and then ran."""

import hashlib
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from nectary.db.dialects import UtcTime
from nectary.db.tables import Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fleet_blobs",
        sa.Column("fleet_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_fleet_blobs_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_fleet_blobs_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("fleet_id", "sha256", name=op.f("pk_fleet_blobs")),
    )
    op.create_index(op.f("ix_fleet_blobs_project_id"), "fleet_blobs", ["project_id"], unique=False)
    op.create_table(
        "fleet_drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("fleet_id", sa.Uuid(), nullable=False),
        sa.Column("raw_config", sa.Text(), nullable=False),
        sa.Column("config_format", sa.String(length=8), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("author", Json, nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_fleet_drafts_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_fleet_drafts_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleet_drafts")),
        sa.UniqueConstraint("fleet_id", name=op.f("uq_fleet_drafts_fleet_id")),
    )
    op.create_index(op.f("ix_fleet_drafts_project_id"), "fleet_drafts", ["project_id"], unique=False)
    op.create_table(
        "fleet_polls",
        sa.Column("fleet_id", sa.Uuid(), nullable=False),
        sa.Column("poll_key", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_fleet_polls_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_fleet_polls_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("fleet_id", "poll_key", name=op.f("pk_fleet_polls")),
    )
    op.create_index(op.f("ix_fleet_polls_at"), "fleet_polls", ["at"], unique=False)
    op.create_index(op.f("ix_fleet_polls_project_id"), "fleet_polls", ["project_id"], unique=False)
    op.create_table(
        "fleet_revisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("fleet_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("raw_config", sa.Text(), nullable=False),
        sa.Column("config_format", sa.String(length=8), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("author", Json, nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_fleet_revisions_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_fleet_revisions_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleet_revisions")),
        sa.UniqueConstraint("fleet_id", "number", name=op.f("uq_fleet_revisions_fleet_id_number")),
    )
    op.create_index(
        op.f("ix_fleet_revisions_fleet_id_created_at_id"), "fleet_revisions", ["fleet_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_fleet_revisions_project_id"), "fleet_revisions", ["project_id"], unique=False)
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("fleet_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("after_id", sa.Uuid(), nullable=True),
        sa.Column("from_revision", sa.Integer(), nullable=False),
        sa.Column("from_version", sa.BigInteger(), nullable=False),
        sa.Column("to_revision", sa.Integer(), nullable=False),
        sa.Column("to_version", sa.BigInteger(), nullable=False),
        sa.Column("back_revision", sa.Integer(), nullable=True),
        sa.Column("back_version", sa.BigInteger(), nullable=True),
        sa.Column("stages", Json, nullable=False),
        sa.Column("canary_keys", Json, nullable=False),
        sa.Column("thresholds", Json, nullable=False),
        sa.Column("most_applying", sa.Integer(), nullable=True),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("reach", sa.Integer(), nullable=False),
        sa.Column("stage_started_at", UtcTime(), nullable=False),
        sa.Column("author", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_rollouts_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_rollouts_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
    )
    op.create_index(op.f("ix_rollouts_fleet_id_created_at_id"), "rollouts", ["fleet_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_rollouts_project_id_created_at_id"), "rollouts", ["project_id", "created_at", "id"], unique=False)
    op.create_index(
        "uq_rollouts_fleet_id",
        "rollouts",
        ["fleet_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('running', 'paused')"),
        postgresql_where=sa.text("state IN ('running', 'paused')"),
    )
    op.create_table(
        "fleet_revision_files",
        sa.Column("revision_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_fleet_revision_files_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["fleet_revisions.id"], name=op.f("fk_fleet_revision_files_revision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("revision_id", "name", name=op.f("pk_fleet_revision_files")),
    )
    op.create_index(op.f("ix_fleet_revision_files_project_id"), "fleet_revision_files", ["project_id"], unique=False)
    op.create_table(
        "rollout_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("agents", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_rollout_events_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_rollout_events_rollout_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout_events")),
    )
    op.create_index(op.f("ix_rollout_events_project_id"), "rollout_events", ["project_id"], unique=False)
    op.create_index(
        op.f("ix_rollout_events_rollout_id_created_at_id"), "rollout_events", ["rollout_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "agent_starts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("config_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("runs_revision", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_agent_starts_agent_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["config_id"], ["agent_configs.id"], name=op.f("fk_agent_starts_config_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_agent_starts_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_starts")),
    )
    op.create_index(
        op.f("ix_agent_starts_agent_id_created_at_id"), "agent_starts", ["agent_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_agent_starts_config_id"), "agent_starts", ["config_id"], unique=False)
    op.create_index(op.f("ix_agent_starts_project_id"), "agent_starts", ["project_id"], unique=False)
    op.add_column("agents", sa.Column("poll_key", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("cohort", sa.SmallInteger(), nullable=True))
    op.add_column("agents", sa.Column("starts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("agents", sa.Column("runs_revision", sa.Integer(), nullable=True))
    op.add_column("agents", sa.Column("runs_known_at", UtcTime(), nullable=True))
    op.create_index(op.f("ix_agents_fleet_id_cohort"), "agents", ["fleet_id", "cohort"], unique=False)
    op.create_index(op.f("ix_agents_fleet_id_poll_key"), "agents", ["fleet_id", "poll_key"], unique=False)
    op.create_index(
        "ix_agents_unknown",
        "agents",
        ["registered_at"],
        unique=False,
        sqlite_where=sa.text("runs_known_at IS NULL AND fleet_id IS NOT NULL"),
        postgresql_where=sa.text("runs_known_at IS NULL AND fleet_id IS NOT NULL"),
    )
    op.add_column("fleets", sa.Column("revision", sa.Integer(), server_default="0", nullable=False))
    op.add_column("fleets", sa.Column("rollout_id", sa.Uuid(), nullable=True))
    op.add_column("fleets", sa.Column("rollout_policy", Json, nullable=True))
    op.add_column(
        "tokens",
        sa.Column(
            "fleet_id",
            sa.Uuid(),
            sa.ForeignKey("fleets.id", name=op.f("fk_tokens_fleet_id"), ondelete="SET NULL"),
            nullable=True,
        ),
        inline_references=True,
    )
    op.add_column("tokens", sa.Column("host", sa.String(length=253), nullable=True))
    op.create_index("uq_tokens_fleet_id_host", "tokens", ["fleet_id", "host"], unique=True)
    _begin_histories(op.get_bind())


_UUID, _AT, _BYTES = sa.Uuid(), UtcTime(), sa.LargeBinary()
_fleets = sa.table(
    "fleets",
    sa.column("id", _UUID),
    sa.column("project_id", _UUID),
    sa.column("raw_config", sa.Text()),
    sa.column("config_format", sa.String()),
    sa.column("config_changed_at", _AT),
    sa.column("revision", sa.Integer()),
)
_files = sa.table(
    "fleet_files",
    sa.column("id", _UUID),
    sa.column("fleet_id", _UUID),
    sa.column("name", sa.String()),
    sa.column("contents", _BYTES),
    sa.column("created_at", _AT),
    sa.column("updated_at", _AT),
)
_revisions = sa.table(
    "fleet_revisions",
    sa.column("id", _UUID),
    sa.column("project_id", _UUID),
    sa.column("fleet_id", _UUID),
    sa.column("number", sa.Integer()),
    sa.column("raw_config", sa.Text()),
    sa.column("config_format", sa.String()),
    sa.column("message", sa.Text()),
    sa.column("author", Json),
    sa.column("cause", sa.String()),
    sa.column("created_at", _AT),
)
_blobs = sa.table(
    "fleet_blobs",
    sa.column("fleet_id", _UUID),
    sa.column("sha256", _BYTES),
    sa.column("project_id", _UUID),
    sa.column("contents", _BYTES),
)
_revision_files = sa.table(
    "fleet_revision_files",
    sa.column("revision_id", _UUID),
    sa.column("name", sa.String()),
    sa.column("project_id", _UUID),
    sa.column("sha256", _BYTES),
    sa.column("file_id", _UUID),
    sa.column("created_at", _AT),
    sa.column("updated_at", _AT),
)


def _begin_histories(connection: sa.Connection) -> None:
    """What each fleet has now becomes its first revision; nobody is served anything else for it."""
    for fleet in connection.execute(sa.select(_fleets)).all():
        revision = {
            "id": uuid4(),
            "project_id": fleet.project_id,
            "fleet_id": fleet.id,
            "number": 1,
            "raw_config": fleet.raw_config,
            "config_format": fleet.config_format,
            "message": "",
            "author": {"kind": "nectary", "id": None, "name": "Nectary"},
            "cause": "created",
            "created_at": fleet.config_changed_at,
        }
        connection.execute(sa.insert(_revisions).values(revision))
        kept: set[bytes] = set()
        for file in connection.execute(sa.select(_files).where(_files.c.fleet_id == fleet.id)).all():
            sha256 = hashlib.sha256(file.contents).digest()
            of = {"project_id": fleet.project_id, "sha256": sha256}
            if sha256 not in kept:
                connection.execute(sa.insert(_blobs).values(fleet_id=fleet.id, contents=file.contents, **of))
                kept.add(sha256)
            times = {"created_at": file.created_at, "updated_at": file.updated_at}
            held = {"revision_id": revision["id"], "name": file.name, "file_id": file.id}
            connection.execute(sa.insert(_revision_files).values(**held, **of, **times))
    connection.execute(sa.update(_fleets).values(revision=1))
