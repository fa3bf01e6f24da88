"""Assets ``whop/financial_activity`` and ``whop/payouts``, and the job that reads both."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import dagster as dg

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.whop import money_checks as checks
from creator_pipeline.platforms.whop.access import SOURCE, WhopResource
from creator_pipeline.platforms.whop.assets import PAYMENTS_STREAM, PROFILES
from creator_pipeline.platforms.whop.ledger_store import stored_families
from creator_pipeline.platforms.whop.money_fees import told_fees
from creator_pipeline.platforms.whop.sync_money import LoadedMoney, load_money
from creator_pipeline.platforms.whop.sync_payouts import LoadedPayouts, load_payouts
from creator_pipeline.runtime.asset_jobs import asset_job
from creator_pipeline.runtime.describe import PREVIEW_ROWS, preview
from creator_pipeline.runtime.stream_assets import snapshot_asset
from creator_pipeline.runtime.streams import Request, Snapshot, SnapshotStream, Usage
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payouts as payouts_table
from creator_pipeline.store.tables import whop_financial_activity


def read_money(warehouse: Warehouse, profile_id: str, loaded: LoadedMoney) -> checks.ReadMoney:
    """What the checks need of the money of one account.

    Args:
        warehouse: where the tables are.
        profile_id: whose money.
        loaded: as it was read.
    """
    with warehouse.read() as connection:
        fees = told_fees(connection, profile_id)
        families = stored_families(connection, profile_id)
    return checks.ReadMoney(profile_id, loaded, fees, max(1, loaded.stored), families)


def money_shown(loaded: LoadedMoney) -> dict[str, Any]:
    """Figures of the lines that were read, by currency and word, and what rounding left out."""
    sums, counts = defaultdict[tuple[str, str], int](int), Counter[tuple[str, str]]()
    for line in loaded.money.lines.values():
        sums[line.currency, line.line_type] += line.amount_micros
        counts[line.currency, line.line_type] += 1
    table = [
        (currency, word, counts[currency, word], to_text(micros, currency))
        for (currency, word), micros in sorted(sums.items())
    ]
    balances: dict[str, int] = defaultdict(int)
    for part in loaded.money.balances or ():
        balances[part.currency] += part.micros
    return {
        **loaded.change.metadata(),
        "lines_read": len(loaded.money.lines),
        "ledger_rows_changed": loaded.ledger_change.inserted + loaded.ledger_change.updated,
        "rounded_away": dg.MetadataValue.json({code: f"{left:f}" for code, left in loaded.residue.items()}),
        "without_report": dg.MetadataValue.json(list(loaded.money.no_report)),
        **{f"balance_{currency}": to_text(micros, currency) for currency, micros in sorted(balances.items())},
        "preview": preview(("currency", "line type", "lines", "amount"), table[:PREVIEW_ROWS]),
    }


def payouts_shown(loaded: LoadedPayouts) -> dict[str, Any]:
    """Figures of an account's payouts, and the newest of them."""
    newest = sorted(loaded.payouts, key=lambda row: row.created_at, reverse=True)[:PREVIEW_ROWS]
    table = [
        (
            f"{row.created_at:%Y-%m-%d}",
            row.status,
            to_text(row.amount_micros, row.currency),
            row.currency,
            "" if row.balance_micros is None else to_text(row.balance_micros, row.balance_currency or row.currency),
            "no" if row.estimated else "yes",
        )
        for row in newest
    ]
    return {
        **loaded.change.metadata(),
        "statements_read": loaded.statements,
        "by_state": dg.MetadataValue.json(dict(sorted(Counter(row.state for row in loaded.payouts).items()))),
        "preview": preview(("made", "status", "amount", "currency", "of the balance", "explained"), table),
    }


def _load_money(request: Request[WhopResource]) -> Snapshot:
    access = request.resource.access(request.warehouse, request.profile_id)
    with access.client as client:
        loaded = load_money(request.warehouse, client, request.profile_id, access.account_id, request.since)
    return money_read(request.warehouse, request.profile_id, loaded, client.usage.metadata())


def money_read(warehouse: Warehouse, profile_id: str, loaded: LoadedMoney, usage: Usage) -> Snapshot:
    """The money of an account as it is logged.

    Args:
        warehouse: where the tables are.
        profile_id: whose money.
        loaded: what was read of it.
        usage: requests and waiting that it took.
    """
    return Snapshot(
        loaded.stored,
        {**usage, **money_shown(loaded)},
        read_money(warehouse, profile_id, loaded),
        {"financial activity field": loaded.money.new_keys},
        loaded.ledger_change,
    )


def _load_payouts(request: Request[WhopResource]) -> Snapshot:
    access = request.resource.access(request.warehouse, request.profile_id)
    with access.client as client:
        loaded = load_payouts(request.warehouse, client, request.profile_id, access.account_id, request.since)
    return payouts_read(request.profile_id, loaded, client.usage.metadata())


def payouts_read(profile_id: str, loaded: LoadedPayouts, usage: Usage) -> Snapshot:
    """The payouts of an account as they are logged."""
    return Snapshot(
        len(loaded.payouts),
        {**usage, **payouts_shown(loaded)},
        checks.ReadPayouts(profile_id, loaded),
        {"payout field": loaded.new_keys},
    )


MONEY_STREAM = SnapshotStream(
    source=SOURCE,
    name="whop_financial_activity",
    key=checks.FEED,
    table=whop_financial_activity,
    description="Every movement of money of a profile's Whop account, with its balance and Whop's report of it. The "
    "ledger's rows of the payments that they are about are made anew: fees, tax, partners' shares, refunds and "
    "disputes, each at the time Whop booked it. A run reads what is new, with a day of overlap.",
    profiles=PROFILES,
    load=_load_money,
    tally=checks.Feed,
    checks=checks.FEED_CHECKS,
    touches=PAYMENTS_STREAM,
)
PAYOUTS_STREAM = SnapshotStream(
    source=SOURCE,
    name="whop_payouts",
    key=checks.PAYOUTS,
    table=payouts_table,
    description="The payouts of a profile's Whop account and what each is made of: its statement, which is a period, "
    "with what was in the balance before and what stays. Which sales are in a payout is a convention.",
    profiles=PROFILES,
    load=_load_payouts,
    tally=checks.Payouts,
    checks=checks.PAYOUT_CHECKS,
    follows=(checks.FEED,),
)
money = snapshot_asset(MONEY_STREAM, PAYOUTS_STREAM)
"""The feed goes before the payouts: they are told by its lines."""
BOOKS_JOB = asset_job(
    "whop_books",
    [checks.FEED, checks.PAYOUTS],
    "What is new in the money of a profile's account: feed, balance, reports, payouts and their "
    "statements. The run tag creator_pipeline/since reads everything since that day again.",
)
