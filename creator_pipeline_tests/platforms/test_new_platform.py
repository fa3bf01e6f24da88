"""An invented platform in one folder of test code gets everything that a platform has, with no other file touched.

Incident: a platform that was added in eleven of the twelve places where platforms were listed, and sent no mails.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from creator_pipeline import definitions, settings
from creator_pipeline.commands import doctor
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import DayWindow, today
from creator_pipeline.gateway import creator_page_view
from creator_pipeline.ledger.chart import draw
from creator_pipeline.ledger.rollup import roll_up
from creator_pipeline.mail.kinds import KINDS
from creator_pipeline.monitoring import health, health_sensor
from creator_pipeline.platforms import PLATFORMS, personal, sources
from creator_pipeline.runtime.resources import WarehouseResource
from creator_pipeline.runtime.tags import range_tags
from creator_pipeline.store import erasure, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import email_messages, ingestion_jobs, platform_connections, sales_events
from creator_pipeline_tests.platforms.bazaar import PLATFORM
from creator_pipeline_tests.platforms.bazaar.registered import register
from creator_pipeline_tests.platforms.bazaar.shop import TOKEN, Shop, served
from creator_pipeline_tests.platforms.bazaar.tables import bazaar_orders, metadata
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.paths import ROOT

SECRET = "bazaar-webhook-secret"
WEEK = DayWindow(today() - timedelta(days=6), today() + timedelta(days=1))
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def noon(days_ago: int) -> datetime:
    return datetime.combine(today() - timedelta(days=days_ago), time(12), UTC)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Five orders on three days, one of them refunded in part."""
    with served() as made:
        for number, days_ago in enumerate((1, 1, 1, 2, 4)):
            made.sell(f"o{number}", noon(days_ago), 1_000 + number)
        made.refund("o4", 400)
        monkeypatch.setenv("BAZAAR_API_URL", made.url)
        monkeypatch.setenv("BAZAAR_WEBHOOK_SECRET", SECRET)
        yield made


@pytest.fixture
def bazaar(sqlite_warehouse: Warehouse, ring: KeyRing, shop: Shop) -> Iterator[Warehouse]:
    """The platform in the list, its table, and alice's shop connected."""
    register()
    metadata.create_all(sqlite_warehouse.engine)
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com", notify="every")
        profiles.connect(connection, ring, "bazaar", "alice", TOKEN)
    yield sqlite_warehouse
    PLATFORMS.remove(PLATFORM)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("bazaar_profiles", ["alice"])
        yield made


def run(instance: dg.DagsterInstance, job: str = "bazaar_sync", **over: Any) -> Any:
    return (
        definitions.build()
        .resolve_job_def(job)
        .execute_in_process(instance=instance, raise_on_error=False, **({"run_config": QUIET} | over))
    )


def load(instance: dg.DagsterInstance) -> Any:
    return run(instance, tags=range_tags(WEEK, "alice"))


def ledger(warehouse: Warehouse) -> dict[str, int]:
    """Gross micros of the ledger by kind of event."""
    events = sales_events.c
    with warehouse.read() as connection:
        asked = select(events.event_type, func.sum(events.gross_micros)).where(events.platform == "bazaar")
        return {kind: int(gross) for kind, gross in connection.execute(asked.group_by(events.event_type))}


EVERYTHING = {"sale": sum(1_000 + number for number in range(5)) * 10_000, "refund": -4_000_000}


def test_its_assets_jobs_schedule_and_check_are_in_the_code_location(bazaar):
    """Guards: a platform whose folder is there and whose assets are not."""
    defs = definitions.build()
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert {"bazaar/orders", "sales_events/bazaar"} <= keys
    assert {"bazaar_sync", "bazaar_refresh"} <= {job.name for job in defs.get_repository_def().get_all_jobs()}
    assert defs.resolve_schedule_def("bazaar_nightly").cron_schedule == "15 2 * * *"
    revenue = defs.resolve_asset_graph().get(dg.AssetKey("daily_revenue"))
    assert dg.AssetKey(["sales_events", "bazaar"]) in revenue.parent_keys


