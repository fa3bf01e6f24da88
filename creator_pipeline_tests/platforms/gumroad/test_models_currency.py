"""In which currency a sale and a product are, what only tax went back of, and what a processor calls a charge."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad import payouts
from creator_pipeline.platforms.gumroad.models import SaleRow, product_row, sale_row
from creator_pipeline.platforms.gumroad.refund_shares import settle
from creator_pipeline.platforms.gumroad.summary import SummaryDay
from creator_pipeline_tests.support.gumroad_samples import fixture, sale_of

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)


def row_of(ring: KeyRing, listed: str | None = None, **over: object) -> SaleRow:
    sale = sale_of("sale_partially_refunded", **over)
    return sale_row("alice", sale, {sale["product_id"]: listed} if listed else {}, ring, NOW)


@pytest.mark.parametrize(
    ("currency", "price", "units"),
    [
        ("krw", 1_500_000, 15_000),
        ("vnd", 250_000, 250_000),
        ("jpy", 1500, 1500),
        ("cop", 30_747_400, 307_474),
        ("usd", 1999, 19.99),
        ("₩", 1_500_000, 15_000),
        ("€", 1850, 18.5),
    ],
)
def test_only_yen_and_dong_are_whole_at_gumroad(currency: str, price: int, units: float):
    """Incident: a product of 15,000 won stood in the catalogue with 1,500,000, as ISO 4217 has no hundredths of it."""
    product = fixture("product_show")["product"] | {"currency": currency, "price": price}
    assert product_row("alice", product, NOW).price_micros == round(units * 1_000_000)


@pytest.mark.parametrize(
    ("told", "symbol", "listed", "expected"),
    [
        ("eur", "$", "USD", "EUR"),
        ("€", None, "USD", "EUR"),
        (None, "€", "USD", "EUR"),  # the product is in dollars by now
        (None, "$", "EUR", "USD"),
        (None, "$", "CAD", "CAD"),
        (None, "SGD$", None, "SGD"),
        (None, "₩", None, "KRW"),
        (None, "CHF", None, "CHF"),
        (None, "kr", "NOK", "NOK"),
        (None, "kr", None, None),
        (None, "kr", "USD", None),
        (None, "¤¤", "USD", None),
        (None, None, "GBP", "GBP"),
    ],
)
def test_the_sale_s_own_currency_goes_before_the_product_s(ring: KeyRing, told, symbol, listed, expected):
    """Incident: a product that had changed to dollars made the euro of its old refunds exact dollars."""
    assert row_of(ring, listed, currency=told, currency_symbol=symbol).listed_currency == expected


def test_a_refund_of_tax_alone_takes_nothing_of_the_price(ring: KeyRing):
    """Incident: a buyer who got the tax back made the check of refunds warn for ever."""
    dollars = row_of(ring, price=4410, currency="usd", amount_refundable_in_currency="44.10")
    assert (dollars.refunded_micros, dollars.refund_exact) == (0, True)
    over = {"price": 2174, "currency": "eur", "formatted_total_price": "€20", "amount_refundable_in_currency": "20"}
    euro = row_of(ring, **over)
    assert (euro.refunded_micros, euro.refund_exact) == (0, False)
    day = euro.local_day or date.min
    [settled] = settle([euro], [], {day: SummaryDay(1, 2174, 0)})
    assert (settled.refunded_micros, settled.refund_exact) == (0, True)
    [settled] = settle([euro], [], {day: SummaryDay(1, 2174, 1)})
    assert (settled.refunded_micros, settled.refund_exact) == (10_000, True)


CHARGE = "ch_3SYNTHk2eZvKYlo2C"


def test_no_word_of_a_payment_processor_is_stored(ring: KeyRing):
    """Incident: the address of a charge at the processor stood in the stored JSON, and the charge's id in it."""
    address = f"https://dashboard.stripe.com/payments/{CHARGE}"
    row = row_of(
        ring,
        transaction_url_for_seller=address,
        stripe_fingerprint="Xt5EWLLDS7FJjR1c",
        receipt_url="https://gumroad.com/purchases/x/receipt?email=b%40example.com",
        later={"links": [f"see {address}", CHARGE], "card_country": "DE", "note": "thanks"},
        product_permalink="src_code1234",
    )
    kept = json.loads(row.raw)
    assert CHARGE not in row.raw
    assert "stripe" not in row.raw
    assert "receipt" not in row.raw
    assert kept["later"] == {"links": ["see [processor]", "[processor]"], "note": "thanks"}
    assert kept["product_permalink"] == "src_code1234"


def test_nor_with_a_payout():
    """Guards: the same under a new key of a payout."""
    item = {
        "id": "p==",
        "amount": "1.00",
        "currency": "usd",
        "status": "completed",
        "created_at": "2026-09-01T00:00:00Z",
    }
    made = payouts.head(item | {"stripe_transfer": "tr_1", "trace": f"x {CHARGE}"})
    assert made.raw == item | {"trace": "x [processor]"}
