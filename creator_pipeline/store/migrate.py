"""Schema migrations (Alembic), run on first use and by ``creator-pipeline migrate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import tenacity
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.store import locks
from creator_pipeline.store.engine import is_postgres

if TYPE_CHECKING:
    from alembic.config import Config

_T = TypeVar("_T")

HEAD = "0024"
"""Newest revision: known here so that a process at head needn't import Alembic (a test compares the two)."""
LOCK_SECONDS = 1.0
"""Longest wait for a table. Whoever wants the table meanwhile queues up behind a migration that waits."""
PATIENCE_SECONDS = 600.0
"""How long a migration makes way and tries again: a dump, say, holds all tables until it is done."""
_PAUSE_SECONDS = 2.0
_LOCK = 7_215_001  # the same in every release: an older one may migrate at the same time
_LOCK_NOT_AVAILABLE = "55P03"


def current(connection: Connection) -> str | None:
    """Revision of the database; None when it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine, revision: str = "head") -> bool:
    """Migrate to ``revision``; processes that start at once wait for each other. True when something was done.

    Raises:
        ConfigError: the database is at a revision this release doesn't know.
        TransientError: somebody holds a table for longer than ``PATIENCE_SECONDS``; nothing was changed.
    """
    with engine.execution_options(read_only=True).connect() as connection:
        if current(connection) == HEAD and revision == "head":
            return False
    from alembic import command
    from alembic.util import CommandError

    def go() -> bool:
        with engine.begin() as connection:
            _one_at_a_time(connection)
            found = current(connection)
            if found == HEAD and revision == "head":
                return False
            try:
                # One transaction on both databases: a crash in the middle leaves the former schema.
                command.upgrade(_config(connection), revision)
            except CommandError as error:
                raise ConfigError(
                    f"The warehouse is at revision {found}, which can't be migrated to {revision}: {error}.",
                    hint="It was made by a newer release: install that one, or restore a backup.",
                ) from error
            return True

    return _making_way(go)


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to ``revision``.

    Raises:
        TransientError: as :func:`upgrade`.
    """
    from alembic import command

    def go() -> None:
        with engine.begin() as connection:
            _one_at_a_time(connection)
            command.downgrade(_config(connection), revision)

    _making_way(go)


def _one_at_a_time(connection: Connection) -> None:
    locks.lock(connection, _LOCK)
    if is_postgres(connection):
        # From here on: for another migration one waits as long as it takes.
        connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{LOCK_SECONDS}s"})


def _making_way(go: Callable[[], _T]) -> _T:
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_table_is_held),
        wait=tenacity.wait_fixed(_PAUSE_SECONDS),
        stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )
    try:
        return tries(go)
    except OperationalError as error:
        if not _table_is_held(error):
            raise
        raise TransientError(
            "The warehouse can't be migrated: another session holds a table. Nothing was changed.",
            hint="Wait for the end of the dump or of the long query; pg_stat_activity shows it.",
        ) from None


def _table_is_held(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "pgcode", None) == _LOCK_NOT_AVAILABLE


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
