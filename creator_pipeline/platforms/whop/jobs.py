"""Jobs ``whop_refresh``, what webhooks name, and ``whop_changes``, what changed since the last time without them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from creator_pipeline import settings
from creator_pipeline.core.windows import DayWindow, contiguous, now, today
from creator_pipeline.platforms.whop.access import SOURCE, WhopAccess
from creator_pipeline.platforms.whop.assets import (
    MEMBERSHIPS_STREAM,
    PAYMENTS_STREAM,
    landed,
    memberships_read,
    tell_tier,
)
from creator_pipeline.platforms.whop.money_assets import MONEY_STREAM, PAYOUTS_STREAM, money_read, payouts_read
from creator_pipeline.platforms.whop.sync import (
    LoadedPayments,
    load_payments,
    quarters,
    refresh_changed_payments,
    refresh_payments,
)
from creator_pipeline.platforms.whop.sync_memberships import LoadedMemberships, load_memberships, refresh_memberships
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.platforms.whop.table_assets import account as tables_account
from creator_pipeline.platforms.whop.table_assets import keep_told
from creator_pipeline.platforms.whop.tables import STREAMS
from creator_pipeline.platforms.whop.webhook import rows_of
from creator_pipeline.queue.jobs import Job
from creator_pipeline.runtime.profile_jobs import Work, profile_job, refresh_job
from creator_pipeline.runtime.table_assets import refresh_table
from creator_pipeline.store.freshness import mark_fresh, reads_the_present
from creator_pipeline.store.profiles import last_syncs, mark_synced

OVERLAP = timedelta(days=14)
"""Read again before the last good sync: a refund is created when it is asked for and can be pending for days."""

CREATED_OVERLAP = timedelta(days=1)
"""The same for memberships: one is created when it is bought."""


class _Reader:
    """One profile's account in one run: reads, logs every partition it touched, and counts ledger rows."""

    def __init__(self, work: Work, access: WhopAccess) -> None:
        self.work, self.access, self.events = work, access, 0
        self._used_before: dict[str, int | float] = {}

    def log_payments(self, loaded: LoadedPayments) -> None:
        """Log the days of payments that were read."""
        work = self.work
        self.events += len(loaded.events)
        start = settings.load().pipeline_start_date
        days = sorted({row.partition_day for row in loaded.payments if row.partition_day >= start})
        with work.landing(PAYMENTS_STREAM) as land:
            # What was read tells what is gone, odd or new; that the ledger agrees, the days as they are stored.
            land.tally.add(replace(loaded, payments=(), events=()))
            new = {"payment field": loaded.new_keys}
            land.stored(days, loaded.ledger_change, self.access.client.usage.metadata(), new)
        self._log_missing(loaded.missing)

    def _used(self) -> dict[str, int | float]:
        """What the client has used since this was asked last."""
        total = self.access.client.usage.metadata()
        used = {name: round(value - self._used_before.get(name, 0), 3) for name, value in total.items()}
        self._used_before = total
        return used

    def _log_memberships(self, loaded: LoadedMemberships) -> None:
        self.work.land_snapshot(
            MEMBERSHIPS_STREAM, memberships_read(self.work.profile_id, loaded, self._used(), sells=True)
        )
        self._log_missing(loaded.missing)

    def read_memberships(
        self, *, since: datetime | None = None, ids: Iterable[str] | None = None, also: Iterable[str] = ()
    ) -> None:
        """Read the named ones, or all that can have changed since, and ``also`` these; all without either."""
        work, client, account, tiers = self.work, self.access.client, self.access.account_id, self.work.resource.tiers()
        ring, profile_id = work.resource.ring(), work.profile_id
        if ids is None:
            found = load_memberships(
                work.warehouse, client, ring, profile_id, account, tiers, since=since, also=also, tell=tell_tier
            )
        else:
            found = refresh_memberships(work.warehouse, client, ring, profile_id, account, tiers, ids, tell=tell_tier)
        self._log_memberships(found)

    def read_money(self) -> None:
        """Read what is new of the account's money: feed, balance, reports, payouts."""
        work, client, profile_id = self.work, self.access.client, self.work.profile_id
        money = load_money(work.warehouse, client, profile_id, self.access.account_id)
        self.events += money.ledger_change.inserted + money.ledger_change.updated
        work.land_snapshot(MONEY_STREAM, money_read(work.warehouse, profile_id, money, self._used()))
        sent = load_payouts(work.warehouse, client, profile_id, self.access.account_id)
        work.land_snapshot(PAYOUTS_STREAM, payouts_read(profile_id, sent, self._used()))

    def read_days(self, windows: Sequence[DayWindow]) -> None:
        """Read every payment of whole days."""
        work, access = self.work, self.access
        with work.landing(PAYMENTS_STREAM) as land:
            for part in (part for window in windows for part in quarters(window)):
                loaded = load_payments(work.warehouse, access.client, work.profile_id, access.account_id, part)
                self.events += len(loaded.events)
                land.part(landed(part.each(), loaded, work.profile_id, access.client.usage.metadata()))

    def _log_missing(self, missing: Iterable[str]) -> None:
        if named := list(missing):
            text = "%d named objects are not this account's: %s"
            self.work.context.log.info(text, len(named), ", ".join(named[:10]))


