"""Many events of Dagster in one write.

Dagster's storages write each event by itself, in three transactions. A range of days has two to four events for each
day, which took longer than to read the days' sales.
"""

from __future__ import annotations

import os

import dagster as dg

BATCH_SIZE = 500
"""Events of one statement: about a megabyte."""
BATCHED = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)


def switch_on() -> None:
    """Let this process hand its events to the storage in batches; what the environment says stands."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))
