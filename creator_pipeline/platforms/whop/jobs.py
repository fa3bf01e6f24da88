"""Jobs ``whop_refresh``, what webhooks name, and ``whop_changes``, what changed since the last time without them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import dagster as dg

from creator_pipeline import settings
from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import now
from creator_pipeline.platforms.whop import checks, metadata
from creator_pipeline.platforms.whop.assets import POOL, report, tell_tier
from creator_pipeline.platforms.whop.checks import EVENTS, MEMBERSHIPS, PAYMENTS
from creator_pipeline.platforms.whop.sync import (
    PLATFORM,
    LoadedPayments,
    refresh_changed_payments,
    refresh_payments,
    stored_days,
)
from creator_pipeline.platforms.whop.sync_memberships import LoadedMemberships, load_memberships, refresh_memberships
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime.outcome import RETRY, Outcome
from creator_pipeline.runtime.queue_jobs import ClaimedJobs, process_jobs
from creator_pipeline.runtime.refused_tokens import note_refused_token
from creator_pipeline.runtime.resources import WarehouseResource, WhopAccess, WhopResource
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.profiles import last_syncs, mark_synced

OVERLAP = timedelta(days=14)
"""Read again before the last good sync: a refund is created when it is asked for and can be pending for days."""


class ChangesConfig(dg.Config):
    """Whose account."""

    profile_id: str


class _Reader:
    """One profile's account in one run: reads, logs every partition it touched, and counts ledger rows."""

    def __init__(
        self, context: dg.OpExecutionContext, house: Warehouse, whop: WhopResource, profile_id: str, access: WhopAccess
    ) -> None:
        self.context, self.house, self.whop, self.profile_id, self.access = context, house, whop, profile_id, access
        self.outcome, self.events = Outcome(context), 0

    def payments(self, loaded: LoadedPayments) -> None:
        """Log the days of payments that were read."""
        self.events += len(loaded.events)
        start = settings.load().pipeline_start_date
        days = sorted({row.partition_day for row in loaded.payments if row.partition_day >= start})
        stored, usage = stored_days(self.house, self.profile_id, days), self.access.client.usage.metadata()
        report(self.outcome, self.profile_id, days, stored, usage, {PAYMENTS, EVENTS})
        report_unknown(self.context, self.house, PLATFORM, "payment field", loaded.new_keys)
        tally = checks.Payments()
        tally.add(loaded)
        checks.log(self.context, tally)
        _note_missing(self.context, loaded.missing)

    def memberships(self, loaded: LoadedMemberships) -> None:
        """Log the account's memberships as they stand now."""
        shown = {**self.access.client.usage.metadata(), **metadata.memberships(loaded)}
        self.outcome.materialized(MEMBERSHIPS, self.profile_id, len(loaded.memberships), shown)
        report_unknown(self.context, self.house, PLATFORM, "membership field", loaded.new_keys)
        report_unknown(self.context, self.house, PLATFORM, "membership status", loaded.unknown_statuses)
        tally = checks.Memberships()
        tally.add(self.profile_id, loaded, sells=True)
        checks.log(self.context, tally)
        _note_missing(self.context, loaded.missing)

    def read_memberships(self, *, since: datetime | None = None, ids: Iterable[str] | None = None) -> None:
        """The named ones, or all that can have changed since; all without either."""
        house, client, account, tiers = self.house, self.access.client, self.access.account_id, self.whop.tiers()
        ring, profile_id = self.whop.ring(), self.profile_id
        if ids is None:
            found = load_memberships(house, client, ring, profile_id, account, tiers, since=since, tell=tell_tier)
        else:
            found = refresh_memberships(house, client, ring, profile_id, account, tiers, ids, tell=tell_tier)
        self.memberships(found)


def _note_missing(context: dg.OpExecutionContext, missing: Iterable[str]) -> None:
    if named := list(missing):
        context.log.info("%d named objects are not this account's: %s", len(named), ", ".join(named[:10]))


