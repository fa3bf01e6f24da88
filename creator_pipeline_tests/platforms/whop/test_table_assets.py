"""The assets of Whop's declared tables in real runs, and what a night of them costs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import select, update

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.platforms.whop import fetch_memberships
from creator_pipeline.platforms.whop.tables import STREAMS, TURNS
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import stream_reads
from creator_pipeline_tests.support import whop_installation as small
from creator_pipeline_tests.support.installation import landed
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.whop_installation import changes, new_instance, range_of, run

KEYS = {stream.name: dg.AssetKey(["whop", stream.name]) for stream in STREAMS}


@contextmanager
def sold(
    warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch, count: int, days: int = 5
) -> Generator[tuple[SandboxServer, dg.DagsterInstance]]:
    """An account with so many memberships, connected, and whatever its first night reads.

    Nothing of it ends by itself in the next nights.
    """
    world = World.invented(7, today=today(), sizes={"alice": 1}, whop_sizes={"alice": count}, days=days)
    for membership in world.whop["alice"].tables["memberships"].values():
        if membership["current_period_end"]:
            membership["current_period_end"] = "2099-01-01T00:00:00.000Z"
    window = DayWindow(today() - timedelta(days=days - 1), today() + timedelta(days=1))
    with SandboxServer(world) as server, new_instance() as instance:
        monkeypatch.setenv("WHOP_API_URL", server.whop_url)
        monkeypatch.setenv("WHOP_REQUESTS_PER_MINUTE", "60000000")
        monkeypatch.setenv("PIPELINE_START_DATE", str(window.start))
        small.connect_all(warehouse, ring, server)
        assert run(instance, "whop_sync", range_of("alice", "alice", window)).success
        yield server, instance


def a_night(warehouse: Warehouse, server: SandboxServer, instance: dg.DagsterInstance) -> dict[str, int]:
    """As the schedules of a night ask, a day after the last; returns the requests of each job."""
    with warehouse.write() as connection:
        for row in connection.execute(select(stream_reads)).all():
            mine = (stream_reads.c.stream == row.stream) & (stream_reads.c.parent == row.parent)
            connection.execute(update(stream_reads).where(mine).values(read_at=row.read_at - timedelta(days=1)))
    two = DayWindow(today() - timedelta(days=1), today() + timedelta(days=1))
    asked: dict[str, int] = {}
    jobs = {
        "whop_sync": lambda: run(instance, "whop_sync", range_of("alice", "alice", two)),
        "whop_changes": lambda: changes(instance),
        "whop_books": lambda: run(instance, "whop_books", partition_key="alice"),
        "whop_tables": lambda: run(instance, "whop_tables", partition_key="alice"),
    }
    for name, job in jobs.items():
        before = sum(server.faults.requests.values())
        assert job().success, name
        asked[name] = sum(server.faults.requests.values()) - before
    return asked


def test_an_unchanged_night_with_every_table_takes_twenty_requests_at_most(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: tables nobody had asked for used up the pace that the night's payments needed."""
    with sold(sqlite_warehouse, ring, monkeypatch, 25) as (server, instance):
        a_night(sqlite_warehouse, server, instance)
        counts = {name: landed(instance, key) for name, key in KEYS.items()}
        assert not [name for name, found in counts.items() if "alice" not in found]
        for _ in range(2):
            asked = a_night(sqlite_warehouse, server, instance)
            assert asked["whop_tables"] <= TURNS.a_night
            assert sum(asked.values()) <= 20, asked


def test_an_unchanged_night_of_six_hundred_memberships_takes_no_more(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: 100 requests of an unchanged night, because an account had sold for years."""
    # Sixty in pages of ten are as many pages as six hundred are in pages of a hundred.
    monkeypatch.setattr(fetch_memberships, "_TURN", 9)
    monkeypatch.setattr(fetch_memberships, "_EACH_NIGHT", 20)
    with sold(sqlite_warehouse, ring, monkeypatch, 60, days=30) as (server, instance):
        server.whop.page_limit = 10
        a_night(sqlite_warehouse, server, instance)
        for _ in range(3):
            asked = a_night(sqlite_warehouse, server, instance)
            assert asked["whop_changes"] <= 7, asked
            assert asked["whop_tables"] <= TURNS.a_night * (1 + TURNS.pages), asked
            assert sum(asked.values()) <= 20, asked
