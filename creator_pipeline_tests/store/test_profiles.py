"""Who sells where, with which token."""

import pytest
from sqlalchemy import select

from creator_pipeline.core.errors import AuthError, ConfigError
from creator_pipeline.core.secrets import KeyRing, new_key
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import platform_connections

TOKEN = "gr_token"


def add(warehouse, ring, profile_id="alice", token=TOKEN) -> None:
    """A profile with a connection."""
    with warehouse.write() as connection:
        profiles.add_profile(connection, profile_id, f"{profile_id}@example.com")
        profiles.connect(connection, ring, "gumroad", profile_id, token)


def test_a_token_is_stored_encrypted_and_comes_back(warehouse, ring):
    """Guards: a dump of the database that opens everybody's shop."""
    add(warehouse, ring)
    with warehouse.read() as connection:
        stored = connection.execute(select(platform_connections.c.access_token)).scalar_one()
    assert "gr_token" not in stored
    found = profiles.get_connection(warehouse, ring, "gumroad", "alice")
    assert found.access_token == "gr_token"
    assert "gr_token" not in repr(found)


def test_connecting_again_repairs_a_revoked_connection(warehouse, ring):
    """Guards: a connection that stays dead after its owner has come back."""
    add(warehouse, ring)
    with warehouse.write() as connection:
        assert profiles.mark_revoked(connection, "gumroad", "alice", "refused") is True
        assert profiles.mark_revoked(connection, "gumroad", "alice", "refused") is False
    with pytest.raises(AuthError, match="revoked"):
        profiles.get_connection(warehouse, ring, "gumroad", "alice")
    add(warehouse, ring, token="gr_new")
    assert profiles.get_connection(warehouse, ring, "gumroad", "alice").access_token == "gr_new"


def test_an_unknown_profile_names_the_known_ones(warehouse, ring):
    """Guards: 'not found' without a way out."""
    add(warehouse, ring)
    with pytest.raises(ConfigError, match="Known: alice"):
        profiles.get_connection(warehouse, ring, "gumroad", "bob")
    with pytest.raises(ConfigError, match="not connected to whop"):
        profiles.get_connection(warehouse, ring, "whop", "alice")


def test_a_lost_key_is_told(warehouse, ring):
    """Guards: InvalidToken in the middle of a run."""
    add(warehouse, ring)
    with pytest.raises(ConfigError, match="APP_SECRET_KEYS"):
        profiles.get_connection(warehouse, KeyRing([new_key()]), "gumroad", "alice")


@pytest.mark.parametrize("profile_id", ["", "Alice", "a|b", "../x", "a b", "-a", "x" * 64, "a\n"])
def test_ids_that_would_break_a_partition_key_or_a_path_are_refused(warehouse, profile_id):
    """Guards: a profile called 'a|b', whose partitions belong to somebody else."""
    with pytest.raises(ConfigError, match="can't be a profile's id"), warehouse.write() as connection:
        profiles.add_profile(connection, profile_id, "a@example.com")


@pytest.mark.parametrize(
    "wrong", [{"email": "nobody"}, {"email": "a@b c"}, {"timezone": "Mars/Olympus"}, {"timezone": "../etc/passwd"}]
)
def test_addresses_and_zones_are_checked(warehouse, wrong):
    """Guards: mail that can't be sent, and days in no zone."""
    with pytest.raises(ConfigError), warehouse.write() as connection:
        profiles.add_profile(connection, "alice", **{"email": "a@example.com", **wrong})


def test_changing_a_profile_keeps_its_tier_and_its_age(warehouse, ring):
    """Guards: a paying customer set back to free by an edit of the address."""
    add(warehouse, ring)
    before = profiles.get_profile(warehouse, "alice")
    with warehouse.write() as connection:
        connection.exec_driver_sql("UPDATE profiles SET subscription_tier = 'pro'")
        profiles.add_profile(connection, "alice", "new@example.com", timezone="Asia/Tokyo")
    after = profiles.get_profile(warehouse, "alice")
    assert (after["email"], after["timezone"]) == ("new@example.com", "Asia/Tokyo")
    assert (after["subscription_tier"], after["created_at"]) == ("pro", before["created_at"])
