"""Whop's API v1 in the version of :data:`catalog.API_VERSION_DATE`: https://docs.whop.com/developer/api."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from creator_pipeline.core.errors import AuthError
from creator_pipeline.core.http import ApiClient, Pace
from creator_pipeline.core.odd_objects import as_object
from creator_pipeline.core.usage import Usage
from creator_pipeline.platforms.whop import catalog, money_catalog
from creator_pipeline.platforms.whop.answers import (
    BadParameterError,
    NoIdError,
    NotFoundError,
    classify,
    missing,
    no_list,
    parameter,
    refuse_other_dialect,
)
from creator_pipeline.platforms.whop.customers import Customers
from creator_pipeline.platforms.whop.odd import Listed
from creator_pipeline.platforms.whop.paging import all_pages

Json = dict[str, Any]
_PATHS = {**catalog.OPERATIONS, **money_catalog.OPERATIONS}
_PERMISSIONS = {**catalog.PERMISSIONS, **money_catalog.PERMISSIONS}
PaceFor = Callable[[str], Pace]
"""The budget of an operation, ``memberships`` or ``memberships.one``: Whop counts each of a key's operations apart."""


class WhopClient:
    """One account, by its own key. Safe to share between threads.

    Args:
        base_url: ``https://api.whop.com/api/v1`` or a stand-in.
        key: an account key.
        pace: gives each operation its budget.
        customers: a cache of buyers; None to ask the API each time.
        connections: requests under way at the same time.

    Attributes:
        listed: what lists were read since it was taken the last time, and their objects without an id.
    """

    def __init__(
        self, base_url: str, key: str, pace: PaceFor, *, customers: Customers | None = None, connections: int = 8
    ) -> None:
        self._pace = pace
        self._customers = customers
        self.listed = Listed()
        self._read: list[tuple[str, Json, list[Json]]] = []
        self._page_size = catalog.PAGE_SIZE
        self._api = ApiClient(
            base_url=base_url,
            token=key,
            classify=classify,
            pace=pace("memberships"),
            headers={"Api-Version-Date": catalog.API_VERSION_DATE},
            connections=connections,
        )

    def __enter__(self) -> WhopClient:
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

    def take_listed(self) -> Listed:
        """What lists were read since the last call."""
        taken, self.listed = self.listed, Listed()
        return taken

    def take_read(self) -> list[tuple[str, Json, list[Json]]]:
        """(list, parameters, objects) of those of ``KEPT_LISTS`` that were read to their end since the last call."""
        taken, self._read = self._read, []
        return taken

    def fetch_customer(self, member_id: str) -> Json | None:
        """A buyer of the account (``mber_…``): name, e-mail address, amount spent; None where there is none.

        At most an hour old where there is a cache.
        """
        if self._customers is None:
            return self._one("members", member_id)
        member = self._customers.get(member_id)
        if member is not None:
            self.usage.cache_hits += 1
            return member
        self.usage.cache_misses += 1
        member = self._one("members", member_id)
        if member is not None:
            self._customers.keep(member_id, member)
        return member

    def members(self, account_id: str | None = None, *, created_after: datetime | None = None) -> Iterator[Json]:
        """Every buyer of the account."""
        return self._list("members", account_id=account_id, created_after=created_after)

    def membership(self, membership_id: str) -> Json | None:
        """One membership (``mem_…``); None where there is none."""
        return self._one("memberships", membership_id)

    def list_memberships(self, user_id: str) -> list[Json]:
        """Every membership of one customer (``user_…``), newest first."""
        return list(self._list("memberships", user_id=user_id, order="created_at", direction="desc"))

    def memberships(
        self,
        account_id: str | None = None,
        *,
        statuses: Sequence[str] = (),
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Iterator[Json]:
        """Memberships of an account, oldest first, so that one bought meanwhile comes at the end.

        Args:
            account_id: ``biz_…``; None for the account of the key. A wrong one gives an empty list, not an error.
            statuses: any of these; none for all.
            created_after, created_before: exclusive.
        """
        return self._list(
            "memberships",
            account_id=account_id,
            statuses=list(statuses) or None,
            created_after=created_after,
            created_before=created_before,
            order="created_at",
            direction="asc",
        )

    def payment(self, payment_id: str) -> Json | None:
        """One payment (``pay_…``); None where there is none."""
        return self._one("payments", payment_id)

    def payments(
        self,
        account_id: str | None = None,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        status: str | None = None,
    ) -> Iterator[Json]:
        """Payments of an account, oldest first.

        Args:
            account_id: ``biz_…``; None for the account of the key.
            created_after, created_before: exclusive.
            status: only this one.
        """
        return self._list(
            "payments",
            account_id=account_id,
            created_after=created_after,
            created_before=created_before,
            status=status,
            order="created_at",
            direction="asc",
        )

    def refund(self, refund_id: str) -> Json | None:
        """One refund (``rf_…``); None where there is none."""
        return self._one("refunds", refund_id)

    def refunds(
        self,
        account_id: str | None = None,
        *,
        payment_id: str | None = None,
        created_after: datetime | None = None,
    ) -> Iterator[Json]:
        """Refunds of an account or of one payment, oldest first."""
        return self._list(
            "refunds",
            account_id=account_id,
            payment_id=payment_id,
            created_after=created_after,
            order="created_at",
            direction="asc",
        )

    def dispute(self, dispute_id: str) -> Json | None:
        """One dispute (``dspt_…``); None where there is none."""
        return self._one("disputes", dispute_id)

    def disputes(self, account_id: str | None = None, *, created_after: datetime | None = None) -> Iterator[Json]:
        """Disputes against an account, oldest first; the list can't be narrowed to a payment."""
        return self._list(
            "disputes", account_id=account_id, created_after=created_after, order="created_at", direction="asc"
        )

    def dispute_alerts(self, account_id: str | None = None, *, payment_id: str | None = None) -> Iterator[Json]:
        """Dispute alerts of an account or of one payment; the list can't be narrowed by time."""
        return self._list("dispute_alerts", account_id=account_id, payment_id=payment_id)

    def plan(self, plan_id: str) -> Json | None:
        """One plan (``plan_…``); None where there is none."""
        return self._one("plans", plan_id)

    def plans(self, account_id: str | None = None) -> Iterator[Json]:
        """Every plan of the account."""
        return self._list("plans", account_id=account_id)

    def payout(self, payout_id: str) -> Json | None:
        """One payout (``wdrl_…``); None where there is none."""
        return self._one("payouts", payout_id)

    def payouts(self, account_id: str | None = None, *, created_after: datetime | None = None) -> Iterator[Json]:
        """Payouts of an account, newest first.

        ``created_after`` is inclusive.
        """
        return self._list("payouts", account_id=account_id, created_after=created_after)

    def get(self, operation: str, path: str, params: Json | None = None) -> Any:
        """The body of a good answer.

        Args:
            operation: whose budget it is of.
            path: of the request.
            params: of the query.

        Raises:
            AuthError: the key is refused, or lacks a permission, which is named.
        """
        try:
            return self._api.request(path, params, pace=self._pace(operation))
        except NotFoundError as error:
            raise error if operation.endswith(".one") else no_list(operation, path, error) from None
        except AuthError as error:
            if error.revoked:
                raise
            needed = _PERMISSIONS.get(operation.partition(".")[0])
            if needed is None:
                raise
            raise AuthError(
                f"{error.message} {operation} needs {needed}.",
                hint=f"Give the key the permission {needed} under Developer, API keys.",
            ) from None

    def _one(self, operation: str, object_id: str) -> Json | None:
        path = f"{_PATHS[operation]}/{quote(object_id, safe='')}"
        try:
            body = self.get(f"{operation}.one", path)
        except NotFoundError:
            return None
        item = as_object(body)
        refuse_other_dialect(path, item)
        if item.get("id") != object_id:
            error = missing(path, "id", f"the object {object_id}", body)
            raise NoIdError(error.message, hint=error.hint, column="id", expected=f"the object {object_id}")
        return item

    def _page(self, operation: str, path: str, params: Json) -> Json:
        try:
            return self.get(operation, path, {**params, "first": self._page_size})
        except BadParameterError as error:
            if error.parameter != "first" or self._page_size == catalog.SMALL_PAGE_SIZE:
                raise
            self._page_size = catalog.SMALL_PAGE_SIZE
            return self.get(operation, path, {**params, "first": self._page_size})

    def _list(self, operation: str, **filters: Any) -> Iterator[Json]:
        """Every object, page after page; one that a later page repeats comes once, one without an id not at all.

        Raises:
            DataError: a cursor came twice, or an answer lacks its rows or its cursor.
        """
        params = {name: parameter(value) for name, value in filters.items() if value is not None}
        return self.listed.reading(operation, self._rows(operation, params), params)

    def _rows(self, operation: str, params: Json) -> Iterator[Json]:
        path = _PATHS[operation]
        read, kept = list[Json](), operation in catalog.KEPT_LISTS
        for page in self.pages(operation, path, params):
            for row in page:
                refuse_other_dialect(path, row)
                if kept:
                    read.append(row)
                yield row
        if kept:
            self._read.append((operation, params, read))

    def pages(self, operation: str, path: str, asked: Json) -> Iterator[list[Json]]:
        """The pages of a list, of the budget of ``operation``, asked for one by one."""
        return all_pages(path, lambda more: self._page(operation, path, {**asked, **more}))
