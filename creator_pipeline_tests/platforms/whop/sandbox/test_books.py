"""The stand-in's own books: two entries a movement, and the identities that a reader of them may rely on."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from creator_pipeline.platforms.whop.sandbox.books import PARTS
from creator_pipeline_tests.support.sandbox import World
from creator_pipeline_tests.support.whop_samples import TODAY


@pytest.fixture(scope="module")
def part():
    return World.invented(today=TODAY, sizes={"alice": 1}).whop


@pytest.fixture(scope="module", params=["alice", "bea", "chen"])
def books(part, request):
    return part[request.param].books


def test_the_journal_sums_to_zero_at_every_moment_in_every_currency(books) -> None:
    """Guards: books that prove themselves because both sides were derived from one number."""
    sums = defaultdict(Decimal)
    journal = sorted(books.journal, key=lambda entry: entry.at)
    for place, entry in enumerate(journal):
        sums[entry.currency] += entry.amount
        if place + 1 == len(journal) or journal[place + 1].at > entry.at:
            assert not any(sums.values()), entry
    assert len(journal) >= 2 * len(books.lines)


def test_all_lines_since_the_first_are_the_balance_with_pending_and_reserve(books, part) -> None:
    """Guards: identity (c), to the last of the digits in which the books are kept."""
    for days in (0, 1, 17, 60):
        at = part.clock() - timedelta(days=days)
        for currency, balance in books.balances(at).items():
            lines = [line for line in books.lines if line.currency == currency and line.posted_at <= at]
            assert sum(line.total for line in lines) == balance.total
    assert any(parts.reserve for parts in books.balances(part.clock()).values())
    assert balance._fields == PARTS


def test_a_payout_is_what_there_was_and_came_in_less_what_stays(part) -> None:
    """Guards: a statement that is taken for the list of what the payout paid."""
    for account in part.values():
        payouts = part.books(account.profile).payouts
        assert len(payouts) >= 5
        for one in payouts:
            assert one.opening + one.statement.amount == one.closing, one.payout
            at_payout = account.books.balances(one.payout.created_at)[one.payout.currency].available
            assert one.closing - one.payout.taken == at_payout
            assert one.booked == (0 if one.payout.state == "released" else -one.payout.taken)


def test_a_payment_leaves_what_its_lines_add_up_to(part) -> None:
    """Guards: identity (d): gross less fees, tax, partners, refunds and disputes, each from its own object."""
    account = part["alice"]
    left = part.books("alice").payments
    for payment in account.tables["payments"].values():
        if payment["status"] != "paid":
            continue
        lines = account.books.of_payment(payment["id"])
        own = [line for line in lines if line.currency == payment["currency"]]
        by_word = defaultdict(Decimal)
        for line in own:
            by_word[line.line_type] += line.amount
        given = Decimal((payment["refunded_amount"] or {"amount": "0"})["amount"])
        assert by_word["payment_gross"] == Decimal(payment["total"]["amount"])
        assert by_word["payment_refund"] + by_word["payment_refund_reversal"] == -given
        assert by_word["sales_tax_remittance"] == -Decimal((payment["tax_amount"] or {"amount": "0"})["amount"])
        assert left[payment["id"], payment["currency"]].amount == sum(by_word.values())


def test_the_history_has_every_kind_of_movement(part) -> None:
    """Guards: a reader that was never shown a returned payout, an inner fee or an unknown word."""
    words = {line.line_type for account in part.values() for line in account.books.lines}
    payouts = [payout for account in part.values() for payout in account.books.payouts.values()]
    assert {
        "payment_gross", "payment_processing_percentage_fee", "fx_percentage_fee", "sales_tax_remittance",
        "sales_tax_remittance_reversal", "affiliate_fee", "payment_revshare", "payment_refund", "payment_refund_reversal",
        "payment_dispute", "payment_dispute_fee", "payment_dispute_reversal", "dispute_alert_fee",
        "platform_affiliate_payment", "balance_reservation", "balance_reservation_reversal", "topup", "topup_fee",
        "withdrawal", "withdrawal_fee", "withdrawal_markup_fee", "withdrawal_reversal", "withdrawal_fee_reversal",
        "currency_conversion_outgoing", "currency_conversion_incoming", "loyalty_correction",
    } <= words  # fmt: skip
    assert {payout.fee_type for payout in payouts} == {"inclusive", "exclusive"}
    assert {payout.fee_paid_by for payout in payouts} == {"self", "platform"}
    assert {payout.destination_currency for payout in payouts} == {None, "gbp"}
    assert {payout.status for payout in payouts} == {"completed", "reversed"}
    assert {payout.currency for payout in payouts} == {"usd", "eur"}


def test_the_same_seed_and_day_make_the_same_books(part) -> None:
    again = World.invented(today=TODAY, sizes={"alice": 1}).whop
    assert again["bea"].books.lines == part["bea"].books.lines
    assert again["bea"].books.payouts == part["bea"].books.payouts


def test_a_sale_is_pending_until_the_midnight_of_its_third_day() -> None:
    """Guards: a balance that counts what isn't there yet."""
    part = World.invented(today=date(2026, 9, 20), whop_sizes={"alice": 0}).whop
    part.buy("alice", created=datetime(2026, 9, 10, 21, tzinfo=UTC), traits=())
    books, settled = part["alice"].books, datetime(2026, 9, 13, tzinfo=UTC)
    before, after = books.balances(settled - timedelta(seconds=1))["usd"], books.balances(settled)["usd"]
    assert (before.available, after.pending) == (0, 0)
    assert before.pending == after.available == Decimal("27.772")
