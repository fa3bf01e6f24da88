"""Assets ``whop/memberships``, ``whop/payments`` and ``sales_events/whop``."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import dagster as dg
from sqlalchemy import Connection

from creator_pipeline.core.errors import PipelineError
from creator_pipeline.core.windows import contiguous, partition_key
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.whop import checks
from creator_pipeline.platforms.whop import metadata as shown
from creator_pipeline.platforms.whop.checks import EVENTS, MEMBERSHIPS, PAYMENTS
from creator_pipeline.platforms.whop.models import PaymentRow
from creator_pipeline.platforms.whop.sync import PLATFORM, LoadedPayments, load_payments, quarters, rebuild_ledger
from creator_pipeline.platforms.whop.sync_memberships import TierChange, load_memberships
from creator_pipeline.platforms.whop.tier_mails import on_tier_change
from creator_pipeline.runtime.describe import OWNERS, column_schema
from creator_pipeline.runtime.hooks import HOOKS
from creator_pipeline.runtime.outcome import RETRY, Outcome, allow_shrink
from creator_pipeline.runtime.partitions import days_by_profile, whop_days, whop_profiles
from creator_pipeline.runtime.refused_tokens import note_refused_token
from creator_pipeline.runtime.resources import WarehouseResource, WhopResource
from creator_pipeline.runtime.unknown_fields import report_unknown
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events, whop_payments, whop_subscriptions

POOL = "whop_api"
NIGHTLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=26))
Usage = dict[str, int | float]


def tell_tier(connection: Connection, change: TierChange) -> None:
    """One mail for each change of a tier, in the transaction that makes it."""
    before, at = change.before, change.changed_at
    change_id = "\n".join([before.tier, before.plan_name or "", at.isoformat() if at else ""])
    on_tier_change(connection, change.profile_id, change.tier, change.plan_name, change_id=change_id)


@dg.multi_asset(
    name="whop_memberships",
    specs=[
        dg.AssetSpec(
            MEMBERSHIPS,
            description="Every membership of a profile's Whop account as it stands now, who holds it where that is "
            "known, and the tier that follows: it fills `whop_subscriptions`, and `subscription_tier` and `plan_name` "
            "of the profiles that hold one. A membership that fits nobody, or two, is kept without a profile.",
            group_name="whop",
            kinds={"whop", "python", "table"},
            owners=OWNERS,
            metadata=column_schema(whop_subscriptions),
            freshness_policy=NIGHTLY,
            skippable=True,
        )
    ],
    check_specs=checks.MEMBERSHIP_SPECS,
    can_subset=True,
    partitions_def=whop_profiles,
    hooks=HOOKS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY,
    pool=POOL,
)
def memberships(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, whop: WhopResource
) -> Iterator[dg.AssetCheckResult]:
    """Read all memberships of each profile of the run and store them with the tiers that follow."""
    house, outcome, tally = warehouse.open(), Outcome(context), checks.Memberships()
    done = outcome.done_before()
    for profile_id in context.partition_keys:
        if (MEMBERSHIPS.to_user_string(), profile_id) in done:
            continue
        with outcome.isolate([profile_id], set()):
            try:
                whop.require_enabled()
                tiers, access = whop.tiers(), whop.access(house, profile_id)
                with access.client as client:
                    loaded = load_memberships(
                        house,
                        client,
                        whop.ring(),
                        profile_id,
                        access.account_id,
                        tiers,
                        allow_shrink=allow_shrink(context),
                        tell=tell_tier,
                    )
                    sells = bool(loaded.memberships) or any(True for _ in client.plans(access.account_id))
            except PipelineError as error:
                note_refused_token(house, PLATFORM, profile_id, error)
                raise
            tally.add(profile_id, loaded, sells=sells)
            report_unknown(context, house, PLATFORM, "membership field", loaded.new_keys)
            report_unknown(context, house, PLATFORM, "membership status", loaded.unknown_statuses)
            metadata = {**client.usage.metadata(), **shown.memberships(loaded)}
            outcome.materialized(MEMBERSHIPS, profile_id, len(loaded.memberships), metadata)
    yield from checks.results(tally, context.selected_asset_check_keys)
    outcome.raise_if_failed()


@dg.multi_asset(
    name="whop_payments",
    specs=[
        dg.AssetSpec(
            PAYMENTS,
            description="Every payment made on a UTC day, as Whop shows it now, with its refunds and disputes. "
            "A run replaces exactly its days.",
            group_name="whop",
            kinds={"whop", "python", "table"},
            owners=OWNERS,
            metadata=column_schema(whop_payments),
            freshness_policy=NIGHTLY,
            skippable=True,
        ),
        dg.AssetSpec(
            EVENTS,
            deps=[PAYMENTS],
            description="The ledger's rows of the payments made on a UTC day: each sale, and a negative row for each "
            "way its money went back, at Whop's own time, so that a refund's row can lie on a later day than its "
            "partition's.",
            group_name="ledger",
            kinds={"python", "table"},
            owners=OWNERS,
            metadata=column_schema(sales_events),
            freshness_policy=NIGHTLY,
            skippable=True,
        ),
    ],
    check_specs=checks.PAYMENT_SPECS,
    can_subset=True,
    partitions_def=whop_days,
    hooks=HOOKS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY,
    pool=POOL,
)
def payments(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, whop: WhopResource
) -> Iterator[dg.AssetCheckResult]:
    """Read each profile's days, a quarter at a time; both assets land in one transaction."""
    house, outcome, tally = warehouse.open(), Outcome(context), checks.Payments()
    done = outcome.done_before()
    for profile_id, days in days_by_profile(context.partition_keys).items():
        todo = [
            day
            for day in days
            if not all(
                (key.to_user_string(), partition_key(day, profile_id)) in done for key in context.selected_asset_keys
            )
        ]
        landed: set[str] = set()
        with outcome.isolate([partition_key(day, profile_id) for day in todo], landed):
            try:
                _sync_profile(context, house, whop, profile_id, todo, outcome, tally, landed)
            except PipelineError as error:
                note_refused_token(house, PLATFORM, profile_id, error)
                raise
    yield from checks.results(tally, context.selected_asset_check_keys)
    outcome.raise_if_failed()


