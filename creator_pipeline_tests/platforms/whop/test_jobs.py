"""What changes at Whop reaches the tables: by webhooks, by the nightly look, by the weekly scan, by the command."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from creator_pipeline.core.windows import now, today
from creator_pipeline.definitions import defs
from creator_pipeline.orchestration import sensors
from creator_pipeline.platforms.whop.checks import EVENTS, PAYMENTS
from creator_pipeline.platforms.whop.webhook import reread
from creator_pipeline.runtime.queue_jobs import job_queue
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import PROFILE_TAG, RANGE_END, RANGE_START
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import daily_revenue, email_messages, ingestion_jobs, platform_connections
from creator_pipeline_tests.support import forkserver
from creator_pipeline_tests.support import whop_installation as small
from creator_pipeline_tests.support.code_location import schedule_named
from creator_pipeline_tests.support.installation import failure_text, landed, run_waiting
from creator_pipeline_tests.support.sandbox import SandboxServer, World
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_installation import (
    WINDOW,
    changes,
    digests,
    range_of,
    run,
    scan,
    subscriptions,
    wrong,
)
from creator_pipeline_tests.support.whop_samples import happen


@pytest.fixture
def loaded(whop_warehouse, whop_sandbox, whop_instance):
    """Everything of alice is in the tables."""
    assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
    assert scan(whop_instance).success
    return whop_warehouse


def knock(warehouse, name: str, data: dict) -> None:
    """A delivery, as the gateway puts it into the queue."""
    told = reread("msg_1", orjson.dumps({"type": name, "data": data}))
    if told.kind != "ignored":
        job_queue(warehouse).enqueue("alice", "whop", "webhook", {"kind": told.kind, "ids": list(told.ids)})


def settled(part, account) -> list[dict]:
    """Payments to which everything can still happen."""
    return [row for row in account.tables["payments"].values() if row["substatus"] == "succeeded"]


@hypothesis_settings(
    max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 50)), min_size=2, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_shuffled_and_repeated_deliveries_end_in_the_rows_of_a_fresh_scan(
    sqlite_warehouse, ring, whop_instance, monkeypatch, steps, order
):
    """Guards: an old delivery that arrives last and undoes what a newer one told."""
    warehouse, world = sqlite_warehouse, World.invented(7, today=today(), sizes={"alice": 1}, days=3)
    with warehouse.write() as connection:
        for table in (*small.TABLES, ingestion_jobs, platform_connections):
            connection.execute(table.delete())
    with SandboxServer(world) as server:
        monkeypatch.setenv("WHOP_API_URL", server.whop_url)
        monkeypatch.setenv("WHOP_REQUESTS_PER_MINUTE", "60000000")
        small.connect_all(warehouse, ring, server)
        assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
        assert scan(whop_instance).success
        told: list[tuple[str, dict]] = []
        world.whop.on_event = lambda _account, name, data: told.append((name, data))
        for step, pick in steps:
            happen(world.whop, world.whop["alice"], step, pick)
        told += order.sample(told, len(told) // 2)
        order.shuffle(told)
        middle = len(told) // 2
        for batch in (told[:middle], told[middle:]):
            for name, data in batch:
                knock(warehouse, name, data)
            assert all(done.success for done in run_waiting(whop_instance))
        after = digests(warehouse)
        with warehouse.write() as connection:
            for table in small.TABLES[:3]:
                connection.execute(table.delete().where(table.c.id != ""))
        assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
        assert scan(whop_instance).success
        assert digests(warehouse) == after
        assert wrong(warehouse, server, "alice") == []


def test_deliveries_of_a_profile_become_one_run_that_shows_what_it_touched(loaded, whop_sandbox, whop_instance):
    """Guards: a run for each delivery of a launch day, and a page that shows last night's figures."""
    part, account = whop_sandbox.world.whop, whop_sandbox.world.whop["alice"]
    refunded = settled(part, account)[0]
    part.refund("alice", refunded["id"], "1")
    bought, payment = part.buy("alice", email="fan@example.com")
    for name, data in (
        ("membership.activated", bought), ("payment.succeeded", payment), ("refund.created", {"payment_id": refunded["id"]}),
        ("payment.succeeded", payment), ("payment.succeeded", {"id": "pay_of_another_account"}),
    ):  # fmt: skip
        knock(loaded, name, data)
    before = len(whop_instance.fetch_materializations(EVENTS, limit=1000).records)
    (done,) = run_waiting(whop_instance)
    assert done.success
    assert wrong(loaded, whop_sandbox, "alice") == []
    assert [row["id"] for row in subscriptions(loaded)] == [bought["id"]]
    touched = {f"{datetime.fromisoformat(one['created_at']).date()}|alice" for one in (refunded, payment)}
    records = whop_instance.fetch_materializations(EVENTS, limit=1000).records
    assert {record.partition_key for record in records[: len(records) - before]} == touched
    counts = landed(whop_instance, EVENTS)
    for key in touched:
        assert counts[key] == sum(row[14] == key for row in rows(loaded, small.sales_events))
    assert {job[0] for job in status_of_jobs(loaded)} == {"completed"}
    assert not small.checks_of(whop_instance)["payments_still_there"]
    assert run_waiting(whop_instance) == []


