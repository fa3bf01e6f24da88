"""Refunds of old sales are found by one request, and the check proves the figures."""

from __future__ import annotations

from typing import Literal

import dagster as dg
import pytest
from sqlalchemy import update

from creator_pipeline.core.windows import today
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.gumroad.checks import agrees_with_gumroad
from creator_pipeline.platforms.gumroad.jobs import DRIFT
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support.installation import totals_of_chen
from creator_pipeline_tests.support.sandbox import SandboxServer


def scan(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("gumroad_drift").execute_in_process(
        run_config=DRIFT.config("chen"), instance=instance, raise_on_error=False
    )


def oldest(sandbox: SandboxServer, count: int) -> list[str]:
    rows = sorted(sandbox.world.gumroad["chen"].rows, key=lambda sale: sale.created)
    plain = [
        sale for sale in rows if sale.charged and sale.price > 300 and not sale.refunded_cents and not sale.disputed
    ]
    return [sale.id for sale in plain[:count]]


def test_a_refund_of_an_old_sale_is_found_the_next_night_with_three_requests(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: refunds past the look-back were never in the ledger, and a year was paid out too much."""
    assert scan(instance).success
    [sale_id] = oldest(sandbox, 1)
    sandbox.world.gumroad.refund("chen", sale_id)
    before = sum(sandbox.faults.requests.values())
    assert scan(instance).success
    assert sum(sandbox.faults.requests.values()) - before <= 3
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []


def test_a_quiet_night_costs_one_request(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: the nightly re-read of a month took the budget of the morning's webhooks."""
    scan(instance)
    before = sum(sandbox.faults.requests.values())
    scan(instance)
    assert sum(sandbox.faults.requests.values()) - before == 1


@pytest.mark.parametrize("answer", ["id", "page"])
def test_without_the_endpoint_the_last_days_are_read_instead(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance, answer: Literal["id", "page"]
) -> None:
    """Incident: on an older server, where "summary" is a sale that was not found, the scan failed every night."""
    sandbox.gumroad.has_summary, sandbox.gumroad.unknown_route = False, answer
    sandbox.world.gumroad.add_sale("chen", price=1500)
    assert scan(instance).success
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []


def test_a_scan_says_at_once_whether_the_ledger_agrees(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: the check said "Not compared yet" until the next roll-up, which a night without a change doesn't ask."""
    (told,) = scan(instance).get_asset_check_evaluations()
    assert (told.check_name, told.passed) == ("agrees_with_gumroad", True)
    assert int(str(told.metadata["days_compared"].value)) > 0
    key = dg.AssetCheckKey(dg.AssetKey("daily_revenue"), "agrees_with_gumroad")
    assert instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].run_id == told_by(instance)


def told_by(instance: dg.DagsterInstance) -> str:
    (run,) = instance.get_runs(dg.RunsFilter(job_name="gumroad_drift"))
    return run.run_id


def test_the_check_names_profile_day_amount_and_the_command(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: a check that only said "differs" sent people through a year of days by hand."""
    early = agrees_with_gumroad(warehouse=WarehouseResource())
    assert isinstance(early, dg.AssetCheckResult)
    # It was green over no day at all.
    assert (early.passed, early.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(early.description).startswith("Not compared yet: ")
    scan(instance)
    good = agrees_with_gumroad(warehouse=WarehouseResource())
    assert isinstance(good, dg.AssetCheckResult)
    assert good.passed
    [sale_id] = oldest(sandbox, 1)
    with loaded.write() as connection:
        connection.execute(
            update(sales_events)
            .where(sales_events.c.external_id == sale_id, sales_events.c.event_type == "sale")
            .values(gross_micros=sales_events.c.gross_micros + 10_000)
        )
    bad = agrees_with_gumroad(warehouse=WarehouseResource())
    assert isinstance(bad, dg.AssetCheckResult)
    assert not bad.passed
    assert "chen" in str(bad.metadata["differences"].value)
    assert "creator-pipeline backfill gumroad --profile chen" in str(bad.metadata["hint"].value)
    assert today().isoformat()[:3] in str(bad.metadata["differences"].value)
