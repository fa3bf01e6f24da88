"""What happens to an account's money as days pass, and the ways to read what Whop doesn't say."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from creator_pipeline.platforms.whop.sandbox.bookings import PROCESSING
from creator_pipeline.platforms.whop.sandbox.readings import written
from creator_pipeline_tests.support.sandbox import World
from creator_pipeline_tests.support.whop_samples import TODAY

LONG_AGO = datetime(2026, 8, 3, 9, tzinfo=UTC)


@pytest.fixture
def part():
    """An account that has sold nothing."""
    return World.invented(today=TODAY, whop_sizes={"alice": 0}).whop


@pytest.fixture
def sold(part):
    """With five sales of 29.00 that have settled: 138.86 are available."""
    for _ in range(5):
        part.buy("alice", created=LONG_AGO, traits=())
    return part


def words(part, payout=None) -> dict[str, Decimal]:
    lines = part["alice"].books.lines
    return {line.line_type: line.amount for line in lines if payout is None or line.source == ("payout", payout.id)}


def available(part) -> Decimal:
    return part.books("alice").balances["usd"].available


def test_what_a_payment_left_after_fees_is_what_its_lines_say() -> None:
    """Guards: an estimate that can never meet the line that replaces it, because the two tell of different worlds."""
    part = World.invented(today=TODAY, sizes={"alice": 1}).whop
    for after_all in (False, True):
        part.read_as(kept_after_all=after_all)
        for account in part.values():
            for payment in account.tables["payments"].values():
                if payment["status"] != "paid":
                    continue
                lines = [line for line in account.books.of_payment(payment["id"]) if line.source is None]
                kept = sum(
                    line.amount for line in lines
                    if after_all or line.line_type == "payment_gross" or line.line_type in PROCESSING
                )  # fmt: skip
                assert payment["amount_after_fees"]["amount"] == f"{written(kept, payment['currency']):f}"


def test_a_week_brings_a_payout_that_arrives_two_days_later(sold) -> None:
    """Guards: a payout that is on the way and is counted as arrived, or not at all."""
    sold.advance(1)
    (payout,) = sold["alice"].books.payouts.values()
    assert (payout.created_at, payout.state) == (datetime(2026, 9, 21, 6, tzinfo=UTC), "on_the_way")
    assert payout.taken == Decimal("138.86")
    assert words(sold, payout) == {"withdrawal": Decimal("-136.36"), "withdrawal_fee": Decimal("-2.5")}
    sold.advance(2)
    assert payout.state == "paid"
    assert available(sold) == 0


def test_thirty_nights_one_by_one_are_thirty_nights_at_once() -> None:
    """Guards: payouts that depend on how often somebody looked."""
    one, other = (World.invented(today=TODAY, sizes={"alice": 1}).whop for _ in range(2))
    for _ in range(30):
        one.advance()
    other.advance(30)
    for profile in ("alice", "bea", "chen"):
        amounts = [
            [(payout.created_at, payout.taken, payout.status) for payout in part[profile].books.payouts.values()]
            for part in (one, other)
        ]
        assert amounts[0] == amounts[1]
        assert one.books(profile).balances == other.books(profile).balances


def test_a_returned_payout_is_back_with_its_fee(sold) -> None:
    before = available(sold)
    payout = sold.pay_out("alice", "50.00", markup=Decimal("0.35"))
    sold.advance(2)
    sold.move_payout("alice", payout.id, "reversed")
    assert payout.returned_at == sold.clock()
    assert words(sold, payout)["withdrawal_reversal"] == Decimal("47.15")
    assert words(sold, payout)["withdrawal_fee_reversal"] == Decimal("2.5")
    assert words(sold, payout)["withdrawal_markup_fee_reversal"] == Decimal("0.35")
    sold.move_payout("alice", payout.id, "reversed")
    taken = sum(other.taken for other in sold["alice"].books.payouts.values() if other.state != "released")
    assert available(sold) == before - taken


def test_more_than_there_is_can_t_be_paid_out(sold) -> None:
    with pytest.raises(ValueError, match="can't be paid out"):
        sold.pay_out("alice", "138.87")


@pytest.mark.parametrize(
    ("terms", "own_line", "lines"),
    [
        ({"fee_type": "exclusive"}, False, {"withdrawal": "-47.50", "withdrawal_fee": "-2.50"}),
        ({"fee_type": "inclusive"}, False, {"withdrawal": "-50.00"}),
        ({"fee_type": "inclusive"}, True, {"withdrawal": "-47.50", "withdrawal_fee": "-2.50"}),
        ({"fee_paid_by": "platform"}, False, {"withdrawal": "-50.00"}),
    ],
)
def test_a_fee_stands_inside_or_beside_and_the_balance_is_the_same(sold, terms, own_line, lines) -> None:
    """Guards: a payout whose fee is taken from the balance twice, or never."""
    before = available(sold)
    sold.read_as(inclusive_fee_line=own_line)
    payout = sold.pay_out("alice", "50.00", **terms)
    assert words(sold, payout) == {word: Decimal(amount) for word, amount in lines.items()}
    assert available(sold) == before - 50


def test_a_payout_may_leave_the_balance_only_when_it_has_arrived(sold) -> None:
    """Guards: payouts on the way that are taken from a balance which they haven't left yet."""
    sold.read_as(line_when_completed=True)
    payout = sold.pay_out("alice", "50.00", at=LONG_AGO.replace(day=20))
    assert words(sold, payout) == {}
    sold.move_payout("alice", payout.id, "completed")
    assert sum(words(sold, payout).values()) == -50


