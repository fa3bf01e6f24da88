"""Whose account a key is of, and which profile a delivery is for."""

import pytest

from creator_pipeline import settings
from creator_pipeline.core.errors import ConfigError
from creator_pipeline.platforms.webhooks import Account, Delivery
from creator_pipeline.platforms.whop.access import account_id_of, account_of_key, check_account, whop_access
from creator_pipeline.platforms.whop.webhook import owners, secrets
from creator_pipeline.store import profiles
from creator_pipeline.store.accounts import OtherAccountError
from creator_pipeline.store.tables import platform_connections
from creator_pipeline_tests.support.accounts import book


def connections(warehouse) -> dict[str, str | None]:
    with warehouse.read() as connection:
        return {row.profile_id: row.external_account_id for row in connection.execute(platform_connections.select())}


@pytest.fixture
def at_whop(server, monkeypatch) -> None:
    """The environment of an installation whose Whop is the sandbox."""
    monkeypatch.setenv("WHOP_API_URL", server.whop_url)
    monkeypatch.setenv("WHOP_REQUESTS_PER_MINUTE", "60000000")
    for name in ("WHOP_ACCOUNT_ID", "WHOP_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def use(warehouse, profile_id: str) -> str | None:
    access = whop_access(settings.load(), warehouse, profile_id)
    access.client.close()
    return access.account_id


def test_the_account_of_a_typed_key_is_learned_and_kept(two_profiles, account, ring, at_whop) -> None:
    """With a second key typed in, every delivery of both sellers was dropped as nobody's."""
    with two_profiles.write() as connection:
        for name in ("alice", "fan"):
            profiles.connect(connection, ring, "whop", name, account.key)
    assert use(two_profiles, "alice") == account.id
    assert connections(two_profiles) == {"alice": account.id, "fan": None}
    with pytest.raises(OtherAccountError, match="another profile's already"):
        use(two_profiles, "fan")


def test_a_key_of_another_account_reads_nothing_into_a_profile_with_sales(
    two_profiles, server, account, ring, at_whop
) -> None:
    """A key of another account replaced a profile's ledger, and no row said so."""
    other = next(one for one in server.world.whop.values() if one.id != account.id)
    with two_profiles.write() as connection:
        profiles.connect(connection, ring, "whop", "alice", account.key)
    use(two_profiles, "alice")
    with two_profiles.write() as connection:
        book(connection, "alice", "whop", "pay_1")
        profiles.connect(connection, ring, "whop", "alice", other.key)
    with pytest.raises(OtherAccountError, match=f"of the Whop account {account.id}.* to the account {other.id}"):
        use(two_profiles, "alice")
    other.tables["payments"].clear()
    other.tables["memberships"].clear()
    other.tables["plans"].clear()
    with pytest.raises(OtherAccountError, match="can't be told"):
        use(two_profiles, "alice")


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
