"""Alembic's entry: it runs this file. The caller has begun the transaction, and holds the lock."""

from alembic import context

from jackstay.journal.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