def status_of_jobs(warehouse) -> list[tuple]:
    """Of the queue's jobs: status and error."""
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(select(ingestion_jobs.c["status", "error"]))]


def test_a_changed_address_is_found_because_the_members_are_read_again(loaded, whop_sandbox, whop_instance):
    """Guards: a customer who corrects the address and stays shut out until Sunday."""
    part, account = whop_sandbox.world.whop, whop_sandbox.world.whop["alice"]
    held = next(row for row in account.tables["memberships"].values() if row["status"] == "active")
    member = account.tables["members"][held["member_id"]]
    member["email"] = "fan@example.com"
    assert part
    knock(loaded, "member.updated", member)
    assert [done.success for done in run_waiting(whop_instance)] == [True]
    assert [row["id"] for row in subscriptions(loaded)] == [held["id"]]


def test_a_refused_key_ends_the_jobs_and_marks_the_connection(loaded, whop_sandbox, whop_instance):
    """Guards: five tries with a key that is gone, and a connection that looks healthy."""
    whop_sandbox.world.whop["alice"].revoked = True
    knock(loaded, "payment.succeeded", settled(None, whop_sandbox.world.whop["alice"])[0])
    (done,) = run_waiting(whop_instance)
    assert not done.success
    ((status, error),) = status_of_jobs(loaded)
    assert status == "failed"
    assert "refuses the API key" in error
    with loaded.read() as connection:
        mine = platform_connections.c.profile_id == "alice"
        assert connection.execute(select(platform_connections.c.status).where(mine)).scalar_one() == "revoked"


def test_while_whop_is_switched_off_deliveries_wait(loaded, whop_sandbox, whop_instance, monkeypatch):
    """Guards: a switch that loses what arrives meanwhile."""
    monkeypatch.setenv("ENABLE_WHOP", "false")
    knock(loaded, "payment.succeeded", settled(None, whop_sandbox.world.whop["alice"])[0])
    assert run_waiting(whop_instance) == []
    assert [status for status, _ in status_of_jobs(loaded)] == ["queued"]
    for schedule in defs.schedules or ():
        if schedule.name.startswith("whop"):
            (skip,) = tick(schedule, whop_instance)
            assert "ENABLE_WHOP" in skip.skip_message


def test_the_nightly_look_finds_what_no_webhook_told_and_shows_each_day(loaded, whop_sandbox, whop_instance):
    """Guards: a refund whose webhook was dropped after a minute, and that nobody ever reads."""
    assert changes(whop_instance).success
    first = profiles.last_syncs(loaded, "whop").get("alice")
    part, account = whop_sandbox.world.whop, whop_sandbox.world.whop["alice"]
    refunded, disputed = settled(part, account)[:2]
    part.refund("alice", refunded["id"])
    part.dispute("alice", disputed["id"])
    open_one = next(row for row in account.tables["payments"].values() if row["status"] == "open")
    part.settle("alice", open_one["id"])
    living = [row["id"] for row in account.tables["memberships"].values() if row["status"] == "active"]
    part.expire("alice", living[0])
    part.move_plan("alice", living[1], "Yearly")
    before = len(whop_instance.fetch_materializations(PAYMENTS, limit=1000).records)
    done = changes(whop_instance)
    assert done.success, failure_text(done)
    assert wrong(loaded, whop_sandbox, "alice") == []
    days = {datetime.fromisoformat(one["created_at"]).date() for one in (refunded, disputed, open_one)}
    records = whop_instance.fetch_materializations(PAYMENTS, limit=1000).records
    assert {record.partition_key for record in records[: len(records) - before]} == {f"{day}|alice" for day in days}
    assert profiles.last_syncs(loaded, "whop").get("alice") > first
    caught_up = digests(loaded, stamps=True)
    assert scan(whop_instance).success
    assert run(whop_instance, "whop_sync", range_of("alice", "alice")).success
    assert digests(loaded, stamps=True) == caught_up


def test_only_the_whole_look_moves_the_mark_it_begins_from(loaded, whop_sandbox, whop_instance):
    """Guards: a webhook's run that makes the night begin after a refund nobody has seen."""
    assert profiles.last_syncs(loaded, "whop").get("alice") is None
    whop_sandbox.world.whop["alice"].permissions -= {"payment:dispute:read"}
    failed = changes(whop_instance)
    assert "payment:dispute:read" in failure_text(failed)
    assert profiles.last_syncs(loaded, "whop").get("alice") is None


