"""Lines of the feed to rows of the ledger: the sign decides, and no word is lost."""

from datetime import UTC, datetime, timedelta

import pytest

from creator_pipeline.platforms.whop.ledger_lines import Booked, line_events, origin_of
from creator_pipeline.platforms.whop.line_types import NO_ROW, Family, contradicts, meaning_of

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


def line(number: int, word: str, micros: int, *, hours: int = 0, currency: str = "USD", payment: str | None = "pay_1"):
    at = AT + timedelta(hours=hours)
    return Booked(f"line_{number}", word, at, at.date(), payment, None, "prod_1", "Club", micros, currency)


def booked(*lines: Booked, families: dict[str, Family] | None = None) -> list[tuple[str, int, int, int]]:
    rows = line_events(origin_of("alice", lines[0].owner, lines, AT), lines, families or {})
    assert len({row.id for row in rows}) == len(rows)
    return [(row.event_type, row.gross_micros, row.fee_micros, row.quantity) for row in rows]


@pytest.mark.parametrize(
    ("word", "micros", "told"),
    [
        ("payment_processing_percentage_fee", 300_000, ("fee_refund", 0, -300_000, 0)),
        ("payment_processing_percentage_fee", -300_000, ("fee", 0, 300_000, 0)),
        ("affiliate_fee", 900_000, ("affiliate_share", 900_000, 0, 0)),
        ("platform_affiliate_payment_reversal", -900_000, ("affiliate_credit", -900_000, 0, 0)),
        ("sales_tax_remittance_reversal", 400_000, ("tax", 400_000, 0, 0)),
        ("payment_dispute_adjustment", 100_000, ("chargeback_reversal", 100_000, 0, 0)),
        ("platform_balance_payment", -5_000_000, ("adjustment", -5_000_000, 0, 0)),
        ("withdrawal_fee_reversal", 2_500_000, ("payout_fee", 0, -2_500_000, 0)),
        ("dispute_alert_fee", -25_000_000, ("fee", 0, 25_000_000, 0)),
        ("payment_refund_reversal", 29_000_000, ("refund", 29_000_000, 0, 0)),
    ],
)
def test_the_sign_decides(word, micros, told) -> None:
    """Guards: a fee that was given back and booked as another one."""
    assert booked(line(1, word, micros)) == [told]


@pytest.mark.parametrize("word", ["withdrawal", "balance_reservation", "topup", "card_spend", "onchain_deposit"])
def test_payouts_holds_and_what_the_seller_moves_are_no_rows(word) -> None:
    assert meaning_of(word, {}) in NO_ROW
    assert booked(line(1, word, -1_000_000)) == []


def test_a_sale_holds_the_fees_of_its_day_and_currency_only() -> None:
    """Guards: a fee of November inside a sale of October, and yen added to dollars."""
    assert booked(
        line(1, "payment_gross", 49_000_000),
        line(2, "payment_processing_fixed_fee", -300_000),
        line(3, "three_ds_fixed_fee", -100_000, hours=24),
        line(4, "fx_percentage_fee", -50_000, currency="EUR"),
    ) == [
        ("sale", 49_000_000, 300_000, 1),
        ("fee", 0, 50_000, 0),
        ("fee", 0, 100_000, 0),
    ]


def test_the_unit_is_back_with_the_last_of_the_money_and_gone_again_when_a_refund_fails() -> None:
    assert booked(
        line(1, "payment_gross", 30_000_000),
        line(2, "payment_refund", -10_000_000, hours=1),
        line(3, "payment_refund", -20_000_000, hours=2),
        line(4, "payment_refund_reversal", 20_000_000, hours=3),
    ) == [
        ("sale", 30_000_000, 0, 1),
        ("refund", -10_000_000, 0, 0),
        ("refund", -20_000_000, 0, -1),
        ("refund", 20_000_000, 0, 1),
    ]


def test_an_unknown_word_goes_by_whops_own_family_where_that_leaves_no_choice() -> None:
    families = {"moon_fee": Family("fees", "cost_of_revenue"), "moon": Family("wallets_and_balance", None)}
    assert booked(line(1, "moon_fee", -700_000), families=families) == [("fee", 0, 700_000, 0)]
    assert booked(line(1, "moon", -700_000), families=families) == [("adjustment", -700_000, 0, 0)]
    assert booked(line(1, "moon", -700_000)) == [("adjustment", -700_000, 0, 0)]


def test_a_side_of_profit_and_loss_where_we_have_no_row_is_told() -> None:
    assert contradicts("topup", Family("wallets_and_balance", "revenue"))
    assert not contradicts("topup", Family("wallets_and_balance", None))
    assert meaning_of("moon_payout", {"moon_payout": Family("withdrawals", "revenue")}) == "unknown"
