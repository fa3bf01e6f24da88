"""A small installation that is watched by pipeline_health, to be broken one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import select

from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.definitions import defs
from creator_pipeline.monitoring import health, health_sensor, told_together
from creator_pipeline.platforms.gumroad.access import GumroadResource
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages
from creator_pipeline_tests.support.sandbox import SandboxServer

RESOURCES = {"warehouse": WarehouseResource(), "gumroad": GumroadResource()}
PUBLIC = "https://pipeline.example.com"


@dataclass
class Watched:
    """A small installation in order, and the sensor that watches it."""

    warehouse: Warehouse
    server: SandboxServer
    instance: dg.DagsterInstance
    ring: KeyRing
    inbox: Path
    monkeypatch: pytest.MonkeyPatch
    cursor: str | None = None

    def tick(self) -> str:
        """One tick of the sensor; what it says."""
        context = dg.build_sensor_context(
            instance=self.instance,
            resources=RESOURCES,
            repository_def=defs.get_repository_def(),
            cursor=self.cursor,
        )
        result: Any = health_sensor.pipeline_health(context)
        self.cursor = result.cursor
        return result.skip_reason.skip_message

    def open(self) -> dict[str, dict[str, Any]]:
        """Open reports by id."""
        return {str(row["id"]): dict(row) for row in health.open_problems(self.warehouse)}

    def mails(self) -> list[str]:
        """Subjects of what the sensor told: of what broke and of what was solved."""
        with self.warehouse.read() as connection:
            found = select(email_messages.c.subject).where(email_messages.c.id.startswith("health"))
            return list(connection.execute(found.order_by(email_messages.c.created_at)).scalars())


Step = Callable[[Watched], object]
Case = tuple[Step, Step, str]
"""What breaks it, what fixes it, and what its hint must say."""


def told_once_and_solved_once(w: Watched, name: str, case: Case) -> None:
    """Break it: named, with its hint, one mail. Fix it: nothing is open, one mail. Nothing more is ever told."""
    break_it, fix_it, hint = case
    w.monkeypatch.setattr(told_together, "QUIET", timedelta(0))
    assert w.tick() == "All is well."
    break_it(w)
    w.tick()
    assert set(w.open()) == {name}, w.open()
    assert hint in w.open()[name]["hint"]
    w.tick()
    assert len(w.mails()) == 1
    fix_it(w)
    assert w.tick() == "All is well."
    assert w.open() == {}
    w.tick()
    broke, solved = w.mails()
    assert broke.startswith("[ops] ")
    assert solved.startswith("[ops] Mended: ")
