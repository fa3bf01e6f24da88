"""Re-reading the sales that webhooks named. What a webhook says is not believed: only its ids are used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import NamedTuple

from sqlalchemy import func, or_, select

from creator_pipeline.core.json_fields import unknown_keys
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, contiguous, now, today
from creator_pipeline.platforms.gumroad.answers import Json
from creator_pipeline.platforms.gumroad.catalog import PAGE_SIZE, SALE_KEYS
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.ledger_store import rewrite_sales
from creator_pipeline.platforms.gumroad.models import SaleRow, sale_row, without_buyers
from creator_pipeline.platforms.gumroad.odd import OddSales, keep_odd
from creator_pipeline.platforms.gumroad.payout_store import matters_to_payouts, rewrite_payouts
from creator_pipeline.platforms.gumroad.refunds import RefundSettler
from creator_pipeline.platforms.gumroad.sync import currencies, load_sales
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, upsert
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import gumroad_sales

_RECENT = timedelta(days=1)
_IDS_AT_ONCE = 900
_REQUESTS_BY_ID = 2
"""Requests for a sale by its id: the sale, and the list's word that it counts."""


@dataclass(frozen=True)
class Refreshed:
    """What re-reading did.

    Attributes:
        days: UTC days that hold a sale that was read.
        sales, events: rows that were read and what they became in the ledger.
        ledger: what became of the ledger.
        new_keys: keys of the sales this code doesn't know.
        not_found: ids that are no sale of this account's list: test purchases, another seller's, inventions.
    """

    days: tuple[date, ...]
    sales: int
    events: int
    ledger: Change
    new_keys: frozenset[str]
    not_found: tuple[str, ...]

    @property
    def changed(self) -> int:
        """Rows of the ledger that differ now."""
        return self.ledger.inserted + self.ledger.updated + self.ledger.deleted


class Membership(NamedTuple):
    """A membership that something happened to: its subscription's id, None where it isn't told, and its sales."""

    subscription_id: str | None
    sale_ids: tuple[str, ...]


def newest_of(warehouse: Warehouse, profile_id: str, memberships: Iterable[Membership]) -> list[str]:
    """The newest stored sale of each membership, which tells how the membership stands; nothing where none is stored.

    An event of a membership moves no money, and lists charges that failed among its sales. To read them all again
    took 75 requests for each member who left.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        memberships: that something happened to.
    """
    sales, found = gumroad_sales.c, dict[str, None]()
    with warehouse.read() as connection:
        for subscription_id, sale_ids in memberships:
            named = sales.id.in_(sale_ids[:_IDS_AT_ONCE])
            newest = connection.execute(
                select(sales.id)
                .where(
                    sales.profile_id == profile_id,
                    or_(sales.subscription_id == subscription_id, named) if subscription_id else named,
                )
                .order_by(sales.created_at.desc(), sales.id)
                .limit(1)
            ).scalar()
            if newest is not None:
                found[newest] = None
    return list(found)


def own_subscriptions(warehouse: Warehouse, profile_id: str, memberships: Iterable[Membership]) -> list[str]:
    """Ids of those memberships that have a stored sale: of somebody else's nothing is asked.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        memberships: that something happened to.
    """
    sales = gumroad_sales.c
    named = [one.subscription_id for one in memberships if one.subscription_id][:_IDS_AT_ONCE]
    mine = select(sales.subscription_id).where(sales.profile_id == profile_id, sales.subscription_id.in_(named))
    with warehouse.read() as connection:
        return sorted(connection.execute(mine.distinct()).scalars())


def refresh_sales(
    warehouse: Warehouse, client: GumroadClient, ring: KeyRing, profile_id: str, sale_ids: Collection[str]
) -> Refreshed:
    """Make the named sales and their ledger rows equal to the API's, by whichever way takes fewer requests.

    A stored sale costs one request; where many of one day are named, reading the day costs fewer. A sale that isn't
    stored is looked for among the newest, because the list shows only what counts: read by its id, a test purchase
    looks like a sale.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        ring: hashes the buyers' addresses.
        profile_id: whose sales.
        sale_ids: Gumroad's ids.
    """
    stored = _days_of(warehouse, profile_id, sale_ids)
    whole_days, single = _cheaper(warehouse, profile_id, stored)
    reports: list[tuple[set[date], int, int, Change]] = []
    new_keys = frozenset[str]()
    for window in contiguous(whole_days):
        for part in load_sales(warehouse, client, ring, profile_id, window):
            days = {row.partition_day for row in part.sales}
            reports.append((days, len(part.sales), len(part.events), part.ledger_change))
            new_keys |= part.new_keys
    found = {sale_id: client.sale(sale_id) for sale_id in single}
    new = [sale_id for sale_id in sale_ids if sale_id not in stored]
    found |= _look_among_newest(client, new)
    sales = [sale for sale in found.values() if sale is not None]
    if sales:
        reports.append(_store(warehouse, client, ring, profile_id, sales))
    return Refreshed(
        days=tuple(sorted(set[date]().union(*(days for days, *_ in reports)))),
        sales=sum(report[1] for report in reports),
        events=sum(report[2] for report in reports),
        ledger=sum((report[3] for report in reports), Change()),
        new_keys=new_keys | unknown_keys(sales, SALE_KEYS),
        not_found=tuple(sale_id for sale_id, sale in found.items() if sale is None),
    )


