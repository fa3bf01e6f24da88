"""Links that turn notices off."""

from __future__ import annotations

import pytest

from creator_pipeline.core.secrets import new_key
from creator_pipeline.mail import functions, outbox, unsubscribe
from creator_pipeline.mail.outbox import Mail
from creator_pipeline.settings import Settings
from creator_pipeline.store import profiles
from creator_pipeline.store.engine import Warehouse

WANTED = {"success": True, "failure": True, "account": True, "digest": True}


def test_a_link_turns_one_category_off_for_its_reader_and_reading_it_changes_nothing(
    warehouse: Warehouse, settings: Settings
) -> None:
    """A scanner that follows links unsubscribes a reader; or one category takes all."""
    made = unsubscribe.token(settings, "success", address="alice@example.net", profile_id="alice")
    for _ in range(2):
        choice = unsubscribe.read(warehouse, settings, made)
        assert choice is not None
        assert (choice.category, choice.masked, choice.wanted) == ("success", "a…@example.net", WANTED)
    assert unsubscribe.turn_off(warehouse, settings, made)
    assert unsubscribe.turn_off(warehouse, settings, made)
    choice = unsubscribe.read(warehouse, settings, made)
    assert choice is not None
    assert choice.wanted == {**WANTED, "success": False}


def test_everything_off_leaves_mails_of_security(warehouse: Warehouse, settings: Settings) -> None:
    """Who turned notices off can't reset the password any more."""
    made = unsubscribe.token(settings, "account", address="alice@example.net", profile_id="alice")
    assert unsubscribe.turn_off(warehouse, settings, made, everything=True)
    functions.send_ingestion_failed("alice@example.net", "job", "x", warehouse=warehouse, settings=settings)
    functions.send_password_reset("alice@example.net", "https://a.example/", warehouse=warehouse, settings=settings)
    report = outbox.flush(warehouse, settings)
    assert (report.sent, report.suppressed) == (1, 0)


def test_a_link_is_the_same_each_time_holds_no_address_and_outlives_its_key(
    warehouse: Warehouse, settings: Settings
) -> None:
    """A payload that differs at each attempt; an address in a log of URLs; dead links after a rotation."""
    made = unsubscribe.token(settings, "account", address="zoe@example.net", profile_id=None)
    assert made == unsubscribe.token(settings, "account", address="zoe@example.net", profile_id=None)
    assert "zoe" not in made
    assert len(made) < 200
    assert settings.app_secret_keys is not None
    rotated = f"{new_key()},{settings.app_secret_keys.get_secret_value()}"
    later = Settings(**{**settings.model_dump(), "app_secret_keys": rotated})
    assert unsubscribe.read(warehouse, later, made) is None
    mail = Mail("k", "subscription_updated", "zoe@example.net", {"tier": "a", "plan_name": "b"})
    outbox.write(warehouse, settings, mail)
    choice = unsubscribe.read(warehouse, later, made)
    assert choice is not None
    assert choice.address == "zoe@example.net"


def test_forged_and_broken_links_are_none(warehouse: Warehouse, settings: Settings) -> None:
    """Everybody unsubscribed by a counter in a URL, or a 500 for a cut-off link."""
    made = unsubscribe.token(settings, "success", address="alice@example.net", profile_id="alice")
    for bad in (
        "",
        "x",
        made[:-2],
        made + "x",
        "\ud800",
        unsubscribe.token(settings, "security", address="a@b.net", profile_id="alice"),
    ):
        assert unsubscribe.read(warehouse, settings, bad) is None
        assert not unsubscribe.turn_off(warehouse, settings, bad)


def test_a_link_follows_the_profile_to_its_new_address(warehouse: Warehouse, settings: Settings) -> None:
    """An old mail's link that stops the mails of an address nobody reads any more."""
    made = unsubscribe.token(settings, "success", address="alice@example.net", profile_id="alice")
    with warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "Alice@Example.org")
    assert unsubscribe.turn_off(warehouse, settings, made)
    with warehouse.read() as connection:
        assert unsubscribe.why_suppressed(connection, "alice@example.org", "success")
        assert unsubscribe.why_suppressed(connection, "alice@example.org", "failure") is None


@pytest.mark.parametrize("category", ["security", "ops"])
def test_what_can_not_be_turned_off_is_not_stopped_by_a_choice(
    warehouse: Warehouse, settings: Settings, category: str
) -> None:
    """An alarm that an unsubscribe of notices has silenced."""
    made = unsubscribe.token(settings, "failure", address="alice@example.net", profile_id="alice")
    unsubscribe.turn_off(warehouse, settings, made, everything=True)
    with warehouse.read() as connection:
        assert unsubscribe.why_suppressed(connection, "alice@example.net", category) is None
