"""The assets ``export/TABLE``: off until a place is named."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from creator_pipeline.definitions import defs
from creator_pipeline.orchestration import export
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support import exported, invented_year


def run(instance: dg.DagsterInstance) -> list[dg.AssetMaterialization]:
    result = defs.resolve_job_def("export").execute_in_process(instance=instance, raise_on_error=True)
    return [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]


def test_without_a_place_nothing_is_materialized_and_with_one_every_table_is(
    sqlite_warehouse: Warehouse, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a green box that had exported nothing."""
    invented_year.fill(sqlite_warehouse, 30)
    assert run(instance) == []
    with instance, dg.build_schedule_context(instance=instance) as context:
        assert isinstance(export.export_nightly(context), dg.SkipReason)
        monkeypatch.setenv("EXPORT_URL", str(tmp_path / "export"))
        tables = {one.asset_key.path[1]: one.metadata["dagster/row_count"].value for one in run(instance)}
    assert tables == {
        "ledger": 60,
        "daily_revenue": tables["daily_revenue"],
        "payouts": 4,
        "products": 2,
        "subscriptions": 2,
        **dict.fromkeys(("products_sold", "subscriptions_daily", "payout_lines", "unexplained"), 0),
    }
    assert exported.sums(tmp_path / "export") == invented_year.ledger_sums(sqlite_warehouse)
