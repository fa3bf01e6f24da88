"""Least rights: everything works as the roles of deploy/postgresql, and they can do no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import ProgrammingError

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.core.windows import now
from creator_pipeline.ledger.rollup import both_sums, roll_up
from creator_pipeline.mail import outbox, page_link
from creator_pipeline.mail.outbox import Mail
from creator_pipeline.platforms import declared_views, personal
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.platforms.gumroad.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from creator_pipeline.queue.jobs import JobQueue
from creator_pipeline.sandbox.resend import KEY
from creator_pipeline.store import erasure, profile_keys, profiles, retention, token_keys
from creator_pipeline.store.engine import open_warehouse
from creator_pipeline.store.tables import metadata, platform_connections, webhook_events
from creator_pipeline_tests.support import installation as small
from creator_pipeline_tests.support import paths, servers
from creator_pipeline_tests.support.filling import fill
from creator_pipeline_tests.support.gateway import Gateway, signed, whop_event
from creator_pipeline_tests.support.gumroad_oauth import come_back, said_at_gumroad, start
from creator_pipeline_tests.support.kdp_landing import taken
from creator_pipeline_tests.support.pages import Page
from creator_pipeline_tests.support.roles import Database
from creator_pipeline_tests.support.sandbox import SandboxServer

REPORT = paths.FIXTURES / "kdp" / "csv_combined_utf8.csv"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    made = Database()
    try:
        made.set_up()
        yield made
    finally:
        open_warehouse.cache_clear()
        made.close()


@pytest.fixture
def as_app(database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", database.of("app"))
    return database.of("app")


def test_the_pipeline_needs_no_more_than_rows(
    as_app: str, database: Database, ring: KeyRing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Incident: the role of the runs could drop the ledger, because it had created it."""
    from creator_pipeline.platforms.kdp.ingest import ingest

    warehouse = open_warehouse(as_app)
    with small.small_sandbox() as server, small.new_instance() as instance:
        for name, value in {
            "GUMROAD_API_URL": server.gumroad_url,
            "RESEND_API_URL": server.resend_url,
            "RESEND_API_KEY": KEY,
            "RESEND_REQUESTS_PER_SECOND": "100000",
            "FROM_EMAIL": "Pipeline <no-reply@example.com>",
        }.items():
            monkeypatch.setenv(name, value)
        small.connect_all(warehouse, ring, server)
        assert small.run(instance, small.range_of("alice", "chen")).success
        assert small.wrong_days(warehouse, server) == []
        assert ingest(warehouse, taken(REPORT)).status == "accepted"
        roll_up(warehouse)
        with warehouse.read() as connection:
            ledger, rolled = both_sums(connection)
        assert ledger == rolled != {}
        config = settings.load()
        outbox.write(warehouse, config, Mail("t", "ops_test", "ops@example.com", {"sent_at": "now"}))
        assert outbox.flush(warehouse, config).sent >= 1
        queue = JobQueue(warehouse, None)
        queue.enqueue("alice", "gumroad", "refresh", {})
        assert queue.ack_all(queue.dequeue(1, 60))
        retention.delete_old(warehouse, retention.Keep(buyers=1), now(), personal())
        assert token_keys.rotate(warehouse, ring).lost == []
        erasure.erase_buyer(warehouse, "a@example.net", ring.hashes_of("a@example.net"), personal())
        erasure.erase_profile(warehouse, "bea", personal())
    for statement in ("DROP TABLE sales_events", "CREATE TABLE x (y int)", "TRUNCATE sales_events"):
        with pytest.raises((ProgrammingError, ConfigError)), warehouse.write() as connection:
            connection.execute(text(statement))
    warehouse.engine.dispose()


