"""Tables by alembic: each service has its schema, its versions, and `services/<service>/migrations/`.

A service's `migrations/env.py` is one call of `run_migrations()`.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.store import StoreError

SERVICES = Path(__file__).parent.parent


async def upgrade(engine: AsyncEngine, service: str, migrations: Path | None = None) -> None:
    """Bring the service's schema to the newest version. Replicas that start together take turns by an advisory lock."""
    try:
        async with engine.begin() as connection:
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": crc32(f"otklik/{service}".encode())}
            )
            await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
            await connection.run_sync(_upgrade, service, migrations or SERVICES / service / "migrations")
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise StoreError(f"making the tables of {service}: {error}") from error


def _upgrade(connection: Connection, service: str, migrations: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {"connection": connection, "service": service}
    command.upgrade(config, "head")


def run_migrations() -> None:
    """What `env.py` calls: in the transaction, and under the lock, that `upgrade` holds."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        version_table="alembic_version",
        version_table_schema=attributes["service"],
        include_schemas=True,
    )
    with context.begin_transaction():
        context.run_migrations()
