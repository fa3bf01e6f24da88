"""Whop's assets in real runs over real HTTP into real tables."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from creator_pipeline.core.windows import DayWindow, partition_key, today
from creator_pipeline.platforms.whop import catalog
from creator_pipeline.platforms.whop.checks import EVENTS, MEMBERSHIPS, PAYMENTS
from creator_pipeline.platforms.whop.sync import quarters
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import platform_connections, sales_events, whop_payments, whop_subscriptions
from creator_pipeline_tests.support import whop_installation as small
from creator_pipeline_tests.support.check_states import states
from creator_pipeline_tests.support.installation import failure_text, landed
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_installation import (
    NAMES,
    WINDOW,
    checks_of,
    digests,
    range_of,
    run,
    scan,
    wrong,
)

KEYS = {partition_key(day, name) for day in WINDOW.each() for name in NAMES}


def test_one_run_loads_all_days_of_all_profiles_and_reports_each(warehouse, ring, whop_sandbox, whop_instance):
    """Guards: a request for each day, a currency added to another, and row counts of the range on every partition."""
    small.connect_all(warehouse, ring, whop_sandbox)
    assert run(whop_instance, "whop_sync", range_of()).success
    assert wrong(warehouse, whop_sandbox) == []
    for key, table in ((PAYMENTS, whop_payments), (EVENTS, sales_events)):
        counts = landed(whop_instance, key)
        assert set(counts) == KEYS
        assert sum(counts.values()) == len(rows(warehouse, table))
    assert whop_sandbox.faults.requests["/api/v1/payments"] <= 3 * (len(quarters(WINDOW)) + 1)
    assert all(checks_of(whop_instance).values())


def test_a_rerun_changes_no_row(warehouse, ring, whop_sandbox, whop_instance):
    """Guards: doubled revenue after a rerun, and rows stamped anew each night."""
    small.connect_all(warehouse, ring, whop_sandbox)
    for _ in range(2):
        before = digests(warehouse, stamps=True)
        assert run(whop_instance, "whop_sync", range_of()).success
        assert all(scan(whop_instance, name).success for name in NAMES)
    assert digests(warehouse, stamps=True) == before


def test_with_faults_and_changes_between_the_pages_nothing_is_lost_and_nothing_counts_twice(
    whop_warehouse, whop_sandbox, whop_instance
):
    """Guards: a page that moved on under the reader, and a sync that gives up at the first bad gateway."""
    part, account, turn = whop_sandbox.world.whop, whop_sandbox.world.whop["alice"], iter(range(1000))
    first = set(account.tables["memberships"])
    whop_sandbox.whop.page_limit = 20

    def meanwhile() -> None:
        number = next(turn)
        membership, payment = part.buy("alice", email=f"new{number}@example.com")
        if number % 3 == 1:
            part.expire("alice", membership["id"])
            part.refund("alice", payment["id"], "1")
        elif number % 3 == 2:
            part.cancel_at_period_end("alice", sorted(first)[number])

    whop_sandbox.whop.between_pages = lambda: next(turn) < 12 and meanwhile()
    for number, kind in ((5, "502"), (7, "429_retry_after"), (11, "reset"), (13, "truncated")):
        whop_sandbox.faults.every(number, kind, path="/api/v1/")
    whop_sandbox.faults.retry_after = 0
    assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
    assert scan(whop_instance).success
    stored = [row[0] for row in rows(whop_warehouse, whop_subscriptions)]
    assert first <= set(stored)
    assert len(stored) == len(set(stored))
    whop_sandbox.whop.between_pages = None
    caught = small.changes(whop_instance)
    assert caught.success, failure_text(caught)
    assert run(
        whop_instance, "whop_sync", range_of("alice", "alice", DayWindow(today(), today() + timedelta(days=1)))
    ).success
    assert wrong(whop_warehouse, whop_sandbox, "alice") == []
    caught_up = digests(whop_warehouse)
    assert scan(whop_instance).success
    assert digests(whop_warehouse) == caught_up


def loaded(warehouse, instance) -> dict[str, str]:
    """Everything of alice is in the tables; returns their digests."""
    assert run(instance, "whop_sync", range_of("alice", "alice")).success
    assert scan(instance).success
    return digests(warehouse, stamps=True)


@pytest.mark.parametrize(
    ("what", "says", "state"),
    [
        ("revoked", "refuses the API key", "revoked"),
        ("forbidden", "member:basic:read", "active"),
        ("account", "biz_", "error"),
        ("version", "API version", "active"),
        ("502", "502", "active"),
        ("repeat_key", "came twice", "active"),
        ("flag", "ENABLE_WHOP", "active"),
        ("tiers", "WHOP_TIERS", "active"),
    ],
)
def test_bad_answers_are_clear_and_lose_no_row(
    whop_warehouse, ring, whop_sandbox, whop_instance, monkeypatch, what, says, state
):
    """Guards: an empty answer that empties a table, and a message nobody can act on."""
    before, account = loaded(whop_warehouse, whop_instance), whop_sandbox.world.whop["alice"]
    match what:
        case "revoked":
            account.revoked = True
        case "forbidden":
            account.permissions -= {"member:basic:read", "payment:basic:read"}
        case "account":
            with whop_warehouse.write() as connection:
                profiles.connect(connection, ring, "whop", "alice", account.key, external_account_id="biz_wrong")
        case "version":
            monkeypatch.setattr(catalog, "API_VERSION_DATE", "2031-01-01")
        case "502":
            whop_sandbox.faults.every(1, "502", path="/api/v1/")
        case "repeat_key":
            whop_sandbox.whop.page_limit = 10
            whop_sandbox.faults.every(1, "repeat_key", path="/api/v1/")
        case "flag":
            monkeypatch.setenv("ENABLE_WHOP", "false")
        case _:
            monkeypatch.setenv("WHOP_TIERS", '{"plan_x": "pro"}')
    result = scan(whop_instance)
    assert says in failure_text(result)
    if what != "tiers":
        again = run(whop_instance, "whop_sync", range_of("alice", "alice"))
        assert not again.success
        assert (says if what not in ("forbidden", "revoked") else "") in failure_text(again)
    assert digests(whop_warehouse, stamps=True) == before
    with whop_warehouse.read() as connection:
        mine = platform_connections.c.profile_id == "alice"
        assert connection.execute(select(platform_connections.c.status).where(mine)).scalar_one() == state


def test_a_key_that_may_not_see_addresses_is_told_by_a_check_and_loses_no_row(
    whop_warehouse, whop_sandbox, whop_instance
):
    """Guards: a null in the place of every address, which at Whop is no error."""
    before = loaded(whop_warehouse, whop_instance)
    assert checks_of(whop_instance)["addresses_readable"]
    whop_sandbox.world.whop["alice"].permissions -= {"member:email:read"}
    assert scan(whop_instance).success
    assert not checks_of(whop_instance)["addresses_readable"]
    assert len(rows(whop_warehouse, whop_subscriptions)) == len(whop_sandbox.world.whop["alice"].tables["memberships"])
    assert before


def test_an_empty_account_that_nothing_is_stored_of_is_told_by_a_check(
    whop_warehouse, ring, whop_sandbox, whop_instance
):
    """Guards: a typing error in WHOP_ACCOUNT_ID, which at Whop is an empty list."""
    with whop_warehouse.write() as connection:
        key = whop_sandbox.world.whop["alice"].key
        profiles.connect(connection, ring, "whop", "alice", key)
    assert scan(whop_instance).success
    assert checks_of(whop_instance)["account_sells"]
    with whop_warehouse.write() as connection:
        connection.execute(whop_subscriptions.delete())
        profiles.connect(connection, ring, "whop", "alice", key, external_account_id="biz_typo")
    assert scan(whop_instance).success
    assert not checks_of(whop_instance)["account_sells"]


def test_the_ledger_is_rebuilt_from_what_is_stored_without_a_request(whop_warehouse, whop_sandbox, whop_instance):
    """Guards: a rule of the ledger that changes, and a year that must be read again for it."""
    assert run(whop_instance, "whop_sync", range_of()).success
    old = next(
        row for row in whop_sandbox.world.whop["alice"].tables["payments"].values() if row["substatus"] == "succeeded"
    )
    whop_sandbox.world.whop.refund("alice", old["id"], "1")
    assert run(whop_instance, "whop_sync", range_of()).success
    before, asked = digests(whop_warehouse), whop_sandbox.faults.requests.total()
    # Today's refund of an older payment isn't today's partition's to replace.
    recent = range_of(window=DayWindow(today(), today() + timedelta(days=1)))
    assert run(whop_instance, "whop_sync", recent, asset_selection=[EVENTS]).success
    assert digests(whop_warehouse) == before
    with whop_warehouse.write() as connection:
        connection.execute(sales_events.delete().where(sales_events.c.profile_id != "bea"))
    assert run(whop_instance, "whop_sync", range_of(), asset_selection=[EVENTS]).success
    assert digests(whop_warehouse) == before
    assert whop_sandbox.faults.requests.total() == asked


def test_the_ledger_goes_with_the_payments(whop_warehouse, whop_sandbox, whop_instance):
    """Incident: one asset was ticked, the payments were read, and the ledger stayed as it was without a word."""
    assert run(whop_instance, "whop_sync", range_of(), asset_selection=[PAYMENTS]).success
    assert rows(whop_warehouse, whop_payments)
    assert rows(whop_warehouse, sales_events)
    assert set(landed(whop_instance, EVENTS)) == set(landed(whop_instance, PAYMENTS))
    assert "MISSING" not in states(whop_instance, [PAYMENTS, EVENTS]).values()


def test_one_profiles_failure_leaves_the_others_alone(whop_warehouse, whop_sandbox, whop_instance):
    """Guards: a night in which nobody's sales came because one key was revoked."""
    whop_sandbox.world.whop["bea"].revoked = True
    result = run(whop_instance, "whop_sync", range_of())
    assert not result.success
    assert "|bea" in failure_text(result)
    assert wrong(whop_warehouse, whop_sandbox, "alice", "chen") == []
    assert set(landed(whop_instance, PAYMENTS)) == {key for key in KEYS if "|bea" not in key}


def test_previews_tell_nothing_about_a_buyer(whop_warehouse, whop_sandbox, whop_instance):
    """Guards: a customer list in the metadata of a run."""
    loaded(whop_warehouse, whop_instance)
    for key in (MEMBERSHIPS, PAYMENTS, EVENTS):
        for record in whop_instance.fetch_materializations(key, limit=200).records:
            told = repr(record.asset_materialization.metadata)
            for word in ("@", "Ex Ample", "user_", "mber_"):
                assert word not in told
    newest = whop_instance.get_latest_materialization_event(MEMBERSHIPS).asset_materialization.metadata
    assert {"with_access", "matched_to_nobody", "by_status", "preview", "api_requests"} <= set(newest)


def test_quarters_tile_any_window():
    """Guards: a day that two parts replace, or none."""
    window = DayWindow(date(2024, 11, 5), date(2026, 2, 1))
    parts = quarters(window)
    assert [day for part in parts for day in part.each()] == list(window.each())
    assert [part.start.isoformat() for part in parts[1:]] == [
        "2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01",
    ]  # fmt: skip
