"""The ledger beside the truth of the stand-in."""

from datetime import timedelta

import pytest

from creator_pipeline.core.windows import DayWindow
from creator_pipeline.ledger.replace import replace_window
from creator_pipeline.platforms.gumroad.sandbox.compare import differences, exact_nets, wrong_nets
from creator_pipeline_tests.support.ledger_samples import DAY, event

CENT = 10_000


def row(number, event_type, gross, fee, *, exact=True, day=DAY):
    """A row of a sale; US cents."""
    return event(number, day)._replace(
        id=f"gumroad:alice:{number}:{event_type}",
        event_type=event_type,
        gross_micros=gross * CENT,
        fee_micros=fee * CENT,
        net_micros=(gross - fee) * CENT,
        fee_exact=exact,
    )


@pytest.fixture
def ledger(warehouse):
    """A sale of 10.00 that was refunded two days later, and one whose refund is estimated."""
    later = DAY + timedelta(days=2)
    events = [
        row(1, "sale", 1000, 209),
        row(1, "refund", -1000, -150, day=later),
        row(2, "sale", 1000, 209),
        row(2, "refund", -1000, -140, exact=False, day=later),
    ]
    with warehouse.write() as connection:
        replace_window(connection, "gumroad", "alice", DayWindow(DAY, DAY + timedelta(days=3)), events)
    return warehouse


def test_sales_are_compared_by_day_and_what_went_back_in_all(ledger):
    """Guards: a refund on the platform's own day shown as two wrong days."""
    assert differences(ledger, "alice", {DAY: (2, 2000, 2000, 418, 0)}) == []
    (wrong,) = differences(ledger, "alice", {DAY: (2, 2000, 1900, 418, 0)})
    assert wrong.day == (DAY + timedelta(days=2), "USD, all days")
    assert (wrong.ledger.refunded_micros, wrong.platform.refunded_micros) == (2000 * CENT, 1900 * CENT)
    assert len(differences(ledger, "alice", {DAY: (2, 2000, 2000, 417, 0)})) == 1


def test_nets_are_compared_where_the_ledger_says_that_it_knows_the_fee(ledger):
    """Guards: an estimate called wrong, and a wrong fee called exact."""
    nets = exact_nets(ledger, "alice")
    assert nets == {"1": -59 * CENT}
    truth = {"1": {"net_cents": -59, "rows_tell_all": True}, "2": {"net_cents": -59, "rows_tell_all": True}}
    assert wrong_nets(nets, truth) == []
    truth["1"]["net_cents"] = -52
    assert wrong_nets(nets, truth) == ["sale 1: net in the ledger -59 cents, true -52"]
    truth["1"]["rows_tell_all"] = False
    assert wrong_nets(nets, truth) == []
