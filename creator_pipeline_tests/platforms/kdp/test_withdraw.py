"""An upload is taken back: payments, closed months."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from sqlalchemy import select

from creator_pipeline.core.windows import now, today
from creator_pipeline.ledger import closing
from creator_pipeline.platforms.kdp.withdraw import withdraw
from creator_pipeline.store.tables import kdp_payments, payout_lines, payouts, sales_events
from creator_pipeline_tests.support import kdp_landing
from creator_pipeline_tests.support.kdp_landing import MADE_AT
from creator_pipeline_tests.support.kdp_payments import PAID, PENDING, below, book, payment, saved, stored
from creator_pipeline_tests.support.kdp_samples import ESTIMATOR, REEXPORT

MARCH = "2026-03"


@pytest.fixture
def warehouse(warehouse):
    kdp_landing.add_profiles(warehouse)
    return warehouse


def money(warehouse) -> dict[str, object]:
    """Payouts, their lines and the ledger."""
    tables = {table.name: stored(warehouse, table) for table in (payouts, payout_lines)}
    return {**tables, "ledger": kdp_landing.ledger(warehouse)}


def close(warehouse, month: str) -> None:
    with warehouse.write() as connection:
        assert closing.close(connection, "alice", month, "{}", now())


def of_month(warehouse, month: str) -> tuple[Counter[str], Counter[str], list[date]]:
    """Money by currency of a month as it was closed, money that belongs to it and came later, and the days of that."""
    events, first, later, days = sales_events.c, Counter[str](), Counter[str](), list[date]()
    with warehouse.read() as connection:
        for row in connection.execute(select(sales_events).where(events.profile_id == "alice")):
            if row.belongs_to is None and f"{row.occurred_on:%Y-%m}" == month:
                first[row.currency] += row.net_micros
            elif row.belongs_to is not None and f"{row.belongs_to:%Y-%m}" == month:
                later[row.currency] += row.net_micros
                days.append(row.occurred_on)
    return first, later, days


def test_a_payments_report_is_taken_back_with_its_payouts_and_adjustments(warehouse, tmp_path) -> None:
    """Guards: payouts of the wrong account that stay; a payment that is pending again for good."""
    charged = saved(tmp_path, "charged.xlsx", book(payment("Amazon.fr", 77.0, adjustments=-1.0), below()))
    done = [kdp_landing.land(warehouse, path, at=MADE_AT + at) for at, path in enumerate((PENDING, PAID))]
    before = money(warehouse)
    extra = kdp_landing.land(warehouse, charged, at=MADE_AT + 2)
    assert money(warehouse) != before
    withdraw(warehouse, extra.file.partition)
    assert money(warehouse) == before
    withdraw(warehouse, done[1].file.partition)
    pending = money(warehouse)
    assert {row["state"] for row in stored(warehouse, payouts)} != {row["state"] for row in before["payouts"]}
    kdp_landing.land(warehouse, PAID, at=MADE_AT + 1)
    assert money(warehouse) == before
    for each in done:
        withdraw(warehouse, each.file.partition)
    assert money(warehouse) == {"payouts": [], "payout_lines": [], "ledger": []}
    with warehouse.read() as connection:
        assert connection.execute(select(kdp_payments)).all() == []
    kdp_landing.land(warehouse, PENDING, at=MADE_AT)
    assert money(warehouse) == pending


def test_what_goes_away_in_a_closed_month_is_booked_on_the_day_it_became_known(warehouse) -> None:
    """Guards: a closed month that changes after its statement was sent."""
    done = kdp_landing.land(warehouse, ESTIMATOR)
    open_month = kdp_landing.ledger(warehouse)
    close(warehouse, MARCH)
    sent, _, _ = of_month(warehouse, MARCH)
    withdraw(warehouse, done.file.partition)
    first, later, days = of_month(warehouse, MARCH)
    assert first == sent
    assert later == Counter({code: -micros for code, micros in sent.items()})
    assert set(days) == {today()}
    kdp_landing.land(warehouse, ESTIMATOR)
    first, later, _ = of_month(warehouse, MARCH)
    assert (first, +later, -later) == (sent, Counter(), Counter())
    assert kdp_landing.ledger(warehouse) == open_month


def test_a_better_report_that_is_taken_back_leaves_a_closed_month_as_it_was_closed(warehouse) -> None:
    """Guards: a late difference that stays after the report it came from is gone."""
    kdp_landing.land(warehouse, ESTIMATOR)
    before = kdp_landing.ledger(warehouse)
    close(warehouse, MARCH)
    done = kdp_landing.land(warehouse, REEXPORT, at=MADE_AT + 86_400)
    withdraw(warehouse, done.file.partition)
    assert kdp_landing.ledger(warehouse) == before


def test_an_adjustment_of_a_closed_month_goes_on_the_day_its_report_is_taken_back(warehouse, tmp_path) -> None:
    """Guards: a charge that vanishes out of a closed month with its report."""
    path = saved(tmp_path, "a.xlsx", book(payment(adjustments=-1.0, day="2026-09-29"), below()))
    done = kdp_landing.land(warehouse, path)
    close(warehouse, "2026-09")
    withdraw(warehouse, done.file.partition)
    first, later, days = of_month(warehouse, "2026-09")
    assert (first["EUR"], later["EUR"], set(days)) == (-1_000_000, 1_000_000, {today()})
