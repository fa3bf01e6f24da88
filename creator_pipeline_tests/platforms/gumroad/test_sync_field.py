"""Cases from the field, served as they were: each is one of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from creator_pipeline.core.money import to_text
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad import drift
from creator_pipeline.platforms.gumroad.checks import Tally
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.product_sync import load_products
from creator_pipeline.platforms.gumroad.summary import SummaryDay
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.runtime.step_checks import Verdict
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import gumroad_sales, sales_events
from creator_pipeline_tests.support.field_files import field_file, serve_gumroad
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 27)


class Account:
    """A seller whose lists are those of a file."""

    def __init__(self, warehouse: Warehouse, ring: KeyRing, server: SandboxServer) -> None:
        self.warehouse, self.ring, self.part = warehouse, ring, server.world.gumroad
        self.client = GumroadClient(server.gumroad_url, self.part["chen"].token, Free())
        with warehouse.write() as connection:
            profiles.add_profile(connection, "chen", "chen@example.com")
            profiles.connect(connection, ring, "gumroad", "chen", "token")

    def load(self, name: str, *completions: str) -> dict[str, Verdict]:
        """Read everything of a file; what the checks say."""
        told = field_file(name)
        serve_gumroad(self.part, "chen", told["scenario"], frozenset(completions))
        load_products(self.warehouse, self.client, "chen")
        tally = Tally()
        for part in load_sales(self.warehouse, self.client, self.ring, "chen", DayWindow(FIRST, LAST)):
            tally.add(part)
        return {one.name: one for one in tally.verdicts()}

    def money(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Gross and fee of the ledger in cents, by sale and type."""
        events = sales_events.c
        with self.warehouse.read() as connection:
            rows = connection.execute(
                select(
                    events.external_id, events.event_type, func.sum(events.gross_micros), func.sum(events.fee_micros)
                ).group_by(events.external_id, events.event_type)
            )
            return {(sale, kind): (int(gross) // 10_000, int(fee) // 10_000) for sale, kind, gross, fee in rows}


@pytest.fixture
def account(sqlite_warehouse: Warehouse, ring: KeyRing) -> Iterator[Account]:
    world = World.invented(7, today=date(2026, 11, 28), sizes={"chen": 0}, whop_sizes={}, days=12)
    with SandboxServer(world) as server:
        made = Account(sqlite_warehouse, ring, server)
        yield made
        made.client.close()


def test_won_have_hundredths_and_dong_and_yen_have_none(account: Account) -> None:
    """Incident: a product of 15,000 won was one of 1,500,000."""
    told = field_file("g02_krw_price")
    serve_gumroad(account.part, "chen", told["scenario"], frozenset())
    rows, _ = load_products(account.warehouse, account.client, "chen")
    shown = {
        row.id: f"{int(to_text(row.price_micros or 0, row.currency).split('.')[0]):,} {row.currency}" for row in rows
    }
    assert shown == told["right"]


def test_the_address_of_a_charge_is_known_and_not_kept(account: Account) -> None:
    """Incident: an id of the payment processor in raw, inside of an address, and a warning that stayed."""
    assert account.load("g04_transaction_url")["known_fields"].passed
    with account.warehouse.read() as connection:
        [raw] = connection.execute(select(gumroad_sales.c.raw)).scalars()
    assert "3SYNTH" not in raw


def test_a_completion_is_no_lasting_difference_and_the_refund_beside_it_is_settled(account: Account) -> None:
    """Incident: red for ever, and a refund of the day never settled."""
    sales = field_file("g05_commission_completion")["scenario"]["sales"]
    verdicts = account.load("g05_commission_completion", sales[1]["id"])
    assert verdicts["refunds_known"].passed
    totals = account.client.summary(FIRST, LAST)
    figures: dict[str, Any] = field_file("g05_commission_completion")["scenario"]["summary"]
    assert totals == {
        date.fromisoformat(day): SummaryDay(one["units"], one["gross_cents"], one["refunded_cents"])
        for day, one in figures.items()
    }
    money = account.money()
    assert sum(gross for (_, kind), (gross, _) in money.items() if kind == "sale") == 12_000
    assert sum(gross for (_, kind), (gross, _) in money.items() if kind == "refund") == -663
    drift.remember(account.warehouse, "chen", FIRST, LAST, totals)
    found = drift.differing(totals, drift.ledger_totals(account.warehouse, "chen", FIRST, LAST))
    assert all(one.explanation for one in drift.explained(account.warehouse, "chen", found))


def test_a_sale_without_a_fee_is_told_and_stops_no_other(account: Account) -> None:
    """Incident: one sale without its fee, and nothing of the day was written, night after night."""
    without, whole = field_file("g25_fee_absent")["scenario"]["sales"]
    verdicts = account.load("g25_fee_absent")
    assert account.money() == {(without["id"], "sale"): (1000, 0), (whole["id"], "sale"): (500, 144)}
    assert not verdicts["fees_known"].passed
    assert verdicts["fees_known"].metadata["without_fee"] == [without["id"]]
    events = sales_events.c
    with account.warehouse.read() as connection:
        exact = dict(connection.execute(select(events.external_id, events.fee_exact)).all())
    assert exact == {without["id"]: False, whole["id"]: True}
