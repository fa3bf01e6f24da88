"""A pool that the dead hold and a queue that doesn't move are named, with what holds them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from creator_pipeline.monitoring import run_queue_checks
from creator_pipeline.runtime.tags import SOON, account_tags


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    folder = str(tmp_path_factory.mktemp("dagster"))
    with dg.DagsterInstance.local_temp(folder, overrides={"telemetry": {"enabled": False}}) as made:
        yield made


@pytest.fixture
def instance(home: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setattr(run_queue_checks, "HELD_SECONDS", -1.0)
    monkeypatch.setattr(run_queue_checks, "WAITED", timedelta(seconds=-1))
    yield home
    home.wipe()


def put(instance: dg.DagsterInstance, name: str, status: dg.DagsterRunStatus, **tags: str) -> str:
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("creator_pipeline"), "__repository__")
    run = dg.DagsterRun(name, tags=tags, status=status, remote_job_origin=RemoteJobOrigin(place, name))
    instance.run_storage.add_run(run)
    return run.run_id


def test_a_pool_that_the_dead_hold_is_named(instance: dg.DagsterInstance) -> None:
    """Incident: five killed runs held all slots of Gumroad's pool, and doctor, health and readyz were content."""
    storage = instance.event_log_storage
    storage.set_concurrency_slots("gumroad_api", 2)
    dead = put(instance, "gumroad_sync", dg.DagsterRunStatus.FAILURE)
    alive = put(instance, "gumroad_sync", dg.DagsterRunStatus.STARTED)
    for run_id in (dead, alive):
        assert storage.claim_concurrency_slot("gumroad_api", run_id, "step", 0).is_claimed
    (found,) = run_queue_checks.pools(instance)
    assert found.name == "pool/gumroad_api"
    assert f"1 of 2 slots of the pool gumroad_api are held by runs that are over: {dead[:8]}." in found.detail
    storage.free_concurrency_slots_for_run(dead)
    assert list(run_queue_checks.pools(instance)) == []


def test_a_queue_that_does_not_move_is_named(instance: dg.DagsterInstance) -> None:
    """Incident: nothing had been begun for an hour, and the first who noticed was a seller."""
    assert list(run_queue_checks.run_queue(instance)) == []
    put(instance, "gumroad_sync", dg.DagsterRunStatus.QUEUED)
    (found,) = run_queue_checks.run_queue(instance)
    assert found.detail.startswith("1 queued run waits, the oldest since ")
    assert found.detail.endswith("and none is at work.")


def test_a_webhook_that_waits_is_named_with_what_holds_it(instance: dg.DagsterInstance) -> None:
    """Incident: pings stood half an hour behind a first load, and nothing said which."""
    load = put(instance, "gumroad_sync", dg.DagsterRunStatus.STARTED, **account_tags("gumroad", "alice"))
    put(instance, "whop_sync", dg.DagsterRunStatus.STARTED, **account_tags("whop", "alice"))
    put(instance, "gumroad_sync", dg.DagsterRunStatus.QUEUED, **account_tags("gumroad", "bea"))
    assert list(run_queue_checks.run_queue(instance)) == []
    put(instance, "gumroad_refresh", dg.DagsterRunStatus.QUEUED, **account_tags("gumroad", "alice"), **SOON)
    (found,) = run_queue_checks.run_queue(instance)
    assert f"held by the run on the same account: gumroad_sync of alice ({load[:8]})." in found.detail
    assert "whop_sync" not in found.detail
