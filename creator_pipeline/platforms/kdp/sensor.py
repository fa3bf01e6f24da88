"""Sensor ``kdp_inbox``: complete files of the inbox get their partitions and their runs in the same tick."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import orjson

from creator_pipeline import settings
from creator_pipeline.core.budget import Budget
from creator_pipeline.core.text import number
from creator_pipeline.platforms.kdp.assets import EVENTS, PAYMENTS, ROYALTIES, UPLOAD_PARTITIONS
from creator_pipeline.platforms.kdp.drops import Together, tell_of_drop
from creator_pipeline.platforms.kdp.files import File
from creator_pipeline.platforms.kdp.held import work_off
from creator_pipeline.platforms.kdp.inbox import Scan, scan
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.dagster_internals import is_preview
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import FILES_TAG, RANGE_END, RANGE_START, TRIGGER_TAG, run_tags

MOST_PER_RUN = 100
"""Files of one run. A profile's next run is asked for when this one has ended, so profiles take turns."""
MOST_PER_TICK = 10
"""Runs over a single file that one tick asks for."""
_SHOWN = 5

KDP_INGEST = asset_job(
    "kdp_ingest",
    [ROYALTIES, PAYMENTS, EVENTS],
    "Uploaded KDP reports, the payments they tell, and the ledger of the months they touch.",
)


@dg.sensor(
    name="kdp_inbox",
    job=KDP_INGEST,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New reports in KDP_INBOX/PROFILE/, once per content. A file is taken when two scans find it the same.",
)
def kdp_inbox(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Scan the inbox, and request runs: one for a single file, one for many that a profile got together.

    The cursor holds the locations of single files that the last tick requested, at most :data:`MOST_PER_TICK`. Dagster
    stores it only when a tick ends well, so a request that got lost is made again. A run over many files needs no
    cursor: what it has read is no longer settled, and while it works no other is asked for.
    """
    config = settings.load()
    if is_preview(context):
        return dg.SensorResult(skip_reason="A preview looks at no file.", cursor=context.cursor)
    if not config.enable_kdp:
        return dg.SensorResult(skip_reason="ENABLE_KDP is off: files are kept and taken when it is on again.")
    for told in work_off(warehouse.open()):
        context.log.info(told)
    requested: list[str] = orjson.loads(context.cursor) if context.cursor else []
    store = warehouse.open()
    found = scan(store, config.inbox, most=MOST_PER_RUN, requested=requested, budget=Budget())
    _log(context, found)
    together = Together.of(context.instance, found)
    alone = together.alone()[:MOST_PER_TICK]
    requests = [_single(file) for file in alone]
    for file in alone:
        context.log.info("A run for upload %s of %s.", file.partition, file.profile_id)
    keys = [file.partition for file in alone]
    for files in together.batches():
        requests.append(_batch(files, together.last_run_id(files[0].profile_id)))
        context.log.info("A run for %s of %s.", number(len(files), "file"), files[0].profile_id)
        keys += [file.partition for file in files]
    for profile_id in together.ended(found.growing):
        tell_of_drop(store, config, profile_id)
    cursor = orjson.dumps([file.location for file in alone]).decode()
    if not requests:
        stray = f" {len(found.strays)} not taken: {found.strays[0]}" if found.strays else ""
        busy = (
            f" {number(len(together.at_work), 'profile has', 'profiles have')} many files being read."
            if together.at_work
            else ""
        )
        return dg.SensorResult(
            skip_reason=f"{number(found.waiting, 'file settles', 'files settle')}.{busy}{stray}",
            cursor=cursor,
        )
    return dg.SensorResult(
        run_requests=requests, dynamic_partitions_requests=[UPLOAD_PARTITIONS.build_add_request(keys)], cursor=cursor
    )


def _single(file: File) -> dg.RunRequest:
    return dg.RunRequest(
        # With the time of the file: the same content put there once more, after it failed, is tried once more.
        run_key=f"{file.upload_id}:{file.modified_ns}",
        partition_key=file.partition,
        tags=run_tags("file", file.profile_id, source="kdp"),
    )


def _batch(files: Sequence[File], after: str) -> dg.RunRequest:
    """One run for files whose partitions follow each other; ``after`` is the run before, so no request is repeated."""
    first, last, profile_id = files[0], files[-1], files[0].profile_id
    return dg.RunRequest(
        run_key=f"{profile_id}:{first.partition}:{last.partition}:{len(files)}:{after}",
        tags={
            RANGE_START: first.partition,
            RANGE_END: last.partition,
            TRIGGER_TAG: "file",
            FILES_TAG: profile_id,
        },
    )


def _log(context: dg.SensorEvaluationContext, found: Scan) -> None:
    if found.strays:
        context.log.warning("Not taken: %s", "; ".join(found.strays[:_SHOWN]))
    if found.skipped:
        shown = "; ".join(found.skipped[:_SHOWN])
        context.log.info("%d files that no person means are left alone: %s", len(found.skipped), shown)