@dg.op(name="whop_refresh_named", pool=POOL, description="Re-reads what the jobs name; logs each partition.")
def refresh(
    context: dg.OpExecutionContext, config: ClaimedJobs, warehouse: WarehouseResource, whop: WhopResource
) -> None:
    """Work off the jobs of one profile."""
    house, profile_id = warehouse.open(), config.profile_id
    with process_jobs(house, config, context.run.run_id) as work:
        whop.require_enabled()
        named = _named(work.jobs)
        if not any(named.values()):
            return
        try:
            access = whop.access(house, profile_id)
            with access.client:
                reader = _Reader(context, house, whop, profile_id, access)
                if named["payment"]:
                    reader.payments(
                        refresh_payments(house, access.client, profile_id, access.account_id, named["payment"])
                    )
                if named["member"] or named["plan"]:
                    # An address or a plan's title can stand behind any membership, ended ones too.
                    reader.read_memberships()
                elif named["membership"]:
                    reader.read_memberships(ids=named["membership"])
        except PipelineError as error:
            note_refused_token(house, PLATFORM, profile_id, error)
            raise
        work.events_count = reader.events


def _named(jobs: Iterable[Job]) -> dict[str, list[str]]:
    """Ids by kind, each once, as the gateway stored them."""
    named: dict[str, dict[str, None]] = {kind: {} for kind in ("membership", "payment", "member", "plan")}
    for job in jobs:
        if job.payload.get("kind") in named:
            named[job.payload["kind"]] |= dict.fromkeys(job.payload.get("ids", ()))
    return {kind: list(ids) for kind, ids in named.items()}


@dg.op(
    name="whop_read_changes",
    pool=POOL,
    retry_policy=RETRY,
    description="Finds and reads what changed since the last sync; logs each partition.",
)
def changes(
    context: dg.OpExecutionContext, config: ChangesConfig, warehouse: WarehouseResource, whop: WhopResource
) -> None:
    """Find what changed in one profile's account since the last time this ran to its end."""
    house, profile_id, started = warehouse.open(), config.profile_id, now()
    outcome = Outcome(context)
    with outcome.isolate([profile_id], set()):
        try:
            whop.require_enabled()
            access = whop.access(house, profile_id)
            with access.client:
                reader = _Reader(context, house, whop, profile_id, access)
                last = last_syncs(house, PLATFORM).get(profile_id)
                since = last - OVERLAP if last else None
                first = since or _midnight(settings.load().pipeline_start_date)
                found = refresh_changed_payments(house, access.client, profile_id, access.account_id, first)
                reader.payments(found)
                reader.read_memberships(since=since)
        except PipelineError as error:
            note_refused_token(house, PLATFORM, profile_id, error)
            raise
        with house.write() as connection:
            # Only here: every other run reads a part, and what changed before it would never be looked for again.
            mark_synced(connection, PLATFORM, profile_id, started)
    outcome.raise_if_failed()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dg.job(
    name="whop_refresh",
    description="Re-reads from the API what webhooks named: one run for all waiting deliveries of a profile.",
    executor_def=dg.in_process_executor,
)
def whop_refresh() -> None:
    """One op: see :func:`refresh`."""
    refresh()


@dg.job(
    name="whop_changes",
    description="What changed at Whop since the last sync: refunds, disputes, open payments, memberships.",
    executor_def=dg.in_process_executor,
)
def whop_changes() -> None:
    """One op: see :func:`changes`."""
    changes()


def run_config(profile_id: str, leases: list[str]) -> dict[str, Any]:
    """Run config of :data:`whop_refresh` for a batch of jobs."""
    return {"ops": {"whop_refresh_named": {"config": {"profile_id": profile_id, "leases": leases}}}}


def changes_config(profile_id: str) -> dict[str, Any]:
    """Run config of :data:`whop_changes`."""
    return {"ops": {"whop_read_changes": {"config": {"profile_id": profile_id}}}}
