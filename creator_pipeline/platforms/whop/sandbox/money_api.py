"""Routes of the money: feed, payouts, balances, reports, fees of a payment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

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


class Asked(NamedTuple):
    """A request that was let in; ``sized`` makes the rows of a page of the name of a parameter."""

    part: WhopPart
    request: Request
    account: WhopAccount
    sized: Callable[[str], int]


Handler = Callable[[Asked], Json]
MONEY_NEEDS: Mapping[str, frozenset[str]] = {
    "financial_activity": frozenset({"company:balance:read"}),
    "financial_reports": frozenset({"company:balance:read"}),
    "ledger_accounts": frozenset({"company:balance:read", "payout:account:read"}),
    "payouts": frozenset({"payout:withdrawal:read"}),
    "payment_fees": frozenset({"payment:basic:read"}),
}
"""Permissions that each list needs. A server without these lists is the older dialect."""


def activity(asked: Asked) -> Json:
    """``GET /financial_activity``."""
    return feed_page(asked.request, asked.account, asked.part.readings, asked.sized("limit"))


def reports(asked: Asked) -> Json:
    """``GET /financial_reports``."""
    return report(asked.request.query_params, asked.account)


def ledger_account(asked: Asked) -> Json:
    """``GET /ledger_accounts/{id}``.

    Raises:
        RefusedError: another's.
    """
    if asked.request.path_params["id"] not in (asked.account.id, ident("ldgr_", asked.account.id)):
        raise not_found()
    return ledger_account_json(asked.account)


def payment_fees(asked: Asked) -> Json:
    """``GET /payments/{id}/fees``: all on one page.

    Raises:
        RefusedError: no such payment.
    """
    if asked.request.path_params["id"] not in asked.account.tables["payments"]:
        raise not_found()
    return page_of(fees_json(asked.account.books, asked.request.path_params["id"]), more=False, later=False)


def payout(asked: Asked) -> Json:
    """``GET /payouts/{id}``.

    Raises:
        RefusedError: no such payout.
    """
    found = asked.account.books.payouts.get(asked.request.path_params["id"])
    if found is None:
        raise not_found()
    return one_payout_json(found, asked.account, asked.part.readings)


def payouts(asked: Asked) -> Json:
    """``GET /payouts``, newest first.

    Raises:
        RefusedError: no owner is named.
    """
    query, size = asked.request.query_params, asked.sized("first")
    if "account_id" not in query:
        raise bad("account_id", "Provide account_id or user_id.")
    after, before = moment_of(query, "created_after"), moment_of(query, "created_before")
    rows = [
        one
        for one in asked.account.books.payouts.values()
        if query["account_id"] == asked.account.id
        and all(query.get(name, getattr(one, name)) == getattr(one, name) for name in ("currency", "status", "source"))
        and (after is None or one.created_at >= after)
        and (before is None or one.created_at < before)
    ]
    rows.sort(key=_mark, reverse=True)
    mark = query.get("after")
    start = sum(_mark(one) >= tuple(read_cursor(mark, "after")) for one in rows) if mark else 0
    page = rows[start : start + size]
    data = [payout_json(one, asked.part.readings) for one in page]
    more = len(rows) > start + size
    return page_of(data, cursor(_mark(page[-1])) if more else None, more=more, later=bool(mark))


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
