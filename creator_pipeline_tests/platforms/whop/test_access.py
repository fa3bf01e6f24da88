"""Whose account a key is of, and which profile a delivery is for."""

import pytest

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.platforms.webhooks import Account, Delivery
from creator_pipeline.platforms.whop.access import account_id_of, account_of_key, check_account, learn_account
from creator_pipeline.platforms.whop.webhook import owners, secrets
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import platform_connections


def connections(warehouse) -> dict[str, str | None]:
    with warehouse.read() as connection:
        return {row.profile_id: row.external_account_id for row in connection.execute(platform_connections.select())}


def test_the_account_of_a_typed_key_is_learned_and_kept(two_profiles, client, account, ring) -> None:
    """With a second key typed in, every delivery of both sellers was dropped as nobody's."""
    with two_profiles.write() as connection:
        for name in ("alice", "fan"):
            profiles.connect(connection, ring, "whop", name, f"key of {name}")
    assert learn_account(two_profiles, "alice", client) == account.id
    assert connections(two_profiles) == {"alice": account.id, "fan": None}
    with pytest.raises(ConfigError, match="alice's already"):
        learn_account(two_profiles, "fan", client)


def test_an_account_without_sales_is_told_by_its_plans_and_an_empty_one_by_nothing(client, account) -> None:
    for table in ("payments", "memberships"):
        account.tables[table].clear()
    assert account_of_key(client) == account.id
    account.tables["plans"].clear()
    assert account_of_key(client) is None


def test_another_accounts_id_is_an_error_and_not_a_day_without_sales(client, account) -> None:
    """Guards: no revenue and exit code 0, because WHOP_ACCOUNT_ID was another seller's."""
    check_account(client, account.id)
    with pytest.raises(ConfigError, match=f"{account.id}, not of biz_other"):
        check_account(client, "biz_other")


def test_whop_account_id_is_only_of_the_profile_with_whop_api_key(monkeypatch) -> None:
    monkeypatch.setenv("WHOP_ACCOUNT_ID", "biz_1")
    monkeypatch.setenv("WHOP_API_KEY", "key_one")
    config = settings.load()
    assert account_id_of(config, None, "key_one") == "biz_1"
    assert account_id_of(config, None, "key_three") is None
    assert account_id_of(config, "biz_3", "key_one") == "biz_3"


def test_a_delivery_goes_to_its_account_else_to_all_whose_account_isnt_known(monkeypatch) -> None:
    monkeypatch.delenv("WHOP_ACCOUNT_ID", raising=False)
    known = [Account("whop", "one", "biz_1", "active"), Account("whop", "buyer", "user_1", "active")]
    new = [Account("whop", name, None, "active") for name in ("two", "three")]
    config = settings.load()

    def whose(account_id: str) -> list[str]:
        delivery = Delivery("whop", "msg_1", "payment.succeeded", {}, account_id=account_id)
        return [account.profile_id for account in owners(delivery, [*known, *new], config)]

    assert whose("biz_1") == ["one"]
    assert whose("biz_2") == ["two", "three"]
    assert owners(Delivery("whop", "msg_1", "x", {}, account_id="biz_9"), known, config) == []


def test_every_listed_secret_counts(monkeypatch) -> None:
    monkeypatch.setenv("WHOP_WEBHOOK_SECRET", "ws_new, ws_old,")
    assert secrets(settings.load()) == ["ws_new", "ws_old"]
