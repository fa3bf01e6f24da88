"""Statements of SQLite are compiled once a process.

SQLAlchemy keeps what it compiled by engine and dialect, and nearly each test makes engines of its own: of its warehouse
and of an instance of Dagster. Nothing but the URL and how connections are pooled differs between them.
"""

from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

STATEMENTS = 4_000
"""What is kept compiled; an engine by itself keeps 500."""


def share_statements() -> None:
    """From now on, each new engine of SQLite takes over the dialect and the statements of one that is made here."""
    first = create_engine("sqlite://", query_cache_size=STATEMENTS)
    # A dialect learns what its database can do by the first connection.
    first.connect().close()

    def created(_dialect: type[SQLiteDialect_pysqlite], engine: Engine) -> None:
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache

    SQLiteDialect_pysqlite.engine_created = classmethod(created)
