"""The queue: each job handed out to one holder at a time, until one says that it is done."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from creator_pipeline.queue import table
from creator_pipeline.queue.jobs import MAX_ATTEMPTS, JobQueue, NewJob
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.leases import Lease, database_time

SOON = 0.05
"""Seconds until what a test waits for. That it isn't yet is only asserted of what takes ``LONG``: a busy machine is slow."""
PAST = SOON + 0.02
LONG = 30


def one(
    queue: JobQueue, job_id: str | None = None, profile: str = "alice", source: str = "gumroad", delay: float = 0
) -> str:
    return queue.enqueue(profile, source, "webhook", {"sale": "s1"}, delay=delay, job_id=job_id)


def status(queue: JobQueue, job_id: str) -> str:
    return queue.get([job_id])[0].status


def test_a_job_is_handed_out_once_and_again_only_after_its_lease(queue: JobQueue) -> None:
    """Two runs at the same job spend the request budget twice."""
    job = one(queue)
    assert queue.dequeue(10, LONG) == [Lease(job, 1)]
    assert queue.dequeue(10, LONG) == []
    assert queue.extend(job, 1, SOON)
    time.sleep(PAST)
    assert queue.dequeue(10, SOON) == [Lease(job, 2)]
    time.sleep(PAST)
    assert queue.dequeue(10, LONG) == [Lease(job, 3)]


def test_a_done_job_is_never_handed_out_again(queue: JobQueue) -> None:
    """A finished sync that comes back for ever."""
    job = one(queue)
    (lease,) = queue.dequeue(1, SOON)
    assert queue.ack(lease.id, lease.attempt, events_count=7)
    time.sleep(PAST)
    assert queue.dequeue(1, LONG) == []
    (row,) = queue.get([job])
    assert (row.status, row.events_count, row.payload) == ("completed", 7, {"sale": "s1"})
    assert row.finished_at is not None
    assert row.finished_at >= row.created_at


def test_the_holder_of_a_stale_lease_can_neither_end_extend_nor_fail_the_job(queue: JobQueue) -> None:
    """A run that was thought dead ends a job whose second run is still reading."""
    job = one(queue)
    queue.dequeue(1, SOON)
    time.sleep(PAST)
    assert queue.dequeue(1, LONG) == [Lease(job, 2)]
    assert not queue.ack(job, 1)
    assert not queue.extend(job, 1, LONG)
    assert not queue.fail(job, 1, "late", 0)
    assert status(queue, job) == "running"
    assert queue.ack(job, 2)
    assert not queue.ack(job, 2)


def test_a_late_holder_may_still_end_a_job_that_nobody_took_over(queue: JobQueue) -> None:
    """Work that is done is done again because the clock ran out a moment before the ack."""
    job = one(queue)
    queue.dequeue(1, SOON)
    time.sleep(PAST)
    assert queue.ack(job, 1)


def test_an_extended_lease_holds(queue: JobQueue) -> None:
    """A long initial sync is started a second time while the first still works."""
    job = one(queue)
    queue.dequeue(1, SOON)
    assert queue.extend(job, 1, LONG, run_id="run-1")
    time.sleep(PAST)
    assert queue.dequeue(1, LONG) == []
    assert queue.get([job])[0].run_id == "run-1"
    assert queue.extend(job, 1, 0)
    time.sleep(0.01)
    assert queue.dequeue(1, LONG) == [Lease(job, 2)]


def test_a_delayed_job_waits_and_schedule_moves_it(queue: JobQueue) -> None:
    """A retry that is due tomorrow runs now, or one that is wanted now runs tomorrow."""
    late = one(queue, delay=3600)
    assert queue.dequeue(10, LONG) == []
    soon = one(queue, delay=SOON)
    time.sleep(PAST)
    assert queue.dequeue(10, LONG) == [Lease(soon, 1)]
    assert queue.schedule(late, 0)
    time.sleep(0.01)
    assert queue.dequeue(10, LONG) == [Lease(late, 1)]
    assert not queue.schedule(late, 0)
    assert not queue.schedule("nobody", 0)


def test_the_same_id_is_taken_once_even_after_it_is_done(queue: JobQueue) -> None:
    """A provider that delivers three times makes three runs."""
    assert one(queue, "d-1") == one(queue, "d-1") == "d-1"
    assert queue.dequeue(10, LONG) == [Lease("d-1", 1)]
    assert queue.ack("d-1", 1)
    one(queue, "d-1")
    assert queue.dequeue(10, LONG) == []
    assert status(queue, "d-1") == "completed"


