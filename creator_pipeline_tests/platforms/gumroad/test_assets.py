"""The assets in real runs over real HTTP into real tables."""

from datetime import datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import func, select

from creator_pipeline.core.errors import TransientError
from creator_pipeline.core.windows import DayWindow, partition_key, today
from creator_pipeline.platforms.gumroad import window_reader
from creator_pipeline.store.profiles import mark_revoked
from creator_pipeline.store.tables import gumroad_products, gumroad_sales, platform_connections, sales_events
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.check_states import states
from creator_pipeline_tests.support.installation import (
    EVENTS,
    PRODUCTS,
    SALES,
    SIZES,
    WINDOW,
    failure_text,
    landed,
    range_of,
    run,
)
from creator_pipeline_tests.support.tables import digests, rows

CHECKS = {
    "gumroad/sales fees_known",
    "gumroad/sales pages_complete",
    "gumroad/sales refunds_known",
    "gumroad/sales sales_readable",
    "gumroad/sales known_fields",
    "sales_events/gumroad ledger_agrees",
}
KEYS = {partition_key(day, name) for day in WINDOW.each() for name in SIZES}


def test_one_pass_loads_all_days_of_all_profiles_and_reports_each(warehouse, ring, gumroad_sandbox, gumroad_instance):
    """Guards: a request for each day, and row counts of the whole range on every partition."""
    small.connect_all(warehouse, ring, gumroad_sandbox)
    result = run(gumroad_instance, range_of("alice", "chen"))
    assert result.success
    assert small.wrong_days(warehouse, gumroad_sandbox) == []
    with warehouse.read() as connection:
        days = connection.execute(select(gumroad_sales.c["partition_day", "profile_id"])).all()
        # What followed from a sale belongs to its partition, whatever day it is booked on.
        sources = connection.execute(select(sales_events.c.source)).scalars().all()
    for key, stored in ((SALES, [partition_key(*row) for row in days]), (EVENTS, list(sources))):
        counts = landed(gumroad_instance, key)
        assert set(counts) == KEYS
        assert counts == {name: stored.count(name) for name in KEYS}
    pages = sum(-(-len(seller.rows) // 10) for seller in gumroad_sandbox.world.gumroad.values())
    assert gumroad_sandbox.faults.requests["/v2/sales"] <= pages + 2


def test_a_rerun_changes_no_row(warehouse, ring, gumroad_sandbox, gumroad_instance):
    """Guards: doubled revenue after a rerun, and rows stamped anew each night."""
    small.connect_all(warehouse, ring, gumroad_sandbox)
    run(gumroad_instance, range_of("alice", "chen"))
    run(gumroad_instance, {}, "ledger")
    before = digests(warehouse, stamps=True)
    assert run(gumroad_instance, range_of("alice", "chen")).success
    run(gumroad_instance, {}, "ledger")
    assert digests(warehouse, stamps=True) == before


def test_one_partition_loads_one_day_and_nothing_else(gumroad_warehouse, gumroad_sandbox, gumroad_instance):
    """Guards: a click on one day that replaces the others."""
    key = partition_key(today(), "alice")
    result = run(gumroad_instance, {}, partition_key=key)
    assert result.success
    assert landed(gumroad_instance, SALES) == {
        key: sum(sale.created >= _midnight() for sale in gumroad_sandbox.world.gumroad["alice"].rows)
    }
    assert {(row[0], row[2]) for row in rows(gumroad_warehouse, gumroad_sales)} == {("alice", today())}
    metadata = gumroad_instance.get_latest_materialization_event(SALES).asset_materialization.metadata
    assert {"gross_USD", "refunded_USD", "rows_inserted", "preview"} <= set(metadata)
    assert "@" not in metadata["preview"].value


def _midnight() -> int:
    return int(datetime.fromisoformat(f"{today()}T00:00:00+00:00").timestamp())


@pytest.mark.parametrize(
    ("what", "says"), [("revoked", "refuses the token"), ("scope", "view_sales"), ("marked", "was revoked")]
)
def test_one_bad_token_fails_its_own_partitions_and_the_others_land(
    gumroad_warehouse, gumroad_sandbox, gumroad_instance, what, says
):
    """Guards: one seller's password change stopping everybody's revenue; and which one it was."""
    if what == "revoked":
        gumroad_sandbox.world.gumroad.revoke("bea")
    elif what == "scope":
        gumroad_sandbox.world.gumroad.drop_scope("bea", "view_sales")
    else:
        with gumroad_warehouse.write() as connection:
            mark_revoked(connection, "gumroad", "bea", "refused")
    result = run(gumroad_instance, range_of("alice", "chen"))
    assert not result.success
    text = failure_text(result)
    assert says in text
    assert f"{partition_key(WINDOW.start, 'bea')} to {partition_key(today(), 'bea')} ({WINDOW.days} partitions)" in text
    assert "alice" not in text
    assert (
        set(landed(gumroad_instance, SALES))
        == set(landed(gumroad_instance, EVENTS))
        == {key for key in KEYS if "bea" not in key}
    )
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox, "alice", "chen") == []
    assert not [row for row in rows(gumroad_warehouse, sales_events) if row[1] == "bea"]
    tags = gumroad_instance.get_run_by_id(result.run_id).tags
    assert tags["dagster/retry_on_asset_or_op_failure"] == "false"
    assert not [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]
    with gumroad_warehouse.read() as connection:
        states = dict(map(tuple, connection.execute(select(platform_connections.c["profile_id", "status"]))))
    assert states == {"alice": "active", "bea": "active" if what == "scope" else "revoked", "chen": "active"}


def test_the_same_tables_and_no_failed_run_with_everything_going_wrong(
    warehouse, ring, gumroad_sandbox, gumroad_instance, monkeypatch
):
    """Guards: a ledger that depends on the platform's mood."""
    small.connect_all(warehouse, ring, gumroad_sandbox)
    monkeypatch.setattr(window_reader, "CHUNK_ROWS", 15)
    run(gumroad_instance, range_of("alice", "chen"))
    calm = digests(warehouse)
    for table in (gumroad_sales, sales_events):
        with warehouse.write() as connection:
            connection.execute(table.delete())
    for every, kind in {7: "429", 11: "502", 5: "truncated", 6: "reset", 3: "repeat_rows", 2: "shuffle"}.items():
        gumroad_sandbox.faults.every(every, kind)
    result = run(gumroad_instance, range_of("alice", "chen"))
    assert result.success
    assert not [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert digests(warehouse) == calm
    assert small.wrong_days(warehouse, gumroad_sandbox) == []


def assert_evaluated(instance):
    """The stand-in has a field that no release knows, so one of them fails."""
    found = states(instance)
    assert set(found) == CHECKS
    assert found.pop("gumroad/sales known_fields") == "FAILED"
    assert set(found.values()) == {"SUCCEEDED"}


def test_the_ledger_goes_with_the_sales_and_alone_it_costs_no_request(
    gumroad_warehouse, gumroad_sandbox, gumroad_instance
):
    """Incident: one asset was ticked, the sales were read, and the ledger stayed as it was without a word."""
    mine = {key for key in KEYS if key.endswith("|alice")}
    result = run(gumroad_instance, range_of(), asset_selection=[SALES])
    assert result.success
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox, "alice") == []
    assert set(landed(gumroad_instance, EVENTS)) == set(landed(gumroad_instance, SALES)) == mine
    assert_evaluated(gumroad_instance)
    [totals] = gumroad_instance.fetch_observations(SALES, limit=5).records
    assert totals.asset_observation.metadata["api_requests"].value == gumroad_sandbox.faults.requests.total()
    assert totals.asset_observation.metadata["rows_inserted"].value == sum(landed(gumroad_instance, SALES).values())
    asked = gumroad_sandbox.faults.requests.total()
    with gumroad_warehouse.write() as connection:
        connection.execute(sales_events.delete())
    assert run(gumroad_instance, range_of(), asset_selection=[EVENTS]).success
    assert gumroad_sandbox.faults.requests.total() == asked
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox, "alice") == []
    assert_evaluated(gumroad_instance)
    after = digests(gumroad_warehouse, stamps=True)
    assert run(gumroad_instance, range_of()).success
    assert digests(gumroad_warehouse, stamps=True) == after


