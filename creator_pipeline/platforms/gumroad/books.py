"""The books of Gumroad: the equations by which its payouts and the ledger are checked, and the ledger made anew."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.books import Books, Identity
from creator_pipeline.platforms.gumroad.book_lines import of_lines
from creator_pipeline.platforms.gumroad.book_totals import of_totals
from creator_pipeline.platforms.gumroad.ledger_store import LIVE
from creator_pipeline.platforms.gumroad.payout_heads import stored_rows
from creator_pipeline.platforms.gumroad.sync import rebuild_ledger
from creator_pipeline.platforms.gumroad.unreadable import not_readable
from creator_pipeline.store.engine import Warehouse

NAMES = {
    "adjustments_explained": "Each payout's Technical Adjustment is made of parts that are known.",
    "processor_groups_are_nothing": "What a processor paid by itself is listed by a payout and taken out again: 0.",
    "sale_lines_equal_sales": "Each sale that a payout lists has the price and the fee of the stored sale.",
    "refunds_within_price": "Payouts list no more refunds of a sale than it cost.",
    "shares_are_paid": "The affiliates' shares of a payout's own sales are among its lines.",
    "sales_are_paid_once": "Every charged sale older than what the newest completed payout covers is in one payout.",
    "rate_is_likely": "A payout in another currency has about the rate of the others, or the usual one.",
    "planned_within_balance": "What Gumroad plans to pay is not more than the ledger less the payouts.",
    "year_equals_earnings": "The sales of a year are Gumroad's own totals of it, less fees, tax and shares.",
}


def identities(connection: Connection, profile_id: str) -> Iterator[Identity]:
    """Every equation of a profile, with its figures."""
    paid = sorted(stored_rows(connection, profile_id).values(), key=lambda row: (row.created_at, row.payout_id))
    live = [row for row in paid if row.state in LIVE and row.lines_read_at is not None]
    yield from of_lines(connection, profile_id, live)
    yield from of_totals(connection, profile_id, paid)


def rebuild(warehouse: Warehouse, profile_id: str, window: DayWindow) -> int:
    """Make the ledger of what was sold on these days anew, rows of payouts among it; how many rows changed.

    Args:
        warehouse: where the tables are.
        profile_id: whose ledger.
        window: half-open UTC days of the sales.
    """
    change = rebuild_ledger(warehouse, profile_id, window, allow_shrink=True).ledger_change
    return change.inserted + change.updated + change.deleted


BOOKS = Books(
    identities=identities,
    names=NAMES,
    rebuild=rebuild,
    follows=("gumroad/payouts",),
    job="gumroad_payouts",
    not_readable=not_readable,
)
