"""Sensors, schedules, partitions and jobs that break: each is named with its hint and told once, and once solved."""

from __future__ import annotations

import time
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo

from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.monitoring import failed_partitions, told_together
from creator_pipeline.platforms.gumroad.jobs import DRIFT
from creator_pipeline.store import profiles
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.health import Case, Watched, told_once_and_solved_once


def origin(name: str) -> RemoteInstigatorOrigin:
    place = RegisteredCodeLocationOrigin("creator_pipeline")
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), name)


def ticked(
    w: Watched,
    kind: InstigatorType,
    name: str,
    seconds_ago: float,
    error: str | None = None,
    cause: SerializableErrorInfo | None = None,
) -> None:
    """A tick as the daemon writes it."""
    what = origin(name)
    selector = what.get_selector().get_id()
    if w.instance.get_instigator_state(what.get_id(), selector) is None:
        data = SensorInstigatorData() if kind == SENSOR else ScheduleInstigatorData("10 2 * * *", 0.0)
        w.instance.add_instigator_state(InstigatorState(what, kind, InstigatorStatus.RUNNING, data))
    w.instance.create_tick(
        TickData(
            what.get_id(),
            name,
            kind,
            TickStatus.FAILURE if error else TickStatus.SKIPPED,
            time.time() - seconds_ago,
            error=SerializableErrorInfo(error, [], None, cause) if error else None,
            selector_id=selector,
        )
    )


def sync(w: Watched) -> None:
    window = DayWindow(today() - timedelta(days=1), today() + timedelta(days=1))
    small.run(w.instance, small.range_of("alice", "alice", window))


def lose_scope(w: Watched) -> None:
    # New fields would be problems of their own.
    for sale in w.server.world.gumroad["alice"].rows:
        sale.extra = {}
    w.server.world.gumroad.drop_scope("alice", "view_sales")
    sync(w)


def ran(w: Watched, job: str, status: dg.DagsterRunStatus) -> None:
    tags, config = ({}, {}) if job == "ledger" else ({"creator_pipeline/profile": "alice"}, DRIFT.config("alice"))
    w.instance.create_run_for_job(defs.resolve_job_def(job), status=status, tags=tags, run_config=config)


def read_catalogue(w: Watched) -> None:
    small.run(w.instance, {}, "gumroad_catalogue", partition_key="alice")


def lose_catalogue(w: Watched) -> None:
    for scope in ("view_profile", "view_sales", "view_payouts"):
        w.server.world.gumroad.drop_scope("alice", scope)
    read_catalogue(w)


def gain_catalogue(w: Watched) -> None:
    grant = w.server.world.gumroad["alice"].grant({"view_profile", "view_sales"})
    with w.warehouse.write() as connection:
        profiles.connect(connection, w.ring, "gumroad", "alice", grant.token)
    read_catalogue(w)


def gain_scope(w: Watched) -> None:
    gain_catalogue(w)
    sync(w)


