"""A profile's week in figures. A week is the ISO week of ``occurred_on``: Monday to Sunday, whole UTC days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from creator_pipeline.store.tables import sales_events

DAYS = timedelta(days=7)
PRODUCTS_OF_A_CURRENCY = 3
_BACK = ("refund", "chargeback")


class Net(NamedTuple):
    """Net of a platform in a currency, in micros: this week's, the week's before, and what was learned of late.

    Attributes:
        late: booked in this week for days before it: a refund dated as its sale, a report of last month.
    """

    platform: str
    currency: str
    this: int
    before: int
    late: int


class Product(NamedTuple):
    """What a product brought in this week."""

    platform: str
    name: str
    currency: str
    net: int
    units: int


class Refunds(NamedTuple):
    """Money that went back in this week; ``gross`` is positive, in micros."""

    platform: str
    currency: str
    times: int
    gross: int


@dataclass(frozen=True, slots=True)
class Week:
    """The figures. Currencies are never added to each other."""

    monday: date
    nets: Sequence[Net]
    products: Sequence[Product]
    refunds: Sequence[Refunds]

    @property
    def name(self) -> str:
        """``2026-W47``."""
        return iso_name(self.monday)

    @property
    def sunday(self) -> date:
        """Its last day."""
        return self.monday + DAYS - timedelta(days=1)


def iso_name(day: date) -> str:
    """The ISO week a day is in, ``2026-W47``."""
    return f"{day:%G-W%V}"


def monday_of(name: str) -> date:
    """The first day of ``2026-W47``.

    Raises:
        ValueError: it names no week.
    """
    return datetime.strptime(f"{name}-1", "%G-W%V-%u").replace(tzinfo=UTC).date()


def last_whole(day: date) -> date:
    """Monday of the last week that was over before ``day``."""
    return day - timedelta(days=day.weekday()) - DAYS


def read(connection: Connection, profile_id: str, monday: date) -> Week:
    """The week that begins with ``monday``; without lines where nothing was booked."""
    return Week(
        monday,
        _nets(connection, profile_id, monday),
        _products(connection, profile_id, monday),
        _refunds(connection, profile_id, monday),
    )


def _within(monday: date) -> ColumnElement[bool]:
    day = sales_events.c.occurred_on
    return and_(day >= monday, day < monday + DAYS)


def _nets(connection: Connection, profile_id: str, monday: date) -> list[Net]:
    events = sales_events.c
    begin = datetime.combine(monday, time(), UTC)
    late = and_(events.occurred_on < monday, events.first_seen_at >= begin, events.first_seen_at < begin + DAYS)
    this, before = _within(monday), _within(monday - DAYS)
    rows = connection.execute(
        select(events.platform, events.currency, _net(this), _net(before), _net(late))
        .where(events.profile_id == profile_id, or_(this, before, late))
        .group_by(events.platform, events.currency)
        .order_by(events.platform, events.currency)
    )
    found = [Net(platform, currency, int(a), int(b), int(c)) for platform, currency, a, b, c in rows]
    return [net for net in found if any(net[2:])]


def _net(part: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((part, sales_events.c.net_micros), else_=literal(0)))


def _products(connection: Connection, profile_id: str, monday: date) -> list[Product]:
    events, name = sales_events.c, func.max(sales_events.c.product_name)
    net, units = func.sum(events.net_micros), func.sum(events.quantity)
    rank = func.row_number().over(partition_by=events.currency, order_by=(net.desc(), name))
    ranked = (
        select(
            events.platform,
            name.label("name"),
            events.currency,
            net.label("net"),
            units.label("units"),
            rank.label("rank"),
        )
        .where(events.profile_id == profile_id, _within(monday), events.product_name.is_not(None))
        # Pages that were read are units of another kind.
        .where(events.event_type != "pages_read")
        .group_by(events.platform, func.coalesce(events.product_id, events.product_name), events.currency)
        .subquery()
    )
    rows = connection.execute(
        select(ranked.c.platform, ranked.c.name, ranked.c.currency, ranked.c.net, ranked.c.units)
        .where(ranked.c.rank <= PRODUCTS_OF_A_CURRENCY, ranked.c.net > 0)
        .order_by(ranked.c.currency, ranked.c.rank)
    )
    return [
        Product(platform, title, currency, int(micros), int(count)) for platform, title, currency, micros, count in rows
    ]


def _refunds(connection: Connection, profile_id: str, monday: date) -> list[Refunds]:
    events = sales_events.c
    rows = connection.execute(
        select(events.platform, events.currency, func.count(), -func.sum(events.gross_micros))
        .where(events.profile_id == profile_id, _within(monday), events.event_type.in_(_BACK))
        .group_by(events.platform, events.currency)
        .order_by(events.platform, events.currency)
    )
    return [Refunds(platform, currency, count, int(gross)) for platform, currency, count, gross in rows]
