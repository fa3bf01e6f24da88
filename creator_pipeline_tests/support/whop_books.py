"""Reading the money of an account of Whop's, and what of it is stored."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.books import Identity
from creator_pipeline.platforms.whop.books import BOOKS
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync import load_payments
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.platforms.whop.sync_payouts import load_payouts
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import payout_lines, payouts, sales_events, whop_financial_activity
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_money import ACCOUNT

WINDOW = DayWindow(date(2026, 10, 1), date(2026, 11, 1))
BOOKED = (sales_events, whop_financial_activity, payouts, payout_lines)


def money(warehouse: Warehouse, client: WhopClient, **more):
    return load_money(warehouse, client, "alice", ACCOUNT, **more)


def payments(warehouse: Warehouse, client: WhopClient):
    return load_payments(warehouse, client, "alice", ACCOUNT, WINDOW)


def sent(warehouse: Warehouse, client: WhopClient, **more):
    return load_payouts(warehouse, client, "alice", ACCOUNT, **more)


def ledger(warehouse: Warehouse, **where) -> list:
    with warehouse.read() as connection:
        found = connection.execute(select(sales_events).order_by(sales_events.c.occurred_at, sales_events.c.id))
        return [row for row in found if all(getattr(row, name) == value for name, value in where.items())]


def identities(warehouse: Warehouse) -> list[Identity]:
    with warehouse.read() as connection:
        return list(BOOKS.identities(connection, "alice"))


def broken(warehouse: Warehouse) -> set[tuple[str, str, str]]:
    return {(each.name, each.key, each.currency) for each in identities(warehouse) if not each.holds}


def stored(warehouse: Warehouse) -> dict[str, list]:
    return {table.name: rows(warehouse, table) for table in BOOKED}


GOLD = {
    ("feed_equals_balance", "available+pending+reserve", "XAU"),
    ("ledger_equals_payouts_and_balance", "ledger", "XAU"),
}
"""Whop tells no balance in gold, so nobody can compare it: it stands unexplained, not silent."""
