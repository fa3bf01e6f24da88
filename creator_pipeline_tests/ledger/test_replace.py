"""What a replace of the ledger touches, and what it remembers for the roll-up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, select, text

from creator_pipeline.core.windows import DayWindow, partition_key
from creator_pipeline.ledger.closing import Scope
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.ledger.replace import (
    note_changes,
    own_days,
    own_partitions,
    replace_events,
    replace_sales,
    replace_window,
)
from creator_pipeline.platforms.gumroad.ledger import GumroadSale, gumroad_events
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.tables import ledger_changes, sales_events

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAYS = [date(2026, 10, day) for day in (1, 2, 3)]


def event(
    name: str, day: date, profile: str = "alice", platform: str = "gumroad", price: int = 5_000_000
) -> LedgerEvent:
    """The row of a sale."""
    moment = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    sale = GumroadSale(profile, name, moment, None, "Zine", 1, price, 0, 0, False, False, False, "sale")
    (made,) = gumroad_events(sale, T0)
    return made._replace(id=f"{platform}:{profile}:{name}", platform=platform)


def around(warehouse: Warehouse) -> set[str]:
    """Sales of three days, and those of another platform and profile on the one in the middle; returns their ids."""
    ids = set[str]()
    with warehouse.write() as connection:
        for platform, profile, days in (
            ("gumroad", "alice", DAYS),
            ("whop", "alice", DAYS[1:2]),
            ("gumroad", "bea", DAYS[1:2]),
        ):
            events = [event(f"s{day.day}", day, profile, platform) for day in days]
            assert replace_window(
                connection, platform, profile, DayWindow(DAYS[0], DAYS[2] + timedelta(days=1)), events
            ).any
            ids |= {each.id for each in events}
        connection.execute(delete(ledger_changes))
    return ids


def ids_of(warehouse: Warehouse) -> set[str]:
    with warehouse.read() as connection:
        return set(connection.execute(select(sales_events.c.id)).scalars())


def noted(warehouse: Warehouse) -> set[tuple[str, str, date]]:
    """What the roll-up will look at; forgotten afterwards."""
    columns = ledger_changes.c
    with warehouse.write() as connection:
        rows = {
            tuple(row) for row in connection.execute(select(columns.platform, columns.profile_id, columns.occurred_on))
        }
        connection.execute(delete(ledger_changes))
    return rows


def test_a_window_is_of_one_platform_one_profile_and_its_own_days(warehouse: Warehouse) -> None:
    """Guards: a backfill of one day that takes the neighbours', another platform's or another seller's sales away."""
    before = around(warehouse)
    with warehouse.write() as connection:
        assert replace_window(connection, "gumroad", "alice", DayWindow(DAYS[1], DAYS[2]), []).deleted == 1
    assert ids_of(warehouse) == before - {"gumroad:alice:s2"}
    assert noted(warehouse) == {("gumroad", "alice", DAYS[1])}


def test_named_sales_are_replaced_and_no_others(warehouse: Warehouse) -> None:
    """Guards: a webhook of one sale that takes all others of its profile, or the other platform's of that name."""
    before = around(warehouse)
    with warehouse.write() as connection:
        assert replace_sales(connection, "gumroad", "alice", ["s2"], []).deleted == 1
    assert ids_of(warehouse) == before - {"gumroad:alice:s2"}
    assert noted(warehouse) == {("gumroad", "alice", DAYS[1])}


def test_the_day_a_sale_left_and_the_day_it_came_to_are_rolled_up_and_what_stays_is_not(warehouse: Warehouse) -> None:
    """Guards: a moved sale that counts on both days of the roll-up, and nights that add up everything again."""
    around(warehouse)
    with warehouse.write() as connection:
        replace_sales(connection, "gumroad", "alice", ["s2"], [event("s2", DAYS[2])])
    assert noted(warehouse) == {("gumroad", "alice", DAYS[1]), ("gumroad", "alice", DAYS[2])}
    with warehouse.write() as connection:
        replace_sales(connection, "gumroad", "alice", ["s2"], [event("s2", DAYS[2])])
        replace_window(connection, "gumroad", "bea", DayWindow(DAYS[1], DAYS[2]), [event("s2", DAYS[1], "bea")])
    assert noted(warehouse) == set()
    with warehouse.write() as connection:
        replace_window(
            connection, "gumroad", "bea", DayWindow(DAYS[1], DAYS[2]), [event("s2", DAYS[1], "bea", price=1)]
        )
    assert noted(warehouse) == {("gumroad", "bea", DAYS[1])}


def test_every_changed_day_is_noted_however_many_they_are(warehouse: Warehouse) -> None:
    """Guards: a first load of years, some of whose days were noted by a load before."""
    days = [DAYS[0] - timedelta(days=number) for number in range(400)]
    for count in (1, 100, len(days)):
        with warehouse.write() as connection:
            note_changes(connection, "gumroad", "alice", days[: count // 2 + 1])
            before = set(connection.execute(select(ledger_changes.c.change_id)).scalars())
            note_changes(connection, "gumroad", "alice", days[:count])
            after = set(connection.execute(select(ledger_changes.c.change_id)).scalars())
        assert len(before) == len(after) == 1
        assert before != after
        assert noted(warehouse) == {("gumroad", "alice", day) for day in days[:count]}


@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("scope_of", [own_days, own_partitions])
def test_the_rest_of_a_ledger_is_not_read_before_the_database_has_any_statistics(
    warehouse_url: str, scope_of: Callable[[DayWindow], Scope]
) -> None:
    """Incident: each part of a first load read all rows that the parts before it had stored, twice."""
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'sales_events'"
    stored = [event(f"s{number}", DAYS[number % 2]) for number in range(2_000)]
    days = DayWindow(DAYS[2], DAYS[2] + timedelta(days=1))
    warehouse = open_warehouse(warehouse_url)
    warehouse.ensure_migrated()
    with warehouse.write() as connection:
        replace_window(connection, "gumroad", "alice", DayWindow(DAYS[0], DAYS[2]), stored)
    with warehouse.write() as connection:
        change = replace_events(
            connection, "gumroad", "alice", scope_of(days), [event("new", days.start)], what="a part"
        )
        rows = connection.execute(text(read)).scalar_one()
    warehouse.engine.dispose()
    assert change.inserted == 1
    assert rows < 100


def test_what_is_booked_later_counts_once_among_what_a_scope_has(warehouse: Warehouse) -> None:
    """Guards: the parts of a scope that overlap, or of which one is left out: the days that changed would be wrong."""
    days = DayWindow(DAYS[0], DAYS[2])
    late = event("late", DAYS[2])._replace(belongs_to=DAYS[1])
    refund = event("refund", DAYS[2])._replace(event_type="refund", source=partition_key(DAYS[0], "alice"))
    for scope, rows in (
        (own_days(days), [event("s1", DAYS[0]), late]),
        (own_partitions(days), [event("s2", DAYS[1]), refund]),
    ):
        with warehouse.write() as connection:
            assert replace_events(connection, "gumroad", "alice", scope, rows, what="a part").inserted == 2
        noted(warehouse)
        with warehouse.write() as connection:
            change = replace_events(connection, "gumroad", "alice", scope, [], what="a part")
        assert (change.deleted, change.inserted) == (2, 0)
        assert noted(warehouse) == {("gumroad", "alice", row.occurred_on) for row in rows}
