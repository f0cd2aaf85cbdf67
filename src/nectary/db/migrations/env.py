"""Alembic's entry: it is given an open connection by db/schema.py."""

from alembic import context

from nectary.db import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transaction_per_migration=False,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
