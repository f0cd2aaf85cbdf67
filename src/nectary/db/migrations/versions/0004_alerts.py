"""Alert rules, alerts and their deliveries."""

import sqlalchemy as sa
from alembic import op

from nectary.db.dialects import UtcTime
from nectary.db.tables import Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("fleet_id", sa.Uuid(), nullable=True),
        sa.Column("environment_id", sa.Uuid(), nullable=True),
        sa.Column("core_instance_id", sa.Uuid(), nullable=True),
        sa.Column("pipeline_id", sa.Uuid(), nullable=True),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_secret", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"], ["core_instances.id"], name=op.f("fk_alert_rules_core_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name=op.f("fk_alert_rules_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_alert_rules_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipelines.id"], name=op.f("fk_alert_rules_pipeline_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_alert_rules_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_alert_rules_project_id_name")),
    )
    op.create_index(op.f("ix_alert_rules_core_instance_id"), "alert_rules", ["core_instance_id"], unique=False)
    op.create_index(op.f("ix_alert_rules_environment_id"), "alert_rules", ["environment_id"], unique=False)
    op.create_index(op.f("ix_alert_rules_fleet_id"), "alert_rules", ["fleet_id"], unique=False)
    op.create_index(op.f("ix_alert_rules_pipeline_id"), "alert_rules", ["pipeline_id"], unique=False)
    op.create_index(
        op.f("ix_alert_rules_project_id_created_at_id"), "alert_rules", ["project_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("alert_rule_id", sa.Uuid(), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_rule_id"], ["alert_rules.id"], name=op.f("fk_alert_deliveries_alert_rule_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_alert_deliveries_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
    )
    op.create_index(
        op.f("ix_alert_deliveries_alert_rule_id_created_at_id"),
        "alert_deliveries",
        ["alert_rule_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_alert_deliveries_created_at"), "alert_deliveries", ["created_at"], unique=False)
    op.create_index(op.f("ix_alert_deliveries_project_id"), "alert_deliveries", ["project_id"], unique=False)
    op.create_index(op.f("ix_alert_deliveries_status_next_at"), "alert_deliveries", ["status", "next_at"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("alert_rule_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_name", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("resolved_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_rule_id"], ["alert_rules.id"], name=op.f("fk_alerts_alert_rule_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_alerts_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        op.f("ix_alerts_alert_rule_id_created_at_id"), "alerts", ["alert_rule_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_alerts_project_id_created_at_id"), "alerts", ["project_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_alerts_resolved_at"), "alerts", ["resolved_at"], unique=False)
    op.create_index(
        "ix_alerts_project_id_standing",
        "alerts",
        ["project_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "uq_alerts_standing",
        "alerts",
        ["alert_rule_id", "subject_id"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
