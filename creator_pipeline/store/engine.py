"""The connection to the warehouse: SQLite or PostgreSQL through one path."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, ProgrammingError

from creator_pipeline.core.errors import ConfigError, PipelineError, TransientError

SQLITE_BUSY_SECONDS = 30
CONNECTIONS = 15
"""To PostgreSQL, of one process at most."""
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""A server that is gone without a word is noticed after a minute; by default the kernel waits two hours."""


def is_postgres(of: Connection | Engine) -> bool:
    """Whether this is PostgreSQL; else it is SQLite."""
    return of.dialect.name == "postgresql"


class Warehouse:
    """The tables of :mod:`creator_pipeline.store.tables` in one database; migrated on first use.

    Get one by :func:`open_warehouse`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._read = engine.execution_options(read_only=True)
        self._migrated = False

    @property
    def is_postgres(self) -> bool:
        """Whether COPY and advisory locks are there."""
        return is_postgres(self.engine)

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A snapshot to read from.

        Raises:
            TransientError: the database can't be reached.
        """
        self.ensure_migrated()
        with translated(self.engine), self._read.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """One transaction: committed at the end, rolled back on any error.

        Raises:
            TransientError: the database can't be reached, is locked, or its disk is full.
        """
        self.ensure_migrated()
        with translated(self.engine), self.engine.begin() as connection:
            yield connection

    def ensure_migrated(self) -> None:
        """Bring the schema up to date, once in each process."""
        if self._migrated:
            return
        from creator_pipeline.store import migrate

        with translated(self.engine):
            migrate.upgrade(self.engine)
        self._migrated = True


@lru_cache(maxsize=8)
def open_warehouse(url: str, connections: int = CONNECTIONS, lock_seconds: float | None = None) -> Warehouse:
    """The warehouse at a SQLAlchemy URL; the same object for the same URL.

    Args:
        connections: to PostgreSQL, at most; whoever wants one more waits.
        lock_seconds: for which a statement waits for a lock of PostgreSQL, before it fails as a TransientError; None
            for ever.

    Raises:
        ConfigError: ``url`` can't be read, or names a database other than SQLite and PostgreSQL.
    """
    hint = "DATABASE_URL looks like postgresql://user:password@host:5432/name or sqlite:////absolute/file.sqlite."
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError("DATABASE_URL can't be read.", hint=hint) from None
    backend = parsed.get_backend_name()
    if backend == "postgres":  # the spelling of several hosting providers
        backend = "postgresql"
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigError(f"DATABASE_URL names {backend!r}.", hint=hint)
    if backend == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": SQLITE_BUSY_SECONDS})
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    else:
        # SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3; dagster-postgres works with psycopg2 only.
        given = [*parsed.normalized_query.get("options", ()), "-c timezone=utc"]
        given += [] if lock_seconds is None else [f"-c lock_timeout={round(lock_seconds * 1000)}"]
        try:
            engine = create_engine(
                parsed.set(drivername="postgresql+psycopg2"),
                pool_pre_ping=True,
                # All are kept: those of an overflow are closed after each use, and opening one costs 10 ms.
                pool_size=connections,
                max_overflow=0,
                # A hundred statements in one message, where psycopg2 alone would wait for the answer to each.
                executemany_mode="values_plus_batch",
                # Values of a failing statement are addresses and tokens; its error ends in a log.
                hide_parameters=True,
                connect_args={"connect_timeout": 10, "options": " ".join(given), **KEEPALIVE},
            )
        except NoSuchModuleError as error:
            raise ConfigError(f"DATABASE_URL: {error}.", hint=hint) from None
    return Warehouse(engine)


def _sqlite_connect(connection: Any, _record: object) -> None:
    # Autocommit at the driver: transactions are begun below, with the kind of lock that fits.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later can't wait for the lock: it fails at once as busy.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def translated(engine: Engine) -> Generator[None]:
    """Turn driver errors that a person must fix into errors that say so.

    Raises:
        ConfigError: the database isn't there, or refuses this role.
        TransientError: it can't be reached, is locked, or its disk is full.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translate(engine, error) from error


def _translate(engine: Engine, error: DBAPIError) -> PipelineError | DBAPIError:
    url = engine.url
    where = f"PostgreSQL at {url.host}:{url.port or 5432}" if is_postgres(engine) else f"SQLite file {url.database}"
    cause = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    if isinstance(error.orig, sqlite3.Error):
        if "disk is full" in cause or "disk I/O" in cause:
            return TransientError(
                f"{where}: {cause}.", hint="Nothing was written. Free space on its disk, then run again."
            )
        if "locked" in cause or "busy" in cause:
            return TransientError(
                f"{where} was locked for {SQLITE_BUSY_SECONDS} s.",
                hint="Another process writes; set DATABASE_URL to PostgreSQL.",
            )
        if "unable to open" in cause or "readonly" in cause or "not a database" in cause:
            return ConfigError(
                f"{where}: {cause}.", hint="Check DATABASE_URL and the rights on the file and its folder."
            )
        return error
    if "password authentication failed" in cause or ("does not exist" in cause and "FATAL" in cause):
        return ConfigError(f"{where}: {cause}", hint="Check DATABASE_URL.")
    if isinstance(error, ProgrammingError) and "permission denied" in cause:
        return ConfigError(
            f"{where}: {cause}", hint="Grant the role of DATABASE_URL its rights; see docs/deployment.md."
        )
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return TransientError(f"{where} can't be reached: {cause}", hint="Is it running, and is DATABASE_URL right?")
    return error


def ping(warehouse: Warehouse) -> None:
    """Raise the translated error when the database doesn't answer."""
    with warehouse.read() as connection:
        connection.execute(text("SELECT 1"))


@contextmanager
def connect_as_is(url: str) -> Generator[Connection | None]:
    """The warehouse as it is: nothing is made, nothing is migrated. None where its SQLite file isn't there yet.

    Raises:
        ConfigError: ``url`` can't be read.
        TransientError: the database can't be reached.
    """
    if url.startswith("sqlite") and not Path(make_url(url).database or "").exists():
        yield None
        return
    engine = open_warehouse(url).engine
    with translated(engine), engine.connect() as connection:
        yield connection
