"""The worked examples of the fees, from HTTP to the ledger; and the same ledger in whatever order things come."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.ledger.statement import statements
from creator_pipeline.platforms.gumroad.books import identities, rebuild
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import (
    gumroad_sales,
    ledger_first_seen,
    payout_lines,
    payouts,
    platform_balances,
    sales_events,
)
from creator_pipeline_tests.support.gumroad_payouts import (
    SPAN,
    PayoutServer,
    ledger,
    line,
    lines,
    net_of,
    owner,
    payout,
    read_payouts,
    read_sales,
    sales,
    short,
)


@pytest.fixture
def server() -> Iterator[PayoutServer]:
    made = PayoutServer()
    yield made
    made.close()


@pytest.fixture
def house(sqlite_warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    owner(sqlite_warehouse, ring)
    return sqlite_warehouse


def sale(price: int, fee: int, **over: Any) -> dict[str, Any]:
    """A sale of the third of August."""
    plain = dict.fromkeys(("refunded", "partially_refunded", "chargedback", "disputed", "dispute_won"), False)
    return {
        "id": "one==", "created_at": "2026-08-03T09:00:00Z", "product_name": "Kit", "price": price, "gumroad_fee": fee,
        "currency_symbol": "$", "purchase_email": "b@example.com", "quantity": 1, **plain, **over,
    }  # fmt: skip


def paid(number: int, *rows: dict[str, Any], amount: str | None = None) -> dict[str, Any]:
    """A payout of these lines, a week after the one before."""
    told = amount or f"{sum(row['net_total'] for row in rows):.2f}"
    made = f"2026-08-{7 * number:02}T10:00:00Z"
    return payout("payout_B_first_reading", id=f"P{number}==", amount=told, created_at=made, processed_at=made) | {
        "transactions": list(rows), "sales": ["one=="],
    }  # fmt: skip


SOLD = line("Sale", "2026-08-03", 7.91, "one==", sale_price=10.0, gumroad_fees=2.09)


@pytest.mark.parametrize(
    ("back", "flags", "estimate", "exact", "whole"),
    [
        (
            line("Full Refund", "2026-08-05", -8.5, "one==", sale_price=-10.0, gumroad_fees=-1.5),
            {"refunded": True}, ("refund", -1000, -150), ("refund", "2026-08-05", -1000, -150, True), -59,
        ),
        (
            line("Chargeback", "2026-08-05", -7.91, "one==", sale_price=-10.0, gumroad_fees=-2.09),
            {"chargedback": True, "disputed": True},
            ("chargeback", -1000, -209), ("chargeback", "2026-08-05", -1000, -209, True), 0,
        ),
        (
            line("Partial Refund", "2026-08-05", -2.98, "one==", sale_price=-3.5, gumroad_fees=-0.52),
            {"partially_refunded": True, "amount_refundable_in_currency": "6.50"},
            ("refund", -350, -52), ("refund", "2026-08-05", -350, -52, True), 493,
        ),
        (
            line("Partial Refund", "2026-08-05", -2.95, "one==", sale_price=-3.5, gumroad_fees=-0.55),
            {"partially_refunded": True, "amount_refundable_in_currency": "6.50"},
            ("refund", -350, -52), ("refund", "2026-08-05", -350, -55, True), 496,
        ),
    ],
)  # fmt: skip
def test_the_fee_that_goes_back_is_estimated_and_then_known(
    house: Warehouse, server: PayoutServer, ring: KeyRing, back, flags, estimate, exact, whole
) -> None:
    """Guards: minus 2.09 of a sale whose money went back; in truth what the processor kept, or nothing."""
    server.sales = [sale(1000, 209, **flags)]
    read_sales(house, server, ring)
    guess = short(ledger(house), "one==")[-1]
    assert (guess[0], *guess[2:]) == (*estimate, False)
    server.has(paid(1, SOLD), paid(2, back))
    read_payouts(house, server)
    rows = ledger(house)
    assert short(rows, "one==") == [("sale", "2026-08-03", 1000, 209, True), exact]
    assert net_of(rows, "one==") == whole


def test_a_partner_s_rows_are_income_of_either_sign(house: Warehouse, server: PayoutServer) -> None:
    """Guards: an affiliate's income that no list of sales shows, and what is taken back of it."""
    server.has(
        paid(1, line("Affiliate Credit", "2026-08-01", 0.23, sale_price=0.23)),
        paid(2, line("Affiliate Credit", "2026-08-09", 3.66, sale_price=3.66)),
        paid(3, line("Affiliate Credit", "2026-08-16", -3.89, sale_price=-3.89)),
    )
    read_payouts(house, server)
    assert [(row["event_type"], row["net_micros"] // 10_000) for row in ledger(house)] == [
        ("affiliate_credit", 23),
        ("affiliate_credit", 366),
        ("affiliate_credit", -389),
    ]


def test_what_a_processor_pays_by_itself_adds_up_to_nothing(
    house: Warehouse, server: PayoutServer, ring: KeyRing
) -> None:
    """Guards: a refund whose fee has the other sign, and a share that is booked twice."""
    server.sales = [
        sale(
            15000, 1550, partially_refunded=True, amount_refundable_in_currency="75", payment_processor="STRIPE",
            affiliate={"email": "p@example.com", "amount": "$4.03"},
        )
    ]  # fmt: skip
    rows = [
        line("Sale", "2026-08-03", 134.5, "one==", sale_price=150.0, gumroad_fees=15.5),
        line("Stripe Connect Affiliate Fees", "2026-08-03", -4.03, sale_price=-4.03),
        line("Stripe Connect Refund", "2026-08-05", -67.25, "one==", sale_price=-75.0, gumroad_fees=7.75),
        line("Stripe Connect Affiliate Fees", "2026-08-05", 2.02, sale_price=2.02),
        line("Stripe Connect Payouts", "2026-08-07", -65.24, sale_price=-65.24),
    ]
    server.has(paid(2, *rows, amount="0.00") | {"sales": []})
    read_sales(house, server, ring)
    assert balances(house) == {}, "the sale itself tells that it was in no balance"
    read_payouts(house, server)
    assert [row[:4] for row in short(ledger(house), "one==")] == [
        ("sale", "2026-08-03", 15000, 1550),
        ("affiliate_share", "2026-08-03", -403, 0),
        ("affiliate_share", "2026-08-05", 202, 0),
        ("refund", "2026-08-05", -7500, -775),
    ]
    assert len(ledger(house)) == 4
    assert balances(house) == {}
    with house.read() as connection:
        found = {one.name: one for one in identities(connection, "alice")}
    assert found["processor_groups_are_nothing"].stated_micros == 65_240_000
    assert all(one.holds for one in found.values())


def balances(house: Warehouse) -> dict[str, int]:
    """Closing balances that aren't 0, by currency."""
    with house.read() as connection:
        return {one[1]: told.closing for one, told in statements(connection, "alice").items() if told.closing}


@pytest.mark.parametrize(
    "facts",
    [
        {"refunded": True, "amount_refundable_in_currency": "0"},
        {"chargedback": True, "disputed": True},
        {"disputed": True, "dispute_won": True},
    ],
)
@pytest.mark.parametrize("processor", ["stripe", "PAYPAL"])
def test_what_goes_back_of_a_processor_s_sale_is_in_no_balance_before_a_payout_lists_it(
    house: Warehouse, server: PayoutServer, ring: KeyRing, facts: dict[str, object], processor: str
) -> None:
    """Incident: two such sales that went back after the last payout moved a balance by 36.66 in which they never were."""
    partner = {"email": "p@example.com", "amount": "$4.03"}
    server.sales = [sale(15000, 1550, payment_processor=processor, affiliate=partner, **facts)]
    read_sales(house, server, ring)
    assert len(ledger(house)) > 2
    assert balances(house) == {}


def test_a_whole_payout_with_its_fee(house: Warehouse, server: PayoutServer) -> None:
    """Guards: a payout whose fee is missing from its lines."""
    server.has(
        paid(
            1,
            line("Sale", "2026-08-03", 45.65, "one==", sale_price=53.7, gumroad_fees=8.05),
            line("Payout Fee", "2026-08-04", -0.92, gumroad_fees=0.92),
            amount="44.73",
        )
    )
    read_payouts(house, server)
    assert sum(row["net_micros"] for row in ledger(house)) == 44_730_000
    assert [row["fee_micros"] for row in ledger(house) if row["event_type"] == "payout_fee"] == [920_000]


def test_a_kept_fee_in_another_payout_than_its_refund_is_named_in_both(
    house: Warehouse, server: PayoutServer, ring: KeyRing
) -> None:
    """Guards: adjustments in both directions that look like lost money."""
    server.sales = [sale(1000, 209, refunded=True, created_at="2026-08-06T09:00:00Z")]
    late = [
        line("Sale", "2026-08-06", 7.91, "one==", sale_price=10.0, gumroad_fees=2.09),
        line("Full Refund", "2026-08-12", -8.5, "one==", sale_price=-10.0, gumroad_fees=-1.5),
    ]
    other = line("Sale", "2026-07-30", 20.0, "two==", sale_price=25.0, gumroad_fees=5.0)
    minus = line("Technical Adjustment", "2026-08-05", -0.59)
    server.has(paid(2, other, minus))
    read_sales(house, server, ring)
    read_payouts(house, server)
    (pending,) = [one for one in lines(house) if one["type"] == "Technical Adjustment"]
    assert (pending["net_micros"], pending["sale_id"]) == (-590_000, "one==")
    server.has(paid(3, *late, line("Technical Adjustment", "2026-08-12", 0.59)))
    read_payouts(house, server)
    found = [one for one in lines(house) if one["type"] == "Technical Adjustment"]
    assert [(one["net_micros"], one["sale_id"], bool(one["reason"])) for one in found] == [
        (-590_000, "one==", True),
        (590_000, "one==", True),
    ]
    assert not [row for row in ledger(house) if row["event_type"] == "adjustment"]


def test_what_nobody_knows_is_a_row_and_a_failed_equation(house: Warehouse, server: PayoutServer) -> None:
    """Guards: an adjustment that is silently spread over other rows."""
    server.has(paid(2, SOLD, line("Technical Adjustment", "2026-08-07", -1.23)))
    read_payouts(house, server)
    (row,) = [row for row in ledger(house) if row["event_type"] == "adjustment"]
    assert row["net_micros"] == -1_230_000
    with house.read() as connection:
        (off,) = [one for one in identities(connection, "alice") if not one.holds]
    assert (off.name, off.key, off.difference_micros) == ("adjustments_explained", "P2==", -1_230_000)


def test_each_refund_keeps_the_day_on_which_it_was_first_seen(
    house: Warehouse, server: PayoutServer, ring: KeyRing
) -> None:
    """Guards: a second refund that moves the first one to another day; a day that a rebuild forgets."""
    part = {"partially_refunded": True}
    server.sales = [sale(4000, 596, **part, amount_refundable_in_currency="25")]
    read_sales(house, server, ring)
    (first,) = [row for row in ledger(house) if row["event_type"] == "refund"]
    with house.write() as connection:
        earlier = ledger_first_seen.update().values(first_seen_at=first_seen("2026-09-01"))
        connection.execute(earlier)
    server.sales = [sale(4000, 596, **part, amount_refundable_in_currency="20")]
    read_sales(house, server, ring)
    found = [(row["id"][-9:], row["gross_micros"], str(row["occurred_on"])) for row in ledger(house)[:2]]
    assert found[0] == ("==:refund", -15_000_000, "2026-09-01")
    assert found[1][:2] == (":refund:2", -5_000_000)
    assert found[1][2] == str(first["occurred_on"])
    before = ledger(house)
    with house.write() as connection:
        connection.execute(sales_events.delete())
    assert rebuild(house, "alice", SPAN) == 3
    assert ledger(house) == before
    server.has(paid(2, line("Partial Refund", "2026-08-06", -13.32, "one==", sale_price=-15.0, gumroad_fees=-1.68)))
    read_payouts(house, server)
    found = [(row["gross_micros"], str(row["occurred_on"])) for row in ledger(house) if row["event_type"] == "refund"]
    assert found == [(-5_000_000, str(first["occurred_on"])), (-15_000_000, "2026-08-06")]


def first_seen(day: str):
    """Noon of a day."""
    from datetime import UTC, datetime

    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)


