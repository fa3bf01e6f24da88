"""A seller with many sales: what a first reading of the payouts costs the database and this process."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import today
from creator_pipeline.platforms.gumroad import payout_store, payout_sync
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.store.engine import Warehouse, open_warehouse
from creator_pipeline.store.load import upsert
from creator_pipeline.store.tables import payout_lines
from creator_pipeline_tests.support.gumroad_payouts import owner
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World


@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
def test_a_line_is_found_by_its_key_before_the_database_has_any_statistics(warehouse_url: str) -> None:
    """Incident: each of a first load's lines was looked for among all lines; 3,000 sales took five minutes."""
    rows = [
        ("gumroad", "alice", f"payout {number % 20}", number, "Sale", f"sale {number}", None, None, 1, 0, 1, "USD", day)
        for number in range(2_000)
        for day in [date(2026, 11, 1)]
    ]
    key = "provider = 'gumroad' AND profile_id = 'alice' AND payout_id = 'payout 7' AND line = 1007"
    warehouse = open_warehouse(warehouse_url)
    warehouse.ensure_migrated()
    with warehouse.write() as connection:
        upsert(connection, payout_lines, rows)
        plan = connection.execute(text(f"EXPLAIN UPDATE payout_lines SET reason = 'seen' WHERE {key}")).scalars().all()
    warehouse.engine.dispose()
    assert any("pk_payout_lines" in step for step in plan), plan
    assert not any("Filter:" in step for step in plan), plan


def test_adjustments_are_searched_once_for_all_payouts_of_a_first_reading(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: each payout that was read began a search among its neighbours."""
    searched, placed = list[int](), payout_store.placed_parts

    def counted(profile_id: str, payouts: Any, *given: Any) -> Any:
        searched.append(len(payouts))
        return placed(profile_id, payouts, *given)

    monkeypatch.setattr(payout_store, "placed_parts", counted)
    world = World.invented(11, today=today(), sizes={"bea": 40}, days=60)
    owner(sqlite_warehouse, ring, "bea")
    with (
        SandboxServer(world) as server,
        GumroadClient(server.gumroad_url, world.gumroad["bea"].token, Free()) as client,
    ):
        read = payout_sync.load_payouts(sqlite_warehouse, client, "bea").read
    assert read > 3
    assert searched == [read]
