"""Whop's money of the sandbox, asked for over HTTP as a pipeline asks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.api import VERSION
from creator_pipeline_tests.support import local_http
from creator_pipeline_tests.support.sandbox import SandboxServer


def answer(server: SandboxServer, account: WhopAccount, path: str, **params: Any) -> httpx.Response:
    """The answer to one request with the account's key."""
    headers = {"authorization": f"Bearer {account.key}", "api-version-date": VERSION}
    return local_http.get(f"{server.whop_url}/{path}", params=params, headers=headers)


def ask(server: SandboxServer, account: WhopAccount, path: str, **params: Any) -> Any:
    """The JSON of an answer that must be good."""
    said = answer(server, account, path, account_id=account.id, **params)
    assert said.status_code == 200, said.text
    return said.json()


def feed(server: SandboxServer, account: WhopAccount, **params: Any) -> list[dict[str, Any]]:
    """All rows of the feed, page after page, as they come."""
    rows: list[dict[str, Any]] = []
    page = ask(server, account, "financial_activity", **params)
    while True:
        rows += page["data"]
        if not page["page_info"]["has_next_page"]:
            return rows
        page = ask(server, account, "financial_activity", cursor=page["page_info"]["end_cursor"], **params)


def exact(row: dict[str, Any]) -> Decimal:
    """The amount of a row of the feed, in units of its currency."""
    return Decimal(row["amount"]) / Decimal(row["currency"]["precision"])


def added(rows: list[dict[str, Any]], currency: str = "usd") -> Decimal:
    """The rows of a currency, added up."""
    return sum((exact(row) for row in rows if row["currency"]["code"] == currency), Decimal(0))


ALL = {"balance_type": "total", "limit": 100}


def paths(account) -> dict[str, str]:
    """A path for each list that needs a permission."""
    payment = next(row["id"] for row in account.tables["payments"].values() if row["status"] == "paid")
    return {
        "financial_activity": "financial_activity",
        "financial_reports": "financial_reports",
        "ledger_accounts": f"ledger_accounts/{account.id}",
        "payouts": "payouts",
        "payment_fees": f"payments/{payment}/fees",
    }


def report(server, account, kind="balance_activity", **params):
    return ask(server, account, "financial_reports", report_type=kind, **params)