def test_a_source_that_is_switched_off_is_not_read(gumroad_warehouse, gumroad_sandbox, gumroad_instance, monkeypatch):
    """Guards: a feature flag that only hides the button."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    result = run(gumroad_instance, range_of())
    assert not result.success
    assert gumroad_sandbox.faults.requests.total() == 0
    assert not [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]


def test_a_retry_skips_what_landed(gumroad_warehouse, gumroad_sandbox, gumroad_instance, monkeypatch):
    """Guards: a whole year read again because its last page failed."""
    from creator_pipeline.platforms.gumroad import assets

    real, calls = assets.load_sales, []

    def flaky(warehouse, client, ring, profile_id, window, **over):
        calls.append((profile_id, window))
        for number, part in enumerate(real(warehouse, client, ring, profile_id, window, **over)):
            if profile_id == "bea" and number == 1 and len(calls) < 4:
                raise TransientError("the platform is away")
            yield part

    monkeypatch.setattr(assets, "load_sales", flaky)
    monkeypatch.setattr(window_reader, "CHUNK_ROWS", 10)
    result = run(gumroad_instance, range_of("alice", "chen"))
    assert result.success
    assert [profile for profile, _ in calls] == ["alice", "bea", "chen", "bea"]
    again = calls[-1][1]
    assert again.start == WINDOW.start
    assert again.end < WINDOW.end
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox) == []
    records = gumroad_instance.fetch_materializations(SALES, limit=1000).records
    assert len(records) == len(KEYS)


def test_a_run_for_many_days_that_are_not_neighbours_touches_only_them(
    gumroad_warehouse, gumroad_sandbox, gumroad_instance
):
    """Guards: a retry of the failed days that reads all between them."""
    first = DayWindow(WINDOW.start, WINDOW.start + timedelta(days=2))
    run(gumroad_instance, range_of("bea", "bea", first))
    assert {row[2] for row in rows(gumroad_warehouse, gumroad_sales)} <= set(first.each())
    assert {row[0] for row in rows(gumroad_warehouse, gumroad_sales)} <= {"bea"}


def test_the_catalogue_keeps_what_left_it(gumroad_warehouse, gumroad_sandbox, gumroad_instance):
    """Guards: sales whose product has no name any more."""
    tags = {"dagster/asset_partition_range_start": "alice", "dagster/asset_partition_range_end": "chen"}
    assert run(gumroad_instance, tags, "gumroad_catalogue").success
    assert landed(gumroad_instance, PRODUCTS) == dict.fromkeys(SIZES, 13)
    gone = gumroad_sandbox.world.gumroad["alice"].products[0]
    gumroad_sandbox.world.gumroad.remove_product("alice", gone.id)
    before = rows(gumroad_warehouse, gumroad_products)
    assert run(gumroad_instance, {}, "gumroad_catalogue", partition_key="alice").success
    assert landed(gumroad_instance, PRODUCTS)["alice"] == 12
    after = rows(gumroad_warehouse, gumroad_products)
    assert len(after) == len(before) == 39
    assert [row[1] for row in after if row[-1] is not None] == [gone.id]


def test_daily_revenue_shows_the_sums_and_a_picture(gumroad_warehouse, gumroad_sandbox, gumroad_instance):
    """Guards: a UI that shows nothing of the money."""
    run(gumroad_instance, range_of("alice", "chen"))
    assert run(gumroad_instance, {}, "ledger").success
    metadata = gumroad_instance.get_latest_materialization_event(
        dg.AssetKey("daily_revenue")
    ).asset_materialization.metadata
    assert "data:image/png;base64," in metadata["picture"].value
    assert "Net revenue of the 90 days" in metadata["picture"].value
    with gumroad_warehouse.read() as connection:
        net = connection.execute(select(func.sum(sales_events.c.net_micros))).scalar_one()
    assert metadata["net_90_days_gumroad_USD"].value == f"{net / 1_000_000:.2f}"
