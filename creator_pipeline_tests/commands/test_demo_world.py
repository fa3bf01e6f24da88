"""The world of the demo, on each day of a week."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
import time_machine
from sqlalchemy import select, update

from creator_pipeline.commands.demo_story import DAYS, WORLD_DAYS, WORLD_SEED, stand_ins
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, now
from creator_pipeline.orchestration.books import settle
from creator_pipeline.platforms.gumroad import PLATFORM, payout_sync
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import platform_connections, unexplained
from creator_pipeline_tests.support.gumroad_payouts import owner
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World

SUNDAY = date(2026, 11, 29)


@pytest.mark.parametrize("profile_id", ["alice", "bea", "chen"])
@pytest.mark.parametrize("after", range(7))
def test_no_payout_is_open_on_any_day_of_the_week(
    sqlite_warehouse: Warehouse, ring: KeyRing, after: int, profile_id: str
) -> None:
    """Incident: a newcomer's demo was green on six days, and on Sundays a payout had a rest without a name."""
    day = SUNDAY + timedelta(days=after)
    with time_machine.travel(datetime.combine(day, time(0, 10), UTC), tick=True):
        world = World.of([one for _, one in stand_ins()], WORLD_SEED, today=day, days=WORLD_DAYS)
        with SandboxServer(world) as server:
            owner(sqlite_warehouse, ring, profile_id)
            window = DayWindow(day - timedelta(days=DAYS), day + timedelta(days=1))
            with GumroadClient(server.gumroad_url, server.world.gumroad[profile_id].token, Free()) as client:
                list(load_sales(sqlite_warehouse, client, ring, profile_id, window))
                payout_sync.load_payouts(sqlite_warehouse, client, profile_id)
            with sqlite_warehouse.write() as connection:
                connection.execute(update(platform_connections).values(last_synced_at=now()))
            settle(sqlite_warehouse, PLATFORM, profile_id)
    with sqlite_warehouse.read() as connection:
        assert [(row.key, row.amount_micros, row.reason) for row in connection.execute(select(unexplained))] == []
