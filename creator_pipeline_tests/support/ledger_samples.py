"""Sales and ledger rows, as tests of the ledger and of loads write them."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import and_

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import replace_window
from creator_pipeline.platforms.gumroad.ledger import GumroadSale, gumroad_events
from creator_pipeline.store.tables import sales_events

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = date(2026, 10, 1)
T0 = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)


def sale(**over) -> GumroadSale:
    """A sale of ten dollars."""
    values = {
        "profile_id": "alice", "id": "x==", "created_at": datetime(2026, 10, 1, 23, 59, 59, tzinfo=UTC), "product_id": "p==", "product_name": "Zine",
        "quantity": 2, "price_micros": 10_000_000, "fee_micros": 2_090_000, "refunded_micros": 0,
        "chargedback": False, "disputed": False, "dispute_won": False, "kind": "sale",
    }  # fmt: skip
    return GumroadSale(**(values | over))


def write(warehouse, sales, first=DAY, days=1, **over) -> None:
    """Make the ledger of a window equal to these sales."""
    window = DayWindow(first, first + timedelta(days=days))
    with warehouse.write() as connection:
        replace_window(
            connection,
            "gumroad",
            "alice",
            window,
            # What went back is seen on the day of the sale, so that a window holds all of it.
            [e._replace(ingested_at=NOW) for s in sales for e in gumroad_events(s, s.created_at)],
            **over,
        )


def on(day: int, number: int, **over):
    """A sale some days after the first."""
    moment = datetime(2026, 10, 1, 12, tzinfo=UTC) + timedelta(days=day)
    return sale(id=f"s{number}", created_at=moment, **over)


def event(
    number: int,
    day: date = DAY,
    *,
    name: str | None = "Zine",
    gross: int = 7_000_000,
    moment: datetime = T0,
    profile: str = "alice",
) -> LedgerEvent:
    """A ledger row."""
    return LedgerEvent(
        id=f"gumroad:{profile}:{number}:sale", profile_id=profile, platform="gumroad", event_type="sale", external_id=str(number),
        product_id=None, product_name=name, occurred_at=datetime(day.year, day.month, day.day, 8, tzinfo=UTC), occurred_on=day,
        quantity=1, gross_micros=gross, fee_micros=0, net_micros=gross, currency="USD", source=f"{day}|{profile}",
        first_seen_at=moment, ingested_at=moment,
    )  # fmt: skip


def of_day(day: date = DAY):
    """The scope of one partition."""
    return and_(sales_events.c.profile_id == "alice", sales_events.c.occurred_on == day)
