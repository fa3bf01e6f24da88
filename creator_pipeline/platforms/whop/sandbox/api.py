"""Whop's API v1 over the invented world, in the dialect 2026-10-15-1 and no other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.whop.sandbox import tables
from creator_pipeline.platforms.whop.sandbox.account import WhopAccount
from creator_pipeline.platforms.whop.sandbox.data import WhopPart
from creator_pipeline.platforms.whop.sandbox.money_api import MONEY_NEEDS, ROUTES, Asked, Handler
from creator_pipeline.platforms.whop.sandbox.object_json import Json
from creator_pipeline.platforms.whop.sandbox.refusals import (
    RefusedError,
    bad,
    cursor,
    forbidden,
    moment_of,
    not_found,
    page_of,
    read_cursor,
    size_of,
)

PREFIX = "/api/v1"
VERSION = "2026-10-15-1"
NEEDS = {
    "memberships": "member:basic:read",
    "members": "member:basic:read",
    "payments": "payment:basic:read",
    "refunds": "payment:basic:read",
    "disputes": "payment:dispute:read",
    "dispute_alerts": "payment:dispute:read",
    "plans": "plan:basic:read",
    **tables.MORE_NEEDS,
}
"""Permission that each list of objects needs."""
STATUS_FILTERS = frozenset(
    {
        "active",
        "trialing",
        "past_due",
        "completed",
        "canceled",
        "expired",
        "canceling",
        "paused",
        "expiring",
        "one_time",
        "unclaimed",
        "banned",
    }
)
LIVING = frozenset({"active", "trialing", "past_due"})


@dataclass
class WhopApi:
    """The routes, and the switches.

    Attributes:
        page_limit: rows of a page at most; a larger ``first`` is cut to it.
        refuse_large_pages: a larger ``first`` is a 400 instead.
        budget: requests of one operation and key in any minute; None is no limit. The 429 tells its delay in the
            text only.
        without: lists that this server doesn't have: tables, or names of ``MONEY_NEEDS``.
        between_pages: called before a page that follows another, to change the world while it is read.
    """

    part: WhopPart
    page_limit: int = 100
    refuse_large_pages: bool = False
    budget: int | None = None
    without: frozenset[str] = frozenset()
    between_pages: Callable[[], None] | None = None
    _passed: dict[tuple[str, str], deque[float]] = field(default_factory=dict[tuple[str, str], deque[float]])

    def routes(self) -> list[Route]:
        """Everything under ``/api/v1``."""
        money = [
            Route(f"{PREFIX}{path}", self._answer(self._money(handler), name))
            for path, (name, handler) in ROUTES.items()
        ]
        return [
            *money,
            *(Route(f"{PREFIX}/{name}", self._answer(self._list, name)) for name in NEEDS),
            Route(f"{PREFIX}/{{table}}", self._answer(self._list)),
            Route(f"{PREFIX}/{{table}}/{{id}}", self._answer(self._one)),
        ]

    def _answer(
        self, handler: Callable[[Request, WhopAccount], Json], name: str | None = None
    ) -> Callable[[Request], Response]:
        def answered(request: Request) -> Response:
            try:
                account = self._guard(request, name or request.path_params["table"])
                with self.part.lock:
                    body, status = handler(request, account), 200
            except RefusedError as error:
                body, status = {"error": error.error}, error.status
            return Response(orjson.dumps(body), status, media_type="application/json")

        return answered

    def _money(self, handler: Handler) -> Callable[[Request, WhopAccount], Json]:
        def answered(request: Request, account: WhopAccount) -> Json:
            query = request.query_params
            if self.between_pages and (query.get("cursor") or query.get("after")):
                self.between_pages()
            return handler(Asked(self.part, request, account, lambda name: self._size(query, name)))

        return answered

    def _guard(self, request: Request, table: str) -> WhopAccount:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        account = self.part.bearer(key) if scheme == "Bearer" else None
        if account is None or account.revoked:
            raise RefusedError(401, "unauthorized", "Invalid or missing API key")
        version = request.headers.get("api-version-date")
        if version != VERSION:
            # The service answers a missing header in the shape the key was pinned to; here it must not be forgotten.
            raise bad("Api-Version-Date", f"Unknown API version {version or 'none'}. Supported: {VERSION}.")
        needs = MONEY_NEEDS.get(table) or ({NEEDS[table]} - {""} if table in NEEDS else None)
        if needs is None or table in self.without:
            raise not_found()
        one = "id" in request.path_params
        # Whoever has the id of a payout may see a part of it.
        if not (table == "payouts" and one) and not needs <= account.permissions:
            raise forbidden()
        self._spend(f"{table}.one" if one else table, key)
        return account

    def _spend(self, operation: str, key: str) -> None:
        if self.budget is None:
            return
        now = time.monotonic()
        passed = self._passed.setdefault((operation, key), deque())
        while passed and passed[0] <= now - 60:
            passed.popleft()
        if len(passed) >= self.budget:
            wait = max(1, round(60 - (now - passed[0])))
            raise RefusedError(429, "rate_limit_exceeded", f"Try again in {wait} seconds.")
        passed.append(now)

    def _one(self, request: Request, account: WhopAccount) -> Json:
        table: str = request.path_params["table"]
        row = account.tables[tables.KEPT_AS.get(table, table)].get(request.path_params["id"])
        if row is None:
            raise not_found()
        return _seen(row, account)

    def _list(self, request: Request, account: WhopAccount) -> Json:
        query, table = request.query_params, request.url.path.rpartition("/")[2]
        after = query.get("after")
        if after and self.between_pages:
            self.between_pages()
        size = self._size(query, "first")
        if table in {"products", "promo_codes"} and "account_id" not in query:
            raise bad("account_id")  # The service answers for products with those of everybody.
        held = account.tables[tables.KEPT_AS.get(table, table)].values()
        rows = [row for row in held if _fits(row, table, query, account) and tables.listed(row, table, {**query})]
        down = query.get("direction", "desc") == "desc"
        rows.sort(key=_key, reverse=down)
        before = 0
        if after:
            mark = tuple(read_cursor(after, "after"))
            before = sum(_key(row) >= mark if down else _key(row) <= mark for row in rows)
        page = rows[before : before + size]
        more = len(rows) > before + size
        ends = [cursor(_key(row)) for row in page]
        if request.scope.get("sandbox_fault") == "repeat_key" and after:
            ends, more = [after], True
        data, (start, end) = [_seen(row, account) for row in page], (ends[0], ends[-1]) if ends else (None, None)
        return page_of(data, end, start=start, more=more, later=bool(after))

    def _size(self, query: QueryParams, name: str) -> int:
        return size_of(query, name, self.page_limit, refuse=self.refuse_large_pages)


def _key(row: Json) -> tuple[str, str]:
    return row["created_at"], row["id"]


def _fits(row: Json, table: str, query: QueryParams, account: WhopAccount) -> bool:
    # Another account's id is an empty list, not an error.
    if query.get("account_id", account.id) != account.id:
        return False
    for name in ("user_id", "member_id", "membership_id", "plan_id", "product_id", "payment_id"):
        if name in query and row.get(name) != query[name]:
            return False
    for name in ("plan_ids", "product_ids"):
        if name in query and row.get(name[:-1]) not in query.getlist(name):
            return False
    created = datetime.fromisoformat(row["created_at"])
    after, before = moment_of(query, "created_after"), moment_of(query, "created_before")
    if (after and created <= after) or (before and created >= before):
        return False
    wanted = [*query.getlist("statuses"), *query.getlist("status")]
    if not wanted:
        return True
    return _has_status(row, wanted) if table == "memberships" else row["status"] in wanted


def _has_status(row: Json, wanted: Sequence[str]) -> bool:
    if set(wanted) - STATUS_FILTERS:
        raise bad("statuses")
    living = row["status"] in LIVING
    ending = living and row["cancel_at_period_end"]
    words = {"canceling" if ending or row["status"] == "canceling" else row["status"]}
    words |= {"unclaimed"} if row["user_id"] is None else set()
    return bool(words & set(wanted))


def _seen(row: Json, account: WhopAccount) -> Json:
    """The object as the key may see it: a field without its permission is null."""
    hidden: list[str] = []
    if "member:email:read" not in account.permissions:
        hidden += ["email", "customer_email"]
    if "member:basic:read" not in account.permissions and "payments_failed" in row:
        hidden += ["member_id", "membership_id"]
    return row | dict.fromkeys(key for key in hidden if key in row)
