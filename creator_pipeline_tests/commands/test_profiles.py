"""The commands of profiles: whose token connects whom, upload keys, links to connect."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from creator_pipeline.cli import cli
from creator_pipeline.commands import profiles as commands
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.gateway import connect_links
from creator_pipeline.store import profile_keys, profiles
from creator_pipeline.store.engine import Warehouse
from creator_pipeline.store.tables import profiles as profiles_table
from creator_pipeline_tests.support.sandbox import SandboxServer


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def alice(warehouse: Warehouse, ring: KeyRing) -> Warehouse:
    """A warehouse with a profile that sells on Gumroad."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com")
        profiles.connect(connection, ring, "gumroad", "alice", "token")
    return warehouse


def add(name: str, *more: str) -> Result:
    return CliRunner().invoke(cli, ["profiles", "add", name, "--email", f"{name}@example.com", *more])


@pytest.mark.parametrize(
    ("provider", "variable", "option"),
    [("gumroad", "GUMROAD_ACCESS_TOKEN", "--gumroad-token"), ("whop", "WHOP_API_KEY", "--whop-key")],
)
def test_the_token_of_the_environment_connects_one_profile(
    sqlite_warehouse: Warehouse,
    ring: KeyRing,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    variable: str,
    option: str,
) -> None:
    """Guards: a token that was set and read by nothing; and one account booked for everybody who was added after it."""
    monkeypatch.setenv(variable, "token-1")
    monkeypatch.setenv("WHOP_ACCOUNT_ID", "biz_1")
    assert f"connected to {provider}" in add("alice").output
    second = add("bea")
    assert f"{variable} is alice's" in second.output
    assert second.exit_code == 0
    assert profiles.connected(sqlite_warehouse, provider) == ["alice"]

    refused = add("bea", option, "token-1")
    assert isinstance(refused.exception, ConfigError)
    assert "alice's" in refused.exception.message
    assert f"connected to {provider}" in add("bea", option, "token-2").output

    monkeypatch.setenv(variable, "token-3")
    add("alice")
    found = profiles.get_connection(sqlite_warehouse, ring, provider, "alice")
    assert (found.access_token, found.external_account_id) == ("token-1", "biz_1" if provider == "whop" else None)
    with sqlite_warehouse.write() as connection:
        profiles.mark_revoked(connection, provider, "alice", "It is gone.")
    add("alice")
    assert profiles.get_connection(sqlite_warehouse, ring, provider, "alice").access_token == "token-3"


def partitions() -> list[list[str]]:
    with dg.DagsterInstance.get() as instance:
        return [list(instance.get_dynamic_partitions(f"{name}_profiles")) for name in ("gumroad", "whop")]


def test_dagster_knows_a_profile_at_once_and_forgets_it_at_once(
    alice: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: ``dagster asset materialize --partition`` that knows no profile until a sensor has run."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    add("alice")
    assert partitions() == [["alice"], []]
    add("bea", "--whop-key", "key")
    assert partitions() == [["alice"], ["bea"]]
    assert "1 connections removed" in run("profiles", "remove", "bea")
    assert partitions() == [["alice"], []]
    run("profiles", "erase", "alice", "--yes")
    assert partitions() == [[], []]


def test_a_profile_is_added_where_dagster_can_not_be_reached(
    sqlite_warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards: a profile that is there and a command that says it failed; and a home that nobody named."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    added = add("alice", "--whop-key", "key")
    assert added.exit_code == 0
    assert f"export DAGSTER_HOME={tmp_path}/.data" in added.output

    def unreachable() -> None:
        raise ConfigError("Dagster's storage can't be reached: no.", hint="Check DAGSTER_POSTGRES_URL.")

    monkeypatch.setattr(commands, "instance", unreachable)
    added = add("bea", "--whop-key", "other")
    assert added.exit_code == 0
    assert "its sensor profiles sees to that" in added.output
    assert "connected to whop" in added.output


def test_a_key_is_printed_once_and_only_its_digest_is_stored(alice: Warehouse):
    """Guards: a copied database that opens the door."""
    key = run("profiles", "key", "alice").strip()
    assert profile_keys.owner(alice, key) == "alice"
    assert key not in str(profiles.get_profile(alice, "alice"))


def test_a_link_to_connect_is_printed(alice: Warehouse, ring: KeyRing, monkeypatch: pytest.MonkeyPatch):
    """Guards: a link that fails only once the seller has clicked it."""
    with pytest.raises(ConfigError, match="GUMROAD_CLIENT_ID"):
        run("profiles", "connect", "alice")
    monkeypatch.setenv("GUMROAD_CLIENT_ID", "id")
    monkeypatch.setenv("GUMROAD_CLIENT_SECRET", "secret")
    link = run("profiles", "connect", "alice").strip()
    assert link.startswith("http://127.0.0.1:8088/oauth/gumroad/connect?profile_id=alice&link=")
    assert connect_links.read_link(ring, link.partition("link=")[2]) == ("alice", False)
    link = run("profiles", "connect", "alice", "--replace-account").strip()
    assert connect_links.read_link(ring, link.partition("link=")[2]) == ("alice", True)


def test_a_token_comes_from_a_file_and_a_refused_one_stores_nothing(
    sqlite_warehouse: Warehouse, ring: KeyRing, tmp_path: Path, gumroad_sandbox: SandboxServer
) -> None:
    """Incident: a mistyped token was accepted with "connected", and every run failed from that night on."""
    good = gumroad_sandbox.world.gumroad["alice"].token
    refused = add("alice", "--gumroad-token", "no-such-token")
    assert isinstance(refused.exception, ConfigError)
    assert "refuses this token; nothing was changed" in refused.exception.message
    assert profiles.connected(sqlite_warehouse, "gumroad") == []
    with sqlite_warehouse.read() as connection:
        assert connection.execute(select(profiles_table.c.id)).first() is None
    (tmp_path / "token").write_text(f"{good}\n")
    assert add("alice", "--gumroad-token-file", str(tmp_path / "token")).exit_code == 0
    assert profiles.get_connection(sqlite_warehouse, ring, "gumroad", "alice").access_token == good
    arguments = ["profiles", "add", "alice", "--email", "alice@example.com", "--gumroad-token-file", "-"]
    assert CliRunner().invoke(cli, arguments, input=good).exit_code == 0
    both = add("alice", "--gumroad-token", good, "--gumroad-token-file", str(tmp_path / "token"))
    assert (both.exit_code, "not both" in both.output) == (2, True)
