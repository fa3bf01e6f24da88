"""Each result of a check has a number: Dagster plots nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from creator_pipeline.definitions import defs
from creator_pipeline.monitoring.health_sensor import pipeline_is_healthy
from creator_pipeline.orchestration import books
from creator_pipeline.orchestration.daily_revenue import equals_ledger, refunds_within_sales
from creator_pipeline.orchestration.products import money_is_mapped
from creator_pipeline.platforms.gumroad.checks import agreement
from creator_pipeline.platforms.gumroad.payout_assets import Estimated
from creator_pipeline.platforms.kdp import checks as kdp
from creator_pipeline.runtime import step_checks, table_assets
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.step_checks import SHOWN, StepCheck
from creator_pipeline.runtime.streams import DailyStream, SnapshotStream
from creator_pipeline.store.engine import Warehouse

Result = dg.AssetCheckResult


def streams() -> list[DailyStream[Any] | SnapshotStream[Any]]:
    """Those that the platforms' modules declare, by their keys."""
    modules = [module for name, module in sys.modules.items() if name.startswith("creator_pipeline.platforms.")]
    every = [value for module in modules for value in vars(module).values()]
    found = {one.key: one for one in every if isinstance(one, DailyStream | SnapshotStream)}
    return [found[key] for key in sorted(found)]


def of_stream(stream: DailyStream[Any] | SnapshotStream[Any]) -> Iterator[Result]:
    """The results of a run that read something and found nothing."""
    tally: Any = stream.tally()
    if hasattr(tally, "read"):
        tally.read = 1
    if hasattr(tally, "estimated"):
        tally.estimated = {"alice": Estimated(0, 0, 0)}
    wanted = {dg.AssetCheckKey(check.asset, check.name) for check in stream.checks}
    return step_checks.results(stream.checks, tally.verdicts(), wanted)


def of_tables() -> Iterator[Result]:
    """The check of every declared table, by what they share."""
    tally = table_assets._Tally(read=1)
    keys = {key for key in CHECKS if key.name == table_assets.READABLE}
    for key in sorted(keys, key=str):
        check = StepCheck(key.asset_key, key.name, "")
        yield from step_checks.results([check], tally.verdicts(), {key})


def of_warehouse(warehouse: Warehouse) -> Iterator[Result]:
    """The results of the checks that read the warehouse, which is empty."""
    for check in (equals_ledger, refunds_within_sales, money_is_mapped, pipeline_is_healthy):
        result: Any = check(warehouse=WarehouseResource())
        (key,) = check.check_keys
        yield result._replace(asset_key=key.asset_key, check_name=key.name)
    yield agreement(warehouse)
    yield from kdp.results(warehouse, [])
    for platform, of_platform in books.with_books():
        key = books.asset_key("books", platform.name)
        yield from (books._result(key, name, {}) for name in books.names_of(of_platform))


CHECKS = set(defs.resolve_asset_graph().asset_check_keys)


def test_every_check_tells_a_number(sqlite_warehouse: Warehouse) -> None:
    """Incident: a check that warned for weeks, and no plot that showed since when there were more of them."""
    results = [one for stream in streams() for one in of_stream(stream)]
    results += [*of_tables(), *of_warehouse(sqlite_warehouse)]
    keys = {dg.AssetCheckKey(one.asset_key, one.check_name) for one in results if one.asset_key and one.check_name}
    assert keys == CHECKS
    without = [
        one.check_name
        for one in results
        if not any(isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue) for value in one.metadata.values())
    ]
    assert without == []


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"odd": list(range(30)), "hint": ["try"]}, {"odd_count": 30, "odd": list(range(SHOWN)), "hint": ["try"]}),
        ({"new": {"b", "a"}}, {"new_count": 2, "new": ["a", "b"]}),
        ({"count": 3, "lines": [1, 2, 3]}, {"count": 3, "lines": [1, 2, 3]}),
        ({"refused": {"a": "why"}}, {"refused_count": 1, "refused": {"a": "why"}}),
        ({"refused": "", "exact": True}, {"refused": "", "exact": True, "failed": 1}),
    ],
)
def test_collections_are_counted_before_they_are_cut(metadata: dict[str, Any], told: dict[str, Any]) -> None:
    """Incident: twenty sales without a fee for ever, as no more than twenty were named."""
    assert step_checks.figures(metadata, passed=False) == told
