"""Live, ready, measured, documented."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, update

from creator_pipeline.gateway.dagster_storage import last_sensor_tick, runs_of_a_day
from creator_pipeline.store import health_reports, profiles, tables
from creator_pipeline.store.tables import ingestion_jobs, platform_connections
from creator_pipeline_tests.support import local_http, servers
from creator_pipeline_tests.support.gateway import Gateway, settings_of, signed, whop_event


def test_ready_tells_of_the_queue_and_the_last_tick(shared: Gateway):
    """Guards: a gateway that is fine in front of a daemon that is dead."""
    told = shared.http.get("/readyz")
    assert told.status_code == 200
    assert told.json()["queue"].keys() == {"queued", "running", "failed", "dead"}
    schedules = Path(shared.config.home) / "schedules"
    schedules.mkdir()
    try:
        tick(schedules / "schedules.db", datetime.now(UTC) - timedelta(hours=1))
        late = shared.http.get("/readyz")
        assert late.status_code == 503
        assert "dagster-daemon" in late.json()["reason"]
        tick(schedules / "schedules.db", datetime.now(UTC))
        assert shared.http.get("/readyz").json()["sensor_tick_age_seconds"] < 60
    finally:
        (schedules / "schedules.db").unlink()
        schedules.rmdir()


def test_a_webhook_that_nobody_works_off_has_an_age_and_ends_the_readiness(shared: Gateway):
    """Incident: pings waited half an hour behind a sweep, and neither /metrics nor /readyz said a word."""
    job_id, warehouse = shared.services.queue.enqueue("alice", "gumroad", "webhook", {}), shared.services.warehouse

    def since(**ago: float) -> None:
        with warehouse.write() as connection:
            moment = datetime.now(UTC) - timedelta(**ago)
            connection.execute(update(ingestion_jobs).where(ingestion_jobs.c.id == job_id).values(created_at=moment))

    try:
        since(minutes=5)
        assert shared.http.get("/readyz").status_code == 200
        (line,) = (
            one
            for one in shared.http.get("/metrics").text.splitlines()
            if one.startswith('ingestion_job_age_seconds{kind="webhook",source="gumroad"}')
        )
        assert 300 <= float(line.split()[1]) < 600
        since(minutes=20)
        late = shared.http.get("/readyz")
        assert late.status_code == 503
        assert "A webhook has waited for 12" in late.json()["reason"]
    finally:
        with warehouse.write() as connection:
            connection.execute(delete(ingestion_jobs).where(ingestion_jobs.c.id == job_id))


def tick(path: Path, moment: datetime) -> None:
    file = sqlite3.connect(path)
    with file:
        file.execute("CREATE TABLE IF NOT EXISTS job_ticks (type TEXT, timestamp TIMESTAMP)")
        file.execute("INSERT INTO job_ticks VALUES ('SENSOR', ?)", (moment.replace(tzinfo=None).isoformat(" "),))
    file.close()


def test_dagster_s_own_tables_are_read_as_dagster_writes_them(tmp_path: Path):
    """Guards: a tick that is never seen, because a release named its column otherwise."""
    import dagster as dg
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import TickData, TickStatus

    moment = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.create_tick(
            TickData("origin", "name", InstigatorType.SENSOR, TickStatus.SKIPPED, moment.timestamp(), selector_id="s")
        )
        run = dg.DagsterRun(job_name="gumroad_sync", status=dg.DagsterRunStatus.SUCCESS)
        instance.add_run(run)
    config = settings_of("sqlite://", dagster_home=tmp_path)
    assert last_sensor_tick(config) == moment
    assert runs_of_a_day(config, datetime.now(UTC) - timedelta(days=1)) == {"SUCCESS": 1}
    assert runs_of_a_day(config, datetime.now(UTC) + timedelta(days=1)) == {}


def test_metrics_tell_of_the_pipeline_behind(shared: Gateway):
    """Incident: a seller was not read for ten days, and no figure said so."""
    warehouse, moment = shared.services.warehouse, datetime.now(UTC)
    provider, profile_id = "gumroad", "late-one"
    with warehouse.write() as connection:
        profiles.add_profile(connection, profile_id, "late@example.com")
        profiles.connect(connection, shared.services.ring, provider, profile_id, "token")
        values = {"fresh_at": moment - timedelta(days=10), "expected_by": moment - timedelta(days=9)}
        mine = platform_connections.c.profile_id == profile_id
        connection.execute(update(platform_connections).where(mine).values(values))
        health_reports.opened(connection, "late/gumroad/late-one", "It is late.", "Look.")
    try:
        lines = dict(line.rsplit(" ", 1) for line in shared.http.get("/metrics").text.splitlines() if line[0] != "#")
        whose = '{platform="gumroad",profile="late-one"}'
        assert float(lines[f"pipeline_sync_age_seconds{whose}"]) >= 864_000
        assert 777_600 <= float(lines[f"pipeline_sync_late_seconds{whose}"]) < 864_000
        assert float(lines['pipeline_open_problems{kind="late"}']) == 1
        assert float(lines['pipeline_connections{platform="gumroad",status="active"}']) >= 1
        assert {"pipeline_oldest_webhook_seconds", 'pipeline_outbox{status="queued"}'} <= lines.keys()
    finally:
        with warehouse.write() as connection:
            connection.execute(delete(platform_connections).where(mine))
            connection.execute(delete(tables.profiles).where(tables.profiles.c.id == profile_id))
            connection.execute(delete(tables.health_reports))


def test_a_dead_database_is_a_503_with_the_reason_and_live_stays_live(tmp_path: Path):
    """Guards: traffic sent to a gateway that can store nothing."""
    url = servers.postgres().fresh_database()
    with Gateway(url, dagster_home=tmp_path) as gateway:
        assert gateway.http.get("/readyz").status_code == 200
        gateway.services.warehouse.engine.dispose()
        servers.postgres().drop(url)
        body = whop_event()
        assert gateway.http.get("/readyz").status_code == 503
        assert gateway.http.get("/healthz").status_code == 200
        assert gateway.whop(body, signed(body)).status_code == 503
        assert "gateway_requests_total" in gateway.http.get("/metrics").text


def test_metrics_count_requests_deliveries_and_jobs(shared: Gateway):
    """Guards: alarms on figures that nobody writes."""
    body = whop_event()
    shared.whop(body, signed(body, "msg_counted"))
    shared.whop(body, {})
    text = shared.http.get("/metrics").text
    assert 'gateway_deliveries_total{outcome="refused",provider="whop"}' in text
    assert 'gateway_deliveries_total{outcome="queued",provider="whop"}' in text
    assert 'gateway_requests_total{method="POST",route="/webhooks/whop",status="401"}' in text
    assert 'ingestion_jobs{status="queued"}' in text
    assert "gateway_deliveries_waiting 0.0" in text


def test_the_document_and_its_page_name_every_route(shared: Gateway):
    """Guards: a route of the contract that nobody can find."""
    document = shared.http.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/webhooks/whop",
        "/webhooks/gumroad/{secret}",
        "/webhooks/resend",
        "/webhooks/auth",
        "/oauth/gumroad/connect",
        "/oauth/gumroad/start",
        "/api/platforms/oauth/gumroad/callback",
        "/oauth/gumroad/connected",
        "/uploads/kdp",
        "/jobs/{job_id}",
        "/unsubscribe/{token}",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    page = local_http.get(f"{shared.url}/docs").text
    for path in document["paths"]:
        assert path in page
