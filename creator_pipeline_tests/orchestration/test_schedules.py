"""Schedules and sensors, and what the runs they ask for do."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from creator_pipeline.core.windows import now, today
from creator_pipeline.definitions import defs
from creator_pipeline.orchestration import schedules, sensors
from creator_pipeline.platforms.gumroad.ledger import gumroad_events
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import sales_events
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support.code_location import schedule_named
from creator_pipeline_tests.support.installation import RANGE_END, RANGE_START, SIZES, range_of, run
from creator_pipeline_tests.support.ledger_samples import on, write
from creator_pipeline_tests.support.tables import rows


def tick(schedule, instance, moment: datetime | None = None):
    """What a schedule asks for at a moment."""
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment or now())
    found = schedule(context, warehouse=WarehouseResource())
    return list(found) if not isinstance(found, dg.RunRequest | dg.SkipReason) else [found]


def test_a_refund_of_a_loaded_sale_is_in_the_ledger_after_the_next_nightly_run(
    gumroad_warehouse, gumroad_sandbox, gumroad_instance
):
    """Guards: money that went back a day later and is shown as revenue for ever."""
    assert run(gumroad_instance, range_of("alice", "chen")).success
    edge = today() - timedelta(days=2)
    sale = next(
        row
        for row in gumroad_sandbox.world.gumroad["bea"].rows
        if row.counts and not row.refunded_cents and not row.disputed and row.product.currency == "usd"
        and datetime.fromtimestamp(row.created, UTC).date() >= edge
    )  # fmt: skip
    gumroad_sandbox.world.gumroad.refund("bea", sale.id, max(1, sale.price // 3))
    assert len(small.wrong_days(gumroad_warehouse, gumroad_sandbox)) == 1
    requests = tick(schedule_named("gumroad_nightly"), gumroad_instance)
    assert len(requests) == len(SIZES)
    for request in requests:
        assert run(gumroad_instance, dict(request.tags)).success
    assert small.wrong_days(gumroad_warehouse, gumroad_sandbox) == []
    (row,) = [row for row in rows(gumroad_warehouse, sales_events) if row[4] == sale.id and row[3] == "refund"]
    assert row[10] == -max(1, sale.price // 3) * 10_000


@pytest.mark.parametrize(
    ("schedule", "days"), [(schedule_named("gumroad_nightly"), 7), (schedule_named("gumroad_lookback"), 35)]
)
def test_each_profile_gets_one_run_over_the_days_to_look_back(gumroad_warehouse, gumroad_instance, schedule, days):
    """Guards: a run for each day of each profile, and a window that isn't what its name says."""
    moment = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
    found = tick(schedule, gumroad_instance, moment)
    first = moment.date() - timedelta(days=days - 1)
    assert [(r.tags[RANGE_START], r.tags[RANGE_END]) for r in found] == [
        (f"{first}|{p}", f"2026-11-22|{p}") for p in SIZES
    ]
    assert [r.tags["creator_pipeline/profile"] for r in found] == list(SIZES)
    again = tick(schedule, gumroad_instance, moment)
    assert [r.run_key for r in again] == [r.run_key for r in found]
    assert len({r.run_key for r in found + tick(schedule, gumroad_instance, moment + timedelta(days=1))}) == 2 * len(
        found
    )


def test_no_window_begins_before_the_first_partition(monkeypatch):
    """Guards: a look-back in the first weeks that asks for partitions there are none of."""
    monkeypatch.setenv("PIPELINE_START_DATE", "2026-11-20")
    window = schedules.since_start(datetime(2026, 11, 22, tzinfo=UTC).date(), 35)
    assert (window.start.isoformat(), window.days) == ("2026-11-20", 3)


