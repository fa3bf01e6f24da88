"""The asset of payouts in real runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import insert, select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import today
from creator_pipeline.ledger.events import LedgerEvent
from creator_pipeline.platforms.gumroad.access import SOURCE
from creator_pipeline.platforms.gumroad.checks import EVENTS
from creator_pipeline.platforms.gumroad.definitions import PARTS
from creator_pipeline.platforms.gumroad.ledger import partition_day
from creator_pipeline.platforms.gumroad.payout_assets import PAYOUTS, Tally, estimated_share
from creator_pipeline.platforms.gumroad.payout_sync import PayoutsRead
from creator_pipeline.runtime.hooks import what_happened
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ledger_changes, sales_events
from creator_pipeline_tests.support.check_states import states
from creator_pipeline_tests.support.gumroad_payouts import KEPT, PayoutServer, ledger, owner, payout, sales
from creator_pipeline_tests.support.installation import failure_text, run
from creator_pipeline_tests.support.ledger_samples import event
from creator_pipeline_tests.support.tables import rows


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PayoutServer]:
    made = PayoutServer()
    made.sales = sales()
    monkeypatch.setenv("GUMROAD_API_URL", made.url)
    yield made
    made.close()


@pytest.fixture
def house(sqlite_warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    owner(sqlite_warehouse, ring)
    owner(sqlite_warehouse, ring, "bea")
    return sqlite_warehouse


def read(instance: dg.DagsterInstance, profile_id: str = "alice", **tags: str) -> Any:
    return run(instance, dict(tags), "gumroad_payouts", partition_key=profile_id)


def checks(result: Any) -> dict[str, Any]:
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def test_a_run_shows_what_it_read_and_nobody_s_name(
    house: Warehouse, server: PayoutServer, gumroad_instance: dg.DagsterInstance
) -> None:
    """Guards: a UI that shows a bank account or a buyer, or nothing at all."""
    server.has(*(payout(name) for name in KEPT))
    result = read(gumroad_instance)
    assert result.success
    event = gumroad_instance.get_latest_materialization_event(PAYOUTS)
    assert event is not None
    metadata = event.asset_materialization.metadata
    assert metadata["dagster/partition_row_count"].value == len(KEPT)
    # Whose the token is, the list, and what comes next.
    assert metadata["api_requests"].value == len(KEPT) + 3
    assert "85.90" in metadata["preview"].value
    assert "@" not in metadata["preview"].value
    assert all(one.passed for one in checks(result).values()), checks(result)
    assert {row[0] for row in rows(house, ledger_changes)}


def test_the_days_of_the_ledger_that_payouts_change_are_logged_and_nobody_is_mailed_of_them(
    house: Warehouse, server: PayoutServer, gumroad_instance: dg.DagsterInstance
) -> None:
    """Incident: a payout settled the fees of last month's sales, and the UI showed those days as of last month."""
    server.has(*(payout(name) for name in KEPT))
    result = read(gumroad_instance)
    with house.read() as connection:
        events = [LedgerEvent(*row) for row in connection.execute(select(sales_events))]
    wanted = Counter(f"{partition_day(event)}|alice" for event in events if not _of_payout(event))
    assert wanted
    records = gumroad_instance.fetch_materializations(EVENTS, limit=100).records
    logged = {one.partition_key: one.asset_materialization for one in records}
    assert {key: int(one.metadata["dagster/partition_row_count"].value) for key, one in logged.items() if one} == wanted
    assert {str(one.metadata["changed_by"].value) for one in logged.values() if one} == {"gumroad/payouts"}
    assert states(gumroad_instance, [EVENTS]) == {"sales_events/gumroad ledger_agrees": "SUCCEEDED"}
    run_of = gumroad_instance.get_run_by_id(result.run_id)
    assert run_of is not None
    assert what_happened(house, gumroad_instance, SOURCE, run_of).events == {}
    assert read(gumroad_instance).success
    assert len(gumroad_instance.fetch_materializations(EVENTS, limit=100).records) == len(records)


def _of_payout(event: LedgerEvent) -> bool:
    return event.event_type != "sale" and "|" not in event.source


def test_checks_say_what_is_estimated_and_what_can_t_be_read(
    house: Warehouse, server: PayoutServer, gumroad_instance: dg.DagsterInstance
) -> None:
    """Guards: an estimate that looks like a fact, and a missing consent that nobody is told of."""
    server.scopes.remove("view_payouts")
    result = read(gumroad_instance)
    assert result.success
    found = checks(result)
    assert not found["payouts_readable"].passed
    assert "view_payouts" in str(found["payouts_readable"].metadata["not_readable"].value)
    assert found["estimated"].passed
    assert not ledger(house)


@pytest.mark.parametrize(("days_ago", "passed"), [(1, True), (44, True), (46, False)])
def test_an_estimate_is_a_warning_when_a_payout_should_have_settled_it(
    sqlite_warehouse: Warehouse, days_ago: int, passed: bool
) -> None:
    """Incident: a small account's check was red each week for the refunds of the last days, which no payout had yet."""
    back = event(2, today() - timedelta(days=days_ago), gross=-3_000_000)
    estimated = back._replace(event_type="refund", fee_micros=-600_000, fee_exact=False)
    with sqlite_warehouse.write() as connection:
        connection.execute(insert(sales_events), [event(1)._asdict(), estimated._asdict()])
    tally = Tally()
    tally.add(("alice", PayoutsRead(), estimated_share(sqlite_warehouse, "alice")))
    verdict = next(one for one in tally.verdicts() if one.name == "estimated")
    assert verdict.passed is passed
    assert verdict.metadata["estimated_USD"] == "0.60"
    assert verdict.metadata["older_than_45_days_USD"] == ("0.00" if passed else "0.60")


def test_a_day_in_the_tag_reads_everything_since_then(
    house: Warehouse, server: PayoutServer, gumroad_instance: dg.DagsterInstance
) -> None:
    """Guards: a finding that can't be looked at again, and a tag that is silently no day."""
    server.has(*(payout(name) for name in KEPT))
    read(gumroad_instance)
    before = server.requests
    assert read(gumroad_instance).success
    assert server.requests - before == 2
    assert read(gumroad_instance, **{"creator_pipeline/since": "2026-09-01"}).success
    assert server.requests - before == 2 + 2 + 3
    wrong = read(gumroad_instance, **{"creator_pipeline/since": "soon"})
    assert not wrong.success
    assert "creator_pipeline/since" in failure_text(wrong)


def test_a_source_that_is_switched_off_is_not_read(
    house: Warehouse, server: PayoutServer, gumroad_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a feature flag that only hides the button."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    assert not read(gumroad_instance).success
    assert server.requests == 0


def test_a_schedule_reads_payouts_after_the_sales() -> None:
    """Guards: payouts that only a person reads."""
    found = {schedule.name: schedule for schedule in PARTS.schedules}
    assert found["gumroad_payouts_nightly"].job == "gumroad_payouts"
    assert found["gumroad_payouts_nightly"].cron > found["gumroad_nightly"].cron
