"""``profiles add``: by the token that is given, else by the environment's; never one account for two profiles."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse


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
