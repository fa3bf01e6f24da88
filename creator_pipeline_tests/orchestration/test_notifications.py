"""One mail per event, however many tell of it: hooks, run sensors, and both again after a crash."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from sqlalchemy import select, update

from creator_pipeline import settings
from creator_pipeline.core.budget import Budget
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.definitions import defs
from creator_pipeline.mail.notify import notify_backfill
from creator_pipeline.monitoring import failed_partitions
from creator_pipeline.orchestration import backfill, notifications
from creator_pipeline.orchestration.backfill import submit
from creator_pipeline.runtime import hooks
from creator_pipeline.runtime.tags import BACKFILL_TAG, TRIGGER_TAG, range_tags
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, profiles
from creator_pipeline_tests.support.sandbox import SandboxServer
from creator_pipeline_tests.support.sources import GUMROAD

WEEK = DayWindow(today() - timedelta(days=6), today() + timedelta(days=1))


def sync(instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    result = defs.resolve_job_def("gumroad_sync").execute_in_process(
        instance=instance, tags={**range_tags(WEEK, "chen"), **tags}, raise_on_error=False
    )
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return run


def mails(warehouse: Warehouse) -> list[tuple[str, str]]:
    with warehouse.read() as connection:
        rows = connection.execute(select(email_messages.c.kind, email_messages.c.to).order_by(email_messages.c.id))
        return [(kind, to) for kind, to in rows]


def wish(warehouse: Warehouse, notify: str) -> None:
    with warehouse.write() as connection:
        connection.execute(update(profiles).values(notify=notify))


@pytest.mark.parametrize(
    ("notify", "trigger", "expected"),
    [
        ("every", "nightly", ["ingestion_completed"]),
        ("failures", "nightly", []),
        ("none", "nightly", []),
        ("failures", "initial_sync", ["ingestion_completed"]),
        ("every", "backfill", []),
        ("every", "webhook", []),
    ],
)
def test_a_success_is_told_once_and_only_to_who_asked_for_it(
    loaded: Warehouse, instance: dg.DagsterInstance, notify: str, trigger: str, expected: list[str]
) -> None:
    """Incident: hook and sensor both told, and every night's success filled the inbox of people who never asked."""
    wish(loaded, notify)
    run = sync(instance, **{TRIGGER_TAG: trigger})
    hooks.tell(instance, run, GUMROAD, failed=False)
    hooks.tell(instance, run, GUMROAD, failed=False)
    assert [kind for kind, _ in mails(loaded)] == expected


def test_a_failure_names_the_partitions_and_the_hint_and_its_repetition_is_told_once_a_day(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance
) -> None:
    """Incident: forty mails in a morning about one revoked token, none of which said what to do."""
    sandbox.world.gumroad.drop_scope("chen", "view_sales")
    for _ in range(3):
        run = sync(instance, **{TRIGGER_TAG: "nightly"})
        assert run.status == dg.DagsterRunStatus.FAILURE
        hooks.tell(instance, run, GUMROAD, failed=True)
    assert [kind for kind, _ in mails(loaded)] == ["ingestion_failed"]
    with loaded.read() as connection:
        text = connection.execute(select(email_messages.c.payload)).scalar_one()
    assert "view_sales" in text
    assert "Traceback" not in text
    assert sandbox.world.gumroad["chen"].token not in text


def test_the_recovery_is_told_once(loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance) -> None:
    """Incident: somebody worked on a failure at night that had gone by itself in the evening."""
    sandbox.world.gumroad.drop_scope("chen", "view_sales")
    sync(instance, **{TRIGGER_TAG: "nightly"})
    sandbox.world.gumroad["chen"].scopes.add("view_sales")
    sync(instance, **{TRIGGER_TAG: "nightly"})
    sync(instance, **{TRIGGER_TAG: "nightly"})
    assert sorted(kind for kind, _ in mails(loaded)) == ["ingestion_failed", "ingestion_recovered"]


def test_a_killed_worker_is_told_by_the_net(loaded: Warehouse, instance: dg.DagsterInstance) -> None:
    """Incident: a worker killed for its memory fires no hook; nobody heard of it for a week, and then only its seller."""
    run = instance.create_run_for_job(
        defs.resolve_job_def("gumroad_sync"),
        status=dg.DagsterRunStatus.STARTED,
        tags={**range_tags(WEEK, "chen"), TRIGGER_TAG: "nightly"},
    )
    instance.report_run_failed(run)
    failed = instance.get_run_by_id(run.run_id)
    assert failed is not None
    hooks.tell(instance, failed, GUMROAD, failed=True)
    assert mails(loaded) == []
    assert left(instance, loaded) == {"partitions/gumroad/chen": "failed/killed"}


def left(instance: dg.DagsterInstance, warehouse: Warehouse) -> dict[str, str]:
    """What operators will be told of: names and causes."""
    found = failed_partitions.failed_partitions(instance, defs.get_repository_def(), warehouse)
    return {one.name: one.cause for one in found}


