"""From a payout's JSON to its head and lines."""

from datetime import UTC, date, datetime

import pytest

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.gumroad import payout_heads, payouts
from creator_pipeline_tests.support.gumroad_payouts import KEPT, answer, line, payout

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def test_every_fixture_has_the_sums_of_its_manifest():
    """Guards: a float's last bit, an empty text or a negative zero that moves a cent."""
    files = answer("manifest")["files"]
    for name in (*KEPT, "payout_B_later_reading", "payout_returned"):
        wanted = files[f"{name}.json"]
        made = payouts.reading(payout(name))
        assert made.lines is not None
        assert len(made.lines) == wanted["lines"]
        assert sum(one.net_micros for one in made.lines) == wanted["sum_net_cents"] * 10_000
        for type_, sums in wanted["net_by_type"].items():
            mine = [one.net_micros for one in made.lines if one.type == type_]
            assert (len(mine), sum(mine)) == (sums["lines"], sums["net_cents"] * 10_000)


def test_what_is_personal_is_dropped_on_receipt():
    """Guards: a bank account and buyers' addresses in the warehouse."""
    made = payouts.reading(payout("payout_usd_everything"))
    text = payouts.raw(made) + repr(made)
    for word in ("@example.com", "Ada Brook", "6789", "paypal_email", "bank_account_visual"):
        assert word not in text


def test_the_period_and_what_a_processor_paid_are_found_in_the_lines():
    """Guards: a payout without a period, and money of one's own PayPal account in a bank's payout."""
    made = payouts.reading(payout("payout_usd_everything"))
    assert made.lines is not None
    assert payouts.period_end(made.lines) == date(2026, 8, 7)
    assert made.paid_elsewhere == {"VjZw_ejrYAiwkprKyQ21ew==", "JxLZnweLEh7qUz02oIxBkg=="}
    stored = payout_heads.with_lines(payout_heads.new_row("alice", made.head, NOW), made, NOW)
    assert stored.balance_micros == 8590 * 10_000, "what a processor paid never was in the balance"


@pytest.mark.parametrize(
    ("amount", "currency", "micros", "inferred"),
    [
        ("85.90", "usd", 85_900_000, False),
        ("103.71", "EUR", 103_710_000, False),
        ("48.12", "jpy", 4_812_000_000, True),
        ("125000.00", "krw", 125_000_000_000, True),
        ("12.30", "kwd", 1_230_000, True),
    ],
)
def test_amounts_are_minor_units_over_a_hundred(amount, currency, micros, inferred):
    """Guards: 48 yen where 4,812 arrived."""
    head = payouts.head(payout("payout_instant", amount=amount, currency=currency))
    assert (head.amount_micros, head.currency) == (micros, currency.upper())
    assert payouts.is_inferred(head.currency) is inferred


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("creating", "on_the_way"), ("processing", "on_the_way"), ("unclaimed", "on_the_way"), ("completed", "paid"),
        ("failed", "released"), ("cancelled", "released"), ("returned", "released"), ("reversed", "released"),
        ("Completed", "paid"), ("something new", "on_the_way"),
    ],
)  # fmt: skip
def test_a_status_says_where_the_money_is(status, state):
    """Guards: a payout that came back and counts as paid."""
    assert payouts.head(payout("payout_instant", status=status)).state == state


def test_lines_have_an_order_of_their_own():
    """Guards: a payout that looks changed because the server's sort isn't stable."""
    one, other = payout("payout_usd_everything"), payout("payout_usd_everything")
    other["transactions"].reverse()
    assert payouts.reading(one) == payouts.reading(other)._replace(head=payouts.reading(one).head)


@pytest.mark.parametrize(
    "bad",
    [
        {"amount": None}, {"amount": "a lot"}, {"amount": 12.5}, {"currency": ""}, {"id": None},
        {"created_at": "2026-06-33T10:00:03Z"}, {"transactions": "none"}, {"transactions": [1]},
        {"transactions": [line("Sale", "today", 1.0)]}, {"transactions": [line("Sale", "2026-08-03", "")]},
        {"transactions": [line("Sale", "2026-08-03", True)]},
    ],
)  # fmt: skip
def test_what_can_t_be_used_is_an_error(bad):
    """Guards: a payout of nothing, because a field has another shape than we think."""
    with pytest.raises(DataError):
        payouts.reading(payout("payout_instant", **bad))


def test_an_absent_list_of_lines_is_not_an_empty_one():
    """Guards: an old server's payout that reads as one without a single sale."""
    assert payouts.reading(payout("payout_old_server")).lines is None


def test_a_later_reading_that_lacks_a_line_is_told_with_its_figure():
    """Guards: a refund that vanishes from a completed payout, unseen."""
    first, later = (payouts.reading(payout(f"payout_B_{name}_reading")).lines for name in ("first", "later"))
    assert first is not None
    assert later is not None
    found = payouts.difference(first, later)
    assert found == (1, 17_840_000, 1)
    assert found.describe().startswith("17.84 USD in 1 line ")
    assert payouts.difference(first, first) is None


@pytest.mark.parametrize(
    ("status", "known", "day"),
    [
        ("returned", True, "2026-11-28"), ("returned", False, "2026-10-14"), ("failed", False, "2026-10-07"),
        ("failed", True, "2026-11-28"),
    ],
)  # fmt: skip
def test_when_the_money_of_a_payout_was_back(status, known, day):
    """Guards: a return that changes a month that was right."""
    head = payouts.head(payout("payout_instant", status=status))
    assert str(payouts.released_on(head, NOW, known_before=known)) == day