def _sync_profile(
    context: dg.AssetExecutionContext,
    house: Warehouse,
    whop: WhopResource,
    profile_id: str,
    days: list[date],
    outcome: Outcome,
    tally: checks.Payments,
    landed: set[str],
) -> None:
    selected, shrink = set(context.selected_asset_keys), allow_shrink(context)
    parts = [part for window in contiguous(days) for part in quarters(window)]
    if PAYMENTS not in selected:
        for part in parts:
            loaded = rebuild_ledger(house, profile_id, part, allow_shrink=shrink)
            tally.add(loaded)
            report(outcome, profile_id, part.each(), loaded, {}, selected)
            landed.update(partition_key(day, profile_id) for day in part.each())
        return
    whop.require_enabled()
    access, with_ledger = whop.access(house, profile_id), EVENTS in selected
    with access.client as client:
        for part in parts:
            loaded = load_payments(
                house, client, profile_id, access.account_id, part, with_ledger=with_ledger, allow_shrink=shrink
            )
            tally.add(loaded, with_ledger=with_ledger)
            report_unknown(context, house, PLATFORM, "payment field", loaded.new_keys)
            report(outcome, profile_id, part.each(), loaded, client.usage.metadata(), selected)
            landed.update(partition_key(day, profile_id) for day in part.each())


def report(
    outcome: Outcome,
    profile_id: str,
    days: Iterable[date],
    loaded: LoadedPayments,
    usage: Usage,
    selected: set[dg.AssetKey],
) -> None:
    """Log each of these days as ``loaded`` brought it, for each of the two assets that was asked for."""
    rows_of, events_of = defaultdict[date, list[PaymentRow]](list), defaultdict[str, list[LedgerEvent]](list)
    for row in loaded.payments:
        rows_of[row.partition_day].append(row)
    for event in loaded.events:
        events_of[event.source].append(event)
    with outcome.together():
        for day in days:
            key = partition_key(day, profile_id)
            if PAYMENTS in selected:
                outcome.materialized(PAYMENTS, key, len(rows_of[day]), {**usage, **shown.payments(rows_of[day])})
            if EVENTS in selected:
                outcome.materialized(EVENTS, key, len(events_of[key]), shown.events(events_of[key]))
