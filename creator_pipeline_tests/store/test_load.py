"""The one way rows get in, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from creator_pipeline.core.errors import DataError
from creator_pipeline.store import load
from creator_pipeline.store.load import Change, replace, upsert
from creator_pipeline.store.tables import gumroad_products, sales_events
from creator_pipeline_tests.support.ledger_samples import DAY, T0, event, of_day
from creator_pipeline_tests.support.tables import rows

HOSTILE = [
    "tab\there",
    "line\nfeed",
    "carriage\rreturn",
    "back\\slash",
    "\\N",
    "\\.",
    "",
    " ",
    "emoji 🌙✍️",
    "quote'\"",
    "a\\tb",
    "é\u2028",
]


def put(warehouse, events, *, scope=None, allow_shrink=False) -> Change:
    """One load in a transaction of its own."""
    with warehouse.write() as connection:
        scope = of_day() if scope is None else scope
        return replace(connection, sales_events, events, scope, what="test", allow_shrink=allow_shrink)


def test_loading_twice_is_loading_once_and_writes_nothing(warehouse):
    """Guards: doubled revenue after a rerun, and a table rewritten by every nightly run."""
    events = [event(number) for number in range(120)]
    assert put(warehouse, events) == Change(inserted=120)
    before = rows(warehouse, sales_events, stamps=True)
    later = [item._replace(ingested_at=T0 + timedelta(days=1), first_seen_at=T0 + timedelta(days=1)) for item in events]
    again = put(warehouse, later)
    assert (again, again.any) == (Change(unchanged=120), False)
    assert rows(warehouse, sales_events, stamps=True) == before


def test_only_what_differs_is_written_and_counted(warehouse):
    """Guards: a rerun that reports every row as changed, so that nobody sees the one that did."""
    put(warehouse, [event(number) for number in range(6)])
    later = T0 + timedelta(hours=1)
    change = put(
        warehouse,
        [event(0), event(1, gross=1, moment=later), event(2, name=None, moment=later), event(9, moment=later)],
    )
    assert change == Change(inserted=1, updated=2, deleted=3, unchanged=1)
    with warehouse.read() as connection:
        stamps = {
            row.external_id: (row.first_seen_at, row.ingested_at)
            for row in connection.execute(select(sales_events.c["external_id", "first_seen_at", "ingested_at"]))
        }
    assert stamps == {"0": (T0, T0), "1": (T0, later), "2": (T0, later), "9": (later, later)}


def test_a_null_that_gets_a_value_and_back_is_a_change(warehouse):
    """Guards: NULL = NULL, by which a field that was filled in later never arrives."""
    put(warehouse, [event(1, name=None)])
    assert put(warehouse, [event(1, name="x")]).updated == 1
    assert put(warehouse, [event(1, name=None)]).updated == 1
    assert put(warehouse, [event(1, name=None)]).unchanged == 1


def test_a_load_touches_nothing_outside_its_scope(warehouse):
    """Guards: one profile's backfill deleting another's rows."""
    other, bea = event(50, DAY + timedelta(days=1)), event(51, profile="bea")
    put(warehouse, [other], scope=of_day(DAY + timedelta(days=1)))
    put(warehouse, [bea], scope=sales_events.c.profile_id == "bea")
    put(warehouse, [event(1)])
    put(warehouse, [])
    assert {row[0] for row in rows(warehouse, sales_events)} == {other.id, bea.id}


def test_a_row_whose_day_moved_is_moved_and_not_doubled(warehouse):
    """Guards: a primary-key conflict, or one sale on two days, when a platform corrects a date."""
    put(warehouse, [event(1)])
    next_day = DAY + timedelta(days=1)
    assert put(warehouse, [event(1, next_day)], scope=of_day(next_day)).updated == 1
    assert put(warehouse, []) == Change()
    assert [row[0] for row in rows(warehouse, sales_events)] == [event(1).id]


@pytest.mark.parametrize("moved", [False, True])
def test_a_scope_that_gets_other_rows_altogether_keeps_none_of_its_former_ones(warehouse, moved):
    """Guards: a sale whose day was corrected standing on both days, and a day that keeps what was renamed."""
    next_day = DAY + timedelta(days=1)
    if moved:
        put(warehouse, [event(2, next_day)], scope=of_day(next_day))
    put(warehouse, [event(1)])
    assert put(warehouse, [event(2)]) == Change(inserted=int(not moved), updated=int(moved), deleted=1)
    assert [row[0] for row in rows(warehouse, sales_events)] == [event(2).id]


def test_changes_add_up_and_each_kind_is_one():
    """Guards: a roll-up that is left out because only the amounts changed, and sums of a long backfill."""
    one = Change(1, 2, 3, 4)
    assert one + Change(10, 20, 30, 40) == Change(11, 22, 33, 44)
    assert [change.any for change in (Change(1), Change(0, 1), Change(0, 0, 1), Change(0, 0, 0, 1))] == [
        True,
        True,
        True,
        False,
    ]
    assert one.metadata() == {"rows_inserted": 1, "rows_updated": 2, "rows_deleted": 3, "rows_unchanged": 4}


@pytest.mark.parametrize(("left", "refused"), [(24, True), (25, False), (0, True)])
def test_a_load_that_would_drop_most_rows_is_refused_and_says_how_to_force_it(warehouse, left, refused):
    """Guards: a platform's half-empty answer deleting a month."""
    put(warehouse, [event(number) for number in range(50)])
    fewer = [event(number) for number in range(left)]
    if refused:
        before = rows(warehouse, sales_events)
        with pytest.raises(DataError, match="allow-shrink") as caught:
            put(warehouse, fewer)
        assert (caught.value.found, rows(warehouse, sales_events)) == (f"{left} rows", before)
    assert put(warehouse, fewer, allow_shrink=True).deleted == 50 - left


