"""Job ``retention``: deletes what has outlived its use. How long each kind is kept is in the settings."""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.windows import now
from creator_pipeline.mail.kinds import KINDS, SECURITY
from creator_pipeline.orchestration.asset_pages import read_statuses
from creator_pipeline.orchestration.old_runs import delete_old_runs
from creator_pipeline.platforms import PLATFORMS, personal
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.run_events import give_back
from creator_pipeline.settings import Settings
from creator_pipeline.store.retention import Keep, delete_old

INDEX_DAYS = (2, 6)
"""Wednesday and Sunday: an index half full of what went is a fiftieth of the storage in a week."""
SIGN_IN = tuple(kind.name for kind in KINDS.values() if kind.category == SECURITY)


def kept(config: Settings) -> Keep:
    """What the settings ask for."""
    return Keep(
        webhooks=config.keep_webhooks_days,
        jobs=config.keep_jobs_days,
        mails=config.keep_mails_days,
        bodies=config.keep_mail_bodies_days,
        sign_in_bodies=config.keep_sign_in_bodies_days,
        health=config.keep_health_days,
        buyers=config.keep_buyers_days,
        sign_in=SIGN_IN,
    )


def forget_outputs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete what steps printed, of runs that printed last before a moment; returns how many runs' that was.

    Dagster keeps it in a folder for each run and deletes it never. The runs and their events stay; when those go, what
    they printed goes too.

    Args:
        instance: has the folders; where it keeps print-outs elsewhere, nothing is found.
        before: aware UTC.
    """
    old = [
        folder.parent.name
        for folder in Path(instance.storage_directory()).glob("*/compute_logs")
        if folder.stat().st_mtime < before.timestamp()
    ]
    for run_id in old:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(old)


@dg.op(name="forget", description="Deletes in small batches; its metadata says how many rows of which table.")
def forget(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    """Stopped anywhere, the next run goes on."""
    config = settings.load()
    counts = delete_old(warehouse.open(), kept(config), now(), personal())
    if config.keep_runs_days:
        before = now() - timedelta(days=config.keep_runs_days)
        counts |= delete_old_runs(context.instance, warehouse.open(), before)
        if refused := give_back(context.instance, indexes=now().weekday() in INDEX_DAYS):
            context.log.warning("Dagster's storage keeps the room of what was deleted: %s", refused)
    if config.keep_run_output_days:
        before = now() - timedelta(days=config.keep_run_output_days)
        counts["print-outs of runs"] = forget_outputs(context.instance, before)
    # After the night's runs: the first look at an asset's page in the morning reads what came since.
    read_statuses(context.instance, (asset for one in PLATFORMS for asset in one.dagster.get().assets))
    context.add_output_metadata(dict(counts))
    for name, count in counts.items():
        context.log.info("%s: %d rows", name, count)


@dg.job(
    name="retention",
    description="Deletes what has outlived its use: deliveries, jobs and mails that are over, solved problems, runs.",
    executor_def=dg.in_process_executor,
)
def retention() -> None:
    """One op: see :func:`forget`."""
    forget()