SENSOR, SCHEDULE = InstigatorType.SENSOR, InstigatorType.SCHEDULE
DAY = 86_400
CASES: dict[str, Case] = {
    "sensor/webhook_jobs": (
        lambda w: ticked(w, SENSOR, "webhook_jobs", 30, "ValueError: broken\n"),
        lambda w: ticked(w, SENSOR, "webhook_jobs", 1),
        "Automation, webhook_jobs",
    ),
    "sensor/profiles": (
        lambda w: ticked(w, SENSOR, "profiles", 3600),
        lambda w: ticked(w, SENSOR, "profiles", 1),
        "Restart dagster-daemon",
    ),
    "schedule/gumroad_nightly": (
        lambda w: ticked(w, SCHEDULE, "gumroad_nightly", 3 * DAY),
        lambda w: ticked(w, SCHEDULE, "gumroad_nightly", 60),
        "Restart dagster-daemon",
    ),
    "schedule/gumroad_lookback": (
        lambda w: ticked(w, SCHEDULE, "gumroad_lookback", 60, "ValueError: broken\n"),
        lambda w: ticked(w, SCHEDULE, "gumroad_lookback", 1),
        "Automation, gumroad_lookback",
    ),
    "partitions/gumroad/alice": (
        lose_scope,
        gain_scope,
        f"backfill gumroad --profile alice --from {today() - timedelta(days=1)} --to {today()}",
    ),
    "job/ledger/the pipeline": (
        lambda w: ran(w, "ledger", dg.DagsterRunStatus.FAILURE),
        lambda w: ran(w, "ledger", dg.DagsterRunStatus.SUCCESS),
        "start the job again",
    ),
    "partitions/gumroad/products/alice": (lose_catalogue, gain_catalogue, "--select gumroad/products --partition alice"),
    "job/gumroad_drift/alice": (
        lambda w: ran(w, "gumroad_drift", dg.DagsterRunStatus.FAILURE),
        lambda w: ran(w, "gumroad_drift", dg.DagsterRunStatus.SUCCESS),
        "start the job again",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_thing_that_breaks_is_named_with_its_hint_and_told_once(watched: Watched, name: str) -> None:
    """Incident: a sensor had been dead for a week; nobody looks at a page that is always green."""
    told_once_and_solved_once(watched, name, CASES[name])


def test_what_stops_all_of_them_is_one_mail_and_says_why(watched: Watched) -> None:
    """Incident: the database was away for eight minutes, and six mails said "Error occurred during the execution of…";
    a daemon that came back after a night made a mail of each sensor."""
    watched.monkeypatch.setattr(told_together, "QUIET", timedelta(0))
    below = SerializableErrorInfo("psycopg2.OperationalError: connection to 10.0.0.5 refused\n", [], "OperationalError")
    away = "creator_pipeline.core.errors.TransientError: The warehouse can't be reached.\nIs it up?\n"
    why = SerializableErrorInfo(away, [], "TransientError", below)
    for kind, name in ((SENSOR, "webhook_jobs"), (SENSOR, "kdp_inbox"), (SCHEDULE, "gumroad_nightly")):
        ticked(watched, kind, name, 30, "dagster._core.errors.SensorExecutionError: Error occurred\n", why)
    watched.tick()
    [mail] = watched.mails()
    assert mail.startswith("[ops] Automation, 3 problems: ")
    assert mail.endswith("problems: The warehouse can't be reached.")
    for kind, name in ((SENSOR, "webhook_jobs"), (SENSOR, "kdp_inbox"), (SCHEDULE, "gumroad_nightly")):
        ticked(watched, kind, name, 1)
    watched.tick()
    ticked(watched, SENSOR, "profiles", 7200)
    ticked(watched, SENSOR, "email_outbox", 7200)
    watched.tick()
    assert [one.partition(", ")[0] for one in watched.mails()[2:]] == ["[ops] The daemon"]


def test_a_schedule_that_was_off_when_it_was_due_was_not_missed(watched: Watched) -> None:
    """Incident: a schedule was switched on again at noon, and a mail said that it had not run in the night."""
    what = origin("gumroad_nightly")
    selector = what.get_selector().get_id()
    ticked(watched, SCHEDULE, "gumroad_nightly", 2 * DAY)
    watched.tick()
    assert set(watched.open()) == {"schedule/gumroad_nightly"}
    data = ScheduleInstigatorData("10 2 * * *", time.time() - 60)
    watched.instance.update_instigator_state(InstigatorState(what, SCHEDULE, InstigatorStatus.RUNNING, data))
    assert watched.instance.get_instigator_state(what.get_id(), selector) is not None
    assert watched.tick() == "All is well."


def test_who_connects_again_is_not_told_what_the_refusal_had_done(watched: Watched) -> None:
    """Incident: 'mended' came when the seller had connected again, and a minute later two mails of what had failed
    before. Guards: days that nobody reads after that, and nobody is told of."""
    watched.monkeypatch.setattr(told_together, "QUIET", timedelta(0))
    with watched.warehouse.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "Gumroad refuses the token.")
    lose_scope(watched)
    watched.tick()
    assert set(watched.open()) == {"connection/gumroad/alice", "partitions/gumroad/alice"}
    seller = watched.server.world.gumroad["alice"]
    with watched.warehouse.write() as connection:
        profiles.connect(connection, watched.ring, "gumroad", "alice", seller.token)
    for _ in range(3):
        watched.tick()
    assert set(watched.open()) == {"partitions/gumroad/alice"}
    assert [one.split()[1] for one in watched.mails()] == ["The", "Mended:"]
    watched.monkeypatch.setattr(failed_partitions, "RECONNECTED", timedelta(0))
    watched.tick()
    watched.tick()
    assert watched.mails()[-1].startswith("[ops] 2 partitions of gumroad failed")


def test_what_was_deleted_is_no_problem_any_more(watched: Watched) -> None:
    """Incident: a removed profile's failed days stayed open for ever, and the command beside them was refused."""
    break_it, _, _ = CASES["partitions/gumroad/alice"]
    break_it(watched)
    watched.tick()
    assert set(watched.open()) == {"partitions/gumroad/alice"}
    watched.instance.delete_dynamic_partition("gumroad_profiles", "alice")
    watched.tick()
    assert not [name for name in watched.open() if name.startswith("partitions/")]


def test_a_failure_that_was_solved_is_not_looked_for_again(watched: Watched) -> None:
    """Incident: one failed night, long since solved, and each minute's look read a year of events for it."""
    name = "partitions/gumroad/alice"
    told_once_and_solved_once(watched, name, CASES[name])

    def read(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("The event log was read.")

    watched.monkeypatch.setattr(watched.instance.event_log_storage, "get_latest_storage_id_by_partition", read)
    watched.monkeypatch.setattr(watched.instance, "all_logs", read)
    assert watched.tick() == "All is well."
