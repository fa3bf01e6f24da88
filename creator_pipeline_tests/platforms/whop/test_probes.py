"""What the doctor says of the money of an account."""

import pytest

from creator_pipeline import settings
from creator_pipeline.core.errors import AuthError
from creator_pipeline.platforms.webhooks import Account as Connected
from creator_pipeline.platforms.whop import probes
from creator_pipeline_tests.support.whop_money import ACCOUNT, Account, serving


def lines(account: Account, monkeypatch, account_id: str | None = ACCOUNT) -> dict[str, tuple[str, str]]:
    """State and hint of the doctor's lines about money, by the last word of their name."""
    with serving(account) as url:
        monkeypatch.setenv("WHOP_API_URL", url)
        found = list(probes.account(settings.load(), Connected("whop", "alice", account_id, "active"), "key"))
    about = {"books", "financial_activity", "ledger_accounts", "financial_reports", "payouts"}
    return {word: (each.state, each.hint) for each in found if (word := each.name.rpartition(" ")[2]) in about}


def test_all_parts_can_be_read(monkeypatch) -> None:
    assert lines(Account(), monkeypatch) == {"books": ("ok", "")}


def test_each_part_that_cant_be_read_is_named_with_what_to_do(monkeypatch) -> None:
    """Guards: estimated fees for a year, because nobody said which permission was lacking."""
    account = Account()
    account.refused = {"/payouts": 403, "/financial_reports": 404, "/ledger_accounts": 422}
    found = lines(account, monkeypatch)
    assert {word: state for word, (state, _) in found.items()} == {
        "payouts": "no",
        "financial_reports": "off",
        "ledger_accounts": "no",
    }
    assert "payout:withdrawal:read" in found["payouts"][1]


def test_an_account_without_its_id_is_told(monkeypatch) -> None:
    assert lines(Account(), monkeypatch, None)["books"][0] == "unknown"


def test_a_refused_key_is_no_lack_of_a_permission(monkeypatch) -> None:
    account = Account()
    account.refused = {"/financial_activity": 401}
    with pytest.raises(AuthError):
        lines(account, monkeypatch)
