"""``profiles add`` of a profile that exists: what it changes, and whose token it takes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from creator_pipeline import settings
from creator_pipeline.cli import cli
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.core.secrets import KeyRing
from creator_pipeline.platforms.gumroad.access import gumroad_client
from creator_pipeline.store import profiles
from creator_pipeline.store.accounts import OtherAccountError
from creator_pipeline.store.engine import Warehouse
from creator_pipeline_tests.support.accounts import book
from creator_pipeline_tests.support.sandbox import SandboxServer


def add(*words: str) -> Result:
    return CliRunner().invoke(cli, ["profiles", "add", *words])


def test_a_new_address_changes_nothing_else(sqlite_warehouse: Warehouse) -> None:
    """Name and zone were wiped, and the seller's own choice of notices went back to the default."""
    assert add("alice", "--email", "a@example.com", "--name", "Alice", "--timezone", "Asia/Tokyo").exit_code == 0
    with sqlite_warehouse.write() as connection:
        profiles.add_profile(connection, "alice", notify="none")
    assert add("alice", "--email", "New <new@example.com>").exit_code == 0
    row = profiles.get_profile(sqlite_warehouse, "alice")
    shown = [row[name] for name in ("email", "display_name", "timezone", "notify")]
    assert shown == ["new@example.com", "Alice", "Asia/Tokyo", "none"]
    assert add("alice", "--notify", "every").exit_code == 0
    assert profiles.get_profile(sqlite_warehouse, "alice")["email"] == "new@example.com"


@pytest.mark.parametrize("address", ["alice", "a@b", "a@x.net, b@x.net", "a@x.net\u202e", ".a@x.net", "a@-x.net"])
def test_an_address_that_no_mail_reaches_is_refused_where_it_enters(sqlite_warehouse: Warehouse, address: str) -> None:
    """A profile's odd address silenced its failures, and nobody was told."""
    refused = add("alice", "--email", address)
    assert isinstance(refused.exception, ConfigError)
    assert "can't be used" in refused.exception.message


def test_a_new_profile_wants_an_address(sqlite_warehouse: Warehouse) -> None:
    refused = add("alice")
    assert isinstance(refused.exception, ConfigError)
    assert "--email" in refused.exception.hint


def test_a_token_of_another_account_is_refused_and_the_old_one_stays(
    gumroad_warehouse: Warehouse, gumroad_sandbox: SandboxServer, ring: KeyRing
) -> None:
    """A mistyped token took the place of the right one, and its account that of the profile's."""
    world = gumroad_sandbox.world.gumroad
    gumroad_client(settings.load(), gumroad_warehouse, "alice").close()
    with gumroad_warehouse.write() as connection:
        book(connection, "alice", "gumroad", "s1")
        connection.execute(
            profiles.platform_connections.delete().where(profiles.platform_connections.c.profile_id == "chen")
        )
    refused = add("alice", "--gumroad-token", world["chen"].token)
    assert isinstance(refused.exception, OtherAccountError)
    assert world["alice"].user_id in refused.exception.message
    assert "--replace-account" in refused.exception.hint
    found = profiles.get_connection(gumroad_warehouse, ring, "gumroad", "alice")
    assert found.access_token == world["alice"].token
    taken = add("alice", "--gumroad-token", world["chen"].token, "--replace-account")
    assert taken.exit_code == 0, taken.output
    assert world["chen"].user_id in taken.output
