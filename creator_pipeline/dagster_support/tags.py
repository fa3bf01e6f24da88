"""Tags of runs: whose, why, and over which partitions."""

PROFILE_TAG = "creator_pipeline/profile"
TRIGGER_TAG = "creator_pipeline/trigger"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
BACKFILL_TAG = "creator_pipeline/backfill"
"""Of the runs of ``creator-pipeline backfill``: its id in ``ingestion_jobs``."""