def test_the_commands_connect_and_backfill_it(tmp_path, shop, monkeypatch):
    """Guards: an option of profiles add, or a source of backfill, that stands in a list somewhere."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'w.sqlite'}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    def command(*words: str) -> str:
        line = [sys.executable, "-m", "creator_pipeline_tests.platforms.bazaar", *words]
        done = subprocess.run(line, check=False, cwd=ROOT, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    assert "--bazaar-token" in command("profiles", "add", "--help")
    said = command("profiles", "add", "alice", "--email", "alice@example.com", "--bazaar-token", TOKEN)
    assert "connected to bazaar" in said
    warehouse = WarehouseResource().open()
    metadata.create_all(warehouse.engine)
    days = ["--from", str(WEEK.start), "--to", str(today())]
    assert "7 days of alice are in the ledger" in command("backfill", "bazaar", "--profile", "alice", *days)
    assert ledger(warehouse) == EVERYTHING
    warehouse.engine.dispose()


def test_a_load_brings_every_page_and_the_refund_and_again_changes_nothing(bazaar, instance, shop):
    """Guards: a factory that fits two platforms only."""
    assert load(instance).success
    assert ledger(bazaar) == EVERYTHING
    with bazaar.read() as connection:
        before = connection.execute(select(bazaar_orders)).all()
    assert len(before) == 5
    assert "buyer.example" not in str(before)
    assert load(instance).success
    with bazaar.read() as connection:
        assert connection.execute(select(bazaar_orders)).all() == before
    landed = instance.fetch_materializations(dg.AssetKey(["bazaar", "orders"]), limit=100).records
    assert {record.partition_key for record in landed} == {f"{day}|alice" for day in WEEK.each()}


def test_the_nightly_schedule_asks_for_each_connected_shop(bazaar, instance):
    """Guards: a schedule of a platform that nobody looped over."""
    schedule = definitions.build().resolve_schedule_def("bazaar_nightly")
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=noon(0))
    asked = list(schedule(context, warehouse=WarehouseResource()))
    assert [request.tags["creator_pipeline/profile"] for request in asked] == ["alice"]


def test_a_webhook_becomes_a_row_by_the_queue_and_a_forged_one_does_not(bazaar, instance, shop):
    """Guards: a route that is written by hand for each platform."""
    load(instance)
    shop.sell("o9", noon(1), 7_000)
    body = b'{"event": "order.paid", "order_id": "o9", "shop": "s1"}'
    url = str(bazaar.engine.url.render_as_string(hide_password=False))
    with Gateway(url) as gateway:
        forged = gateway.http.post("/webhooks/bazaar", content=body, headers={"x-bazaar-secret": "guess"})
        assert forged.status_code == 401
        assert "BAZAAR_WEBHOOK_SECRET" in forged.json()["error"]["hint"]
        good = gateway.http.post("/webhooks/bazaar", content=body, headers={"x-bazaar-secret": SECRET})
        assert good.status_code == 202
    defs = definitions.build()
    resources = {"warehouse": WarehouseResource(), "bazaar": PLATFORM.dagster.get().resource}
    context = dg.build_sensor_context(instance=instance, resources=resources, definitions=defs)
    (request,) = defs.resolve_sensor_def("webhook_jobs")(context).run_requests
    assert run(instance, request.job_name, run_config=request.run_config, tags=dict(request.tags)).success
    assert ledger(bazaar)["sale"] == EVERYTHING["sale"] + 70_000_000
    with bazaar.read() as connection:
        assert connection.execute(select(ingestion_jobs.c.source, ingestion_jobs.c.status)).all() == [
            ("bazaar", "completed")
        ]


def test_doctor_and_health_have_its_lines(bazaar, instance, shop):
    """Guards: a platform that breaks and that nobody looks at."""
    lines = {finding.name: finding for finding in doctor.findings(settings.load(), definitions.build)}
    assert lines["bazaar alice api"].state == "ok"
    assert lines["bazaar webhooks"].state == "ok"
    assert lines["flag ENABLE_BAZAAR"].state == "ok"
    load(instance)
    shop.refund("o1", 9_999)
    load(instance)
    context = dg.build_sensor_context(
        instance=instance,
        resources={"warehouse": WarehouseResource()},
        repository_def=definitions.build().get_repository_def(),
    )
    health_sensor.pipeline_health(context)
    problems = {str(row["id"]): row for row in health.open_problems(bazaar)}
    assert problems["bazaar/negative"]["hint"] == "Ask Bazaar."


def test_what_succeeds_and_what_is_refused_is_mailed_in_its_name(bazaar, instance, shop, monkeypatch, ring):
    """Guards: a failure of a new platform that nobody hears of."""
    load(instance)
    with bazaar.write() as connection:
        profiles.connect(connection, ring, "bazaar", "alice", "a token that was revoked")
    assert not load(instance).success
    with bazaar.read() as connection:
        told = dict(connection.execute(select(email_messages.c.kind, email_messages.c.subject)).all())
        status = connection.execute(select(platform_connections.c.status)).scalar_one()
    assert status == "revoked"
    assert set(told) <= set(KINDS)
    assert told["connection_revoked"].startswith("Bazaar is disconnected")
    assert "ingestion_failed" not in told  # one cause, one mail


def test_its_flag_switches_it_off(bazaar, instance, monkeypatch):
    """Guards: a platform that can't be stopped."""
    monkeypatch.setenv("ENABLE_BAZAAR", "false")
    assert not load(instance).success
    assert ledger(bazaar) == {}
    lines = {finding.name: finding for finding in doctor.findings(settings.load(), definitions.build)}
    assert lines["flag ENABLE_BAZAAR"].state == "off"


def test_the_creator_s_page_and_the_chart_show_it(bazaar, instance):
    """Guards: revenue of a platform that is missing in the picture."""
    load(instance)
    roll_up(bazaar)
    view = creator_page_view.read(bazaar, settings.load(), "alice")
    assert next(line.state for line in view.lines if line.label == "Bazaar").startswith("Synced")
    assert "Bazaar 46.10 USD" in view.words
    rows = [(today(), "bazaar", "USD", 5_000_000)]
    assert draw(rows, today(), sources()) != draw(rows, today(), [s for s in sources() if s.name != "bazaar"])


def test_an_erasure_knows_its_table_and_its_buyers(bazaar, instance, ring):
    """Guards: a buyer of a new platform who can't be forgotten."""
    load(instance)
    assert "bazaar_orders" in {table for table, _ in erasure.export_profile(bazaar, "alice", personal())}
    assert erasure.erase_buyer(bazaar, "o1@buyer.example", ring.hashes_of("o1@buyer.example"), personal()) == 1
    load(instance)
    with bazaar.read() as connection:
        known = connection.execute(select(bazaar_orders.c.id).where(bazaar_orders.c.buyer_hash.is_(None))).scalars()
        assert list(known) == ["o1"]
    assert erasure.erase_profile(bazaar, "alice", personal())["bazaar_orders"] == 5
    assert ledger(bazaar) == EVERYTHING


def test_the_commands_list_it():
    """Guards: a test that passes because the platform stayed in the list."""
    assert PLATFORM not in PLATFORMS
    assert CliRunner().invoke(doctor.command, ["--help"]).exit_code == 0
