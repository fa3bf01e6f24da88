"""Each private part of Dagster behaves as the package needs it; the name of the test is the part that changed.

Incident: an upgrade of Dagster that broke nineteen places, each in its own way.
"""

import inspect
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.objects import ErrorSource, StepFailureData
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._daemon import sensor as sensor_daemon
from dagster._utils.error import SerializableErrorInfo
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import select

from creator_pipeline.core.errors import ConfigError, TransientError
from creator_pipeline.orchestration.notifications import _ENDED
from creator_pipeline.runtime import dagster_internals as internals
from creator_pipeline.runtime.dagster_internals import records
from creator_pipeline.runtime.postgres_events import BatchingEventLogStorage, BatchingStorage
from creator_pipeline.runtime.storage import EnvStorage
from creator_pipeline_tests.support import servers

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)

BY_DAGSTER = pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`")


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def daily_asset() -> None:
    """Of these tests."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def test_check_run_health_result() -> None:
    result = internals.CheckRunHealthResult(internals.WorkerStatus.FAILED, "its host is gone")
    assert (result.status, result.msg) == (internals.WorkerStatus.FAILED, "its host is gone")
    assert internals.CheckRunHealthResult(internals.WorkerStatus.RUNNING).msg is None


def test_worker_status() -> None:
    assert {"RUNNING", "FAILED"} <= set(internals.WorkerStatus.__members__)


def test_configurable_class_data(tmp_path: Path) -> None:
    data = internals.ConfigurableClassData(EnvStorage.__module__, "EnvStorage", f"base_dir: {tmp_path}\n")
    storage = data.rehydrate(as_type=internals.DagsterStorage)
    assert storage.inst_data is data


def test_dagster_storage() -> None:
    assert issubclass(EnvStorage, internals.DagsterStorage)
    assert {"event_log_storage", "run_storage", "schedule_storage"} == internals.DagsterStorage.__abstractmethods__


def test_dagster_sqlite_storage(tmp_path: Path) -> None:
    made = internals.DagsterSqliteStorage(str(tmp_path))
    assert type(made.event_log_storage) is internals.SqliteEventLogStorage
    assert Path(internals.SqliteEventLogStorage(str(tmp_path)).path_for_shard("run")) == tmp_path / "run.db"


def test_log_materializations(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = list[list[str | None]]()
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    one_batch = instance.event_log_storage.store_event_batch

    def note(events: list[dg.EventLogEntry]) -> None:
        batches.append([event.get_dagster_event().partition for event in events])
        one_batch(events)

    monkeypatch.setattr(instance.event_log_storage, "store_event_batch", note)
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]

    @dg.op(out={})
    def landed(context: dg.OpExecutionContext):
        internals.log_materializations(context, [dg.AssetMaterialization("daily_asset", partition=day) for day in days])
        internals.log_materializations(context, [])

    @dg.job
    def load() -> None:
        landed()

    assert load.execute_in_process(instance=instance).success
    assert days in batches
    assert instance.get_materialized_partitions(dg.AssetKey("daily_asset")) == set(days)


@pytest.mark.parametrize(
    ("cron", "zone", "due"),
    [
        ("0 3 * * *", None, datetime(2026, 1, 6, 3, tzinfo=UTC)),
        ("0 3 * * *", "Asia/Tokyo", datetime(2026, 1, 5, 18, tzinfo=UTC)),
        (["0 3 * * *", "30 12 * * *"], None, datetime(2026, 1, 5, 12, 30, tzinfo=UTC)),
        ("0 12 * * *", None, datetime(2026, 1, 6, 12, tzinfo=UTC)),
    ],
    ids=["utc", "a zone", "two lines", "the moment itself is past"],
)
def test_next_execution(cron: str | list[str], zone: str | None, due: datetime) -> None:
    schedule = dg.ScheduleDefinition(name="nightly", target=[daily_asset], cron_schedule=cron, execution_timezone=zone)
    assert internals.next_execution(schedule, MOMENT) == due


def add_backfill(instance: dg.DagsterInstance) -> None:
    """As ``creator-pipeline backfill --submit`` does."""
    internals.add_backfill(
        instance,
        dg.Definitions([daily_asset]).resolve_asset_graph(),
        backfill_id="abcd1234",
        assets=[daily_asset.key],
        partitions=["2026-01-02", "2026-01-03"],
        created_at=MOMENT,
        tags={"creator_pipeline/profile": "alice"},
        title="of alice",
        description="two days",
    )


def test_look_at_sensors_every(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor_daemon, "MIN_INTERVAL_LOOP_TIME", sensor_daemon.MIN_INTERVAL_LOOP_TIME)
    internals.look_at_sensors_every(0.25)
    waits = list[float]()
    shutdown = SimpleNamespace(wait=waits.append)
    monkeypatch.setattr(sensor_daemon, "execute_sensor_iteration", lambda *_, **__: iter(()))
    loop = sensor_daemon.execute_sensor_iteration_loop(None, logging.getLogger(), shutdown)
    while not waits:
        next(loop)
    assert 0 < waits[0] <= 0.25


@BY_DAGSTER
def test_add_backfill(instance: dg.DagsterInstance) -> None:
    add_backfill(instance)
    (made,) = instance.get_backfills()
    graph = dg.Definitions([daily_asset]).resolve_asset_graph()
    assert (made.title, made.description, made.tags) == ("of alice", "two days", {"creator_pipeline/profile": "alice"})
    assert made.asset_selection == [daily_asset.key]
    wanted = made.get_asset_backfill_data(graph).get_target_partitions_subset(daily_asset.key)
    assert set(wanted.get_partition_keys()) == {"2026-01-02", "2026-01-03"}


@BY_DAGSTER
def test_partition_backfill(instance: dg.DagsterInstance) -> None:
    add_backfill(instance)
    (made,) = instance.get_backfills(limit=50)
    assert (made.backfill_id, made.backfill_timestamp, made.status.value) == (
        "abcd1234",
        MOMENT.timestamp(),
        "REQUESTED",
    )
    assert {status.value for status in BulkActionStatus} - _ENDED == {"REQUESTED", "CANCELING", "FAILING"}


def test_instigator_state(instance: dg.DagsterInstance) -> None:
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
    origin = RemoteInstigatorOrigin(place, "nightly")
    key, selector = origin.get_id(), origin.get_selector().get_id()
    data, error = ScheduleInstigatorData("0 3 * * *", 7.0), SerializableErrorInfo("broken", [], None)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data))
    instance.create_tick(
        TickData(key, "nightly", InstigatorType.SCHEDULE, TickStatus.FAILURE, 9.0, error=error, selector_id=selector)
    )
    (state,) = instance.all_instigator_state()
    assert (state.name, state.is_running) == ("nightly", True)
    assert (state.instigator_origin_id, state.selector_id) == (key, selector)
    assert state.instigator_data is not None
    assert state.instigator_data.start_timestamp == 7.0
    assert not state.with_status(InstigatorStatus.STOPPED).is_running
    assert state.with_status(InstigatorStatus.DECLARED_IN_CODE).is_running
    assert {"last_tick_timestamp", "last_tick_start_timestamp"} <= set(SensorInstigatorData._fields)
    (tick,) = instance.get_ticks(key, selector, limit=1)
    assert (tick.is_failure, tick.timestamp, tick.tick_data.end_timestamp) == (True, 9.0, None)
    assert tick.error is not None
    assert tick.error.message == "broken"


def test_postgres_event_log_storage() -> None:
    """Methods that :class:`BatchingEventLogStorage` calls; its own tests look at what they write."""
    wanted = {
        "_connect": [],
        "index_transaction": [],
        "prepare_insert_event_batch": ["events"],
        "_store_asset_event_tags": ["conn", "events", "event_ids"],
        "_store_asset_event": ["conn", "event", "event_id"],
        "store_event_batch": ["events"],
        "store_event": ["event"],
    }
    found = {name: list(inspect.signature(getattr(PostgresEventLogStorage, name)).parameters)[1:] for name in wanted}
    assert found == wanted


def test_dagster_postgres_storage() -> None:
    url = servers.postgres().fresh_database()
    storage = BatchingStorage(url.replace("postgresql://", "postgresql+psycopg2://"), inst_data=None)
    assert isinstance(storage.event_log_storage, BatchingEventLogStorage)
    servers.postgres().drop(url)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_retry_policy(stop: type[BaseException]) -> None:
    """Dagster asks for the delay where it handles what a step raised; an error is tried again, an interrupt isn't."""
    policy = internals.RetryErrors(max_retries=2, delay=10)

    def delay_after(raised: type[BaseException]) -> float:
        try:
            raise raised
        except BaseException:  # noqa: BLE001 - as Dagster does
            return policy.calculate_delay(1)

    assert delay_after(ValueError) == 10
    with pytest.raises(stop):
        delay_after(stop)


def test_what_waiting_can_not_solve_is_not_tried_again() -> None:
    """Incident: with ENABLE_KDP off, each upload was tried three times over half a minute."""
    tries = []

    @dg.op(retry_policy=internals.RetryErrors(max_retries=2, delay=0.01))
    def step() -> None:
        tries.append(1)
        raise (ConfigError("ENABLE_KDP is off.") if len(tries) > 1 else TransientError("Busy."))

    @dg.job(executor_def=dg.in_process_executor)
    def job() -> None:
        step()

    with dg.DagsterInstance.ephemeral() as instance:
        ended = job.execute_in_process(instance=instance, raise_on_error=False)
    assert len(tries) == 2
    data = ended.failure_data_for_node("step")
    assert data is not None
    assert data.user_failure_data is not None
    assert data.user_failure_data.description == "ENABLE_KDP is off."


def test_active_execution_sleeps_where_it_waits() -> None:
    source = inspect.getsource(ActiveExecution)
    assert "def sleep_til_ready" in source
    assert "def sleep_interval" in source


def test_an_interrupt_of_a_step_is_told_as_one() -> None:
    assert ErrorSource.INTERRUPT.value == "INTERRUPT"
    assert "error_source" in StepFailureData._fields


def test_rows_of_events_and_checks(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization("daily_asset", partition="2026-01-01"))
    events, checks = records.event_rows(), records.check_rows()
    assert {"asset_key", "check_name", "partition", "run_id", "execution_status"} <= set(checks.c.keys())
    with instance.event_log_storage.index_transaction() as connection:
        row = connection.execute(select(events)).one()
        assert connection.execute(select(checks)).all() == []
    shown = (row.run_id, row.dagster_event_type, row.asset_key, row.partition, row.step_key)
    assert shown == ("", "ASSET_MATERIALIZATION", '["daily_asset"]', "2026-01-01", None)


def test_of_no_run_is_what_dagster_reports_without_one(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([daily_asset], partition_key="2026-01-02", instance=instance).success
    wanted = dg.AssetRecordsFilter(dg.AssetKey("daily_asset"))
    made = instance.fetch_materializations(wanted, limit=1).records[0].event_log_entry
    kept = dg.deserialize_value(records.of_no_run(dg.serialize_value(made), {"a": "b"}), dg.EventLogEntry)
    assert made.asset_materialization is not None
    instance.report_runless_asset_event(made.asset_materialization)
    reported = instance.fetch_materializations(wanted, limit=1).records[0].event_log_entry
    for name in ("run_id", "job_name", "step_key", "asset_materialization", "error_info"):
        assert getattr(kept, name) == getattr(reported, name), name
    assert kept.timestamp == made.timestamp
    assert kept.get_dagster_event().logging_tags == {"a": "b"}


def test_run_file(instance: dg.DagsterInstance) -> None:
    run = dg.materialize([daily_asset], partition_key="2026-01-02", instance=instance)
    assert Path(records.run_file(instance, run.run_id)).is_file()
    with dg.DagsterInstance.ephemeral() as other:
        assert records.run_file(other, run.run_id) == ""


def test_with_default_status() -> None:
    schedule = dg.ScheduleDefinition(name="nightly", cron_schedule="0 2 * * *", target=[daily_asset])
    on = internals.with_default_status(schedule, running=True)
    assert (on.name, on.default_status) == ("nightly", dg.DefaultScheduleStatus.RUNNING)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    sensor = dg.SensorDefinition(
        name="looks", job_name="some", evaluation_fn=lambda _: None, default_status=dg.DefaultSensorStatus.RUNNING
    )
    assert internals.with_default_status(sensor, running=False).default_status == dg.DefaultSensorStatus.STOPPED
