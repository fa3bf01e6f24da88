"""What Dagster's UI says of the checks of assets."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from creator_pipeline.definitions import defs


def states(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey] = ()) -> dict[str, str]:
    """``asset check`` to SUCCEEDED, FAILED, or MISSING where it was not evaluated since its asset landed.

    Args:
        instance: holds the events.
        assets: whose checks; all that have any of a platform that was read, where none is named.
    """
    graph, found = defs.resolve_asset_graph(), dict[str, str]()
    wanted = set(assets)
    keys = [key for key in graph.asset_check_keys if not wanted or key.asset_key in wanted]
    summaries = instance.event_log_storage.get_asset_check_summary_records(keys)
    for key in sorted(keys, key=str):
        landed = instance.get_latest_materialization_event(key.asset_key)
        if landed is None:
            continue
        record = summaries[key].last_check_execution_record
        name = f"{key.asset_key.to_user_string()} {key.name}"
        if record is None or (record.run_id != landed.run_id and record.create_timestamp < landed.timestamp):
            found[name] = "MISSING"
        else:
            found[name] = record.status.value
    return found
