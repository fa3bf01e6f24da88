"""What changed in the past, found by one request: Gumroad's own totals per day beside ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import and_, case, func, literal, select

from creator_pipeline.core.money import MICROS_PER_CENT, from_cents
from creator_pipeline.core.windows import DayWindow, contiguous, now
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.counted_otherwise import (
    Evidence,
    Explanation,
    Sold,
    evidence_of,
    explain,
    sold,
)
from creator_pipeline.platforms.gumroad.models import SaleRow
from creator_pipeline.platforms.gumroad.summary import SummaryDay, Totals
from creator_pipeline.platforms.gumroad.sync import PLATFORM
from creator_pipeline.store import unreadable
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import replace
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import gumroad_sales, platform_totals, sales_events

SCAN_DAYS = 366
"""Days of a nightly scan: a refund of a year-old sale is found the next night."""
ODD_PART = "totals"
_ODD_HINT = (
    "No sale is missing: only Gumroad's own totals of that day can't be compared, and refunds that need them stay"
    " estimates. They are asked for again each night."
)


@dataclass(frozen=True)
class Drift:
    """A seller's day on which Gumroad and the ledger differ."""

    day: date
    platform: SummaryDay
    ledger: SummaryDay

    def describe(self) -> str:
        """For people: the amounts in US dollars."""
        return (
            f"{self.day}: Gumroad {self.platform.gross_cents / 100:.2f} gross, "
            f"{self.platform.refunded_cents / 100:.2f} refunded; here {self.ledger.gross_cents / 100:.2f} and "
            f"{self.ledger.refunded_cents / 100:.2f}"
        )


