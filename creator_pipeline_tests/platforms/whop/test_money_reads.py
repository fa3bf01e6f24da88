"""Balances and reports whose answer lacks something: told, and the feed and its ledger go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from creator_pipeline.platforms.whop import money_client
from creator_pipeline.platforms.whop.books import BOOKS
from creator_pipeline.platforms.whop.client import WhopClient
from creator_pipeline.platforms.whop.sync_money import load_money
from creator_pipeline.store.tables import platform_balances, whop_financial_activity
from creator_pipeline_tests.support.tables import rows
from creator_pipeline_tests.support.whop_money import ACCOUNT, Account, opened

SPOILED = {"ledger_account": ("ledger_accounts", "balances"), "financial_report": ("financial_reports", "rows")}


@pytest.fixture
def client() -> Iterator[WhopClient]:
    with opened(Account()) as made:
        yield made


def balances(warehouse) -> list[tuple[object, ...]]:
    """What is stored, without the moments."""
    return [row[:5] for row in rows(warehouse, platform_balances)]


@pytest.mark.parametrize("call", SPOILED)
@pytest.mark.parametrize("odd", [None, [{"currency": "usd"}]])
def test_an_odd_balance_or_report_is_told_and_the_lines_are_stored(
    two_profiles, client, monkeypatch: pytest.MonkeyPatch, call: str, odd: object
) -> None:
    """Incident: one balance without its currency, and no line of the feed was stored that night, nor the next."""
    part, key = SPOILED[call]
    load_money(two_profiles, client, "alice", ACCOUNT)
    before = balances(two_profiles)
    whole = getattr(money_client, call)

    def spoiled(*asked: Any) -> dict[str, Any]:
        return {**whole(*asked), key: odd}

    with monkeypatch.context() as patched:
        patched.setattr(money_client, call, spoiled)
        load_money(two_profiles, client, "alice", ACCOUNT)
    with two_profiles.read() as connection:
        [told] = BOOKS.not_readable(connection, "alice")
        assert connection.execute(select(func.count()).select_from(whop_financial_activity)).scalar_one()
    assert told.table == part
    assert "can't be read" in told.detail
    assert "again each night" in told.hint
    assert balances(two_profiles) == before
    load_money(two_profiles, client, "alice", ACCOUNT)
    with two_profiles.read() as connection:
        assert list(BOOKS.not_readable(connection, "alice")) == []