NAMES = (
    "payout_usd_everything", "payout_B_later_reading", "payout_eur", "payout_returned", "payout_after_return",
    "payout_instant", "payout_failed_refund_pair",
)  # fmt: skip
WINDOWS = (
    DayWindow(date(2026, 7, 1), date(2026, 8, 5)),
    DayWindow(date(2026, 8, 5), date(2026, 8, 12)),
    DayWindow(date(2026, 8, 12), date(2026, 11, 1)),
)


def _forget(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        for table in (sales_events, gumroad_sales, payouts, payout_lines, platform_balances, ledger_first_seen):
            connection.execute(table.delete())


def test_any_order_of_arrival_gives_the_same_ledger(house: Warehouse, server: PayoutServer, ring: KeyRing) -> None:
    """Guards: a ledger that depends on which of sales and payouts came first."""
    server.sales = sales()
    results: list[Any] = []
    for seed in range(4):
        _forget(house)
        server.payouts.clear()
        steps: list[Any] = [*NAMES, *WINDOWS, *NAMES[:2]]
        random.Random(seed).shuffle(steps)
        for step in steps:
            if isinstance(step, str):
                server.has(payout(step))
                read_payouts(house, server, since=date(2026, 8, 1))
            else:
                read_sales(house, server, ring, step)
        results.append((ledger(house), lines(house)))
    assert all(found == results[0] for found in results[1:])
    assert rebuild(house, "alice", SPAN) == 0
    with house.write() as connection:
        connection.execute(sales_events.delete())
    rebuild(house, "alice", DayWindow(date(2000, 1, 1), date(2030, 1, 1)))
    assert (ledger(house), lines(house)) == results[0]
