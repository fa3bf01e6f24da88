"""Views that reports and commands read: exact amounts, the seller's day, and who is late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from click.testing import CliRunner
from sqlalchemy import insert, text, update

from creator_pipeline.cli import cli
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.store import health_reports, profiles
from creator_pipeline.store.engine import Warehouse, is_postgres
from creator_pipeline.store.tables import ledger_changes, platform_connections, sales_events

NIGHT = datetime(2026, 11, 28, 3, 30, tzinfo=UTC)


def rows(warehouse: Warehouse, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def event(number: int, platform: str, micros: int, **more: object) -> dict[str, object]:
    return {
        "id": f"{platform}:{number}", "profile_id": "alice", "platform": platform, "event_type": "sale",
        "external_id": str(number), "occurred_at": NIGHT, "occurred_on": NIGHT.date(), "quantity": 1,
        "gross_micros": micros, "fee_micros": 0, "net_micros": micros, "currency": "USD", "source": "x",
        "first_seen_at": NIGHT, "ingested_at": NIGHT, "fee_exact": True, **more,
    }  # fmt: skip


def filled(warehouse: Warehouse, zone: str) -> None:
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com", timezone=zone)
        connection.execute(insert(sales_events), [
            event(1, "gumroad", 12_345_678), event(2, "gumroad", -345_678, event_type="refund"),
            event(3, "amazon_kdp", 1_000_001, occurred_at=datetime(2026, 11, 28, tzinfo=UTC)),
        ])  # fmt: skip
        for platform in ("gumroad", "amazon_kdp"):
            row = {"occurred_on": NIGHT.date(), "profile_id": "alice", "platform": platform, "change_id": platform}
            connection.execute(insert(ledger_changes).values(**row, changed_at=NIGHT))
    roll_up(warehouse)


def test_amounts_are_exact_and_days_are_the_seller_s(warehouse: Warehouse) -> None:
    """Incident: a report by UTC days and in floats, beside the seller's own by evenings in Los Angeles."""
    filled(warehouse, "America/Los_Angeles")
    with warehouse.read() as connection:
        local = is_postgres(connection)
    found = rows(warehouse, "SELECT platform, net, occurred_on, local_day FROM revenue ORDER BY id")
    exact = [(platform, Decimal(net)) for platform, net, *_ in found]
    assert exact == [
        ("amazon_kdp", Decimal("1.000001")), ("gumroad", Decimal("12.345678")), ("gumroad", Decimal("-0.345678")),
    ]  # fmt: skip
    days = [str(row[3]) for row in found]
    assert days == (["2026-11-28", "2026-11-27", "2026-11-27"] if local else ["None"] * 3)
    utc = rows(warehouse, "SELECT platform, refunds, net FROM daily_revenue_amounts ORDER BY platform")
    by_local_day = rows(warehouse, "SELECT platform, refunds, net FROM daily_revenue_local ORDER BY platform")
    assert utc == by_local_day
    assert [Decimal(row[2]) for row in utc] == [Decimal("1.000001"), Decimal("12.000000")]
    if local:
        scale = "SELECT numeric_scale FROM information_schema.columns WHERE table_name LIKE 'daily_revenue_%'"
        found = rows(warehouse, f"{scale} AND column_name = 'net'")
        assert found == [(6,), (6,)]


def test_a_zone_that_the_database_does_not_know_counts_as_utc(warehouse: Warehouse) -> None:
    """Guards: one profile's odd zone, and nobody can read the view any more."""
    filled(warehouse, "UTC")
    with warehouse.write() as connection:
        connection.execute(text("UPDATE profiles SET timezone = 'Mars/Olympus'"))
    assert {str(row[0]) for row in rows(warehouse, "SELECT local_day FROM revenue")} <= {
        str(date(2026, 11, 28)),
        "None",
    }


def test_who_is_late_is_named_with_the_reason(warehouse: Warehouse, ring: KeyRing) -> None:
    """Incident: of twelve sellers nobody could say who wasn't read, since when and why."""
    table = platform_connections.c
    with warehouse.write() as connection:
        for number, name in enumerate(("alice", "bob", "carol")):
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "gumroad", name, f"token-{name}")
            due = now() + timedelta(hours=1 - number)
            values = {"fresh_at": due - timedelta(days=1), "expected_by": due}
            connection.execute(update(platform_connections).where(table.profile_id == name).values(values))
        health_reports.opened(connection, "late/gumroad/carol", "The schedule is off.", "Switch it on.")
    found = rows(warehouse, "SELECT profile_id, late_since IS NULL, reason, hint FROM sync_status ORDER BY profile_id")
    unknown = "No reason is known: is dagster-daemon running, and the sensor pipeline_health on?"
    assert [(name, bool(in_time), *why) for name, in_time, *why in found] == [
        ("alice", True, None, None), ("bob", False, unknown, None), ("carol", False, "The schedule is off.", "Switch it on."),
    ]  # fmt: skip
    told = CliRunner().invoke(cli, ["profiles", "list", "--late"], catch_exceptions=False).output
    assert "carol" in told
    assert "The schedule is off." in told
    assert "alice" not in told
