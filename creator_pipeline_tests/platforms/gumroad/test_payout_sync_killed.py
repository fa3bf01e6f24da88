"""A reading of payouts that is killed after it read the last of them, before all are made anew once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.gumroad import payout_sync
from creator_pipeline.platforms.gumroad.client import GumroadClient
from creator_pipeline.platforms.gumroad.sync import load_sales
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.gumroad_payouts import ledger, lines, owner
from creator_pipeline_tests.support.gumroad_samples import Free
from creator_pipeline_tests.support.sandbox import SandboxServer, World


class KilledError(BaseException):
    """Nobody catches it; the transaction is gone, and those before stand, as after ``kill -9``."""


def test_the_next_reading_of_an_unchanged_account_does_what_a_killed_one_left(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: adjustments that stay as they were first explained, for weeks, until a payout changes again."""
    made_anew, kills = payout_sync.rewrite_payouts, [True]

    def killed_once(*given: Any, **how: Any) -> Any:
        if kills:
            kills.clear()
            raise KilledError
        return made_anew(*given, **how)

    def state() -> tuple[Any, Any]:
        return ledger(sqlite_warehouse), lines(sqlite_warehouse)

    world = World.invented(11, today=today(), sizes={"bea": 40}, days=60)
    owner(sqlite_warehouse, ring, "bea")
    with (
        SandboxServer(world) as server,
        GumroadClient(server.gumroad_url, world.gumroad["bea"].token, Free()) as client,
    ):
        list(load_sales(sqlite_warehouse, client, ring, "bea", DayWindow(today() - timedelta(days=70), today())))
        monkeypatch.setattr(payout_sync, "rewrite_payouts", killed_once)
        with pytest.raises(KilledError):
            payout_sync.load_payouts(sqlite_warehouse, client, "bea")
        killed = state()
        assert payout_sync.load_payouts(sqlite_warehouse, client, "bea").ledger.any
        mended = state()
        assert mended != killed, "the first reading left nothing to do: choose another world"
        assert not payout_sync.load_payouts(sqlite_warehouse, client, "bea").ledger.any
    with sqlite_warehouse.write() as connection:
        made_anew(connection, "bea", payout_sync.now())
    assert state() == mended