def _days_of(warehouse: Warehouse, profile_id: str, sale_ids: Collection[str]) -> dict[str, date]:
    sales, ids, days = gumroad_sales.c, list(sale_ids), dict[str, date]()
    with warehouse.read() as connection:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            rows = connection.execute(
                select(sales.id, sales.partition_day).where(
                    sales.profile_id == profile_id, sales.id.in_(ids[start : start + _IDS_AT_ONCE])
                )
            )
            days |= dict(rows.all())
    return days


def _cheaper(warehouse: Warehouse, profile_id: str, stored: dict[str, date]) -> tuple[list[date], list[str]]:
    """Days to read whole, and sales to read one by one."""
    named: dict[date, list[str]] = defaultdict(list)
    for sale_id, day in stored.items():
        named[day].append(sale_id)
    with warehouse.read() as connection:
        counts = dict(
            connection.execute(
                select(gumroad_sales.c.partition_day, func.count())
                .where(gumroad_sales.c.profile_id == profile_id, gumroad_sales.c.partition_day.in_(list(named)))
                .group_by(gumroad_sales.c.partition_day)
            ).all()
        )
    whole = [day for day, ids in named.items() if ceil(counts.get(day, 0) / PAGE_SIZE) < len(ids)]
    single = [sale_id for day, ids in named.items() if day not in whole for sale_id in ids]
    return whole, single


def _look_among_newest(client: GumroadClient, sale_ids: Collection[str]) -> dict[str, Json | None]:
    """Sales of the list by id: among its newest pages while that is cheaper, then each by its order number."""
    left, found, key, pages = set(sale_ids), dict[str, Json | None](), None, 0
    window = DayWindow(today() - _RECENT, today() + _RECENT)
    while left and pages <= _REQUESTS_BY_ID * len(left):
        page, pages = client.sales_page(window, key), pages + 1
        found |= {str(sale["id"]): sale for sale in page.sales if sale.get("id") in left}
        left -= found.keys()
        key = page.next_key
        if key is None:
            break
    for sale_id in sorted(left):
        sale = client.sale(sale_id)
        found[sale_id] = client.listed(sale) if sale else None
    return found


def _store(
    warehouse: Warehouse, client: GumroadClient, ring: KeyRing, profile_id: str, sales: Iterable[Json]
) -> tuple[set[date], int, int, Change]:
    moment, listed_in = now(), currencies(warehouse, profile_id)
    odd = OddSales()
    made = [odd.row(sale, lambda item: sale_row(profile_id, item, listed_in, ring, moment)) for sale in sales]
    rows = [row for row in made if row is not None]
    if odd.all():
        with warehouse.write() as connection:
            keep_odd(connection, profile_id, odd.all(), (), None)
    if not rows:
        return set(), 0, 0, Change()
    days = {row.partition_day for row in rows}
    span = DayWindow(min(days), max(days) + timedelta(days=1))
    rows = RefundSettler(warehouse, client, profile_id, span).settled_named(rows)
    events, change = _write(warehouse, profile_id, rows, moment)
    return days, len(rows), events, change


def _write(warehouse: Warehouse, profile_id: str, rows: list[SaleRow], moment: datetime) -> tuple[int, Change]:
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        keep_odd(connection, profile_id, (), (row.id for row in rows), None)
        sales = upsert(connection, gumroad_sales, without_buyers(rows, erasure.forgotten(connection)))
        change, ledgers = rewrite_sales(connection, profile_id, {row.id for row in rows}, moment)
        if sales.any and matters_to_payouts(rows):
            change += rewrite_payouts(connection, profile_id, moment)
    events = sum(len(ledger.events) for _, ledger in ledgers.values())
    return events, change