def test_the_gateway_works_without_sales_and_reads_no_token(
    database: Database, as_app: str, sandbox: SandboxServer, tmp_path: Path, ring: KeyRing
) -> None:
    """Incident: a hole in the one process that strangers talk to, and every seller's token behind it."""
    app = open_warehouse(as_app)
    with app.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "whop", "alice", "key", external_account_id="biz_alice")
    gateway = Gateway(
        database.of("gateway"),
        dagster_home=tmp_path,
        gumroad_api_url=sandbox.url,
        gumroad_authorize_url=f"{sandbox.url}/oauth/authorize",
        gumroad_client_id=CLIENT_ID,
        gumroad_client_secret=CLIENT_SECRET,
        gumroad_redirect_uri=f"http://callback.example{CALLBACK_PATH}",
        gumroad_requests_per_minute=60_000_000,
        public_url="http://gateway.example",
    )
    with gateway:

        def keys(profile_id: str) -> dict[str, str]:
            """What a command makes, with the app's rights."""
            with app.write() as connection:
                return {"Authorization": f"Bearer {profile_keys.renew(connection, profile_id)}"}

        gateway.key = keys
        body = whop_event()
        for _ in range(2):
            assert gateway.whop(body, signed(body)).status_code == 202
        assert gateway.ping("sale_id=abc&seller_id=x").status_code == 202
        assert come_back(gateway, said_at_gumroad(start(gateway))).status_code == 303
        # Another test's pipeline may have stored the report itself.
        unknown = REPORT.read_bytes() + b"\n"
        sent = gateway.http.post("/uploads/kdp", files={"file": ("a.csv", unknown)}, headers=keys("alice"))
        assert sent.status_code == 202, sent.text
        job = gateway.http.get(f"/jobs/{sent.json()['job_id']}", headers=keys("alice"))
        assert job.json()["status"] == "queued"
        path = httpx.URL(page_link.url(gateway.config, "alice", "alice@example.com")).path
        page = Page(gateway.http.get(path, follow_redirects=True).text)
        said = {"form": page.value("form"), "notify": "every", "mail": ["digest"]}
        assert gateway.http.post("/me/notifications", data=said).status_code == 303
        choice = {"form": page.value("form"), "upload": "none", "choice": "part"}
        assert gateway.http.post("/me/uploads/kdp", data=choice).status_code == 404
        assert gateway.http.get("/readyz").json()["database"] is True
        told = gateway.http.get("/metrics").text
        assert 'pipeline_connections{platform="whop",status="active"} 1.0' in told
        assert "pipeline_oldest_webhook_seconds" in told
        warehouse = gateway.services.warehouse
        # What the Send Email hook does; without a key the mail is held.
        outbox.write(warehouse, gateway.config, Mail("auth/1", "ops_test", "new@example.com", {"sent_at": "now"}))
        assert outbox.flush(warehouse, gateway.config).held == 1
        for table in ("sales_events", "gumroad_sales", "kdp_royalties", "whop_subscriptions", "erased_buyers"):
            assert refused(warehouse.engine.url, f"SELECT * FROM {table}")
        for column in ("access_token", "refresh_token"):
            assert refused(warehouse.engine.url, f"SELECT {column} FROM platform_connections")
        assert refused(warehouse.engine.url, "UPDATE profiles SET email = 'me@example.com'")
        assert refused(warehouse.engine.url, "DELETE FROM webhook_events")
    with app.read() as connection:
        stored = set(connection.execute(select(platform_connections.c.provider)).scalars())
        assert stored == {"whop", "gumroad"}
        assert connection.execute(select(webhook_events.c.repeats).where(webhook_events.c.provider == "whop")).scalar()
    app.engine.dispose()
    warehouse.engine.dispose()


def test_a_reader_sees_the_money_and_no_secret_and_no_person(database: Database, as_app: str) -> None:
    """Incident: an analyst's notebook with everybody's tokens, addresses and mails in it."""
    app = open_warehouse(as_app)
    with app.write() as connection:
        fill(connection, "mallory")
    app.engine.dispose()
    engine = create_engine(make_url(database.of("reader")).set(drivername="postgresql+psycopg2"))
    seen, hidden = "", set[str]()
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            for column in table.columns:
                allowed = text("SELECT has_column_privilege(:table, :column, 'SELECT')")
                if connection.execute(allowed, {"table": table.name, "column": column.name}).scalar():
                    seen += str(connection.execute(select(column)).all())
                else:
                    hidden.add(f"{table.name}.{column.name}")
        for view in ("revenue", "daily_revenue_local", "sync_status"):
            seen += str(rows := connection.execute(text(f"SELECT * FROM {view}")).all())
            assert rows, view
        views = [view.table.name for view in declared_views()]
        for view in ("daily_revenue_amounts", "payout_amounts", *views):
            seen += str(connection.execute(text(f"SELECT * FROM {view}")).all())
        rights = text(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
            "AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
        )
        assert connection.execute(rights).scalar_one() == 0
    engine.dispose()
    assert "mallory@example.com" not in seen.lower()
    assert {
        "platform_connections.access_token",
        "platform_connections.refresh_token",
        "profiles.email",
        "profiles.upload_key_hash",
        "webhook_events.payload",
        "email_messages.payload",
        "email_messages.to",
        "gumroad_sales.buyer_hash",
        "gumroad_sales.raw",
        "whop_subscriptions.holder_hash",
        "email_suppressions.email",
        "erased_buyers.address_hash",
    } <= hidden


def test_a_role_without_the_right_to_migrate_says_who_has_it(database: Database) -> None:
    """Incident: "permission denied for schema public" at the first start after an upgrade."""
    url = servers.postgres().fresh_database()
    option = make_url(database.of("app")).query["options"]
    warehouse = open_warehouse(
        make_url(url).update_query_dict({"options": option}).render_as_string(hide_password=False)
    )
    with pytest.raises(ConfigError) as raised, warehouse.read():
        pass
    warehouse.engine.dispose()
    assert "docs/deployment.md" in raised.value.hint


def refused(url: object, statement: str) -> bool:
    """Whether the server refuses for want of rights."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except ProgrammingError as error:
        return "permission denied" in str(error)
    finally:
        engine.dispose()
    return False
