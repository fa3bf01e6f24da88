"""Settling estimated refunds while a window is loaded: what to ask for, and what is stored beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, and_, not_, or_, select

from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.counted_otherwise import evidence_of
from creator_pipeline.platforms.gumroad.ledger_store import rewrite_sales
from creator_pipeline.platforms.gumroad.models import SaleRow, without_buyers
from creator_pipeline.platforms.gumroad.payout_store import rewrite_payouts
from creator_pipeline.platforms.gumroad.refund_shares import days_to_settle, settle
from creator_pipeline.platforms.gumroad.summary import SummaryDay
from creator_pipeline.store import erasure
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import Change, upsert
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import gumroad_sales

_DAYS_AT_ONCE = 366
"""Of Gumroad's totals: a longer range may be refused, and two more requests made of it."""


class RefundSettler:
    """Gives the refunds of one load their exact cents; asks for Gumroad's totals once, and only if it must."""

    def __init__(self, warehouse: Warehouse, client: GumroadClient, profile_id: str, window: DayWindow) -> None:
        self._warehouse = warehouse
        self._client = client
        self._profile_id = profile_id
        self._window = window
        self._totals: dict[date, SummaryDay] | None = {}
        self._asked = set[int]()

    def settled(self, window: DayWindow, rows: Sequence[SaleRow]) -> list[SaleRow]:
        """The rows of a window about to be stored, settled where all sales of a day are here or stored."""
        days = days_to_settle(rows)
        totals = self._platform_totals(days)
        if not totals:
            return list(rows)
        sales = gumroad_sales.c
        outside = or_(sales.partition_day < window.start, sales.partition_day >= window.end)
        return self._settle(rows, self._stored(and_(sales.local_day.in_(sorted(days)), outside)), totals)

    def settled_named(self, rows: Sequence[SaleRow]) -> list[SaleRow]:
        """Named rows about to be stored, settled with the stored sales of their days."""
        days = days_to_settle(rows)
        totals = self._platform_totals(days)
        if not totals:
            return list(rows)
        sales = gumroad_sales.c
        named = sales.id.in_([row.id for row in rows])
        return self._settle(rows, self._stored(and_(sales.local_day.in_(sorted(days)), not_(named))), totals)

    def settle_stored(self) -> tuple[frozenset[str], Change]:
        """Settle what is stored and still an estimate; the ids that are exact now."""
        if not self._totals:
            return frozenset(), Change()
        sales = gumroad_sales.c
        inside = and_(sales.partition_day >= self._window.start, sales.partition_day < self._window.end)
        days = days_to_settle(self._stored(and_(inside, sales.refund_exact.is_(False))))
        rows = self._stored(sales.local_day.in_(sorted(days)))
        moment = now()
        exact = [
            after._replace(ingested_at=moment)
            for before, after in zip(rows, self._settle(rows, [], self._totals), strict=True)
            if after != before
        ]
        change = self._write(exact) if exact else Change()
        return frozenset(row.id for row in exact), change

    def _settle(
        self, rows: Sequence[SaleRow], others: Sequence[SaleRow], totals: Mapping[date, SummaryDay]
    ) -> list[SaleRow]:
        days = days_to_settle(rows)
        with self._warehouse.read() as connection:
            asked = [row for row in (*rows, *others) if row.local_day in days]
            return settle(rows, others, totals, evidence_of(connection, self._profile_id, asked))

    def _write(self, rows: list[SaleRow]) -> Change:
        with self._warehouse.write() as connection:
            lock_profile(connection, self._profile_id)
            upsert(connection, gumroad_sales, without_buyers(rows, erasure.forgotten(connection)))
            moment = max(row.ingested_at for row in rows)
            change, _ = rewrite_sales(connection, self._profile_id, {row.id for row in rows}, moment)
            return change + rewrite_payouts(connection, self._profile_id, moment)

    def _stored(self, which: ColumnElement[bool]) -> list[SaleRow]:
        with self._warehouse.read() as connection:
            found = connection.execute(
                select(gumroad_sales).where(gumroad_sales.c.profile_id == self._profile_id, which)
            )
            return [SaleRow(*row) for row in found]

    def _platform_totals(self, days: set[date]) -> dict[date, SummaryDay] | None:
        """Gumroad's totals of the years that hold these days, each asked for once; None without the endpoint."""
        for year in sorted({(self._window.end - day).days // _DAYS_AT_ONCE for day in days} - self._asked):
            last = self._window.end - timedelta(days=year * _DAYS_AT_ONCE)
            found = None
            if self._totals is not None:
                found = self._client.summary(last - timedelta(days=_DAYS_AT_ONCE - 1), last)
            # A day that can't be read is missing here: its refunds stay estimates.
            self._totals = None if found is None or self._totals is None else self._totals | found
            self._asked.add(year)
        return self._totals
