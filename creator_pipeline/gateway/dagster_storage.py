"""The little that the gateway reads of Dagster's storage, by SQL.

Dagster's own instance would cost seconds to import and a hundred megabytes to keep.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, TextClause, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from creator_pipeline.settings import Settings

_LAST_TICK = text("SELECT max(timestamp) FROM job_ticks WHERE type = 'SENSOR'")
_RUNS = text("SELECT status, count(*) FROM runs WHERE create_timestamp >= :since GROUP BY status")


def last_sensor_tick(config: Settings) -> datetime | None:
    """When Dagster's daemon last evaluated a sensor; None where it never did, or its storage can't be read."""
    rows = _rows(config, "schedules/schedules.db", _LAST_TICK)
    found = rows[0][0] if rows else None
    if found is None:
        return None
    moment = datetime.fromisoformat(found) if isinstance(found, str) else found
    return moment.replace(tzinfo=UTC)


def runs_of_a_day(config: Settings, since: datetime) -> dict[str, int]:
    """Runs that were begun since then, by Dagster's status; none where its storage can't be read."""
    naive = since.astimezone(UTC).replace(tzinfo=None)
    moment = naive if config.dagster_postgres_url is not None else naive.isoformat(" ")
    return {status: int(count) for status, count in _rows(config, "history/runs.db", _RUNS, since=moment)}


def _rows(config: Settings, file_name: str, statement: TextClause, **values: object) -> Sequence[Any]:
    try:
        if config.dagster_postgres_url is not None:
            with _engine(config.dagster_postgres_url.get_secret_value()).connect() as connection:
                return connection.execute(statement, values).all()
        address = f"file:{config.home / file_name}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=2)) as file:
            return file.execute(statement.text, values).fetchall()
    except (SQLAlchemyError, sqlite3.Error):
        return []


@lru_cache(maxsize=2)
def _engine(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), pool_size=1, pool_pre_ping=True)