def test_the_oldest_come_first_and_no_more_than_asked(queue: JobQueue) -> None:
    """New deliveries push an old one back for ever."""
    ids = []
    for _ in range(5):
        ids.append(one(queue))
        time.sleep(0.005)
    assert [lease.id for lease in queue.dequeue(2, LONG)] == ids[:2]
    assert [lease.id for lease in queue.dequeue(9, LONG)] == ids[2:]


def test_a_failed_job_comes_back_after_its_pause_until_its_attempts_are_used_up(queue: JobQueue) -> None:
    """A job that can't succeed goes round for ever, or ends without a trace."""
    job = one(queue)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert queue.dequeue(1, LONG) == [Lease(job, attempt)]
        assert status(queue, job) == "running"
        assert queue.fail(job, attempt, f"no {attempt}", LONG if attempt == 1 else SOON)
        if attempt == 1:
            assert queue.dequeue(1, LONG) == []
            assert queue.schedule(job, 0)
        time.sleep(PAST)
    assert queue.dequeue(1, LONG) == []
    (letter,) = queue.dead_letters()
    assert (letter.id, letter.status, letter.attempts) == (job, "dead", MAX_ATTEMPTS)
    assert letter.error == f"no {MAX_ATTEMPTS}"


def test_a_job_whose_runs_all_die_in_silence_becomes_a_dead_letter(queue: JobQueue) -> None:
    """A payload that kills its process takes the pipeline down again and again."""
    job = one(queue)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert queue.dequeue(1, 0) == [Lease(job, attempt)]
        time.sleep(0.01)
    assert queue.dequeue(1, LONG) == []
    (letter,) = queue.dead_letters()
    assert "never finished" in (letter.error or "")
    assert not queue.ack(job, MAX_ATTEMPTS)


def test_a_permanent_failure_is_not_tried_again(queue: JobQueue) -> None:
    """A revoked token is tried until the platform blocks us."""
    job = one(queue)
    queue.dequeue(1, LONG)
    assert queue.fail(job, 1, "revoked", None)
    assert queue.dequeue(1, LONG) == []
    assert [letter.status for letter in queue.dead_letters()] == ["failed"]


def test_a_replay_gives_new_attempts_and_the_counter_never_goes_back(queue: JobQueue) -> None:
    """After a replay from one, the run key was seen before and Dagster drops it; a ghost of the first life acks."""
    job = one(queue)
    for _ in range(MAX_ATTEMPTS):
        queue.dequeue(1, 0)
        time.sleep(0.01)
    queue.dequeue(1, 0)
    assert queue.replay([job, "nobody"]) == [job]
    assert queue.replay([job]) == []
    time.sleep(0.01)
    for attempt in range(MAX_ATTEMPTS + 1, 2 * MAX_ATTEMPTS + 1):
        assert queue.dequeue(1, 0) == [Lease(job, attempt)]
        assert not queue.ack(job, attempt - MAX_ATTEMPTS)
        time.sleep(0.01)
    assert queue.dequeue(1, LONG) == []
    assert status(queue, job) == "dead"


def test_many_deliveries_of_a_profile_make_one_batch_and_the_next_waits_for_it(queue: JobQueue) -> None:
    """A sale with three hundred deliveries starts three hundred runs."""
    first = {one(queue) for _ in range(30)}
    other = one(queue, source="whop")
    (batch,) = queue.claim_batches(lease_seconds=LONG, sources=["gumroad"])
    assert (batch.source, batch.profile_id, batch.kind) == ("gumroad", "alice", "webhook")
    assert {job.id for job in batch.jobs} == first
    assert {lease.attempt for lease in batch.leases} == {1}
    late = one(queue)
    assert queue.claim_batches(lease_seconds=LONG, sources=["gumroad"]) == []
    assert sorted(queue.ack_all(batch.leases)) == sorted(first)
    (again,) = queue.claim_batches(lease_seconds=LONG, sources=["gumroad"])
    assert [job.id for job in again.jobs] == [late]
    assert again.run_key != batch.run_key
    assert status(queue, other) == "queued"


