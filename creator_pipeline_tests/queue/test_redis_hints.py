"""What an idle installation asks of Redis: hosted ones count commands, and the free plan has half a million a month."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from creator_pipeline.queue import redis_hints
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.pace import RedisPace
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline.queue.redis_hints import IdlePause
from creator_pipeline.store.engine import Warehouse

INSIDE = {"cmdstat_exists", "cmdstat_zrangebyscore", "cmdstat_time", "cmdstat_zadd", "cmdstat_info", "cmdstat_del"}
"""Called within scripts, which count as one; and what this test does itself."""
MONTH_OF_HOURS = 24 * 30
FREE_PLAN = 500_000


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    # Not the module's own function: an event loop of another thread would wait for this clock's hours.
    monkeypatch.setattr(redis_hints, "time", SimpleNamespace(monotonic=made))
    return made


def commands(link: RedisLink) -> int:
    stats = cast("dict[str, Any]", link.client.info("commandstats"))
    return sum(found["calls"] for name, found in stats.items() if name not in INSIDE)


def test_an_idle_hour_times_a_month_is_a_fraction_of_the_free_plan(
    sqlite_warehouse: Warehouse, link: RedisLink, clock: Clock
):
    """A poll each second cost 0.7 to 2.8 million commands a month, and did nothing."""
    assert JobQueue(sqlite_warehouse, link).claim_batches(lease_seconds=30) == []
    before = commands(link)
    # What is asked of Redis is bounded by the pause and not by the polls: ten seconds apart do for a test.
    for _ in range(360):
        clock.now += 10.0
        # The mark lives for 15 seconds by the server's clock, which goes on as ever: so it is always gone.
        if JobQueue(sqlite_warehouse, link)._idle.over():
            link.client.delete("{creator_pipeline:jobs}:healed")
        # A new one for each tick, as the sensor makes it.
        assert JobQueue(sqlite_warehouse, link).claim_batches(lease_seconds=30) == []
    month = (commands(link) - before) * MONTH_OF_HOURS
    assert 0 < month < FREE_PLAN / 5, month


def test_a_busy_hour_costs_a_few_commands_a_delivery(sqlite_warehouse: Warehouse, link: RedisLink, clock: Clock):
    """A shop that does well, and a queue that costs more than its database."""
    queue, request = JobQueue(sqlite_warehouse, link), RedisPace(link, "busy", 60_000_000)
    queue.claim_batches(lease_seconds=30)
    request.wait()
    before, deliveries = commands(link), 5
    for number in range(deliveries):
        # By the gateway's process; the daemon's hears of it by a poll, each second.
        JobQueue(sqlite_warehouse, link).enqueue("alice", "gumroad", "webhook", {"sale_ids": [f"s{number}"]})
        for _second in range(60):
            clock.now += 1.0
            for batch in queue.claim_batches(lease_seconds=30):
                request.wait()
                queue.ack_all(batch.leases, events_count=1)
    # One a minute is 43,200 a month: at 13 each 563,000 commands.
    assert 5 < (commands(link) - before) / deliveries < 15


def test_what_comes_is_found_by_the_next_poll_however_long_it_was_quiet(
    sqlite_warehouse: Warehouse, link: RedisLink, clock: Clock
):
    """A sale that waits for five minutes because nothing was sold before it."""
    consumer = JobQueue(sqlite_warehouse, link)
    for _ in range(40):
        clock.now += 10.0
        assert consumer.claim_batches(lease_seconds=30) == []
    # By another process: this one hears nothing of it.
    JobQueue(sqlite_warehouse, None).enqueue("alice", "gumroad", "webhook", {"sale_ids": ["s1"]})
    clock.now += 1.0
    (batch,) = consumer.claim_batches(lease_seconds=30)
    assert [job.payload for job in batch.jobs] == [{"sale_ids": ["s1"]}]
    assert consumer._idle.over()


def test_the_pause_doubles_to_its_longest_and_ends_at_once(clock: Clock):
    pause, asked = IdlePause(), []
    for second in range(1200):
        clock.now = 1000.0 + second
        if pause.over():
            asked.append(second)
            pause.nothing()
    assert asked == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]
    pause.end()
    assert pause.over()
