"""Routes of the money: feed, payouts, balances, reports, fees of a payment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request

from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.books_json import (
    fees_json,
    ledger_account_json,
    one_payout_json,
    payout_json,
)
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.platforms.whop.sandbox.feed import feed_page
from creator_pipeline.platforms.whop.sandbox.object_json import Json, ident
from creator_pipeline.platforms.whop.sandbox.payout import Payout
from creator_pipeline.platforms.whop.sandbox.refusals import (
    bad,
    cursor,
    moment_of,
    not_found,
    page_of,
    read_cursor,
)
from creator_pipeline.platforms.whop.sandbox.reports import report

Sized = Callable[[str], int]
"""(name of the parameter) to the rows of a page."""
Handler = Callable[[WhopPart, Request, WhopAccount, Sized], Json]
MONEY_NEEDS: Mapping[str, frozenset[str]] = {
    "financial_activity": frozenset({"company:balance:read"}),
    "financial_reports": frozenset({"company:balance:read"}),
    "ledger_accounts": frozenset({"company:balance:read", "payout:account:read"}),
    "payouts": frozenset({"payout:withdrawal:read"}),
    "payment_fees": frozenset({"payment:basic:read"}),
}
"""Permissions that each list needs. A server without these lists is the older dialect."""


def activity(part: WhopPart, request: Request, account: WhopAccount, sized: Sized) -> Json:
    """``GET /financial_activity``."""
    return feed_page(request, account, part.readings, sized("limit"))


def reports(_part: WhopPart, request: Request, account: WhopAccount, _sized: Sized) -> Json:
    """``GET /financial_reports``."""
    return report(request.query_params, account)


def ledger_account(_part: WhopPart, request: Request, account: WhopAccount, _sized: Sized) -> Json:
    """``GET /ledger_accounts/{id}``.

    Raises:
        RefusedError: another's.
    """
    if request.path_params["id"] not in (account.id, ident("ldgr_", account.id)):
        raise not_found()
    return ledger_account_json(account)


def payment_fees(_part: WhopPart, request: Request, account: WhopAccount, _sized: Sized) -> Json:
    """``GET /payments/{id}/fees``: all on one page.

    Raises:
        RefusedError: no such payment.
    """
    if request.path_params["id"] not in account.tables["payments"]:
        raise not_found()
    return page_of(fees_json(account.books, request.path_params["id"]), more=False, later=False)


def payout(part: WhopPart, request: Request, account: WhopAccount, _sized: Sized) -> Json:
    """``GET /payouts/{id}``.

    Raises:
        RefusedError: no such payout.
    """
    found = account.books.payouts.get(request.path_params["id"])
    if found is None:
        raise not_found()
    return one_payout_json(found, account, part.readings)


def payouts(part: WhopPart, request: Request, account: WhopAccount, sized: Sized) -> Json:
    """``GET /payouts``, newest first.

    Raises:
        RefusedError: no owner is named.
    """
    query, size = request.query_params, sized("first")
    if "account_id" not in query:
        raise bad("account_id", "Provide account_id or user_id.")
    after, before = moment_of(query, "created_after"), moment_of(query, "created_before")
    rows = [
        one
        for one in account.books.payouts.values()
        if query["account_id"] == account.id
        and all(query.get(name, getattr(one, name)) == getattr(one, name) for name in ("currency", "status", "source"))
        and (after is None or one.created_at >= after)
        and (before is None or one.created_at < before)
    ]
    rows.sort(key=_mark, reverse=True)
    asked = query.get("after")
    start = sum(_mark(one) >= tuple(read_cursor(asked, "after")) for one in rows) if asked else 0
    page = rows[start : start + size]
    data = [payout_json(one, part.readings) for one in page]
    more = len(rows) > start + size
    return page_of(data, cursor(_mark(page[-1])) if more else None, more=more, later=bool(asked))


def _mark(one: Payout) -> tuple[str, str]:
    return one.created_at.isoformat(), one.id


ROUTES: Mapping[str, tuple[str, Handler]] = {
    "/financial_activity": ("financial_activity", activity),
    "/financial_reports": ("financial_reports", reports),
    "/ledger_accounts/{id}": ("ledger_accounts", ledger_account),
    "/payments/{id}/fees": ("payment_fees", payment_fees),
    "/payouts": ("payouts", payouts),
    "/payouts/{id}": ("payouts", payout),
}
"""By path: the list that a server may lack, and what answers."""