class _Named(NamedTuple):
    """What jobs of the queue ask for.

    Attributes:
        ids: by kind, each with the account it was told of, as the gateway stored them.
        windows: whole days, where an account's history is asked for.
    """

    ids: dict[str, dict[str, str | None]]
    windows: list[DayWindow]


def _named(jobs: Sequence[Job]) -> _Named | None:
    kinds = ("membership", "payment", "member", "plan", "money")
    named: dict[str, dict[str, str | None]] = {kind: {} for kind in (*kinds, *map(rows_of, STREAMS))}
    for job in jobs:
        payload = job.payload
        told: dict[str, list[str]] = {str(payload.get("kind")): payload.get("ids", []), **payload.get("rows", {})}
        for kind in told.keys() & named.keys():
            named[kind] |= dict.fromkeys(told[kind], payload.get("account"))
    days = {day for job in jobs if "from" in job.payload for day in _window(job.payload).each()}
    return _Named(named, contiguous(days)) if days or any(named.values()) else None


def _window(payload: Mapping[str, Any]) -> DayWindow:
    first = max(date.fromisoformat(payload["from"]), settings.load().pipeline_start_date)
    return DayWindow(first, min(date.fromisoformat(payload["to"]), today() + timedelta(days=1)))


def _read_named(work: Work, told: _Named) -> int:
    started = now()
    access = work.resource.access(work.warehouse, work.profile_id)
    own = access.account_id
    # Until an account is known its deliveries come to every key whose account isn't; this one is known now.
    named = {
        kind: [key for key, account in ids.items() if None in (own, account) or own == account]
        for kind, ids in told.ids.items()
    }
    with access.client:
        reader = _Reader(work, access)
        if told.windows:
            reader.read_days(told.windows)
        if named["payment"]:
            reader.log_payments(
                refresh_payments(work.warehouse, access.client, work.profile_id, access.account_id, named["payment"])
            )
        if named["member"] or named["plan"] or told.windows:
            # An address or a plan's title can stand behind any membership, ended ones too.
            reader.read_memberships()
        elif named["membership"]:
            reader.read_memberships(ids=named["membership"])
        if named["money"] or told.windows:
            reader.read_money()
        keep_told(work, access)
        tables = tables_account(work.resource, work.warehouse, work.profile_id, access)
        for stream in STREAMS:
            refresh_table(work, stream, tables, list(named[rows_of(stream)]))
    if reads_the_present(told.windows, started, settings.load().pipeline_start_date):
        with work.warehouse.write() as connection:
            mark_synced(connection, SOURCE.provider, work.profile_id, started)
            mark_fresh(connection, SOURCE, work.profile_id, started)
    return reader.events


def _read_changes(work: Work) -> None:
    """Find what changed in one profile's account since the last time this ran to its end."""
    started = now()
    access = work.resource.access(work.warehouse, work.profile_id)
    with access.client:
        reader = _Reader(work, access)
        last = last_syncs(work.warehouse, SOURCE.provider).get(work.profile_id)
        since = last - OVERLAP if last else None
        first = since or _midnight(settings.load().pipeline_start_date)
        found = refresh_changed_payments(work.warehouse, access.client, work.profile_id, access.account_id, first)
        reader.log_payments(found)
        touched = {row.membership_id for row in found.payments if row.membership_id}
        reader.read_memberships(since=last - CREATED_OVERLAP if last else None, also=touched)
        keep_told(work, access)
    with work.warehouse.write() as connection:
        # Only here: every other run reads a part, and what changed before it would never be looked for again.
        mark_synced(connection, SOURCE.provider, work.profile_id, started)
        mark_fresh(connection, SOURCE, work.profile_id, started)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


REFRESH = refresh_job(SOURCE, "whop_refresh_named", _named, _read_named)
CHANGES = profile_job(
    SOURCE,
    "whop_changes",
    "whop_read_changes",
    {
        "job": "What changed at Whop since the last sync: refunds, disputes, open payments, memberships.",
        "op": "Finds and reads what changed since the last sync; logs each partition.",
    },
    _read_changes,
)