def tick(schedule, instance, moment: datetime | None = None):
    """What a schedule asks for at a moment."""
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=moment or now())
    return list(schedule(context, warehouse=WarehouseResource()))


def test_the_nights_ask_for_every_account_and_for_the_days_that_were_missed(whop_warehouse, ring, whop_instance):
    """Guards: a buyer who is taken for a seller, and a hole in the ledger after a week without the daemon."""
    moment = datetime(2026, 11, 22, 2, 20, tzinfo=UTC)
    with whop_warehouse.write() as connection:
        profiles.connect(connection, ring, "whop", "fan", None, external_account_id="user_fan")
        profiles.mark_synced(connection, "whop", "alice", moment - timedelta(days=1))
        profiles.mark_synced(connection, "whop", "bea", moment - timedelta(days=6))
    asked = {r.tags[PROFILE_TAG]: r for r in tick(schedule_named("whop_nightly"), whop_instance, moment)}
    first = {name: request.tags[RANGE_START] for name, request in asked.items()}
    assert first == {"alice": "2026-11-20|alice", "bea": "2026-11-15|bea", "chen": "2024-01-01|chen"}
    assert {request.tags[RANGE_END].split("|")[0] for request in asked.values()} == {"2026-11-22"}
    for schedule in (schedule_named("whop_changes_nightly"), schedule_named("whop_memberships_weekly")):
        assert [r.tags[PROFILE_TAG] for r in tick(schedule, whop_instance, moment)] == ["alice", "bea", "chen"]
    whop_instance.delete_dynamic_partition("whop_profiles", "chen")
    context = dg.build_sensor_context(instance=whop_instance)
    found = sensors.profiles_sensor(context, warehouse=WarehouseResource())
    assert [request.partition_keys for request in found.dynamic_partitions_requests] == [["chen"]]


def mails(warehouse) -> list[str]:
    """Subjects of the mails about a tier."""
    table = email_messages.c
    with warehouse.read() as connection:
        found = select(table.subject).where(table.kind == "subscription_updated").order_by(table.created_at, table.id)
        return list(connection.execute(found).scalars())


def test_each_change_of_a_tier_is_one_mail_however_often_it_is_read(whop_warehouse, whop_sandbox, whop_instance):
    """Guards: a mail each night, a mail for each delivery, and none for who comes back."""
    part = whop_sandbox.world.whop
    held, _ = part.buy("alice", email="fan@example.com")
    for _ in range(2):
        assert scan(whop_instance).success
    assert mails(whop_warehouse) == ["Your plan is now Monthly"]
    part.expire("alice", held["id"])
    knock(whop_warehouse, "membership.deactivated", held)
    knock(whop_warehouse, "membership.deactivated", held)
    assert all(done.success for done in run_waiting(whop_instance))
    assert changes(whop_instance).success
    assert mails(whop_warehouse) == ["Your plan is now Monthly", "Your plan is now free"]
    part.change("alice", held["id"], status="active")
    assert scan(whop_instance).success
    assert mails(whop_warehouse)[2:] == ["Your plan is now Monthly"]


def test_who_wants_no_mail_gets_none_and_an_address_that_cannot_be_used_holds_up_no_tier(
    whop_warehouse, whop_sandbox, whop_instance
):
    """Guards: one bad address that keeps everybody's memberships from being stored."""
    with whop_warehouse.write() as connection:
        connection.exec_driver_sql("UPDATE profiles SET notify = 'none' WHERE id = 'fan'")
        profiles.add_profile(connection, "odd", "odd@example.com")
        # As a release before took it.
        connection.exec_driver_sql("UPDATE profiles SET email = '<odd>@example.com' WHERE id = 'odd'")
    for address in ("fan@example.com", "<odd>@example.com"):
        whop_sandbox.world.whop.buy("alice", email=address)
    assert scan(whop_instance).success
    assert [profiles.get_profile(whop_warehouse, name)["subscription_tier"] for name in ("fan", "odd")] == [
        "paid",
        "paid",
    ]
    assert mails(whop_warehouse) == []


def command(*arguments: str) -> tuple[int, str]:
    """The console script in a process of its own; its exit code and all it said."""
    return forkserver.run("creator-pipeline", *arguments, environment=os.environ, folder=Path.cwd())


def test_the_command_backfills_one_profile(whop_warehouse, whop_sandbox):
    """Guards: a source that only the UI can read again."""
    days = ("--from", WINDOW.start.isoformat(), "--to", today().isoformat())
    code, said = command("backfill", "whop", "--profile", "alice", *days)
    assert code == 0, said
    assert f"{WINDOW.days} days of alice are in the ledger (1 run)" in said
    assert wrong(whop_warehouse, whop_sandbox, "alice") == []
    assert {row[2] for row in rows(whop_warehouse, daily_revenue)} == {"whop"}
    code, said = command("backfill", "whop", "--profile", "fan", *days)
    assert code == 2
    assert "--whop-key" in said