def ledger_totals(warehouse: Warehouse, profile_id: str, first: date, last: date) -> dict[date, SummaryDay]:
    """The ledger per day of the seller, both dates inclusive, counted as Gumroad counts: charged sales only.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        first, last: days as ``gumroad_sales.local_day`` has them.
    """
    sales, events = gumroad_sales.c, sales_events.c
    sold, back = events.event_type == "sale", events.event_type == "refund"
    nothing = literal(0)
    with warehouse.read() as connection:
        rows = connection.execute(
            select(
                sales.local_day,
                func.sum(case((and_(sold, events.gross_micros > 0), literal(1)), else_=nothing)),
                func.sum(case((sold, events.gross_micros), else_=nothing)),
                -func.sum(case((back, events.gross_micros), else_=nothing)),
            )
            .select_from(gumroad_sales.join(sales_events, sales.id == events.external_id))
            .where(
                events.platform == PLATFORM,
                events.profile_id == profile_id,
                sales.profile_id == profile_id,
                sales.local_day >= first,
                sales.local_day <= last,
            )
            .group_by(sales.local_day)
        )
        days = {
            day: SummaryDay(int(units), int(gross) // MICROS_PER_CENT, int(refunded) // MICROS_PER_CENT)
            for day, units, gross, refunded in rows
        }
    return {day: figures for day, figures in days.items() if any(figures)}


def seen_totals(warehouse: Warehouse, profile_id: str) -> dict[date, SummaryDay]:
    """Gumroad's figures as last seen."""
    columns = platform_totals.c
    with warehouse.read() as connection:
        rows = connection.execute(
            select(columns.bucket, columns.units, columns.gross_micros, columns.refunded_micros).where(
                columns.provider == PLATFORM, columns.profile_id == profile_id
            )
        )
        return {
            date.fromisoformat(bucket): SummaryDay(units, gross // MICROS_PER_CENT, refunded // MICROS_PER_CENT)
            for bucket, units, gross, refunded in rows
        }


def differing(platform: Mapping[date, SummaryDay], ledger: Mapping[date, SummaryDay]) -> list[Drift]:
    """Days whose money differs. Units are left out: Gumroad doesn't say whether a line of three is one or three.

    Of days whose totals can't be read nothing is said.
    """
    nothing, unknown = SummaryDay(0, 0, 0), _unknown(platform)
    return [
        Drift(day, platform.get(day, nothing), ledger.get(day, nothing))
        for day in sorted(platform.keys() | ledger.keys())
        if day not in unknown and platform.get(day, nothing)[1:] != ledger.get(day, nothing)[1:]
    ]


def _unknown(totals: Mapping[date, SummaryDay]) -> set[date]:
    return totals.unknown if isinstance(totals, Totals) else set()


class Verdict(NamedTuple):
    """A day that differs, and why; ``explanation`` is None where that isn't known.

    ``suspect`` is the one sale whose price is the whole difference, where nothing but that speaks for it.
    """

    drift: Drift
    explanation: Explanation | None
    suspect: Sold | None = None


def explained(warehouse: Warehouse, profile_id: str, drifts: Sequence[Drift]) -> list[Verdict]:
    """Why days differ: sales that Gumroad's totals count otherwise than its list does.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        drifts: the days.
    """
    if not drifts:
        return []
    sales = gumroad_sales.c
    with warehouse.read() as connection:
        found = connection.execute(
            select(gumroad_sales).where(
                sales.profile_id == profile_id,
                sales.kind == "sale",
                sales.price_micros > 0,
                sales.local_day.in_([drift.day for drift in drifts]),
            )
        )
        rows = [SaleRow(*row) for row in found]
        evidence = evidence_of(connection, profile_id, rows)
    return [_verdict(drift, [row for row in rows if row.local_day == drift.day], evidence) for drift in drifts]


def _verdict(drift: Drift, rows: Sequence[SaleRow], evidence: Evidence) -> Verdict:
    sales = [sold(row) for row in rows]
    total, told = drift.ledger, (sum(one.cents for one in sales), sum(one.refunded or 0 for one in sales))
    if told != total[1:]:
        # The ledger isn't what its own sales say: that is no matter of how they are counted.
        return Verdict(drift, None)
    authorized = evidence.authorized_on(drift.day, (one.sale_id for one in sales))
    platform = drift.platform
    explanation = explain(sales, authorized, evidence, platform.gross_cents, platform.refunded_cents)
    more = (total.gross_cents - platform.gross_cents, total.refunded_cents - platform.refunded_cents)
    suspects = [one for one in sales if (one.cents, one.refunded or 0) == more]
    return Verdict(drift, explanation, None if explanation else next(iter(suspects), None))


def scan(
    warehouse: Warehouse, client: GumroadClient, profile_id: str, first: date, last: date
) -> tuple[list[DayWindow], Totals] | None:
    """UTC days to read again, and Gumroad's totals to remember once that is done; None without the endpoint.

    A day that was read for these very totals and still differs isn't asked for every night: the check
    ``agrees_with_gumroad`` shows it.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        profile_id: whose sales.
        first, last: days in the seller's time zone, both inclusive; no UTC day after ``last`` is read again.
    """
    totals = client.summary(first, last)
    if totals is None:
        return None
    seen = seen_totals(warehouse, profile_id)
    found = differing(totals, ledger_totals(warehouse, profile_id, first, last))
    # Of a day that isn't in the totals it is remembered that it wasn't.
    totals |= {drift.day: drift.platform for drift in found}
    drifts = [drift for drift in found if seen.get(drift.day) != drift.platform]
    return utc_days(warehouse, profile_id, drifts, last), totals


def doubted_days(
    warehouse: Warehouse, profile_id: str, first: date, last: date, totals: Mapping[date, SummaryDay]
) -> list[Drift]:
    """Days of which Gumroad's totals have more than what was read, and no stored sale tells why.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        first, last: days in the seller's time zone, both inclusive.
        totals: Gumroad's, in US cents.
    """
    left = differing(totals, ledger_totals(warehouse, profile_id, first, last))
    more = [one for one in left if one.platform.gross_cents > one.ledger.gross_cents]
    return [verdict.drift for verdict in explained(warehouse, profile_id, more) if verdict.explanation is None]


def utc_days(warehouse: Warehouse, profile_id: str, drifts: Iterable[Drift], last: date) -> list[DayWindow]:
    """The UTC days that may hold sales of days of the seller, none after ``last``.

    Args:
        warehouse: where the tables are.
        profile_id: whose sales.
        drifts: days of the seller.
        last: a UTC day.
    """
    before, after = _zone_spread(warehouse, profile_id)
    days = {drift.day + timedelta(days=step) for drift in drifts for step in range(-before, after + 1)}
    return contiguous(day for day in days if day <= last)


def _zone_spread(warehouse: Warehouse, profile_id: str) -> tuple[int, int]:
    """How many UTC days a day of the seller reaches back and forward, as the stored sales show it."""
    sales = gumroad_sales.c
    with warehouse.read() as connection:
        pairs = connection.execute(
            select(sales.local_day, sales.partition_day)
            .where(sales.profile_id == profile_id, sales.local_day != sales.partition_day)
            .limit(1)
        ).first()
    if pairs is None:
        return (0, 0)
    return (0, 1) if pairs[1] > pairs[0] else (1, 0)


def remember(warehouse: Warehouse, profile_id: str, first: date, last: date, totals: Mapping[date, SummaryDay]) -> None:
    """Keep Gumroad's totals of the range, for the next scan and for the check.

    Args:
        warehouse: where the tables are.
        profile_id: whose totals.
        first, last: the range, days in the seller's time zone, both inclusive.
        totals: in US cents, by day; what is stored of other days of the range is deleted, but for days that can't be
            read: these stand as last seen, and are kept among what can't be read.
    """
    moment = now()
    rows = [
        (PLATFORM, profile_id, day.isoformat(), units, from_cents(gross), from_cents(refunded), "USD", moment)
        for day, (units, gross, refunded) in totals.items()
    ]
    columns = platform_totals.c
    scope = and_(
        columns.provider == PLATFORM,
        columns.profile_id == profile_id,
        columns.bucket >= first.isoformat(),
        columns.bucket <= last.isoformat(),
        columns.bucket.not_in([day.isoformat() for day in _unknown(totals)]),
    )
    odd = totals.odd if isinstance(totals, Totals) else {}
    with warehouse.write() as connection:
        lock_profile(connection, profile_id)
        kept = unreadable.unreadable_of(connection, PLATFORM, profile_id)
        gone = [(one.part, one.object_id) for one in kept if one.part == ODD_PART and one.object_id not in odd]
        unreadable.forget(connection, PLATFORM, profile_id, gone)
        told = [unreadable.Unreadable(ODD_PART, day, detail, _ODD_HINT) for day, detail in odd.items()]
        unreadable.remember(connection, PLATFORM, profile_id, told, moment)
        replace(connection, platform_totals, rows, scope, what=f"totals of {profile_id}", allow_shrink=True)
