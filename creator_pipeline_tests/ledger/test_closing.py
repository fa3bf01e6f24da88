"""Closed months stand, whatever comes later for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.ledger import closing
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import replace_window
from creator_pipeline.ledger.statement import statements
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import closed_months, sales_events
from creator_pipeline_tests.support.ledger_samples import event

OCTOBER = DayWindow(date(2026, 10, 1), date(2026, 11, 1))
ALL = DayWindow(date(2026, 9, 1), date(2027, 1, 1))
FIRST = [event(number, date(2026, 10, day)) for number, day in ((1, 3), (2, 3), (3, 20))]


def put(warehouse: Warehouse, events: Sequence[LedgerEvent], window: DayWindow = ALL) -> None:
    """Make the ledger of a window what it would be if no month were closed."""
    with warehouse.write() as connection:
        replace_window(connection, "gumroad", "alice", window, events, allow_shrink=True)


def close(warehouse: Warehouse, month: str = "2026-10") -> int:
    with warehouse.write() as connection:
        return closing.close(connection, "alice", month, "{}", now())


def rows(warehouse: Warehouse) -> dict[str, LedgerEvent]:
    with warehouse.read() as connection:
        return {row.id: LedgerEvent(*row) for row in connection.execute(select(sales_events))}


def of_october(warehouse: Warehouse) -> list[LedgerEvent]:
    return sorted(row for row in rows(warehouse).values() if f"{row.occurred_on:%Y-%m}" == "2026-10")


def net(warehouse: Warehouse) -> int:
    with warehouse.read() as connection:
        return int(connection.execute(select(func.sum(sales_events.c.net_micros))).scalar_one())


@pytest.fixture
def ledger(warehouse: Warehouse) -> Warehouse:
    put(warehouse, FIRST)
    assert close(warehouse) == 3
    return warehouse


def test_a_late_sale_is_booked_on_the_day_it_became_known(ledger: Warehouse) -> None:
    """Guards: a September that the bookkeeper has closed and that is another one in November."""
    before = of_october(ledger)
    late = event(4, date(2026, 10, 31))
    put(ledger, [*FIRST, late])
    assert of_october(ledger) == before
    booked = rows(ledger)[late.id]
    assert (booked.belongs_to, booked.occurred_on) == (date(2026, 10, 31), now().date())
    assert booked.occurred_at.date() == booked.occurred_on
    put(ledger, [*FIRST, late])
    assert rows(ledger)[late.id] == booked


def test_a_row_that_changes_leaves_the_closed_one_and_books_the_difference(ledger: Warehouse) -> None:
    """Guards: a corrected price that rewrites a closed month, or is lost."""
    before = of_october(ledger)
    put(ledger, [event(1, date(2026, 10, 3), gross=9_500_000), *FIRST[1:]])
    assert of_october(ledger) == before
    difference = rows(ledger)[f"{FIRST[0].id}:later1"]
    assert (difference.gross_micros, difference.belongs_to, difference.quantity) == (2_500_000, date(2026, 10, 3), 0)
    assert net(ledger) == 23_500_000
    put(ledger, FIRST)
    assert f"{FIRST[0].id}:later1" not in rows(ledger), "it is what it was: there is no difference any more"


def test_money_that_is_known_late_to_be_in_no_balance_leaves_the_closed_row(ledger: Warehouse) -> None:
    """Incident: a sale that a processor paid, known as such after its month was closed, stayed in the balance."""
    before = of_october(ledger)
    put(ledger, [FIRST[0]._replace(past_balance=True), *FIRST[1:]])
    assert of_october(ledger) == before
    late = [row for id_, row in sorted(rows(ledger).items()) if ":later" in id_]
    assert [(row.past_balance, row.net_micros, row.quantity) for row in late] == [
        (False, -7_000_000, -1),
        (True, 7_000_000, 1),
    ]
    assert net(ledger) == 21_000_000
    with ledger.read() as connection:
        assert statements(connection, "alice")["gumroad", "USD"].closing == 14_000_000


def test_a_row_that_vanishes_is_taken_back_later(ledger: Warehouse) -> None:
    """Guards: a sale that the platform takes back and that stays in the sums for ever."""
    before = of_october(ledger)
    put(ledger, FIRST[1:])
    assert of_october(ledger) == before
    back = rows(ledger)[f"{FIRST[0].id}:later1"]
    assert (back.gross_micros, back.quantity, back.belongs_to) == (-7_000_000, -1, date(2026, 10, 3))
    assert net(ledger) == 14_000_000


def test_a_row_that_moves_to_another_month_is_not_counted_twice(ledger: Warehouse) -> None:
    """Guards: a refund whose day becomes known later, counted in the closed month and on its own day."""
    put(ledger, [event(1, date(2026, 11, 2)), *FIRST[1:]])
    assert net(ledger) == 21_000_000
    assert rows(ledger)[FIRST[0].id].occurred_on == date(2026, 10, 3)


def test_a_window_of_one_day_leaves_what_was_booked_on_it_for_others(ledger: Warehouse) -> None:
    """Guards: a nightly run of the day on which something late was booked, which deletes it."""
    late = event(4, date(2026, 10, 31))
    put(ledger, [*FIRST, late])
    day = now().date()
    put(ledger, [], DayWindow(day, day + timedelta(days=1)))
    assert late.id in rows(ledger)
    put(ledger, FIRST, OCTOBER)
    assert late.id not in rows(ledger)


def test_a_ledger_made_from_nothing_is_the_one_that_grew(ledger: Warehouse) -> None:
    """Guards: a rebuild after a disaster that opens every month that was closed."""
    wanted = [event(1, date(2026, 10, 3), gross=8_000_000), FIRST[1], event(4, date(2026, 10, 31))]
    put(ledger, wanted)
    grown = rows(ledger)
    with ledger.write() as connection:
        connection.execute(delete(sales_events))
    put(ledger, wanted)
    assert rows(ledger).keys() == grown.keys()
    stamps = {"ingested_at": now(), "first_seen_at": now()}
    for id_, row in rows(ledger).items():
        assert row._replace(**stamps) == grown[id_]._replace(**stamps)


def test_what_was_booked_later_stands_when_its_month_is_closed_too(ledger: Warehouse) -> None:
    """Guards: a correction of a correction."""
    put(ledger, [event(1, date(2026, 10, 3), gross=8_000_000), *FIRST[1:]])
    close(ledger, f"{now():%Y-%m}")
    closed = rows(ledger)
    put(ledger, [event(1, date(2026, 10, 3), gross=8_500_000), *FIRST[1:]])
    found = rows(ledger)
    assert {id_: row for id_, row in found.items() if id_ in closed} == closed
    second = found[f"{FIRST[0].id}:later2"]
    assert (second.gross_micros, net(ledger)) == (500_000, 22_500_000)


def test_an_open_month_again_has_its_rows_on_their_days(ledger: Warehouse) -> None:
    """Guards: a reopened month that stays as it was closed."""
    wanted = [event(1, date(2026, 10, 3), gross=8_000_000), *FIRST[1:], event(4, date(2026, 10, 31))]
    put(ledger, wanted)
    with ledger.write() as connection:
        assert closing.reopen(connection, "alice", "2026-10", now()) == 3
        told = connection.execute(select(closed_months.c.month, closed_months.c.reopened_at.is_not(None))).all()
    assert [tuple(row) for row in told] == [("2026-10", True)]
    put(ledger, wanted)
    assert {(row.id, row.occurred_on, row.belongs_to, row.gross_micros) for row in rows(ledger).values()} == {
        (row.id, row.occurred_on, None, row.gross_micros) for row in wanted
    }


def test_another_profile_and_platform_are_not_closed_with_it(ledger: Warehouse) -> None:
    """Guards: a month of one seller that closes everybody's."""
    theirs = event(1, date(2026, 10, 3), profile="bea")
    with ledger.write() as connection:
        replace_window(connection, "gumroad", "bea", OCTOBER, [theirs])
        replace_window(connection, "gumroad", "bea", OCTOBER, [theirs._replace(gross_micros=1, net_micros=1)])
    assert rows(ledger)[theirs.id].gross_micros == 1


def test_first_seen_keeps_the_first_day(warehouse: Warehouse) -> None:
    """Guards: a refund that moves to today whenever its day is read again."""
    first, second = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 9, tzinfo=UTC)
    with warehouse.write() as connection:
        closing.first_seen(connection, "gumroad", "alice", {"a": 5}, first)
        seen = closing.first_seen(connection, "gumroad", "alice", {"a": 7, "b": None}, second)
    assert seen == {"a": first, "b": second}
