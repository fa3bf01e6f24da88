"""Redis goes away and comes back in the middle: slower, never wrong, nothing lost, back by itself."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import redis
from sqlalchemy import select, update

from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.queue.redis_client import RedisLink
from creator_pipeline.queue.redis_hints import RedisHints
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import Lease
from creator_pipeline.store.tables import ingestion_jobs
from creator_pipeline_tests.support.servers import RedisServer

BREAK = 0.15
"""Seconds after which the link tries again for sure."""


@pytest.fixture
def mixed(warehouse: Warehouse, link: RedisLink) -> JobQueue:
    """A queue whose Redis the test may stop."""
    return JobQueue(warehouse, link)


def put(queue: JobQueue, job_id: str, delay: float = 0) -> str:
    return queue.enqueue("alice", "gumroad", "webhook", {}, delay=delay, job_id=job_id)


def known(server: RedisServer) -> set[str]:
    """What Redis holds, past the link."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return set(client.zrange("{creator_pipeline:jobs}:wake", 0, -1))


def test_jobs_pass_from_one_mode_to_the_other_without_loss_or_double(mixed: JobQueue, server: RedisServer) -> None:
    """A restart of Redis doubles what was being worked on, and forgets what waited."""
    for name in ("held", "waits", "late"):
        put(mixed, name, delay=3600 if name == "late" else 0)
    assert mixed.dequeue(1, 30) == [Lease("held", 1)]
    server.kill()
    put(mixed, "while-down")
    assert mixed.dequeue(1, 30) == [Lease("waits", 1)]
    assert mixed.ack("held", 1)
    server.start()
    time.sleep(BREAK)
    assert mixed.dequeue(10, 30) == [Lease("while-down", 1)]
    assert known(server) == {"waits", "while-down"}
    assert mixed.ack("waits", 1)
    assert mixed.schedule("late", 0)
    assert known(server) >= {"late"}
    assert mixed.dequeue(10, 30) == [Lease("late", 1)]


def _let_leases_end(warehouse: Warehouse) -> None:
    """As if the minute of every lease had passed."""
    with warehouse.write() as connection:
        for row in connection.execute(select(ingestion_jobs.c["id", "visible_at"])).all():
            past = row.visible_at - timedelta(minutes=2)
            connection.execute(update(ingestion_jobs).where(ingestion_jobs.c.id == row.id).values(visible_at=past))


def test_every_function_does_its_work_while_redis_is_down(
    mixed: JobQueue, warehouse: Warehouse, server: RedisServer
) -> None:
    """A delivery is refused, or an ack lost, because a cache server restarts."""
    for name in ("acked", "dead", "extended", "failed", "failed for good", "silent"):
        put(mixed, name)
    assert len(mixed.dequeue(10, 20)) == 6
    assert mixed.fail("dead", 1, "no", None)
    put(mixed, "scheduled", delay=3600)
    put(mixed, "waits")
    for name in ("bob", "cay"):
        mixed.enqueue(name, "gumroad", "webhook", {}, job_id=name)
    server.kill()
    assert put(mixed, "new") == "new"
    assert mixed.ack("acked", 1)
    assert mixed.extend("extended", 1, 20)
    assert mixed.fail("failed", 1, "no", 0)
    assert mixed.fail("failed for good", 1, "no", None)
    assert mixed.schedule("scheduled", 0)
    assert mixed.replay(["dead"]) == ["dead"]
    assert {letter.id for letter in mixed.dead_letters()} == {"failed for good"}
    assert mixed.dequeue(1, 20) == [Lease("waits", 1)]
    assert {batch.profile_id for batch in mixed.claim_batches(lease_seconds=20)} == {"bob", "cay"}
    left = {"extended", "failed", "silent", "scheduled", "waits", "bob", "cay", "new", "dead"}
    assert mixed.heal() == len(left)
    _let_leases_end(warehouse)
    server.start()
    time.sleep(BREAK)
    # All leases have ended: whoever asks first after the return is given all that is left, once.
    handed_out = [lease.id for lease in mixed.dequeue(100, 30)]
    assert sorted(handed_out) == sorted(left)
    assert known(server) == left


def test_a_restart_without_persistence_between_two_polls_is_noticed_at_once(
    mixed: JobQueue, server: RedisServer
) -> None:
    """Nobody called Redis while it was away, and the jobs it forgot wait for the next delivery."""
    put(mixed, "a")
    assert mixed.dequeue(1, 30) == [Lease("a", 1)]
    put(mixed, "b")
    server.kill()
    server.start()
    assert mixed.dequeue(10, 30) == [Lease("b", 1)]


def test_a_lease_held_while_redis_forgot_it_ends_in_time(mixed: JobQueue, server: RedisServer) -> None:
    """Redis restarts, then the run dies: its jobs wait for the next healing instead of the end of their lease."""
    put(mixed, "held")
    began = time.monotonic()
    assert mixed.dequeue(1, 1.0) == [Lease("held", 1)]
    server.kill()
    server.start()
    early = mixed.dequeue(1, 30)
    assert early == [] or time.monotonic() - began > 1.0
    time.sleep(1.01)
    assert early + mixed.dequeue(1, 30) == [Lease("held", 2)]


def test_a_lost_hint_is_healed_and_a_wrong_one_corrected(mixed: JobQueue, link: RedisLink, server: RedisServer) -> None:
    """A process died between its commit and its word to Redis."""
    put(mixed, "done")
    mixed.dequeue(1, 30)
    mixed.ack("done", 1)
    put(mixed, "lost")
    put(mixed, "hidden")
    put(mixed, "early", delay=3600)
    hints = RedisHints(link, "creator_pipeline:jobs")
    hints.set({"done": 0, "nobody": 0, "hidden": 3600, "early": 0})
    hints.drop(["lost"])
    time.sleep(0.01)
    assert mixed.dequeue(10, 30) == []
    assert known(server) == {"hidden", "early"}
    assert mixed.heal() == 2
    time.sleep(0.01)
    assert {lease.id for lease in mixed.dequeue(10, 30)} == {"lost", "hidden"}


def test_an_idle_poll_is_one_command_and_leaves_the_warehouse_alone(mixed: JobQueue, link: RedisLink) -> None:
    """Polling eats the plan's commands, or keeps the database awake."""
    assert mixed.claim_batches(lease_seconds=30) == []
    mixed.dequeue(1, 30)
    before = link.client.info("stats")["total_commands_processed"]
    for _ in range(10):
        assert mixed.claim_batches(lease_seconds=30) == []
    # EVALSHA, and by this server's count TIME, EXISTS and ZRANGEBYSCORE inside it; and the question itself.
    assert link.client.info("stats")["total_commands_processed"] - before <= 10 * 4 + 1
