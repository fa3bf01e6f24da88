"""How pipeline_health stores what it finds: open until it is solved, told once each, and never by raising."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, select

from creator_pipeline import settings
from creator_pipeline.core.checks import Check, Finding, NothingKnown
from creator_pipeline.monitoring import health, health_sensor
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, health_reports
from creator_pipeline_tests.support.health import RESOURCES, Watched


def test_the_sensor_never_raises(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident: the warehouse was down, and so was the one sensor that would have said so."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}")
    assert watched.tick() == "Nothing was looked at: ConfigError."


def test_the_check_lists_what_is_open_with_its_hint(watched: Watched) -> None:
    """Incident: the mail went to somebody on holiday, and the UI was green."""
    assert health_sensor.pipeline_is_healthy(RESOURCES["warehouse"]).passed
    with watched.warehouse.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "Gumroad refuses the token.")
    watched.tick()
    result = health_sensor.pipeline_is_healthy(RESOURCES["warehouse"])
    assert not result.passed
    assert "profiles connect alice" in str(result.metadata["hint"].value)


def problem(name: str) -> Finding:
    return Finding(name, "no", f"{name} is broken", "fix it", "X")


def boom() -> list[Finding]:
    raise ValueError("no eyes: token=abcdef123")


def nothing_known() -> list[Finding]:
    raise NothingKnown


def test_a_check_that_fails_is_a_problem_itself_and_forgets_nothing(warehouse: Warehouse) -> None:
    """Incident: a check that raised was read as "nothing is wrong any more", and all was reported solved."""
    config = settings.load()
    with warehouse.write() as connection:
        connection.execute(delete(health_reports))
    seen = Check("a/", lambda: [problem("a/1"), problem("a/2")])
    other = Check("b", lambda: [problem("b")])
    assert [one.name for one in health.run([seen, other], warehouse, config).new] == ["a/1", "a/2", "b"]
    failed = health.run([Check("a/", boom), other], warehouse, config)
    assert [one.name for one in failed.new] == ["look/a"]
    assert "abcdef123" not in failed.new[0].detail
    assert failed.solved == []
    assert health.run([Check("a/", nothing_known)], warehouse, config) == health.Changes(open=4)
    last = health.run([Check("a/", lambda: [problem("a/2")]), Check("b", list)], warehouse, config)
    assert (sorted(last.solved), last.open) == (["a/1", "b", "look/a"], 1)


def test_what_could_not_be_told_is_told_when_it_can_be_and_then_solved(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: OPS_EMAIL was set after the first night; what had broken in it was never told, only that it was over."""
    broken, fine = Check("a/", lambda: [problem("a/of buyer@example.com")]), Check("a/", list[Finding])
    health.run([broken], warehouse, settings.load())
    health.run([fine], warehouse, settings.load())
    health.run([broken], warehouse, settings.load())
    monkeypatch.setenv("OPS_EMAIL", "ops@example.com")
    for check in (broken, broken, fine, fine):
        health.run([check], warehouse, settings.load())
    with warehouse.read() as connection:
        found = connection.execute(select(email_messages.c.subject).order_by(email_messages.c.created_at)).scalars()
        assert list(found) == [
            "[ops] a/of [address] is broken",
            "[ops] Mended: a/of [address] is broken",
        ]
