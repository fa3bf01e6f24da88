"""Gumroad's calls about payouts and earnings: scopes, servers that don't have them, and slow answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple, cast
from urllib.parse import quote

from creator_pipeline.core.errors import AuthError, TransientError
from creator_pipeline.core.http import ApiClient
from creator_pipeline.platforms.gumroad import catalog
from creator_pipeline.platforms.gumroad.answers import (
    Json,
    NoScopeError,
    NotFoundError,
    SlowQueryError,
    object_of,
    objects_of,
    optional,
    repeated_key,
)


class PayoutsPage(NamedTuple):
    """Up to ten payouts, newest first, and the key of the next page; None on the last one."""

    payouts: list[Json]
    next_key: str | None


class PayoutCalls:
    """The calls of one account.

    Args:
        api: with the account's token.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def pages(self, since: date | None = None) -> Iterator[PayoutsPage]:
        """The list of payouts, without planned ones; asked for page by page.

        Args:
            since: only those made on this UTC day or later.

        Raises:
            NoScopeError: the token lacks the scope.
            NotFoundError: the server is older than payouts.
            DataError: a page key came twice.
        """
        asked = {"include_upcoming": "false"} | ({"after": since.isoformat()} if since else {})
        key: str | None = None
        seen: set[str] = set()
        while True:
            body = self._page(asked | ({"page_key": key} if key else {}))
            told = body.get("next_page_key")
            page = PayoutsPage(objects_of(body, "payouts"), str(told) if told else None)
            yield page
            key = page.next_key
            if key is None:
                return
            if key in seen:
                raise repeated_key("/v2/payouts", key)
            seen.add(key)

    def payout(self, payout_id: str) -> Json | None:
        """One payout with its lines; None where there is none. Computed anew for each request, so it may take long.

        Raises:
            TransientError: the server took too long: that is no missing payout.
        """
        asked = {"include_sales": "true", "include_transactions": "true"}
        return optional(lambda: object_of(self._get(f"/v2/payouts/{quote(payout_id, safe='')}", asked), "payout"))

    def upcoming(self) -> list[Json] | None:
        """The planned payouts with their lines, earliest first; None on servers that read the call as an id."""
        asked = {"include_sales": "false", "include_transactions": "true"}
        return optional(lambda: objects_of(self._get("/v2/payouts/upcoming", asked), "payouts"))

    def earnings(self, year: int) -> Json | None:
        """Gumroad's totals of a year; None where it has none of that year.

        Raises:
            NoScopeError: the token lacks the scope, or the account has no tax centre.
        """
        try:
            body = optional(lambda: self._api.get("/v2/earnings", {"year": year}))
        except AuthError as error:
            raise _no_scope(error, catalog.TAX_SCOPE) from None
        return cast("Json", body) if isinstance(body, dict) else None

    def _page(self, asked: dict[str, str]) -> Json:
        body = optional(lambda: self._get("/v2/payouts", asked))
        if body is None:
            raise NotFoundError("This Gumroad knows no payouts.")
        return body

    def _get(self, path: str, parameters: dict[str, str]) -> Json:
        try:
            body = self._api.get(path, parameters)
        except AuthError as error:
            raise _no_scope(error, catalog.PAYOUTS_SCOPE) from None
        except SlowQueryError as error:
            raise TransientError(error.message) from None
        return cast("Json", body) if isinstance(body, dict) else {}


def _no_scope(error: AuthError, scope: str) -> AuthError | NoScopeError:
    if error.revoked:
        return error
    if error.message.startswith("Gumroad: "):
        return NoScopeError(error.message, "")
    return NoScopeError(f"The Gumroad token lacks the scope {scope}.", scope)
