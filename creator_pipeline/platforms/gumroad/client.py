"""Gumroad's API: https://gumroad.com/api, and what its public source tells beyond that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from creator_pipeline.core.errors import RejectedError
from creator_pipeline.core.http import ApiClient, Pace, Renew
from creator_pipeline.core.pending_request import PendingRequest
from creator_pipeline.core.usage import Usage
from creator_pipeline.core.windows import DayWindow
from creator_pipeline.platforms.gumroad import catalog
from creator_pipeline.platforms.gumroad.answers import (
    Json,
    NoSuccessError,
    classify,
    object_of,
    objects_of,
    optional,
    repeated_key,
)
from creator_pipeline.platforms.gumroad.payout_calls import PayoutCalls
from creator_pipeline.platforms.gumroad.summary import Totals, totals_of
from creator_pipeline.platforms.gumroad.table_calls import TableCalls


class SalesPage(NamedTuple):
    """Up to ten sales, newest first, and the key of the next page; None on the last one."""

    sales: list[Json]
    next_key: str | None


class GumroadClient:
    """One seller's account. Safe to share between threads.

    Args:
        base_url: ``https://api.gumroad.com`` or a stand-in.
        token: of the seller.
        pace: the token's budget of requests.
        connections: requests under way at the same time.
        renew: returns a new token in place of one that is refused.
        until: moment of ``time.monotonic`` after which nothing more is asked.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        pace: Pace,
        *,
        connections: int = 8,
        renew: Renew | None = None,
        until: float = math.inf,
    ) -> None:
        self._api = ApiClient(
            base_url=base_url,
            token=token,
            classify=classify,
            pace=pace,
            connections=connections,
            renew=renew,
            until=until,
        )
        self.payouts = PayoutCalls(self._api)
        self.tables = TableCalls(self._api)

    def __enter__(self) -> GumroadClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    @property
    def usage(self) -> Usage:
        """Requests, retries and waits so far."""
        return self._api.usage

    def user(self) -> Json:
        """The seller: ``user_id``, ``name``, ``email``…"""
        return object_of(self._api.get("/v2/user"), "user")

    def products(self) -> Iterator[Json]:
        """Every product, newest first, from servers that page the list and from those that don't.

        Raises:
            DataError: a page key came twice.
        """
        key: str | None = None
        seen: set[str] = set()
        while True:
            body = self._api.get("/v2/products", {"page_key": key} if key else None)
            yield from objects_of(body, "products")
            key = _next_key(body)
            if key is None:
                return
            if key in seen:
                raise repeated_key("/v2/products", key)
            seen.add(key)

    def sales_page(self, window: DayWindow, key: str | None = None) -> SalesPage:
        """One page of the sales created within ``window``.

        Raises:
            SlowQueryError: the window is too long for the server.
        """
        return self.start_sales_page(window, key).result()

    def start_sales_page(self, window: DayWindow, key: str | None = None) -> PendingRequest[SalesPage]:
        """Ask for a page without waiting for it; its result is that of :meth:`sales_page`."""
        parameters = {"after": window.start.isoformat(), "before": window.end.isoformat()}
        if key is not None:
            parameters["page_key"] = key
        return self._api.start("/v2/sales", parameters, _sales_page)

    def sale(self, sale_id: str) -> Json | None:
        """One sale in any state; None where there is none, or it is another seller's."""
        try:
            return object_of(self._api.get(f"/v2/sales/{quote(sale_id, safe='')}"), "sale")
        except NoSuccessError as error:
            if error.message.endswith(catalog.NOT_FOUND_SUFFIX):
                return None
            raise

    def listed(self, sale: Json) -> Json | None:
        """The same sale as the list shows it; None where the list leaves it out (a test purchase, say)."""
        found = objects_of(self._api.get("/v2/sales", {"order_id": str(sale.get("order_id"))}), "sales")
        return next((item for item in found if item.get("id") == sale.get("id")), None)

    def summary(self, first: date, last: date) -> Totals | None:
        """Gumroad's own totals per day, both dates inclusive, in the seller's time zone; empty days are left out.

        A day that can't be read stops no other: it is among the totals' ``unknown``.
        None on servers without the endpoint. A range that the server refuses as too long is asked for in halves.
        """
        try:
            body = self._summary(first, last)
        except RejectedError:
            days = (last - first).days
            if days < catalog.SUMMARY_SURE_DAYS:
                raise
            middle = first + timedelta(days=days // 2)
            older, newer = self.summary(first, middle), self.summary(middle + timedelta(days=1), last)
            if older is None or newer is None:
                return None
            older.add(newer)
            return older
        if body is None:
            return None
        return totals_of(objects_of(body, "breakdown"), first, last)

    def _summary(self, first: date, last: date) -> Json | None:
        parameters = {"from": first.isoformat(), "to": last.isoformat(), "group_by": "day"}
        return optional(lambda: self._api.get("/v2/sales/summary", parameters))

    def subscriptions(self, resource_name: str) -> list[Json]:
        """This application's resource subscriptions for one event: ``id``, ``resource_name``, ``post_url``."""
        asked = {"resource_name": resource_name, "current_oauth_application_only": "true"}
        return objects_of(self._api.get("/v2/resource_subscriptions", asked), "resource_subscriptions")

    def subscribe(self, resource_name: str, post_url: str) -> None:
        """Add a resource subscription; Gumroad makes one more for each call."""
        form = {"resource_name": resource_name, "post_url": post_url}
        self._api.request("/v2/resource_subscriptions", method="PUT", data=form)

    def unsubscribe(self, subscription_id: str) -> None:
        """Delete a resource subscription."""
        self._api.request(f"/v2/resource_subscriptions/{quote(subscription_id, safe='')}", method="DELETE")


def _sales_page(body: Any) -> SalesPage:
    return SalesPage(objects_of(body, "sales"), _next_key(body))


def _next_key(body: Json) -> str | None:
    key = body.get("next_page_key")
    return str(key) if key else None
