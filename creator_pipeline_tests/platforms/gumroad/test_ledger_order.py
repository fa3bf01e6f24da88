"""Which of a sale's refunds was the last: it takes what is left of the fee, so a cent of the kept fees hangs on it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from creator_pipeline.platforms.gumroad import fees
from creator_pipeline.platforms.gumroad.ledger import SaleLedger, sale_ledger
from creator_pipeline.platforms.gumroad.payout_facts import ORDER, Known, facts
from creator_pipeline.platforms.gumroad.payout_items import placed_parts
from creator_pipeline.platforms.gumroad.payout_rows import Payout
from creator_pipeline.platforms.gumroad.payouts import Line
from creator_pipeline.platforms.gumroad.sale_history import History, Seen, Step, without
from creator_pipeline.platforms.gumroad.sale_lines import SaleLine
from creator_pipeline.platforms.gumroad.sale_models import GumroadSale

CENT = 10_000
NIGHT = datetime(2026, 10, 17, 3, tzinfo=UTC)
"""When the payouts were read."""
SALE = GumroadSale(
    profile_id="bea", id="one==", created_at=datetime(2026, 10, 5, 4, tzinfo=UTC), product_id=None, product_name=None,
    quantity=1, price_micros=4410 * CENT, fee_micros=649 * CENT, refunded_micros=4410 * CENT, chargedback=False,
    disputed=False, dispute_won=False, kind="sale",
)  # fmt: skip
MADE = (datetime(2026, 10, 9, 10, tzinfo=UTC), datetime(2026, 10, 16, 10, tzinfo=UTC))
"""Of the payout that paid the kept fee, and of the one that lists the sale and its refund of 7.49."""


def told(type_: str, day: int, gross: int, net: int, number: int) -> SaleLine:
    return SaleLine(
        "p2", number, live=True, created_at=MADE[1], type=type_, occurred_on=date(2026, 10, day),
        gross_micros=gross * CENT, fee_micros=(gross - net) * CENT, net_micros=net * CENT, read_at=NIGHT,
    )  # fmt: skip


def made(*seen: Seen) -> SaleLedger:
    lines = [told("Sale", 5, 4410, 3761, 1), told("Partial Refund", 8, -749, -673, 2)]
    return sale_ledger("bea", "one==", SALE, lines, History(seen), NIGHT + timedelta(days=60))


def kept(ledger: SaleLedger) -> list[tuple[int, int]]:
    """Refund and what was kept of it, in cents, in the order in which they are thought to have been made."""
    return [(one.micros // CENT, one.kept_micros // CENT) for one in ledger.refunds]


FIRST, LATER = Seen(749 * CENT, NIGHT - timedelta(days=8)), NIGHT + timedelta(hours=1)


def test_a_refund_that_the_sale_told_later_came_after_also_on_the_day_of_the_reading():
    """Incident: a fraud refund finished a sale off on the day on which a payout had been read, so the earlier one
    counted as the last, its kept fee as 0.35 for 0.34, and two payouts were a cent off for good."""
    after = made(FIRST, Seen(4410 * CENT, LATER))
    assert kept(after)[0] == (749, 34)
    assert not any(one.order_open for one in after.refunds)


def test_what_the_reading_knew_and_does_not_list_came_before():
    """Incident: the first of two refunds, whose line is gone, is taken for the last one."""
    before = made(Seen(3661 * CENT, NIGHT - timedelta(days=9)), Seen(4410 * CENT, NIGHT - timedelta(days=8)))
    assert [micros for micros, _ in kept(before)] == [3661, 749]
    assert kept(before)[1] == (749, 35)
    assert not any(one.order_open for one in before.refunds)


ONCE = (Seen(4410 * CENT, LATER),)
"""Both refunds were seen in one, and after the payout was read."""


def payouts(*cents: int) -> list[Payout]:
    """The two of them, with these adjustments."""
    return [
        Payout(f"p{number}", at, live=True, lines=[line], adjusted=True)
        for number, (at, amount) in enumerate(zip(MADE, cents, strict=True), 1)
        for line in (Line("Technical Adjustment", at.date(), None, None, None, amount * CENT),)
    ]


def explained(*cents: int) -> dict[str, list[int]]:
    """The parts of these adjustments, in cents, of those that are explained."""
    sales, every = {"one==": Known(SALE, made(*ONCE))}, payouts(*cents)
    found, _ = placed_parts("bea", every, sales, facts("bea", every, sales))
    return {name: sorted(part.micros // CENT for part in parts) for name, parts in found.items()}


def test_where_the_order_is_not_known_both_readings_are_tried_to_the_cent():
    """Incident: an adjustment of 0.34 with a part of 0.35 and a cent that nobody can name."""
    assert explained(-34, 34) == {"p1": [-34], "p2": [34]}, "the other refund came after"
    assert explained(-35 - 171, 35 - 3123) == {"p1": [-171, -35], "p2": [-3123, 35]}, "its line is gone"


def test_a_cent_that_no_reading_explains_stays_unexplained():
    """Incident: a tolerance of a cent that swallows whatever is off by one."""
    assert explained(-33, 33) == explained(-36, 36) == {}


def test_the_cent_of_the_order_has_a_name_of_its_own():
    """Incident: payouts that are explained one by one miss the cent that those explained together have."""

    def cents(*seen: Seen) -> dict[str, list[int]]:
        sales, every = {"one==": Known(SALE, made(*seen))}, payouts(-34, 34)
        return {
            name: [part.micros // CENT for part in one.possible if part.reason == ORDER]
            for name, one in facts("bea", every, sales).items()
        }

    assert cents(*ONCE) == {"p1": [1], "p2": [-1]}
    assert cents(FIRST, Seen(4410 * CENT, LATER)) == {"p1": [], "p2": []}


@pytest.mark.parametrize(
    ("refunds", "parts", "others"),
    [
        ([749, 3661], [110, 539], [111, 538]),
        ([3661, 749], [538, 111], [539, 110]),
        ([749], [110], [110]),
        ([4410], [649], [649]),
    ],
)
def test_the_last_refund_of_a_sale_takes_what_is_left_of_the_fee(
    refunds: list[int], parts: list[int], others: list[int]
):
    """Incident: a cent too much in the part of a refund that wasn't the last."""
    assert fees.fee_parts(4410, 649, refunds) == parts
    assert fees.other_parts(4410, 649, refunds) == others


def test_a_line_is_the_refund_of_its_amount():
    """Incident: a line of 5.43 that is taken out of an older refund of 15.00, so that neither has its amount."""
    at = datetime(2026, 11, 28, tzinfo=UTC)
    steps = [Step(1, 1500, at), Step(2, 543, at), Step(3, 131, at)]
    left = without(steps, [(at, 1000), (at, 543)])
    assert [(step.number, step.micros) for step in left.steps] == [(1, 500), (3, 131)]
    assert left.seen_as == [1, 2]
