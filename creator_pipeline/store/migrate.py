"""Schema migrations (Alembic), run on first use and by ``creator-pipeline migrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from creator_pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0004"
"""Newest revision: known here so that a process at head needn't import Alembic (a test compares the two)."""
_LOCK = 7_215_001


def current(connection: Connection) -> str | None:
    """Revision of the database; None when it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine, revision: str = "head") -> bool:
    """Migrate to ``revision``; processes that start at once wait for each other. True when something was done.

    Raises:
        ConfigError: the database is at a revision this release doesn't know.
    """
    with engine.execution_options(read_only=True).connect() as connection:
        if current(connection) == HEAD and revision == "head":
            return False
    from alembic import command
    from alembic.util import CommandError

    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if current(connection) == HEAD and revision == "head":
            return False
        found = current(connection)
        try:
            # One transaction on both databases: a crash in the middle leaves the former schema.
            command.upgrade(_config(connection), revision)
        except CommandError as error:
            raise ConfigError(
                f"The warehouse is at revision {found}, which can't be migrated to {revision}: {error}.",
                hint="It was made by a newer release: install that one, or restore a backup.",
            ) from error
        return True


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to ``revision``."""
    from alembic import command

    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
