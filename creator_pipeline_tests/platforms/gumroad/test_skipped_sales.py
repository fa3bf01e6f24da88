"""Sales that the server's cursor leaves out of every page: found, told, and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, now, today
from creator_pipeline.definitions import defs
from creator_pipeline.platforms.gumroad.checks import PAGES_COMPLETE
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.jobs import DRIFT
from creator_pipeline.platforms.gumroad.sandbox.compare import differences
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.installation import totals_of_chen
from creator_pipeline_tests.support.sandbox import SandboxServer

DAY = today() - timedelta(days=5)


def noon(seconds: int = 0) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC) + timedelta(seconds=seconds)


def requests(sandbox: SandboxServer) -> int:
    return sum(sandbox.faults.requests.values())


@pytest.fixture
def client(sandbox: SandboxServer):
    with GumroadClient(sandbox.gumroad_url, sandbox.world.gumroad["chen"].token, Free()) as made:
        yield made


@pytest.fixture
def disordered(loaded: Warehouse, sandbox: SandboxServer) -> str:
    """A day whose oldest sale has the highest id, twelve sales of one second among it; returns that sale's id."""
    sandbox.gumroad.cursor_by_id = True
    part = sandbox.world.gumroad
    for second in [*range(100, 125), *[60] * 12, *range(40, 55)]:
        part.add_sale("chen", created_at=noon(second), price=1000)
    late = part.add_sale("chen", created_at=noon(), price=2500)
    part.add_sale("chen", price=700)
    return late.id


def load(warehouse: Warehouse, client: GumroadClient, ring: KeyRing) -> frozenset[str]:
    parts = list(load_sales(warehouse, client, ring, "chen", DayWindow(DAY, today() + timedelta(days=1))))
    return frozenset(sale_id for part in parts for sale_id in part.skipped)


def scan(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    config = DRIFT.config("chen")
    return defs.resolve_job_def("gumroad_drift").execute_in_process(run_config=config, instance=instance)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = [one for one in result.all_events if one.event_type == dg.DagsterEventType.STEP_OUTPUT]
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def test_a_sale_on_no_page_is_missing_until_the_drift_scan_finds_it_and_stays(
    loaded: Warehouse,
    sandbox: SandboxServer,
    client: GumroadClient,
    ring: KeyRing,
    instance: dg.DagsterInstance,
    disordered: str,
) -> None:
    """Incident: a sale whose id was higher than its time told stood on no page and was never in the ledger."""
    assert load(loaded, client, ring) == frozenset()
    assert differences(loaded, "chen", totals_of_chen(sandbox)) != []
    told = scan(instance)
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []
    found = metadata(told)
    assert disordered in found["sales_on_no_page"]
    assert DAY.isoformat() in str(found["days_read_with_other_page_keys"])
    *_, check = [one for one in told.get_asset_check_evaluations() if one.check_name == PAGES_COMPLETE]
    assert not check.passed
    assert disordered in str(check.metadata["on_no_page"].value)
    before = requests(sandbox)
    scan(instance)
    assert requests(sandbox) - before == 1
    # The weekly re-read asks by the server's own keys, and must not take the sale for deleted.
    assert disordered in load(loaded, client, ring)
    assert differences(loaded, "chen", totals_of_chen(sandbox)) == []


def test_a_server_that_refuses_made_keys_stops_nothing(
    loaded: Warehouse,
    sandbox: SandboxServer,
    instance: dg.DagsterInstance,
    disordered: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards: a night that fails because a way out of a rare trouble is shut."""
    monkeypatch.setattr(
        "creator_pipeline.platforms.gumroad.page_keys.OverlappingKeys._key", lambda _self, second: f"{second}-0"
    )
    assert scan(instance).success
    assert metadata(scan(instance))["sales_on_no_page"] == []


def test_a_sale_that_is_really_gone_goes(
    loaded: Warehouse, sandbox: SandboxServer, client: GumroadClient, ring: KeyRing
) -> None:
    """Guards: what the platform no longer lists kept for ever, or looked for each night."""
    made = sandbox.world.gumroad.add_sale("chen", created_at=noon(), price=1000)
    load(loaded, client, ring)
    seller = sandbox.world.gumroad["chen"]
    at = seller.rows.index(made)
    del seller.rows[at], seller.keys[at]
    assert load(loaded, client, ring) == frozenset()
    before = requests(sandbox)
    load(loaded, client, ring)
    assert requests(sandbox) - before <= 2
    assert now() > noon()
