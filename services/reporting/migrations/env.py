"""Alembic's entry; the tables are made on start, in the service's own schema."""

from services.runtime.migrate import run_migrations

run_migrations()
