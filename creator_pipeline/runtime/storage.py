"""Dagster's own storage, chosen by ``DAGSTER_POSTGRES_URL``: one ``dagster.yaml`` for a laptop and for production."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from sqlalchemy import make_url

from creator_pipeline.runtime import event_batches, partition_keys, process
from creator_pipeline.runtime.dagster_internals import ConfigurableClassData, DagsterStorage, read_migrations_once
from creator_pipeline.store.engine import KEEPALIVE


class EnvStorage(DagsterStorage):
    """SQLite under ``base_dir`` while the variable named by ``url_env`` is unset, else PostgreSQL.

    Dagster's YAML can't do this: a variable that is not set is an error there, and two storages are one too many.
    ``storage: custom`` in ``dagster.yaml`` names this class; it makes one of the two storages and is none itself.
    """

    @classmethod
    def config_type(cls) -> dict[str, dg.Field]:
        """Keys of the ``config`` block."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False), "url_env": dg.Field(str, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterStorage:
        """Make the storage; Dagster calls it in each of its processes, before it loads the definitions."""
        process.start()
        partition_keys.make_quickly()
        url = os.environ.get(config_value.get("url_env", "DAGSTER_POSTGRES_URL"))
        if url:
            return postgres_storage(url, inst_data)
        base_dir = config_value.get("base_dir") or os.environ.get("DAGSTER_HOME") or os.path.curdir
        return sqlite_storage(base_dir, inst_data)


def postgres_storage(url: str, inst_data: ConfigurableClassData | None = None) -> DagsterStorage:
    """Dagster's storage in a PostgreSQL database; its tables are made where they aren't there.

    Args:
        url: of the database, with or without a driver.
        inst_data: what ``dagster.yaml`` says of the class, where it was made for that.
    """
    from creator_pipeline.runtime.postgres_events import BatchingStorage

    event_batches.switch_on()
    read_migrations_once()
    return BatchingStorage(_with_keepalive(url), inst_data=inst_data)


def sqlite_storage(base_dir: str, inst_data: ConfigurableClassData | None = None) -> DagsterStorage:
    """Dagster's storage in SQLite files below ``base_dir``, which is made if it doesn't exist."""
    from creator_pipeline.runtime.sqlite_events import SqliteStorage

    event_batches.switch_on()
    read_migrations_once()
    return SqliteStorage(base_dir, inst_data)


def _with_keepalive(url: str) -> str:
    """An address of PostgreSQL with its driver and what notices a dead server; what the address says itself stands."""
    # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3, which can't run dagster-postgres's NOTIFY.
    scheme, _, rest = url.partition("://")
    given = make_url(f"postgresql+psycopg2://{rest}" if scheme in {"postgres", "postgresql"} else url)
    added = {name: str(value) for name, value in KEEPALIVE.items() if name not in given.query}
    return given.update_query_dict(added).render_as_string(hide_password=False)
