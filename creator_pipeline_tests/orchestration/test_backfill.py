"""Backfills here and now: planned, resumed, and honest about what failed."""

import signal
import subprocess
import sys
from datetime import date, timedelta

import dagster as dg
import pytest
from sqlalchemy import select

from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.monitoring import failed_partitions, queue_checks
from creator_pipeline.orchestration import backfill
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.runtime import liveness
from creator_pipeline.runtime.run_here import Stopped
from creator_pipeline.runtime.tags import BACKFILL_TAG
from creator_pipeline.store.tables import daily_revenue, email_messages, ingestion_jobs
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.installation import WINDOW
from creator_pipeline_tests.support.tables import digests, rows

REPOSITORY = defs.get_repository_def()


def killed() -> str:
    """What a process of this machine that is gone has written of itself."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return ":".join((*liveness.this_process().split(":")[:4], str(child.pid), "1"))


def do(warehouse, instance, window=WINDOW, profile="alice"):
    """Plan and execute; returns the plan, the failures and how often progress was told."""
    ticks: list[int] = []
    todo = backfill.plan(warehouse, instance, "gumroad", profile, window)
    failures = backfill.execute(defs, warehouse, instance, todo, allow_shrink=False, on_progress=ticks.append)
    return todo, failures, sum(ticks)


def status(warehouse) -> list[tuple[str, int]]:
    """Of the jobs: status and attempts."""
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(select(ingestion_jobs.c["status", "attempts"]))]


def test_a_backfill_is_one_run_recorded_in_the_instance_and_rolled_up(
    gumroad_warehouse, gumroad_sandbox, gumroad_instance
):
    """Guards: a run for each of 365 days, and a report that waits for a sensor."""
    todo, failures, told = do(gumroad_warehouse, gumroad_instance)
    assert (failures, told, len(todo.runs())) == ([], WINDOW.days, 1)
    runs = gumroad_instance.get_runs()
    assert sorted(run.job_name for run in runs) == ["gumroad_sync", "ledger"]
    assert all(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)
    assert status(gumroad_warehouse) == [("completed", 1)]
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox, "alice") == []
    assert rows(gumroad_warehouse, daily_revenue)


def test_the_same_backfill_again_is_a_new_one_that_changes_no_row(gumroad_warehouse, gumroad_sandbox, gumroad_instance):
    """Guards: a rerun that believes yesterday's answer, and one that rewrites everything."""
    do(gumroad_warehouse, gumroad_instance)
    before = digests(gumroad_warehouse, stamps=True)
    todo, failures, _ = do(gumroad_warehouse, gumroad_instance)
    assert (todo.resumed, failures, len(todo.days)) == (False, [], WINDOW.days)
    assert digests(gumroad_warehouse, stamps=True) == before


def test_what_failed_is_told_and_only_that_is_done_again(gumroad_warehouse, gumroad_sandbox, gumroad_instance):
    """Guards: an exit code of 0 over a hole in the ledger, and a year read again for one token."""
    gumroad_sandbox.world.gumroad.drop_scope("alice", "view_sales")
    _, failures, told = do(gumroad_warehouse, gumroad_instance)
    assert told == 0
    assert "view_sales" in "".join(failures)
    assert status(gumroad_warehouse) == [("failed", 1)]
    for grant in gumroad_sandbox.world.gumroad["alice"].grants:
        grant.scopes.add("view_sales")
    half = DayWindow(WINDOW.start, WINDOW.start + timedelta(days=4))
    assert small.run(gumroad_instance, small.range_of(window=half)).success
    todo, failures, told = do(gumroad_warehouse, gumroad_instance)
    assert (todo.resumed, failures, told) == (True, [], WINDOW.days - 4)
    assert status(gumroad_warehouse) == [("completed", 2)]
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox, "alice") == []


