"""Indexes for what was found by reading tables whole, and the time by which a person's projects are listed."""

import sqlalchemy as sa
from alembic import op

from nectary.db.dialects import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (
        ("agent_configs", "project_id"),
        ("agent_errors", "project_id"),
        ("fleet_files", "project_id"),
        ("invitations", "invited_by"),
        ("pipeline_files", "processing_rule_id"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)
    _narrow_lists()
    # A new column of a table with rows needs a value at once: the right one follows.
    long_ago = sa.text("'1970-01-01 00:00:00.000000'")
    op.add_column("memberships", sa.Column("project_created_at", UtcTime(), nullable=False, server_default=long_ago))
    op.execute(
        "UPDATE memberships SET project_created_at ="
        " (SELECT projects.created_at FROM projects WHERE projects.id = memberships.project_id)"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("memberships", "project_created_at", server_default=None)
    op.drop_index(op.f("ix_memberships_user_id_project_id"), "memberships")
    op.create_index(
        op.f("ix_memberships_user_id_project_created_at_project_id"),
        "memberships",
        ["user_id", "project_created_at", "project_id"],
        unique=False,
    )


def _narrow_lists() -> None:
    """Lists that show but some of a table's rows find just those."""
    op.drop_index(op.f("ix_processing_rule_templates_project_id_created_at_id"), "processing_rule_templates")
    op.create_index(
        op.f("ix_processing_rule_templates_project_id_version_created_at_id"),
        "processing_rule_templates",
        ["project_id", "version", "created_at", "id"],
        unique=False,
    )
    by_hand = sa.text("processing_rule_id IS NULL")
    op.drop_index(op.f("ix_config_sections_project_id_created_at_id"), "config_sections")
    op.create_index(
        op.f("ix_config_sections_project_id_created_at_id"),
        "config_sections",
        ["project_id", "created_at", "id"],
        unique=False,
        sqlite_where=by_hand,
        postgresql_where=by_hand,
    )
    op.create_index(op.f("ix_config_sections_project_id"), "config_sections", ["project_id"], unique=False)
