"""The roll-up adds up what changed, and only that."""

from datetime import timedelta

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import select

from creator_pipeline.core.errors import DataError
from creator_pipeline.ledger import rollup
from creator_pipeline.ledger.rollup import last_days, pending, roll_up
from creator_pipeline.store.tables import daily_revenue, ledger_changes
from creator_pipeline_tests.support.at_once import met
from creator_pipeline_tests.support.ledger_samples import DAY, on, write
from creator_pipeline_tests.support.tables import rows


def waiting(warehouse) -> int:
    """Days that wait."""
    with warehouse.read() as connection:
        return pending(connection)


def test_days_are_added_up_once_and_a_rerun_has_nothing_to_do(warehouse):
    """Guards: a year added up again for every sale."""
    write(warehouse, [on(0, 1), on(0, 2, refunded_micros=10_000_000), on(2, 3)], days=3)
    assert waiting(warehouse) == 2
    done = roll_up(warehouse)
    assert (done.days, done.change.inserted) == (2, 2)
    assert rows(warehouse, daily_revenue) == [
        # Of the fee of what was given back 59 cents stay.
        (DAY, "alice", "gumroad", "USD", 4, 1, 10_000_000, 2_680_000, 7_320_000),
        (DAY + timedelta(days=2), "alice", "gumroad", "USD", 2, 0, 10_000_000, 2_090_000, 7_910_000),
    ]
    assert (roll_up(warehouse).days, waiting(warehouse)) == (0, 0)
    write(warehouse, [on(0, 1), on(0, 2, refunded_micros=10_000_000), on(2, 3)], days=3)
    assert waiting(warehouse) == 0


def test_two_at_once_wait_for_each_other(warehouse, monkeypatch):
    """Guards: two runs that add up the same days, each in its order, and wait for each other for ever."""
    write(warehouse, [on(0, 1), on(1, 2)], days=2)
    assert not met(monkeypatch, rollup, "replace", lambda: roll_up(warehouse))
    assert (len(rows(warehouse, daily_revenue)), waiting(warehouse)) == (2, 0)


def test_a_won_dispute_is_one_unit_and_no_refund(warehouse):
    """Guards: a sale counted twice because its dispute was won."""
    write(
        warehouse,
        [on(0, 1, disputed=True, dispute_won=True, quantity=1), on(0, 2, chargedback=True, disputed=True, quantity=1)],
    )
    roll_up(warehouse)
    (row,) = rows(warehouse, daily_revenue)
    assert row[4:7] == (2, 1, 10_000_000)


def test_a_day_that_became_empty_loses_its_row(warehouse):
    """Guards: revenue of a test purchase that was deleted, for ever in the report."""
    write(warehouse, [on(0, 1)])
    roll_up(warehouse)
    write(warehouse, [])
    assert roll_up(warehouse).change.deleted == 1
    assert rows(warehouse, daily_revenue) == []


def test_a_change_that_comes_while_rolling_up_stays_pending(warehouse):
    """Guards: a sale that lands between the reading and the forgetting, and is never added up."""
    write(warehouse, [on(0, 1)])
    came = []

    def meanwhile(_connection, _cursor, statement, *_rest) -> None:
        if statement.startswith("SELECT ledger_changes") and not came:
            came.append(True)
            write(warehouse, [on(0, 1), on(0, 2)])

    sa_event.listen(warehouse.engine, "after_cursor_execute", meanwhile)
    roll_up(warehouse)
    sa_event.remove(warehouse.engine, "after_cursor_execute", meanwhile)
    assert came
    assert waiting(warehouse) == 1
    roll_up(warehouse)
    assert [row[4] for row in rows(warehouse, daily_revenue)] == [4]


def test_more_days_than_one_batch_are_all_added_up(warehouse, monkeypatch):
    """Guards: the last days of a year missing from the report."""
    monkeypatch.setattr(rollup, "_KEYS_AT_ONCE", 3)
    write(warehouse, [on(day, day) for day in range(8)], days=8)
    assert roll_up(warehouse).days == 8
    assert len(rows(warehouse, daily_revenue)) == 8


def test_a_refused_load_leaves_no_day_to_add_up(warehouse):
    """Guards: a change noted although its rows were rolled back."""
    write(warehouse, [on(0, number) for number in range(60)])
    roll_up(warehouse)
    with pytest.raises(DataError):
        write(warehouse, [])
    assert waiting(warehouse) == 0
    with warehouse.read() as connection:
        assert connection.execute(select(ledger_changes)).all() == []


def test_the_last_days_are_inclusive_at_both_ends(warehouse):
    """Guards: a picture without its newest day."""
    write(warehouse, [on(day, day) for day in range(4)], days=4)
    roll_up(warehouse)
    found = last_days(warehouse, DAY + timedelta(days=1), DAY + timedelta(days=2))
    assert [(day, net) for day, _, _, net in sorted(found)] == [
        (DAY + timedelta(days=1), 7_910_000),
        (DAY + timedelta(days=2), 7_910_000),
    ]
