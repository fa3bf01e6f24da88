"""A day that nothing has read, between days that were: told by name once, and once when it is over."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import select, update

from creator_pipeline import settings
from creator_pipeline.core.checks import NothingKnown
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, now, today
from creator_pipeline.definitions import defs
from creator_pipeline.monitoring import gaps, health
from creator_pipeline.runtime.tags import range_tags, run_tags
from creator_pipeline.store import health_reports, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, platform_connections

KEYS = [dg.AssetKey(["gumroad", "sales"]), dg.AssetKey(["sales_events", "gumroad"])]


class Town:
    """Two sellers who were connected twenty days ago, and days that land. Time is given."""

    def __init__(self, warehouse: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warehouse, self.instance, self.moment = warehouse, instance, now()
        for module in (health, gaps):
            monkeypatch.setattr(module, "now", lambda: self.moment)
        monkeypatch.setattr(gaps, "_looked", {})

    def land(self, owner: str, *ago: int) -> None:
        for back in ago:
            for key in KEYS:
                self.instance.report_runless_asset_event(
                    dg.AssetMaterialization(key, partition=f"{today() - timedelta(days=back)}|{owner}")
                )

    def look(self, hours: float = 1) -> list[str]:
        """Open gaps after a tick, so much later."""
        self.moment += timedelta(hours=hours)
        health.run([gaps.check(self.instance, self.warehouse)], self.warehouse, settings.load())
        return [f"{row['id']}: {row['text']} {row['hint']}" for row in health.open_problems(self.warehouse)]

    def subjects(self) -> list[str]:
        with self.warehouse.read() as connection:
            rows = connection.execute(select(email_messages.c.subject).order_by(email_messages.c.created_at))
            return list(rows.scalars())


@pytest.fixture
def town(
    sqlite_warehouse: Warehouse, ring: KeyRing, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Town:
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    with sqlite_warehouse.write() as connection:
        for name in ("alice", "bea"):
            profiles.add_profile(connection, name, f"{name}@example.com")
            profiles.connect(connection, ring, "gumroad", name, f"token of {name}")
        connection.execute(update(platform_connections).values(created_at=now() - timedelta(days=20)))
    return Town(sqlite_warehouse, instance, monkeypatch)


def test_a_day_between_days_is_named_once_and_once_when_it_is_over(town: Town) -> None:
    """Incident: a run of one night was canceled, the next ones read later days, and a day's sales were never there."""
    town.land("alice", 9, 8, 6, 5, 2, 1, 0)
    town.land("bea", *range(10))
    first, last = today() - timedelta(days=7), today() - timedelta(days=3)
    [line] = town.look()
    assert line.startswith(
        f"gaps/gumroad/alice: 3 days of Gumroad of alice between days that were read never landed: {first}"
    )
    assert f"--profile alice --from {first} --to {last}" in line
    for _ in range(5):
        town.look()
    assert [one.partition(":")[0] for one in town.subjects()] == [
        "[ops] 3 days of Gumroad of alice between days that were read never landed"
    ]
    town.land("alice", 7, 4, 3)
    assert town.look() == []
    town.look()
    town.look()
    assert [one.startswith("[ops] Mended: ") for one in town.subjects()] == [False, True]


def test_no_gap_is_what_was_never_asked_for_or_is_being_read(town: Town) -> None:
    """Guards: a mail of a thousand days because somebody loaded one old month; one of days that a run is about to read."""
    town.land("alice", 400, 399, *range(7, 21))
    assert town.look() == []
    town.land("alice", 5)
    window = DayWindow(today() - timedelta(days=9), today())
    tags = range_tags(window, "alice") | run_tags("backfill", "alice", source="gumroad", days=window.days)
    town.instance.add_dynamic_partitions("gumroad_profiles", ["alice"])
    run = town.instance.create_run_for_job(
        defs.resolve_job_def("gumroad_sync"), tags=tags, status=dg.DagsterRunStatus.STARTED
    )
    assert town.look() == []
    town.instance.report_run_canceled(run)
    assert len(town.look()) == 1
    # Its failure was told with the days: one mail is enough.
    with town.warehouse.write() as connection:
        health_reports.opened(connection, "partitions/gumroad/alice", "failed", "read", town.moment)
        assert all(one.told for one in gaps.gaps(town.instance, town.warehouse, {"partitions/gumroad/alice"}))


def test_the_days_are_asked_for_once_an_hour(town: Town) -> None:
    """Guards: every day of every seller read from Dagster's storage each minute."""
    check = gaps.check(town.instance, town.warehouse)
    assert list(check.run()) == []
    with pytest.raises(NothingKnown):
        list(check.run())
    town.moment += gaps.EVERY
    assert list(check.run()) == []
