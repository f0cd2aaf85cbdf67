"""What projects hold: core instances, pipelines, fleets and all that belongs to them."""

import sqlalchemy as sa
from alembic import op

from nectary.db.dialects import UtcTime
from nectary.db.tables import Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one table after another
    op.create_table(
        "fleets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("min_fluent_bit_version", sa.String(length=64), nullable=False),
        sa.Column("raw_config", sa.Text(), nullable=False),
        sa.Column("config_format", sa.String(length=8), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("config_version", sa.BigInteger(), nullable=False),
        sa.Column("config_changed_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_fleets_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleets")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_fleets_project_id_name")),
    )
    op.create_index(op.f("ix_fleets_project_id_created_at_id"), "fleets", ["project_id", "created_at", "id"], unique=False)
    op.create_table(
        "processing_rule_templates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("pipeline_version", sa.Text(), nullable=True),
        sa.Column("input", sa.Text(), nullable=True),
        sa.Column("is_raw_input", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_processing_rule_templates_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processing_rule_templates")),
        sa.UniqueConstraint("project_id", "version", "name", name=op.f("uq_processing_rule_templates_project_id_version_name")),
    )
    op.create_index(
        op.f("ix_processing_rule_templates_project_id_created_at_id"),
        "processing_rule_templates",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "saml_mappings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("claim_key", sa.String(length=255), nullable=False),
        sa.Column("claim_value", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_saml_mappings_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saml_mappings")),
    )
    op.create_index(
        op.f("ix_saml_mappings_project_id_created_at_id"), "saml_mappings", ["project_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "core_instances",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("cluster_logging", sa.Boolean(), nullable=False),
        sa.Column("skip_service_creation", sa.Boolean(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("pinged_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name=op.f("fk_core_instances_environment_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_core_instances_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_instances")),
        sa.UniqueConstraint("environment_id", "name", name=op.f("uq_core_instances_environment_id_name")),
    )
    op.create_index(
        op.f("ix_core_instances_project_id_created_at_id"), "core_instances", ["project_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_core_instances_project_id_name"), "core_instances", ["project_id", "name"], unique=False)
    op.create_table(
        "fleet_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("fleet_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["fleet_id"], ["fleets.id"], name=op.f("fk_fleet_files_fleet_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_fleet_files_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleet_files")),
        sa.UniqueConstraint("fleet_id", "name", name=op.f("uq_fleet_files_fleet_id_name")),
    )
    op.create_index(
        op.f("ix_fleet_files_fleet_id_created_at_id"), "fleet_files", ["fleet_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "cluster_objects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"], ["core_instances.id"], name=op.f("fk_cluster_objects_core_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_cluster_objects_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_objects")),
        sa.UniqueConstraint("core_instance_id", "kind", "name", name=op.f("uq_cluster_objects_core_instance_id_kind_name")),
    )
    op.create_index(
        op.f("ix_cluster_objects_core_instance_id_created_at_id"),
        "cluster_objects",
        ["core_instance_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_cluster_objects_project_id_name"), "cluster_objects", ["project_id", "name"], unique=False)
    op.create_table(
        "core_instance_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.String(length=3), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"],
            ["core_instances.id"],
            name=op.f("fk_core_instance_checks_core_instance_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_core_instance_checks_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_instance_checks")),
        sa.UniqueConstraint(
            "core_instance_id",
            "protocol",
            "host",
            "port",
            name=op.f("uq_core_instance_checks_core_instance_id_protocol_host_port"),
        ),
    )
    op.create_index(
        op.f("ix_core_instance_checks_core_instance_id_created_at_id"),
        "core_instance_checks",
        ["core_instance_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_core_instance_checks_project_id"), "core_instance_checks", ["project_id"], unique=False)
    op.create_table(
        "core_instance_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"],
            ["core_instances.id"],
            name=op.f("fk_core_instance_files_core_instance_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_core_instance_files_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_instance_files")),
        sa.UniqueConstraint("core_instance_id", "name", name=op.f("uq_core_instance_files_core_instance_id_name")),
    )
    op.create_index(
        op.f("ix_core_instance_files_core_instance_id_created_at_id"),
        "core_instance_files",
        ["core_instance_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_core_instance_files_project_id"), "core_instance_files", ["project_id"], unique=False)
    op.create_table(
        "core_instance_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"],
            ["core_instances.id"],
            name=op.f("fk_core_instance_secrets_core_instance_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_core_instance_secrets_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_instance_secrets")),
        sa.UniqueConstraint("core_instance_id", "key", name=op.f("uq_core_instance_secrets_core_instance_id_key")),
    )
    op.create_index(
        op.f("ix_core_instance_secrets_core_instance_id_created_at_id"),
        "core_instance_secrets",
        ["core_instance_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_core_instance_secrets_project_id_key"), "core_instance_secrets", ["project_id", "key"], unique=False
    )
    op.create_table(
        "resource_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("storage_max_chunks_up", sa.Integer(), nullable=False),
        sa.Column("storage_sync_full", sa.Boolean(), nullable=False),
        sa.Column("storage_backlog_mem_limit", sa.Text(), nullable=False),
        sa.Column("storage_volume_size", sa.Text(), nullable=False),
        sa.Column("storage_max_chunks_pause", sa.Boolean(), nullable=False),
        sa.Column("cpu_buffer_workers", sa.Integer(), nullable=False),
        sa.Column("cpu_limit", sa.Text(), nullable=False),
        sa.Column("cpu_request", sa.Text(), nullable=False),
        sa.Column("memory_limit", sa.Text(), nullable=False),
        sa.Column("memory_request", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"], ["core_instances.id"], name=op.f("fk_resource_profiles_core_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_resource_profiles_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource_profiles")),
        sa.UniqueConstraint("core_instance_id", "name", name=op.f("uq_resource_profiles_core_instance_id_name")),
    )
    op.create_index(
        op.f("ix_resource_profiles_core_instance_id_created_at_id"),
        "resource_profiles",
        ["core_instance_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_resource_profiles_project_id_name"), "resource_profiles", ["project_id", "name"], unique=False)
    op.create_table(
        "pipelines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("resource_profile_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("internal", sa.String(length=16), nullable=True),
        sa.Column("config_id", sa.Uuid(), nullable=False),
        sa.Column("status_id", sa.Uuid(), nullable=False),
        sa.Column("deployment_strategy", sa.String(length=16), nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("replicas_count", sa.Integer(), nullable=False),
        sa.Column("replicas_count_prev", sa.Integer(), nullable=False),
        sa.Column("ports_from_config", sa.Boolean(), nullable=False),
        sa.Column("checks_from_config", sa.Boolean(), nullable=False),
        sa.Column("wait_for_checks", sa.Boolean(), nullable=False),
        sa.Column("port_kind", sa.String(length=16), nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("labels", Json, nullable=True),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("scaling", Json, nullable=False),
        sa.Column("scheduling", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["core_instance_id"], ["core_instances.id"], name=op.f("fk_pipelines_core_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_pipelines_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["resource_profile_id"], ["resource_profiles.id"], name=op.f("fk_pipelines_resource_profile_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines")),
        sa.UniqueConstraint("core_instance_id", "name", name=op.f("uq_pipelines_core_instance_id_name")),
    )
    op.create_index(
        op.f("ix_pipelines_core_instance_id_created_at_id"), "pipelines", ["core_instance_id", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_pipelines_project_id_created_at_id"), "pipelines", ["project_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_pipelines_project_id_name"), "pipelines", ["project_id", "name"], unique=False)
    op.create_index(op.f("ix_pipelines_resource_profile_id"), "pipelines", ["resource_profile_id"], unique=False)
    op.create_table(
        "cluster_object_regexes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("regex", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_cluster_object_regexes_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_cluster_object_regexes_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_object_regexes")),
        sa.UniqueConstraint("pipeline_id", "regex", name=op.f("uq_cluster_object_regexes_pipeline_id_regex")),
    )
    op.create_index(
        op.f("ix_cluster_object_regexes_pipeline_id_created_at_id"),
        "cluster_object_regexes",
        ["pipeline_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_cluster_object_regexes_project_id"), "cluster_object_regexes", ["project_id"], unique=False)
    op.create_table(
        "pipeline_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.String(length=3), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_checks_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_pipeline_checks_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_checks")),
        sa.UniqueConstraint(
            "pipeline_id", "protocol", "host", "port", name=op.f("uq_pipeline_checks_pipeline_id_protocol_host_port")
        ),
    )
    op.create_index(
        op.f("ix_pipeline_checks_pipeline_id_created_at_id"),
        "pipeline_checks",
        ["pipeline_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_pipeline_checks_project_id"), "pipeline_checks", ["project_id"], unique=False)
    op.create_table(
        "pipeline_cluster_objects",
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_object_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_object_id"],
            ["cluster_objects.id"],
            name=op.f("fk_pipeline_cluster_objects_cluster_object_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_cluster_objects_pipeline_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "cluster_object_id", name=op.f("pk_pipeline_cluster_objects")),
    )
    op.create_index(
        op.f("ix_pipeline_cluster_objects_cluster_object_id"), "pipeline_cluster_objects", ["cluster_object_id"], unique=False
    )
    op.create_table(
        "pipeline_configs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("raw_config", sa.Text(), nullable=False),
        sa.Column("config_format", sa.String(length=8), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_configs_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_pipeline_configs_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_configs")),
    )
    op.create_index(
        op.f("ix_pipeline_configs_pipeline_id_created_at_id"),
        "pipeline_configs",
        ["pipeline_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_pipeline_configs_project_id"), "pipeline_configs", ["project_id"], unique=False)
    op.create_table(
        "pipeline_logs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("logs", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_logs_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_pipeline_logs_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_logs")),
    )
    op.create_index(
        op.f("ix_pipeline_logs_pipeline_id_created_at_id"), "pipeline_logs", ["pipeline_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_pipeline_logs_project_id"), "pipeline_logs", ["project_id"], unique=False)
    op.create_table(
        "pipeline_ports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("frontend_port", sa.Integer(), nullable=False),
        sa.Column("backend_port", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("from_config", sa.Boolean(), nullable=False),
        sa.Column("plugin_id", sa.Text(), nullable=True),
        sa.Column("plugin_name", sa.Text(), nullable=True),
        sa.Column("plugin_alias", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_ports_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_pipeline_ports_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_ports")),
        sa.UniqueConstraint(
            "pipeline_id", "protocol", "frontend_port", name=op.f("uq_pipeline_ports_pipeline_id_protocol_frontend_port")
        ),
    )
    op.create_index(
        op.f("ix_pipeline_ports_pipeline_id_created_at_id"), "pipeline_ports", ["pipeline_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_pipeline_ports_project_id"), "pipeline_ports", ["project_id"], unique=False)
    op.create_table(
        "pipeline_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_secrets_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_pipeline_secrets_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_secrets")),
        sa.UniqueConstraint("pipeline_id", "key", name=op.f("uq_pipeline_secrets_pipeline_id_key")),
    )
    op.create_index(
        op.f("ix_pipeline_secrets_pipeline_id_created_at_id"),
        "pipeline_secrets",
        ["pipeline_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_pipeline_secrets_project_id_key"), "pipeline_secrets", ["project_id", "key"], unique=False)
    op.create_table(
        "processing_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("is_match_regexp", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("actions", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_processing_rules_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_processing_rules_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processing_rules")),
        sa.UniqueConstraint("pipeline_id", name=op.f("uq_processing_rules_pipeline_id")),
    )
    op.create_index(op.f("ix_processing_rules_project_id"), "processing_rules", ["project_id"], unique=False)
    op.create_table(
        "sidecars",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("container", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipelines.id"], name=op.f("fk_sidecars_pipeline_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_sidecars_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sidecars")),
        sa.UniqueConstraint("pipeline_id", "name", name=op.f("uq_sidecars_pipeline_id_name")),
    )
    op.create_index(
        op.f("ix_sidecars_pipeline_id_created_at_id"), "sidecars", ["pipeline_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_sidecars_project_id"), "sidecars", ["project_id"], unique=False)
    op.create_table(
        "trace_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("plugins", Json, nullable=False),
        sa.Column("lifespan", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_trace_sessions_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_trace_sessions_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_sessions")),
    )
    op.create_index(
        op.f("ix_trace_sessions_pipeline_id_created_at_id"), "trace_sessions", ["pipeline_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_trace_sessions_pipeline_id_ends_at"), "trace_sessions", ["pipeline_id", "ends_at"], unique=False)
    op.create_index(
        op.f("ix_trace_sessions_project_id_created_at_id"), "trace_sessions", ["project_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "config_sections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("processing_rule_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("properties", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["processing_rule_id"],
            ["processing_rules.id"],
            name=op.f("fk_config_sections_processing_rule_id"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_config_sections_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config_sections")),
    )
    op.create_index(op.f("ix_config_sections_processing_rule_id"), "config_sections", ["processing_rule_id"], unique=False)
    op.create_index(
        op.f("ix_config_sections_project_id_created_at_id"), "config_sections", ["project_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "pipeline_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("processing_rule_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_files_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["processing_rule_id"],
            ["processing_rules.id"],
            name=op.f("fk_pipeline_files_processing_rule_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_pipeline_files_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_files")),
        sa.UniqueConstraint("pipeline_id", "name", name=op.f("uq_pipeline_files_pipeline_id_name")),
    )
    op.create_index(
        op.f("ix_pipeline_files_pipeline_id_created_at_id"), "pipeline_files", ["pipeline_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_pipeline_files_project_id"), "pipeline_files", ["project_id"], unique=False)
    op.create_table(
        "pipeline_statuses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("config_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["config_id"], ["pipeline_configs.id"], name=op.f("fk_pipeline_statuses_config_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_statuses_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_pipeline_statuses_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_statuses")),
    )
    op.create_index(op.f("ix_pipeline_statuses_config_id"), "pipeline_statuses", ["config_id"], unique=False)
    op.create_index(
        op.f("ix_pipeline_statuses_pipeline_id_created_at_id"),
        "pipeline_statuses",
        ["pipeline_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_pipeline_statuses_project_id"), "pipeline_statuses", ["project_id"], unique=False)
    op.create_table(
        "trace_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=False),
        sa.Column("plugin_instance", sa.Text(), nullable=False),
        sa.Column("plugin_alias", sa.Text(), nullable=False),
        sa.Column("return_code", sa.Integer(), nullable=False),
        sa.Column("records", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_trace_records_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["trace_sessions.id"], name=op.f("fk_trace_records_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trace_records")),
    )
    op.create_index(op.f("ix_trace_records_project_id"), "trace_records", ["project_id"], unique=False)
    op.create_index(
        op.f("ix_trace_records_session_id_created_at_id"), "trace_records", ["session_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "ingest_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("core_instance_id", sa.Uuid(), nullable=False),
        sa.Column("config_section_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("collect_logs", sa.Boolean(), nullable=False),
        sa.Column("logs", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["config_section_id"], ["config_sections.id"], name=op.f("fk_ingest_checks_config_section_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["core_instance_id"], ["core_instances.id"], name=op.f("fk_ingest_checks_core_instance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_ingest_checks_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_checks")),
        sa.UniqueConstraint(
            "core_instance_id", "config_section_id", name=op.f("uq_ingest_checks_core_instance_id_config_section_id")
        ),
    )
    op.create_index(op.f("ix_ingest_checks_config_section_id"), "ingest_checks", ["config_section_id"], unique=False)
    op.create_index(
        op.f("ix_ingest_checks_core_instance_id_created_at_id"),
        "ingest_checks",
        ["core_instance_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_ingest_checks_project_id"), "ingest_checks", ["project_id"], unique=False)
    op.create_table(
        "pipeline_config_sections",
        sa.Column("pipeline_id", sa.Uuid(), nullable=False),
        sa.Column("config_section_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["config_section_id"],
            ["config_sections.id"],
            name=op.f("fk_pipeline_config_sections_config_section_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_config_sections_pipeline_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "config_section_id", name=op.f("pk_pipeline_config_sections")),
    )
    op.create_index(
        op.f("ix_pipeline_config_sections_config_section_id"), "pipeline_config_sections", ["config_section_id"], unique=False
    )
    op.add_column(
        "agents",
        sa.Column(
            "fleet_id",
            sa.Uuid(),
            sa.ForeignKey("fleets.id", name=op.f("fk_agents_fleet_id"), ondelete="SET NULL"),
            nullable=True,
        ),
        inline_references=True,
    )
    op.add_column(
        "agents",
        sa.Column(
            "pipeline_id",
            sa.Uuid(),
            sa.ForeignKey("pipelines.id", name=op.f("fk_agents_pipeline_id"), ondelete="SET NULL"),
            nullable=True,
        ),
        inline_references=True,
    )
    op.add_column("agents", sa.Column("registered_at", UtcTime(), nullable=True))
    op.create_index(op.f("ix_agents_fleet_id_created_at_id"), "agents", ["fleet_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_agents_pipeline_id"), "agents", ["pipeline_id"], unique=False)
