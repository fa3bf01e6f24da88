"""Whop's calls about money: the feed, balances and reports. The feed pages by ``limit`` and ``cursor``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote

from creator_pipeline.core.errors import DataError
from creator_pipeline.platforms.whop import money_catalog as catalog
from creator_pipeline.platforms.whop.answers import Json, missing, next_cursor, rows
from creator_pipeline.platforms.whop.client import WhopClient


def activity(
    client: WhopClient, account_id: str, *, posted_after: datetime | None = None, payout_id: str | None = None
) -> Iterator[Json]:
    """Lines of an account's feed, each once, in the server's order.

    Args:
        client: of the account.
        account_id: ``biz_…``.
        posted_after: exclusive; None for all.
        payout_id: the statement of this payout instead of the whole balance.

    Raises:
        DataError: a cursor came twice, or an answer lacks its rows or its cursor.
    """
    path = catalog.OPERATIONS["financial_activity"]
    params: Json = {"account_id": account_id, "limit": catalog.LINES_A_PAGE}
    # Without a type of balance the feed leaves movements out.
    params |= {"balance_type": "available", "withdrawal_id": payout_id} if payout_id else {"balance_type": "total"}
    if posted_after is not None:
        params["posted_after"] = _text(posted_after)
    return client.listed.reading("financial_activity", _lines(client, path, dict(params)), params)


def _lines(client: WhopClient, path: str, params: Json) -> Iterator[Json]:
    cursors: set[str] = set()
    while True:
        body = client.get("financial_activity", path, params)
        yield from rows(path, body)
        cursor = next_cursor(path, body)
        if cursor is None:
            return
        if cursor in cursors:
            raise DataError(
                f"Whop {path}: the cursor {cursor} came twice.",
                hint="Nothing was written. Run it again; if it stays, the API has changed.",
                column="page_info.end_cursor",
            )
        cursors.add(cursor)
        params["cursor"] = cursor


def ledger_account(client: WhopClient, account_id: str) -> Json:
    """The account with its balances.

    Args:
        client: of the account.
        account_id: ``biz_…``.
    """
    path = f"{catalog.OPERATIONS['ledger_accounts']}/{quote(account_id, safe='')}"
    return _object(path, client.get("ledger_accounts.one", path))


def financial_report(client: WhopClient, account_id: str, currency: str, start: datetime, end: datetime) -> Json:
    """Movements of an account by month and line type.

    Args:
        client: of the account.
        account_id: ``biz_…``.
        currency: lower case.
        start, end: half-open.
    """
    path = catalog.OPERATIONS["financial_reports"]
    params = {
        "account_id": account_id,
        "report_type": "balance_activity",
        "currency": currency,
        "from": _text(start),
        "to": _text(end),
        "group_by": "month",
        "timezone": "UTC",
    }
    return _object(path, client.get("financial_reports", path, params))


def _object(path: str, body: object) -> Json:
    """An answer that is one object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(body, dict):
        raise missing(path, "the object", "an object", body)
    return cast("Json", body)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