def test_a_backfill_that_is_under_way_is_not_started_twice(gumroad_warehouse, gumroad_instance):
    """Guards: two processes replacing the same days at once."""
    todo = backfill.plan(gumroad_warehouse, gumroad_instance, "gumroad", "alice", WINDOW)
    tags = {BACKFILL_TAG: todo.job_id, liveness.PROCESS_TAG: liveness.this_process().replace(":", "-other:", 1)}
    gumroad_instance.create_run_for_job(
        small.defs.resolve_job_def("gumroad_sync"), status=dg.DagsterRunStatus.STARTED, tags=tags
    )
    with pytest.raises(ConfigError, match="under way"):
        backfill.plan(gumroad_warehouse, gumroad_instance, "gumroad", "alice", WINDOW)


def test_a_backfill_that_was_killed_in_its_first_seconds_starts_again_at_once(gumroad_warehouse, gumroad_instance):
    """Incident: killed while Dagster wrote its range down, it was "under way" and could not be started again."""
    todo = backfill.plan(gumroad_warehouse, gumroad_instance, "gumroad", "alice", WINDOW)
    job, tags = small.defs.resolve_job_def("gumroad_sync"), {BACKFILL_TAG: todo.job_id, liveness.PROCESS_TAG: killed()}
    gumroad_instance.create_run_for_job(job, status=dg.DagsterRunStatus.NOT_STARTED, tags=tags)
    again = backfill.plan(gumroad_warehouse, gumroad_instance, "gumroad", "alice", WINDOW)
    assert (again.job_id, again.resumed, again.days) == (todo.job_id, True, todo.days)


def test_a_backfill_that_is_stopped_goes_on_by_the_same_command_and_nobody_is_told(
    gumroad_warehouse, gumroad_sandbox, gumroad_instance
):
    """Incident: Ctrl-C was taken for an error; the backfill was tried again, and its owner had a mail of a failure."""
    todo = backfill.plan(gumroad_warehouse, gumroad_instance, "gumroad", "alice", WINDOW)

    def stop(_count: int) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        backfill.execute(defs, gumroad_warehouse, gumroad_instance, todo, allow_shrink=False, on_progress=stop)
    assert [run.status for run in gumroad_instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]
    assert status(gumroad_warehouse) == [("canceled", 1)]
    assert rows(gumroad_warehouse, email_messages) == []
    assert list(queue_checks.dead_letters(JobQueue(gumroad_warehouse, None), gumroad_warehouse, gumroad_instance)) == []
    assert list(failed_partitions.failed_partitions(gumroad_instance, REPOSITORY, gumroad_warehouse)) == []
    todo, failures, told = do(gumroad_warehouse, gumroad_instance)
    assert (todo.resumed, failures, told) == (True, [], len(todo.days))
    assert status(gumroad_warehouse) == [("completed", 2)]
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox, "alice") == []


def test_long_ranges_and_gaps_become_the_fewest_runs():
    """Guards: one run over ten years, and days read that nobody asked for."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(800) if number != 400]
    plan = backfill.Plan("x", "gumroad", "alice", DayWindow(days[0], days[-1]), tuple(days), resumed=True)
    parts = plan.runs()
    assert [day for part in parts for day in part.each()] == days
    assert [part.days for part in parts] == [366, 34, 366, 33]


@pytest.mark.parametrize(
    ("profile", "first", "last", "says"),
    [
        ("nobody", 0, 0, "no profile"),
        ("alice", 0, 1, "in the future"),
        ("alice", 0, -1, "after --to"),
        ("alice", -4000, 0, "PIPELINE_START_DATE"),
    ],
)
def test_dates_and_profiles_are_checked_before_anything_is_asked(
    gumroad_warehouse, gumroad_sandbox, profile, first, last, says
):
    """Guards: a typing error that costs an hour of requests."""
    with pytest.raises(ConfigError, match=says) as caught:
        backfill.check(
            gumroad_warehouse, "gumroad", profile, today() + timedelta(days=first), today() + timedelta(days=last)
        )
    assert caught.value.hint
    assert gumroad_sandbox.faults.requests.total() == 0
