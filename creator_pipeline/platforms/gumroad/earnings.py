"""Gumroad's own totals of a year: read once for each year that is over, where the token may."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection, func, select

from creator_pipeline.core.errors import DataError, RejectedError
from creator_pipeline.core.json_fields import FieldReader, Json
from creator_pipeline.core.money import from_cents
from creator_pipeline.core.windows import now, today
from creator_pipeline.platforms.books import NotReadable
from creator_pipeline.platforms.gumroad import unreadable
from creator_pipeline.platforms.gumroad.answers import NoScopeError
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.load import upsert
from creator_pipeline.store.locks import lock_profile
from creator_pipeline.store.tables import gumroad_earnings, gumroad_sales

_FIELDS = FieldReader("Gumroad", "The year's totals were left out.", absent_is_null=True)
_MOST_CENTS = 10**12


def load_earnings(warehouse: Warehouse, client: GumroadClient, profile_id: str) -> list[int]:
    """Read the totals of years that are over and not stored; returns the years. What was refused isn't asked for again.

    Args:
        warehouse: where the tables are.
        client: of the profile's account.
        profile_id: whose totals.
    """
    with warehouse.read() as connection:
        years = _missing_years(connection, profile_id, today())
    read: list[int] = []
    for year in years:
        part, refused = f"earnings {year}", None
        row: tuple[object, ...] | None = None
        try:
            told = client.payouts.earnings(year)
            if told is None:
                refused = NotReadable(part, f"Gumroad has no earnings of {year}.", "")
            else:
                row = _row(profile_id, year, told, now())
        except NoScopeError as error:
            part, refused = "earnings", unreadable.refusal(profile_id, "earnings", error)
        except (DataError, RejectedError) as error:
            refused = NotReadable(part, error.message, "")
        with warehouse.write() as connection:
            lock_profile(connection, profile_id)
            unreadable.remember(connection, profile_id, part, refused, now())
            if row is not None:
                upsert(connection, gumroad_earnings, [row])
                read.append(year)
        if part == "earnings":
            break
    return read


def _missing_years(connection: Connection, profile_id: str, day: date) -> list[int]:
    sales = gumroad_sales.c
    first = connection.execute(
        select(func.min(sales.partition_day)).where(sales.profile_id == profile_id, sales.price_micros > 0)
    ).scalar()
    parts = {one.table for one in unreadable.not_readable(connection, profile_id)}
    if first is None or "earnings" in parts:
        return []
    stored = set(
        connection.execute(select(gumroad_earnings.c.year).where(gumroad_earnings.c.profile_id == profile_id)).scalars()
    )
    return [year for year in range(first.year, day.year) if year not in stored and f"earnings {year}" not in parts]


def _row(profile_id: str, year: int, told: Json, moment: datetime) -> tuple[object, ...]:
    def micros(key: str) -> int:
        return from_cents(_FIELDS.whole("year", told, key, _MOST_CENTS))

    return (
        profile_id,
        year,
        str(told.get("currency") or "usd").upper(),
        micros("gross_cents"),
        micros("fees_cents"),
        micros("taxes_cents"),
        micros("affiliate_credit_cents"),
        micros("net_cents"),
        moment,
    )
