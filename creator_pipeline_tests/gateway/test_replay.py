"""Deliveries that wait: listed, put back, kept while their account is refused."""

from __future__ import annotations

import json
import os

import dagster as dg
import pytest
from click.testing import CliRunner

from creator_pipeline import settings
from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.gateway import replay
from creator_pipeline.monitoring import queue_checks
from creator_pipeline.monitoring.installation_checks import flags
from creator_pipeline.monitoring.queue_checks import nobodys, stored
from creator_pipeline.orchestration.sensors import stored_deliveries_sensor
from creator_pipeline.platforms.intake import Intake
from creator_pipeline.platforms.webhooks import Delivery
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.gateway import settings_of


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def intake(warehouse: Warehouse, **values: bool) -> Intake:
    return Intake(warehouse, JobQueue(warehouse, None), settings_of(os.environ["DATABASE_URL"], **values))


@pytest.fixture
def alice(warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    """A warehouse with a profile that sells on Gumroad."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "gumroad", "alice", "token")
    return warehouse


def sale(number: int) -> Delivery:
    return Delivery("gumroad", f"d{number}", "sale", {"sale_ids": [f"s{number}"]}, profile_id="alice")


def test_dead_jobs_are_listed_and_put_back(alice: Warehouse):
    """Guards: dead letters that can only be brought back by hand in the database."""
    intake(alice).commit([sale(1), sale(2)])
    queue = JobQueue(alice, None)
    for lease in queue.dequeue(10, 60):
        queue.fail(lease.id, lease.attempt, "Gumroad says no.", None)
    rows = json.loads(run("webhooks", "list", "--status", "failed", "--json"))
    assert {(row["delivery_id"], row["error"]) for row in rows} == {
        ("d1", "Gumroad says no."),
        ("d2", "Gumroad says no."),
    }
    assert "1 job is in the queue again" in run("webhooks", "replay", "d1")
    assert "job queued" in run("webhooks", "list")
    assert "1 job is in the queue again" in run("webhooks", "replay", "--all")
    assert queue.depth()["queued"] == 2
    with pytest.raises(ConfigError, match="waits for a replay"):
        run("webhooks", "replay", "unknown")


def test_what_was_only_stored_while_a_source_was_off_becomes_a_job(alice: Warehouse):
    """Guards: a flag that was switched on again and leaves a hole."""
    intake(alice, enable_gumroad=False).commit([sale(1), sale(2)])
    queue = JobQueue(alice, None)
    assert queue.depth()["queued"] == 0
    assert replay.replay(alice, queue, settings_of(os.environ["DATABASE_URL"]), None) == 2
    assert replay.replay(alice, queue, settings_of(os.environ["DATABASE_URL"]), None) == 0
    assert queue.depth()["queued"] == 2


def test_what_came_while_a_flag_was_off_becomes_a_job_once_it_is_on_whoever_was_started_when(
    alice: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
):
    """Guards: a gateway that was started with the flag off, and deliveries that wait for ever in silence."""
    monkeypatch.setenv("ENABLE_GUMROAD", "false")
    intake(alice, enable_gumroad=False).commit([sale(1), sale(2)])
    (waits,) = stored(alice, settings.load())
    assert (waits.state, waits.detail[:30]) == ("off", "2 deliveries of Gumroad wait w")
    assert "2 deliveries wait" in next(one.detail for one in flags(settings.load()) if "GUMROAD" in one.name)
    assert "No delivery waits" in swept(alice)
    monkeypatch.setattr(queue_checks, "FORGOTTEN_HOURS", -1)
    assert [one.state for one in stored(alice, settings.load())] == ["no"]
    monkeypatch.setenv("ENABLE_GUMROAD", "true")
    monkeypatch.setattr(queue_checks, "WAITED_MINUTES", -1)
    (stuck,) = stored(alice, settings.load())
    assert (stuck.state, "stored_deliveries" in stuck.hint) == ("no", True)
    assert "2 jobs made" in swept(alice)
    assert JobQueue(alice, None).depth()["queued"] == 2
    assert list(stored(alice, settings.load())) == []
    assert "No delivery waits" in swept(alice)
    with alice.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "refused")
    intake(alice).commit([sale(3)])
    assert "No delivery waits" in swept(alice)
    with alice.write() as connection:
        profiles.connect(connection, ring, "gumroad", "alice", "another token")
    assert "1 job made of deliveries" in swept(alice)


def swept(warehouse: Warehouse) -> str:
    """What the sensor says of its tick."""
    resource = WarehouseResource()
    assert resource.open().engine.url == warehouse.engine.url
    told = stored_deliveries_sensor(dg.build_sensor_context(), warehouse=resource)
    assert isinstance(told, dg.SkipReason)
    return told.skip_message or ""


def test_a_delivery_for_a_revoked_account_waits(alice: Warehouse):
    """Guards: a dead letter for each ping of an account that must be connected again first."""
    with alice.write() as connection:
        profiles.mark_revoked(connection, "gumroad", "alice", "refused")
    (stored,), jobs = intake(alice).commit([sale(1)])
    assert (stored.status, jobs) == ("stored", [])


def test_a_delivery_that_fitted_no_profile_is_told_and_replayed_once_there_is_one(warehouse: Warehouse, ring: KeyRing):
    """Guards: all webhooks of a second seller, answered with 202 and gone."""
    named = Delivery("whop", "m1", "payment.succeeded", {"kind": "payment", "ids": ["pay_1"]}, account_id="biz_2")
    nothing = Delivery("whop", "m2", "chat.message", {"kind": "ignored", "ids": []}, account_id="biz_2", work=False)
    intake(warehouse).commit([named, nothing])
    rows = {row["delivery_id"]: row for row in json.loads(run("webhooks", "list", "--status", "ignored", "--json"))}
    assert rows["m1"]["note"] == "no profile is connected to biz_2"
    assert rows["m2"]["note"] is None
    (found,) = nobodys(warehouse)
    assert "biz_2" in found.detail
    with warehouse.write() as connection:
        profiles.add_profile(connection, "bea", "bea@example.com")
        profiles.connect(connection, ring, "whop", "bea", "key", external_account_id="biz_2")
    assert "1 job is in the queue again" in run("webhooks", "replay", "--all")
    assert list(nobodys(warehouse)) == []
