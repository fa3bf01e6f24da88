"""Waiting for a job: seen at once when it comes, nothing held meanwhile, and an end whenever somebody wants it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy.pool import QueuePool

from creator_pipeline.queue import table, waiting
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.waiting import wait_for_job
from creator_pipeline.store.engine import Warehouse

PATIENCE = 60.0
"""Never waited for: whoever waits is given a job, or is stopped."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "GATHER_SECONDS", 0.01)


def at_look(number: int, act: Callable[[], object]) -> Callable[[], bool]:
    """Does something before a look, and goes on."""
    looks = [0]

    def goes_on() -> bool:
        looks[0] += 1
        if looks[0] == number:
            act()
        return True

    return goes_on


def test_a_job_that_comes_ends_the_wait(queue: JobQueue, warehouse: Warehouse) -> None:
    """Incident: a sale lay in the queue for up to five seconds, until the daemon looked again."""
    come = at_look(3, lambda: queue.enqueue("alice", "gumroad", "webhook", {}))
    assert wait_for_job(warehouse, ["gumroad"], PATIENCE, come)
    (batch,) = queue.claim_batches(lease_seconds=30, ask_redis=False)
    assert batch.profile_id == "alice"


def test_what_nobody_may_be_handed_is_not_waited_for(queue: JobQueue, warehouse: Warehouse) -> None:
    """Guards: a job behind a run of its profile that ends every wait at once, and the daemon that turns round for it."""
    queue.enqueue("alice", "gumroad", "webhook", {})
    assert len(queue.claim_batches(lease_seconds=30, ask_redis=False)) == 1
    queue.enqueue("alice", "gumroad", "webhook", {})
    queue.enqueue("bea", "whop", "webhook", {})
    queue.enqueue("bea", "gumroad", "webhook", {}, delay=30)
    with warehouse.read() as connection:
        for sources in (["gumroad"], ["whop"], ["gumroad", "whop"], []):
            assert table.any_waiting(connection, sources) == bool(table.waiting_groups(connection, sources))
    assert not wait_for_job(warehouse, ["gumroad"], 0.03, lambda: True)


def test_a_wait_holds_no_connection_and_ends_when_it_is_told_to(warehouse: Warehouse) -> None:
    """Guards: a code server that can't be stopped, and a transaction that is open for as long as nothing is sold."""
    held = list[int]()
    pool = warehouse.engine.pool

    def goes_on() -> bool:
        held.append(pool.checkedout() if isinstance(pool, QueuePool) else 0)
        return len(held) < 4

    began = time.monotonic()
    assert not wait_for_job(warehouse, ["gumroad"], PATIENCE, goes_on)
    assert held == [0, 0, 0, 0]
    assert time.monotonic() - began < PATIENCE / 2


def test_a_wait_of_zero_looks_into_nothing(warehouse: Warehouse) -> None:
    """Guards: a setting that is off and still asks the database."""

    def goes_on() -> bool:
        raise AssertionError

    assert not wait_for_job(warehouse, ["gumroad"], 0.0, goes_on)


def test_a_slow_table_is_asked_less_often(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: a backlog whose every look takes a second, five times a second."""
    moment, looks = [0.0], list[float]()

    def pass_time(seconds: float) -> None:
        moment[0] += seconds

    def slow(*_: object) -> bool:
        looks.append(moment[0])
        pass_time(0.5)
        return False

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: moment[0], sleep=pass_time))
    monkeypatch.setattr(table, "any_waiting", slow)
    assert not wait_for_job(sqlite_warehouse, ["gumroad"], 12.0, lambda: True)
    assert looks == [0.0, 5.5, 11.0]