def killed(instance: dg.DagsterInstance, origin: RemoteJobOrigin | None = None, **tags: str) -> dg.DagsterRun:
    """A run that ended without a word; Dagster says of each that it will be retried, whether it can be or not."""
    run = instance.create_run_for_job(
        defs.resolve_job_def("gumroad_sync"),
        status=dg.DagsterRunStatus.STARTED,
        tags={**range_tags(WEEK, "chen"), "dagster/will_retry": "true", **tags},
        remote_job_origin=origin,
    )
    instance.report_run_failed(run)
    return run


def test_a_run_that_will_be_retried_says_nothing_yet(loaded: Warehouse, instance: dg.DagsterInstance) -> None:
    """Incident: a failure mail about a run that was fine two minutes later."""
    location = RegisteredCodeLocationOrigin("creator_pipeline")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "gumroad_sync")
    hooks.tell(instance, killed(instance, origin), GUMROAD, failed=True)
    assert mails(loaded) == []
    assert left(instance, loaded) == {}


def test_a_command_s_run_that_was_killed_is_told_because_nothing_retries_it(
    loaded: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Incident: a cron job's run was killed for its memory night after night; Dagster called it "will retry"."""
    hooks.tell(instance, killed(instance), GUMROAD, failed=True)
    assert left(instance, loaded) == {"partitions/gumroad/chen": "failed/killed"}


def test_a_killed_backfill_tells_what_is_left_and_once_that_it_was_done(
    loaded: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Incident: a backfill from cron was killed on its way; the digest comes at its end, which it never saw."""
    run = killed(instance, **{TRIGGER_TAG: "backfill", BACKFILL_TAG: "b1"})
    for _ in range(2):
        hooks.tell(instance, run, GUMROAD, failed=True)
    assert [kind for kind, _ in mails(loaded)] == ["backfill_failed"]
    for _ in range(2):
        done = {"profile_id": "chen", "backfill_id": "b1", "source": GUMROAD, "partitions": 7, "failed": 0}
        notify_backfill(loaded, settings.load(), **done)
    assert sorted(kind for kind, _ in mails(loaded)) == ["backfill_failed", "backfill_finished"]


def test_a_killed_backfill_that_was_resumed_is_not_told_as_failed(
    loaded: Warehouse, instance: dg.DagsterInstance
) -> None:
    """Incident: a backfill was killed and resumed while the daemon was down; then its owner read that 89 days failed."""
    todo = backfill.plan(loaded, instance, "gumroad", "chen", WEEK)
    run = killed(instance, **{TRIGGER_TAG: "backfill", BACKFILL_TAG: todo.job_id})
    again = backfill.plan(loaded, instance, "gumroad", "chen", WEEK)
    assert (again.job_id, again.resumed) == (todo.job_id, True)
    assert backfill.execute(defs, loaded, instance, again, allow_shrink=False, on_progress=lambda _: None) == []
    hooks.tell(instance, run, GUMROAD, failed=True)
    assert mails(loaded) == []


def test_a_broken_hook_fails_no_run(
    loaded: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: a template with a typo turned a good night red."""

    def broken(*_: object, **__: object) -> list[str]:
        raise RuntimeError("no mail today")

    monkeypatch.setattr(hooks, "tell", broken)
    assert sync(instance, **{TRIGGER_TAG: "nightly"}).status == dg.DagsterRunStatus.SUCCESS


def test_the_net_is_over_all_locations_and_on_by_default() -> None:
    """Incident: runs from the command line belong to no location, and a sensor that was off told nothing."""
    by_name = {sensor.name: sensor for sensor in notifications.ALL}
    assert set(by_name) == {"run_completed", "run_failed", "email_outbox", "alert_outbox"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in notifications.ALL)


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`")  # by Dagster itself
def test_a_backfill_that_was_told_of_is_not_read_again(
    loaded: Warehouse, sandbox: SandboxServer, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: every event of a thousand runs was read each five seconds for two days, and webhooks waited for it."""
    wish(loaded, "every")
    backfill_id = submit(defs, instance, "gumroad", "chen", WEEK, allow_shrink=False)
    (backfill,) = instance.get_backfills()
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    sync(instance, **{"dagster/backfill": backfill_id})
    told = notifications._digests(instance, loaded, settings.load(), {}, Budget())
    assert [kind for kind, _ in mails(loaded)] == ["backfill_finished"]
    with monkeypatch.context() as patch:
        patch.setattr(hooks, "what_happened", lambda *_: pytest.fail("Its events were read."))
        assert notifications._digests(instance, loaded, settings.load(), told, Budget()) == told
    sync(instance, **{"dagster/backfill": backfill_id})
    assert notifications._digests(instance, loaded, settings.load(), told, Budget()) != told
