"""Work that ended, in a channel: one notice, and nobody's file names in it."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import select, update

from creator_pipeline import settings as environment
from creator_pipeline.mail.files_told import FileTold, write_files_told
from creator_pipeline.mail.told_elsewhere import tell_backfill
from creator_pipeline.platforms import sources
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import alert_messages, profiles

GUMROAD = sources()[0]


def told(warehouse: Warehouse) -> list[tuple[str, str]]:
    with warehouse.read() as connection:
        payloads = connection.execute(select(alert_messages.c.payload).order_by(alert_messages.c.created_at)).scalars()
        found = [orjson.loads(one) for one in payloads]
    return [(one["title"], one["body"]) for one in found]


def test_a_backfill_of_many_profiles_is_one_notice_and_one_more_when_it_was_resumed(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a hundred messages at the end of a night."""
    monkeypatch.setenv("ALERT_URLS", "backfill=slack://a/b/c failure=slack://a/b/c")
    left = {f"p{number}": ["2026-11-22"] if number < 7 else [] for number in range(100)}
    for _ in range(2):
        tell_backfill(warehouse, environment.load(), "b1", GUMROAD, left, 900, "https://dagster.example.com/runs/b/b1")
    tell_backfill(warehouse, environment.load(), "b1", GUMROAD, dict.fromkeys(left, ()), 900)
    (bad, body), (good, _) = told(warehouse)
    assert (bad, good) == (
        "Gumroad: backfill finished, 7 partitions failed",
        "Gumroad: backfill finished, nothing failed",
    )
    assert body.splitlines()[:3] == ["Profiles: 100 profiles", "Partitions: 900", "Failed of p0: 2026-11-22"]
    assert "And of 2 more profiles." in body
    assert body.endswith("https://dagster.example.com/runs/b/b1")


def test_files_are_counted_and_not_named_whatever_their_owner_wants_to_hear(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a person's name, as files carry them, in a chat of a whole company."""
    monkeypatch.setenv("ALERT_URLS", "slack://a/b/c")
    files = [FileTold(f"Jane Doe {number}.xlsx", "held", "Row 2", str(number), number > 0) for number in range(3)]
    with warehouse.write() as connection:
        connection.execute(update(profiles).values(notify="none"))
        for _ in range(2):
            write_files_told(connection, environment.load(), profile_id="alice", source=GUMROAD, files=files)
    [(title, body)] = told(warehouse)
    assert title == "Gumroad: 1 of 3 files refused or held"
    assert "Jane" not in body
    assert body.startswith("Profile: alice")
