"""Sensor ``kdp_inbox``: a complete file in the inbox gets its partition and its run in the same tick."""

import dagster as dg
import orjson

from creator_pipeline import settings
from creator_pipeline.platforms.kdp.assets import EVENTS, PAYMENTS, ROYALTIES, UPLOAD_PARTITIONS
from creator_pipeline.platforms.kdp.inbox import scan
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import run_tags

MOST_PER_TICK = 10
_SHOWN = 5

KDP_INGEST = dg.define_asset_job(
    "kdp_ingest",
    selection=dg.AssetSelection.assets(ROYALTIES, PAYMENTS, EVENTS),
    description="An uploaded KDP report, the payments it tells, and the ledger of the months it touches.",
)


@dg.sensor(
    name="kdp_inbox",
    job=KDP_INGEST,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New reports in KDP_INBOX/PROFILE/, once per content. A file is taken when two scans find it the same.",
)
def kdp_inbox(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
    """Scan the inbox, and request a run for each file that is ready.

    The cursor holds the locations that the last tick requested, at most :data:`MOST_PER_TICK`. Dagster stores it only
    when a tick ends well, so a request that got lost is made again.
    """
    config = settings.load()
    if not config.enable_kdp:
        return dg.SensorResult(skip_reason="ENABLE_KDP is off: files are kept and taken when it is on again.")
    requested: list[str] = orjson.loads(context.cursor) if context.cursor else []
    found = scan(warehouse.open(), config.inbox, most=MOST_PER_TICK, requested=requested)
    if found.strays:
        context.log.warning("Not taken: %s", "; ".join(found.strays[:_SHOWN]))
    requests = [
        dg.RunRequest(
            # With the time of the file: the same content put there once more, after it failed, is tried once more.
            run_key=f"{file.upload_id}:{file.modified_ns}",
            partition_key=file.partition,
            tags=run_tags("file", file.profile_id, source="kdp"),
        )
        for file in found.ready
    ]
    cursor = orjson.dumps([file.location for file in found.ready]).decode()
    if not requests:
        stray = f" {len(found.strays)} not taken: {found.strays[0]}" if found.strays else ""
        return dg.SensorResult(skip_reason=f"{found.waiting} files settle.{stray}", cursor=cursor)
    keys = [file.partition for file in found.ready]
    return dg.SensorResult(
        run_requests=requests, dynamic_partitions_requests=[UPLOAD_PARTITIONS.build_add_request(keys)], cursor=cursor
    )