def test_an_instant_payout_into_another_currency(sold) -> None:
    payout = sold.pay_out("alice", "50.00", destination="gbp", instant=True)
    assert (payout.state, payout.speed) == ("paid", "instant")
    assert payout.rate
    assert (payout.request_id or "").startswith("cofr_")


def test_a_refund_keeps_the_fees_unless_it_is_read_otherwise(part) -> None:
    """Guards: fees of a refund that are given back by assumption, in either direction."""
    for back in (False, True):
        part.read_as(fees_back=back)
        _, payment = part.buy("alice", traits=["tax", "revshare", "affiliate"])
        part.refund("alice", payment["id"])
        left = part.books("alice").payments[payment["id"], "usd"].amount
        lines = part["alice"].books.of_payment(payment["id"])
        kept = sum(line.amount for line in lines if line.source is None and line.line_type in PROCESSING)
        affiliate = next(line.amount for line in lines if line.line_type == "affiliate_fee")
        assert left == affiliate + (0 if back else kept)


def test_a_refund_that_fails_is_as_if_it_had_not_been(part) -> None:
    _, payment = part.buy("alice", traits=["tax", "revshare"])
    before = part.books("alice").payments[payment["id"], "usd"].amount
    refund = part.refund("alice", payment["id"], "5.00")
    part.fail_refund("alice", refund["id"])
    assert part.books("alice").payments[payment["id"], "usd"].amount == before
    assert payment["refunded_amount"] is None
    assert refund["status"] == "failed"


def test_a_dispute_costs_its_fee_won_or_lost(part) -> None:
    for ending, left in (("won", Decimal(29)), ("lost", Decimal(0))):
        _, payment = part.buy("alice", traits=())
        dispute = part.dispute("alice", payment["id"])
        part.close_dispute("alice", dispute["id"], ending)
        found = part.books("alice").payments[payment["id"], "usd"].amount
        assert found == left - Decimal("1.228") - 15


def test_an_alert_refunds_and_has_its_price(part) -> None:
    _, payment = part.buy("alice", traits=())
    refund = part.alert("alice", payment["id"])
    assert refund["reason"] == "dispute_alert"
    assert part.books("alice").payments[payment["id"], "usd"].amount == -Decimal("1.228") - 5


def test_a_conversion_takes_from_one_balance_and_gives_to_another(sold) -> None:
    sold.convert("alice", "10.00", "usd", "eur")
    truth = sold.books("alice")
    assert truth.words["usd", "currency_conversion_outgoing"].amount == -10
    assert truth.balances["eur"].available == truth.words["eur", "currency_conversion_incoming"].amount > 8
    with pytest.raises(ValueError, match="no rate"):
        sold.convert("alice", "1", "usd", "xau")


def test_an_unknown_reading_is_refused(part) -> None:
    with pytest.raises(ValueError, match="no reading nonsense"):
        part.read_as(nonsense=True)
