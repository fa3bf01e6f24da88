"""Which reading of a payment counts."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from creator_pipeline.platforms.kdp.payment_choice import Reading, choose
from creator_pipeline_tests.support.kdp_payments import below, payment, read

BEGIN = datetime(2026, 9, 29, tzinfo=UTC)
PENDING = {"number": "", "status": "Pending", "payout": "Pending info from Bank", "day": ""}


def report(name, *rows, at=0):
    """Readings of a report that was made so many days after the first."""
    return [Reading(each, name, BEGIN + timedelta(days=at)) for each in read(*rows).payments]


def found(*reports):
    """(payout id, status) by any order of the reports."""
    seen = [
        [(each.payout_id, each.payment.status) for each in choose(reading for one in order for reading in one)]
        for order in itertools.permutations(reports)
    ]
    assert all(each == seen[0] for each in seen)
    return seen[0]


def test_pending_becomes_paid_and_is_not_doubled():
    """Guards: money that is on the way and in the bank at once."""
    first = report("a", payment(**PENDING), below())
    second = report("b", payment(number=7.0), below(), at=9)
    assert found(first) == [("Amazon.de:2026-07-01/2026-07-31", "Pending")]
    assert found(first, second) == [("Amazon.de:7", "Paid")]


def test_an_older_file_with_a_newer_time_does_not_undo_what_was_paid():
    """Guards: a workbook that doesn't say when it was made and was copied to the inbox last."""
    first = report("a", payment(**PENDING | {"number": 7.0}), below(), at=9)
    assert found(first, report("b", payment(number=7.0), below())) == [("Amazon.de:7", "Paid")]
    assert found(report("a", payment(**PENDING), below(), at=9), report("b", payment(number=7.0), below())) == [
        ("Amazon.de:7", "Paid")
    ]


def test_a_newer_file_takes_nothing_away_that_it_lacks():
    """Guards: last year's payments gone because the newest report begins in January."""
    first = report("a", payment(number=1.0), below())
    second = report("b", payment(number=2.0), below(), at=30)
    assert found(first, second) == [("Amazon.de:1", "Paid"), ("Amazon.de:2", "Paid")]


def test_a_failed_payment_stays_and_its_repeat_waits_beside_it():
    """Guards: the repeat of a failed payment taken for the number that had been missing, and lost."""
    waiting = report("a", payment(**PENDING), below())
    failed = report("b", payment(number=5.0, status="Failed"), below(), at=1)
    again = report("c", payment(number=5.0, status="Failed"), below(), payment(**PENDING), below(), at=2)
    paid = report("d", payment(number=5.0, status="Failed"), below(), payment(number=9.0), below(), at=9)
    assert found(waiting, failed) == [("Amazon.de:5", "Failed")]
    assert found(waiting, failed, again) == [("Amazon.de:2026-07-01/2026-07-31", "Pending"), ("Amazon.de:5", "Failed")]
    assert found(waiting, failed, again, paid) == [("Amazon.de:5", "Failed"), ("Amazon.de:9", "Paid")]


def test_a_payment_that_failed_later_is_failed():
    """Guards: money that the bank sent back and that is still in our books."""
    first, second = (
        report("a", payment(number=5.0), below()),
        report("b", payment(number=5.0, status="Failed"), below(), at=1),
    )
    assert found(first, second) == [("Amazon.de:5", "Failed")]


def test_two_payments_of_one_period_in_one_file_are_two():
    """Guards: Expanded Distribution, which is paid a month after the rest, lost behind it."""
    both = report("a", payment(**PENDING), below(), payment(accrued=3.0, **PENDING), below(3.0))
    assert found(both) == [
        ("Amazon.de:2026-07-01/2026-07-31", "Pending"),
        ("Amazon.de:2026-07-01/2026-07-31#2", "Pending"),
    ]
    one_paid = report("b", payment(accrued=3.0, number=7.0), below(3.0), payment(**PENDING), below(), at=9)
    assert found(both, one_paid) == [("Amazon.de:2026-07-01/2026-07-31", "Pending"), ("Amazon.de:7", "Paid")]


def test_a_reading_that_was_cut_off_never_replaces_a_whole_one_and_is_told():
    """Guards: a completed payment whose lines went away with the newest export."""
    whole = report("a", payment(accrued=10.0), below(6.0), below(4.0, source="KENP Royalties"))
    cut = report("b", payment(accrued=10.0), below(6.0), at=9)
    (chosen,) = choose([*cut, *whole])
    assert len(chosen.payment.details) == 2
    assert "2026-10-08" in chosen.differs
    assert "1 row below it" in chosen.differs
    other = report("c", payment(accrued=11.0), below(11.0), at=20)
    (chosen,) = choose([*whole, *other])
    assert chosen.payment.accrued_micros == 11_000_000
    assert "accrued 10.00 EUR" in chosen.differs
    same = report("d", payment(), below(6.0), below(4.0, source="KENP Royalties"), at=3)
    (chosen,) = choose([*whole, *same])
    assert chosen.differs == ""