def test_batches_are_one_for_each_profile_and_a_busy_one_holds_up_nobody(queue: JobQueue) -> None:
    """One profile's launch day keeps all others waiting."""
    for _ in range(120):
        one(queue)
    (alice,) = queue.claim_batches(lease_seconds=LONG, limit=5)
    assert len(alice.jobs) == 5
    bob, whop = one(queue, profile="bob"), one(queue, source="whop")
    claimed = queue.claim_batches(lease_seconds=LONG, sources={"gumroad"})
    assert [[job.id for job in batch.jobs] for batch in claimed] == [[bob]]
    assert [[job.id for job in batch.jobs] for batch in queue.claim_batches(lease_seconds=LONG)] == [[whop]]
    assert queue.claim_batches(lease_seconds=LONG) == []
    queue.ack_all(alice.leases)
    (rest,) = queue.claim_batches(lease_seconds=LONG)
    assert len(rest.jobs) == 115


def test_a_batch_that_is_abandoned_comes_back_with_another_run_key(queue: JobQueue) -> None:
    """A run that never started is swallowed for good, because its key was seen."""
    one(queue)
    (first,) = queue.claim_batches(lease_seconds=LONG)
    assert queue.claim_batches(lease_seconds=LONG) == []
    queue.extend_all(first.leases, SOON)
    time.sleep(PAST)
    (second,) = queue.claim_batches(lease_seconds=LONG)
    assert first.run_key != second.run_key
    assert [lease.attempt for lease in second.leases] == [2]


def test_a_batch_ends_only_the_jobs_it_still_holds(queue: JobQueue) -> None:
    """A slow run ends the jobs that a second one has taken over."""
    jobs = sorted(one(queue, f"j{n}") for n in range(4))
    leases = queue.dequeue(4, LONG)
    stale = [lease for lease in leases if lease.id in jobs[:2]]
    assert len(queue.extend_all(stale, 0)) == 2
    time.sleep(0.01)
    assert len(queue.dequeue(4, LONG)) == 2
    assert sorted(queue.ack_all(leases)) == jobs[2:]
    assert queue.fail_all(stale, "late", None) == []
    assert queue.depth() == {"queued": 0, "running": 2, "failed": 0, "dead": 0}


def test_jobs_put_in_within_the_callers_transaction_share_its_fate(warehouse: Warehouse, queue: JobQueue) -> None:
    """A delivery is stored without its job, or a job runs for a delivery that was rolled back."""
    new = [NewJob("alice", "gumroad", "webhook", {}, id=f"n{n}") for n in range(3)]
    try:
        with warehouse.write() as connection:
            assert len(queue.add(connection, new)) == 3
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert queue.depth()["queued"] == 0
    with warehouse.write() as connection:
        assert sorted(queue.add(connection, [*new, new[0]])) == ["n0", "n1", "n2"]
        assert queue.add(connection, new) == []
    queue.announce(new)
    assert len(queue.dequeue(10, LONG)) == 3


# SQLite has one writer at a time.
@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_a_second_claimer_gets_nothing_of_a_group_that_is_being_claimed(warehouse: Warehouse) -> None:
    """Two runs of one profile at once: rows that the first has locked are skipped, and the rest looks free."""
    queue = JobQueue(warehouse, None)
    for number in range(3):
        one(queue, f"j{number}")
    group = ("gumroad", "alice", "webhook")
    with warehouse.write() as first, warehouse.write() as second:
        assert len(table.claim_group(first, group, LONG, 1)) == 1
        assert table.claim_group(second, group, LONG, 10) == []
        assert table.claim_group(second, ("gumroad", "bea", "webhook"), LONG, 10) == []
        # Past the groups too: what is locked is passed over and not waited for, let alone handed out again.
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        assert [job.id for job in table.claim(second, LONG, 10)] == ["j1", "j2"]


def test_moments_are_the_servers_where_there_is_one(warehouse: Warehouse) -> None:
    """A machine whose clock is an hour ahead hands out what others hold."""
    with warehouse.read() as connection:
        assert ("now()" in str(database_time(connection, 5))) == warehouse.is_postgres
        soon = connection.execute(select(database_time(connection, 5))).scalar_one()
    assert abs(soon - datetime.now(UTC) - timedelta(seconds=5)) < timedelta(seconds=30)


def test_a_dead_letter_without_an_error_says_what_happened(queue: JobQueue, warehouse: Warehouse) -> None:
    """A job that is given up and nobody can say why."""
    job, told = one(queue), one(queue)
    with warehouse.write() as connection:
        connection.execute(table.jobs.update().where(table.jobs.c.id == told).values(error="told"))
        table.mark_dead(connection, [job, told])
    errors = {letter.id: letter.error for letter in queue.dead_letters()}
    assert errors == {job: f"Handed out {MAX_ATTEMPTS} times and never finished.", told: "told"}
