"""Dagster's own storage, chosen by ``DAGSTER_POSTGRES_URL``: one ``dagster.yaml`` for a laptop and for production."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dagster import Field, StringSource
from dagster._config import UserConfigSchema
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs.base import RunStorage
from dagster._core.storage.schedules.base import ScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from sqlalchemy import make_url

from creator_pipeline.store.engine import KEEPALIVE

if TYPE_CHECKING:
    from dagster_postgres import DagsterPostgresStorage


class EnvStorage(DagsterStorage, ConfigurableClass):
    """SQLite under ``base_dir`` while the variable named by ``url_env`` is unset, else PostgreSQL.

    Dagster's YAML can't do this: a variable that is not set is an error there, and two storages are one too many.
    """

    def __init__(self, base_dir: str, url: str | None, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()
        self._inst_data = inst_data
        if url:
            from dagster_postgres import DagsterPostgresStorage

            from creator_pipeline.runtime import event_batches

            # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3, which can't run dagster-postgres's NOTIFY.
            scheme, _, rest = url.partition("://")
            url = f"postgresql+psycopg2://{rest}" if scheme in {"postgres", "postgresql"} else url
            given = make_url(url)
            wanted = {name: str(value) for name, value in KEEPALIVE.items() if name not in given.query}
            url = given.update_query_dict(wanted).render_as_string(hide_password=False)
            self._storage: DagsterPostgresStorage | DagsterSqliteStorage = DagsterPostgresStorage(
                postgres_url=url, should_autocreate_tables=True, inst_data=None
            )
            self._events: EventLogStorage = event_batches.BatchingEventLogStorage(url)
            # Dagster reads it when it writes; what the environment says stands.
            os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(event_batches.BATCH_SIZE))
        else:
            Path(base_dir).mkdir(parents=True, exist_ok=True)
            self._storage = DagsterSqliteStorage.from_local(base_dir)
            self._events = self._storage.event_log_storage

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """How other processes make this object again."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Keys of the ``config`` block."""
        return {"base_dir": Field(StringSource, is_required=False), "url_env": Field(str, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Called by Dagster in each of its processes."""
        base_dir = config_value.get("base_dir") or os.environ.get("DAGSTER_HOME") or os.path.curdir
        url = os.environ.get(config_value.get("url_env", "DAGSTER_POSTGRES_URL"))
        return cls(base_dir, url, inst_data)

    def register_instance(self, instance: Any) -> None:
        """Hand the instance to the storages."""
        super().register_instance(instance)
        self._storage.register_instance(instance)
        self._events.register_instance(instance)

    @property
    def event_log_storage(self) -> EventLogStorage:
        """Of the storage that was chosen; on PostgreSQL with batches."""
        return self._events

    @property
    def run_storage(self) -> RunStorage:
        """Of the storage that was chosen."""
        return self._storage.run_storage

    @property
    def schedule_storage(self) -> ScheduleStorage:
        """Of the storage that was chosen."""
        return self._storage.schedule_storage

    @property
    def event_storage_data(self) -> ConfigurableClassData | None:
        """Of the storage that was chosen."""
        return self._storage.event_storage_data

    @property
    def run_storage_data(self) -> ConfigurableClassData | None:
        """Of the storage that was chosen."""
        return self._storage.run_storage_data

    @property
    def schedule_storage_data(self) -> ConfigurableClassData | None:
        """Of the storage that was chosen."""
        return self._storage.schedule_storage_data
