"""A seller who connects by a token: webhooks are registered, and the history is read, without a further command."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from creator_pipeline import settings
from creator_pipeline.cli import cli
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad import probes, webhook
from creator_pipeline.platforms.gumroad.catalog import RESOURCES
from creator_pipeline.platforms.webhooks import Account
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import ingestion_jobs, platform_connections
from creator_pipeline_tests.support.sandbox import SandboxServer

SECRET = "a" * 32
PUBLIC = "https://pipeline.example.com"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["profiles", *words])


@pytest.fixture
def public(sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, gumroad_sandbox: SandboxServer) -> Warehouse:
    """An installation that takes pings."""
    monkeypatch.setenv("GUMROAD_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("PUBLIC_URL", PUBLIC)
    return sqlite_warehouse


def loads(warehouse: Warehouse) -> list[tuple[str, str]]:
    with warehouse.read() as connection:
        table = ingestion_jobs.c
        found = connection.execute(select(table.source, table.profile_id).where(table.kind == "initial_sync"))
        return sorted(tuple(row) for row in found)


def test_a_token_registers_the_pings_and_starts_the_first_load_once(
    public: Warehouse, gumroad_sandbox: SandboxServer
) -> None:
    """Incident: sellers by OAuth had their sales within seconds; those by a token a day late, and the doctor said `no`."""
    seller = gumroad_sandbox.world.gumroad["alice"]
    words = ("add", "alice", "--email", "alice@example.com", "--gumroad-token", seller.token)
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert f"Gumroad sends {len(RESOURCES)} kinds of events" in done.output
    assert f"since {settings.load().pipeline_start_date} is read as soon as dagster-daemon runs" in done.output
    wanted = webhook.address(settings.load(), "alice")
    assert sorted((hook["resource_name"], hook["post_url"]) for hook in seller.subscriptions) == sorted(
        (name, wanted) for name in RESOURCES
    )
    assert loads(public) == [("gumroad", "alice")]
    again = run(*words)
    assert len(seller.subscriptions) == len(RESOURCES)
    assert loads(public) == [("gumroad", "alice")], again.output


def test_an_account_that_was_disconnected_is_read_again(public: Warehouse, gumroad_sandbox: SandboxServer) -> None:
    """Incident: after a revoked token and a new one, the day that the nights no longer read stayed unread, and was told
    as revoked a day after it was connected again."""
    token = gumroad_sandbox.world.gumroad["alice"].token
    words = ("add", "alice", "--email", "alice@example.com", "--gumroad-token", token)
    assert run(*words).exit_code == 0
    with public.write() as connection:
        connection.execute(update(platform_connections).values(status="revoked"))
    assert run(*words, "--no-first-load").exit_code == 0
    assert loads(public) == [("gumroad", "alice")]
    with public.write() as connection:
        connection.execute(update(platform_connections).values(status="revoked"))
    assert run(*words).exit_code == 0
    assert loads(public) == [("gumroad", "alice")] * 2


def test_the_address_is_printed_and_registered_again(public: Warehouse, gumroad_sandbox: SandboxServer) -> None:
    """Incident: an operator who had to enter a ping's address by hand found it nowhere."""
    seller = gumroad_sandbox.world.gumroad["alice"]
    run("add", "alice", "--email", "alice@example.com", "--gumroad-token", seller.token, "--no-first-load")
    assert loads(public) == []
    printed = run("webhooks", "alice").output.strip()
    assert printed == f"gumroad: {PUBLIC}/webhooks/gumroad/{webhook.profile_secret(SECRET, 'alice')}"
    seller.subscriptions.clear()
    assert run("webhooks", "alice", "--register").exit_code == 0
    assert len(seller.subscriptions) == len(RESOURCES)
    gumroad_sandbox.world.gumroad.drop_scope("alice", "view_sales")
    failed = run("webhooks", "alice", "--register")
    assert (failed.exit_code, "Gumroad registered no webhooks" in failed.output) == (1, True)


def test_a_platform_without_such_a_call_prints_its_one_address(
    sqlite_warehouse: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a command that is silent about the platform whose address a person has to enter."""
    monkeypatch.setenv("PUBLIC_URL", PUBLIC)
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "whop", "alice", "key")
    assert "WHOP_WEBHOOK_SECRET is not set" in run("webhooks", "alice").output
    monkeypatch.setenv("WHOP_WEBHOOK_SECRET", "ws_secret")
    said = run("webhooks", "alice", "--register").output
    assert f"whop: {PUBLIC}/webhooks/whop" in said
    assert "enter it there" in said


def test_an_address_of_this_machine_is_no_fault(
    public: Warehouse, gumroad_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident: `no` for ever on a laptop that no ping can reach."""
    token = gumroad_sandbox.world.gumroad["alice"].token
    gumroad_sandbox.world.gumroad["alice"].subscriptions.clear()
    account = Account("gumroad", "alice", None, "active")

    def said() -> str:
        found = probes.account(settings.load(), account, token)
        return next(one.state for one in found if one.name == "gumroad alice webhooks")

    assert said() == "no"
    monkeypatch.setenv("PUBLIC_URL", "http://localhost:8088")
    assert said() == "off"
    assert probes.daily(public, settings.load(), "alice") is None
