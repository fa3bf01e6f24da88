"""Alembic's entry: runs on the connection handed over by :mod:`creator_pipeline.store.migrate`."""

from alembic import context

from creator_pipeline.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
