"""Assets ``whop/memberships``, ``whop/payments`` and ``sales_events/whop``."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy import Connection

from creator_pipeline.core.windows import partition_key
from creator_pipeline.platforms.whop import checks, metadata
from creator_pipeline.platforms.whop.access import SOURCE, WhopResource, check_account
from creator_pipeline.platforms.whop.lineage import LINEAGE
from creator_pipeline.platforms.whop.sync import LoadedPayments, load_payments, quarters, rebuild_ledger, stored_days
from creator_pipeline.platforms.whop.sync_memberships import LoadedMemberships, TierChange, load_memberships
from creator_pipeline.platforms.whop.table_assets import store_read
from creator_pipeline.platforms.whop.tier_mails import on_tier_change
from creator_pipeline.runtime.partitions import profile_partitions
from creator_pipeline.runtime.stream_assets import daily_asset, snapshot_asset
from creator_pipeline.runtime.streams import DailyStream, Landed, Request, Snapshot, SnapshotStream, Usage, by_day
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import whop_payments, whop_subscriptions

PROFILES = profile_partitions(SOURCE)


def tell_tier(connection: Connection, change: TierChange) -> None:
    """One mail for each change of a tier, in the transaction that makes it."""
    before, at = change.before, change.changed_at
    change_id = "\n".join([before.tier, before.plan_name or "", at.isoformat() if at else ""])
    on_tier_change(connection, change.profile_id, change.tier, change.plan_name, change_id=change_id)


def _load_memberships(request: Request[WhopResource]) -> Snapshot:
    access = request.resource.access(request.warehouse, request.profile_id)
    with access.client as client:
        loaded = load_memberships(
            request.warehouse,
            client,
            request.resource.ring(),
            request.profile_id,
            access.account_id,
            request.resource.tiers(),
            allow_shrink=request.allow_shrink,
            tell=tell_tier,
        )
        sells = bool(loaded.memberships) or any(True for _ in client.plans(access.account_id))
        # Members and variants were read to their ends; their partitions tell it at their tables' next turn.
        for _ in store_read(request.resource, request.warehouse, request.profile_id, access):
            pass
    return memberships_read(request.profile_id, loaded, client.usage.metadata(), sells=sells)


def memberships_read(profile_id: str, loaded: LoadedMemberships, usage: Usage, *, sells: bool) -> Snapshot:
    """Memberships of an account as they are logged.

    Args:
        profile_id: whose account.
        loaded: what was read of it.
        usage: requests and waiting that it took.
        sells: whether the account has memberships or a plan.
    """
    return Snapshot(
        len(loaded.memberships),
        {**usage, **metadata.memberships(loaded)},
        checks.ReadMemberships(profile_id, loaded, sells),
        {"membership field": loaded.new_keys, "membership status": loaded.unknown_statuses},
    )


def _load_payments(request: Request[WhopResource]) -> Iterator[Landed]:
    access = request.resource.access(request.warehouse, request.profile_id)
    read = 0
    with access.client as client:
        for part in (part for window in request.windows for part in quarters(window)):
            loaded = load_payments(
                request.warehouse,
                client,
                request.profile_id,
                access.account_id,
                part,
                allow_shrink=request.allow_shrink,
            )
            read += len(loaded.payments)
            yield landed(part.each(), loaded, request.profile_id, client.usage.metadata())
        if not read:
            check_account(client, access.account_id)


def _rebuild(request: Request[WhopResource]) -> Iterator[Landed]:
    for part in (part for window in request.windows for part in quarters(window)):
        loaded = rebuild_ledger(request.warehouse, request.profile_id, part, allow_shrink=request.allow_shrink)
        yield landed(part.each(), loaded, request.profile_id, {})


def landed(days: Iterable[date], loaded: LoadedPayments, profile_id: str, usage: Usage) -> Landed:
    """Days of payments as ``loaded`` brought them, as the factory logs them.

    Args:
        days: that are logged.
        loaded: their payments and ledger rows.
        profile_id: whose they are.
        usage: requests and waiting of the client.
    """
    asked = list(days)
    # A refund's row can lie on a later day than its payment's partition, so its source tells where it belongs.
    day_of = {partition_key(day, profile_id): day for day in asked}
    return Landed(
        asked,
        by_day(loaded.payments, lambda row: row.partition_day),
        by_day((event for event in loaded.events if event.source in day_of), lambda event: day_of[event.source]),
        loaded,
        usage,
        {"payment field": loaded.new_keys},
        loaded.payments_change,
        loaded.ledger_change,
    )


def stored(warehouse: Warehouse, profile_id: str, days: Sequence[date]) -> Iterator[Landed]:
    """These days as they are stored.

    Args:
        warehouse: where the tables are.
        profile_id: whose payments.
        days: UTC days.
    """
    yield landed(days, stored_days(warehouse, profile_id, days), profile_id, {})


MEMBERSHIPS_STREAM = SnapshotStream(
    source=SOURCE,
    name="whop_memberships",
    key=checks.MEMBERSHIPS,
    table=whop_subscriptions,
    description="Every membership of a profile's Whop account as it stands now, who holds it where that is "
    "known, and the tier that follows: it fills `whop_subscriptions`, and `subscription_tier` and `plan_name` "
    "of the profiles that hold one. A membership that fits nobody, or two, is kept without a profile.",
    profiles=PROFILES,
    load=_load_memberships,
    tally=checks.Memberships,
    checks=checks.MEMBERSHIP_CHECKS,
)
PAYMENTS_STREAM = DailyStream(
    source=SOURCE,
    name="whop_payments",
    key=checks.PAYMENTS,
    table=whop_payments,
    description="Every payment made on a UTC day, as Whop shows it now, with its refunds and disputes. "
    "A run replaces exactly its days.",
    ledger_description="The ledger's rows of the payments made on a UTC day: each sale, and a negative row for each "
    "way its money went back, at Whop's own time, so that a refund's row can lie on a later day than its "
    "partition's.",
    profiles=PROFILES,
    load=_load_payments,
    rebuild=_rebuild,
    stored=stored,
    shown=metadata.payments,
    tally=checks.Payments,
    checks=checks.PAYMENT_CHECKS,
    lineage=LINEAGE,
)
memberships = snapshot_asset(MEMBERSHIPS_STREAM)
payments = daily_asset(PAYMENTS_STREAM)