def test_the_schedules_say_why_they_ask_for_nothing(gumroad_warehouse, gumroad_instance, monkeypatch):
    """Guards: a tick that does nothing, and a UI that doesn't say why."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    for schedule in defs.schedules or ():
        if schedule.name.startswith("gumroad"):
            (skip,) = tick(schedule, gumroad_instance)
            assert "ENABLE_GUMROAD" in skip.skip_message


def test_without_a_connection_the_nightly_run_says_how_to_get_one(sqlite_warehouse, gumroad_instance):
    """Guards: an empty installation that looks broken."""
    (skip,) = tick(schedule_named("gumroad_nightly"), gumroad_instance)
    assert "creator-pipeline profiles add" in skip.skip_message


def sense(sensor, instance) -> dg.SensorResult:
    """What a sensor asks for; called as a function, see the references."""
    context = dg.build_sensor_context(instance=instance)
    return sensor(context, warehouse=WarehouseResource())


def test_the_profiles_sensor_keeps_partitions_in_step_with_connections(gumroad_warehouse, gumroad_instance):
    """Guards: a new seller without partitions, and one who left with them."""
    gumroad_instance.delete_dynamic_partition("gumroad_profiles", "chen")
    gumroad_instance.add_dynamic_partitions("gumroad_profiles", ["gone", "busy"])
    with gumroad_instance:
        gumroad_instance.create_run_for_job(
            small.defs.resolve_job_def("gumroad_sync"),
            status=dg.DagsterRunStatus.STARTED,
            tags={RANGE_START: "2026-11-01|busy", RANGE_END: "2026-11-02|busy"},
        )
        found = sense(sensors.profiles_sensor, gumroad_instance)
    asked = {type(request).__name__: request.partition_keys for request in found.dynamic_partitions_requests}
    assert asked == {"AddDynamicPartitionsRequest": ["chen"], "DeleteDynamicPartitionsRequest": ["gone"]}


def test_a_profile_that_is_connected_during_a_tick_keeps_its_partition(
    gumroad_warehouse, gumroad_instance, ring, monkeypatch
):
    """Guards: a backfill whose partition is taken away, because the tick saw the partition and not the connection."""
    gumroad_instance.delete_dynamic_partition("gumroad_profiles", "chen")
    read = sensors.connected

    def connected_then_partition(warehouse, provider):
        found = read(warehouse, provider)
        if provider == "gumroad":
            # What ``profiles add`` and ``backfill`` do right after the connections were read.
            with warehouse.write() as connection:
                profiles.add_profile(connection, "dora", "dora@example.com")
                profiles.connect(connection, ring, "gumroad", "dora", "token")
            gumroad_instance.add_dynamic_partitions("gumroad_profiles", ["dora"])
        return found

    monkeypatch.setattr(sensors, "connected", connected_then_partition)
    found = sense(sensors.profiles_sensor, gumroad_instance)
    assert [request.partition_keys for request in found.dynamic_partitions_requests] == [["chen"]]


def test_the_ledger_sensor_asks_once_for_a_change_and_again_after_a_run_that_failed(sqlite_warehouse, gumroad_instance):
    """Guards: a roll-up that failed once and is never asked for again, so that the report stands still."""
    assert sense(sensors.ledger_changes_sensor, gumroad_instance).skip_reason
    write(sqlite_warehouse, [on(0, 1)])
    assert gumroad_events(on(0, 1), now())
    (first,) = sense(sensors.ledger_changes_sensor, gumroad_instance).run_requests
    assert first.run_key
    job = small.defs.resolve_job_def("ledger")
    started = gumroad_instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert sense(sensors.ledger_changes_sensor, gumroad_instance).skip_reason
    gumroad_instance.report_run_failed(started)
    (again,) = sense(sensors.ledger_changes_sensor, gumroad_instance).run_requests
    assert again.run_key != first.run_key


def test_a_quiet_weekend_is_rolled_up_all_the_same(sqlite_warehouse, gumroad_instance, monkeypatch):
    """Incident: nothing was sold from Friday to Monday, and the UI called the report late, in red."""
    job = small.defs.resolve_job_def("ledger")
    gumroad_instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
    assert sense(sensors.ledger_changes_sensor, gumroad_instance).skip_reason
    later = now() + sensors.QUIET + timedelta(minutes=1)
    monkeypatch.setattr(sensors, "now", lambda: later)
    (asked,) = sense(sensors.ledger_changes_sensor, gumroad_instance).run_requests
    assert asked.tags["creator_pipeline/trigger"] == "nightly"


def test_the_digest_is_asked_for_once_for_the_week_that_ended(gumroad_instance, monkeypatch):
    """Guards: a daemon that comes back on Wednesday and tells of half a week."""
    moment = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    context = dg.build_schedule_context(gumroad_instance, scheduled_execution_time=moment)
    (asked,) = schedules.weekly_digest.evaluate_tick(context).run_requests
    assert asked.run_key == "digest:2026-W47"
    assert asked.run_config["ops"]["write_digests"]["config"] == {"week": "2026-W47"}
    monkeypatch.setenv("ENABLE_EMAIL", "false")
    assert "ENABLE_EMAIL" in str(schedules.weekly_digest.evaluate_tick(context).skip_message)
