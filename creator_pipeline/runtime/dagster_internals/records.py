"""What Dagster has stored, where it has no question for it: rows of its tables, files of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

# What Dagster writes for an event that no run has logged.
from dagster._core.instance import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from creator_pipeline.runtime import dagster_internals

if TYPE_CHECKING:
    from sqlalchemy import Table


def event_rows() -> Table:
    """The table of events: Dagster has no question whether a run holds the newest event of its kind."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

    return SqlEventLogStorageTable


def check_rows() -> Table:
    """The table of what checks said: ``delete_run`` leaves a run's rows there for ever."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    return AssetCheckExecutionsTable


def of_no_run(event: str, tags: Mapping[str, str]) -> str:
    """A stored materialization as Dagster stores one that was reported from outside; its time and metadata stay.

    Dagster can report such an event, but only as one of this moment.

    Args:
        event: the text of its row.
        tags: what is to be known of its run, in the event's ``logging_tags``.
    """
    entry = dg.deserialize_value(event, dg.EventLogEntry)
    landed = entry.get_dagster_event()
    kept = dg.DagsterEvent(
        event_type_value=landed.event_type_value,
        job_name=RUNLESS_JOB_NAME,
        event_specific_data=landed.event_specific_data,
        message=landed.message,
        logging_tags=tags,
    )
    return dg.serialize_value(
        entry._replace(run_id=RUNLESS_RUN_ID, job_name=RUNLESS_JOB_NAME, step_key=None, dagster_event=kept)
    )


def run_file(instance: dg.DagsterInstance, run_id: str) -> str:
    """The SQLite file that has a run's events; empty in other storages. ``delete_run`` empties it and leaves it."""
    storage = instance.event_log_storage
    return storage.path_for_shard(run_id) if isinstance(storage, dagster_internals.SqliteEventLogStorage) else ""