def test_small_scopes_may_shrink(warehouse):
    """Guards: a guard that stops the nightly run because one of two sales was a test purchase."""
    put(warehouse, [event(number) for number in range(49)])
    assert put(warehouse, []).deleted == 49


def test_every_character_comes_back_as_it_was(warehouse):
    """Guards: COPY's escapes turning a product's name into NULL or into the next column."""
    put(warehouse, [event(number, name=name) for number, name in enumerate([*HOSTILE, None])])
    with warehouse.read() as connection:
        found = connection.execute(select(sales_events.c.external_id, sales_events.c.product_name))
        names = {external_id: name for external_id, name in found}  # noqa: C416 - rows are no tuples
    assert names == {str(number): name for number, name in enumerate([*HOSTILE, None])}


def test_a_nul_in_a_name_is_stored_the_same_way_on_each_database_and_stays_unchanged(warehouse):
    """Guards: one buyer's odd keyboard failing a day on PostgreSQL, or rewriting its row every night."""
    put(warehouse, [event(1, name="a\0b")])
    assert put(warehouse, [event(1, name="a\0b")]) == Change(unchanged=1)
    with warehouse.read() as connection:
        assert connection.execute(select(sales_events.c.product_name)).scalar_one() == "a\ufffdb"


def test_more_rows_than_a_batch_arrive_whole(warehouse, monkeypatch):
    """Guards: the last, incomplete batch lost."""
    monkeypatch.setattr(load, "BATCH", 7)
    assert put(warehouse, (event(number) for number in range(20))).inserted == 20
    assert len(rows(warehouse, sales_events)) == 20


def fail_after_replacing(warehouse):
    with warehouse.write() as connection:
        replace(connection, sales_events, [event(3)], of_day(), what="test")
        raise RuntimeError("after")


def test_an_error_in_the_middle_leaves_nothing(warehouse):
    """Guards: half a partition after a crash."""
    put(warehouse, [event(1)])
    before = rows(warehouse, sales_events)

    def broken():
        yield event(2)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        put(warehouse, broken())
    with pytest.raises(RuntimeError, match="after"):
        fail_after_replacing(warehouse)
    assert rows(warehouse, sales_events) == before
    assert put(warehouse, [event(1), event(4)]).inserted == 1


def test_a_row_the_database_refuses_is_told_as_it_is_and_leaves_nothing(warehouse):
    """Guards: the clean-up of the stage hiding why the load failed."""
    with pytest.raises(Exception, match=r"(?i)null") as caught:
        put(warehouse, [event(1), event(2)._replace(currency=None)])
    assert "stage_sales_events" not in str(caught.value).split("[SQL")[0]
    assert rows(warehouse, sales_events) == []
    # By way of the stage, which what can be counted beforehand doesn't take.
    with pytest.raises(Exception, match=r"(?i)null") as caught:
        put(warehouse, iter([event(1), event(2)._replace(currency=None)]))
    assert "aborted" not in str(caught.value)
    assert rows(warehouse, sales_events) == []


def test_upsert_deletes_nothing(warehouse):
    """Guards: a refresh of one named sale deleting its day."""
    put(warehouse, [event(1), event(2)])
    with warehouse.write() as connection:
        assert upsert(connection, sales_events, [event(2, gross=5), event(3)]) == Change(inserted=1, updated=1)
        assert upsert(connection, sales_events, [event(3)]) == Change(unchanged=1)
    assert len(rows(warehouse, sales_events)) == 3


def test_one_transaction_can_load_a_table_more_than_once(warehouse):
    """Guards: a stage left over from the first load."""
    with warehouse.write() as connection:
        for number in (1, 2):
            upsert(connection, sales_events, [event(number)])
    assert len(rows(warehouse, sales_events)) == 2


def test_a_row_is_named_by_columns_and_a_wrong_name_is_refused():
    """Guards: a column that is silently never written."""
    row = load.row_of(gumroad_products, {"id": "x", "profile_id": "alice"})
    assert row[:2] == ("alice", "x")
    assert len(row) == len(gumroad_products.c)
    with pytest.raises(KeyError, match="no column prize"):
        load.row_of(gumroad_products, {"prize": 1})


def test_the_view_for_people_shows_units(warehouse):
    """Guards: revenue a million times too high in a report."""
    put(warehouse, [event(1, gross=7_500_000)])
    with warehouse.read() as connection:
        assert float(connection.execute(text("SELECT gross FROM revenue")).scalar_one()) == 7.5


def test_the_queries_of_the_contract_run_as_they_stand(warehouse):
    """Guards: a renamed column that breaks somebody's dashboard."""
    with warehouse.read() as connection:
        for query in (
            "SELECT * FROM whop_subscriptions WHERE profile_id = 'user_id'",
            "SELECT * FROM profiles WHERE id = 'user_id' AND subscription_tier != 'free'",
            "SELECT * FROM platform_connections WHERE provider = 'gumroad' AND profile_id = 'user_id'",
            "SELECT * FROM sales_events WHERE profile_id = 'user_id' AND platform = 'gumroad'",
        ):
            assert connection.execute(text(query)).all() == []
