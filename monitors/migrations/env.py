"""Alembic's entry: it runs the steps on the connection that `monitors.migrate` hands it."""

from alembic import context

from monitors.source_tables import searches

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=searches.metadata,
    transactional_ddl=True,  # SQLite's too: `Database.write` says BEGIN itself
)
context.run_migrations()
