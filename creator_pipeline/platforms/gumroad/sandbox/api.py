"""Gumroad's API v2 over the invented world: the routes, the checks of tokens, the shapes of refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.gumroad.sandbox import tables_api
from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.data import EVENTS, GumroadPart
from creator_pipeline.platforms.gumroad.sandbox.lists import BadParameterError, parse_day, product_page, sales_page
from creator_pipeline.platforms.gumroad.sandbox.oauth import OAuth
from creator_pipeline.platforms.gumroad.sandbox.payouts_api import (
    PAYOUT_SCOPES,
    TAX_SCOPES,
    PayoutsServer,
    earnings,
    payout_json,
    payouts_page,
)
from creator_pipeline.platforms.gumroad.sandbox.replies import (
    JSON,
    PUBLIC_SCOPES,
    SALES_SCOPES,
    answer,
    bad_parameter,
    failure,
)
from creator_pipeline.platforms.gumroad.sandbox.sale_json import product_fields, sale_json
from creator_pipeline.platforms.gumroad.sandbox.shapes import opaque_id
from creator_pipeline.platforms.gumroad.sandbox.summary import GROUPS, summary
from creator_pipeline.sandbox.faults import Faults
from creator_pipeline.sandbox.responses import not_found

NO_STORE = {"cache-control": "no-store, no-cache"}
SUMMARY_MAX_DAYS = 731
Handler = Callable[[Request, GumroadSeller, set[str]], Response]
Answering = Callable[[Request], Awaitable[Response]]


def _unauthorized(reason: str) -> Response:
    header = f'Bearer realm="Doorkeeper", error="invalid_token", error_description="The access token {reason}"'
    return Response(b"", 401, {"www-authenticate": header, **NO_STORE})


@dataclass
class GumroadApi:
    """The routes, and the switches between the older and the newer service.

    Attributes:
        legacy: products come all in one answer, as in 2025.
        has_summary: false answers ``/v2/sales/summary`` as servers do that don't know it.
        payouts_server: how old the service is that answers for payouts; only today's knows earnings.
        unknown_route: what a server answers that doesn't know a route: ``id`` takes its last word for an id, of which
            there is nothing (200, ``success: false``); ``page`` is a 404 in HTML.
        cursor_by_id: pages of sales leave out those whose id is higher than their time tells.
        strict_post_urls: refuses webhook URLs at private addresses, as the real service does; ``localhost`` by that
            name is always refused.
    """

    part: GumroadPart
    faults: Faults
    oauth: OAuth
    legacy: bool = False
    has_summary: bool = True
    payouts_server: PayoutsServer = "2026"
    unknown_route: Literal["id", "page"] = "id"
    cursor_by_id: bool = False
    strict_post_urls: bool = False
    hooks_made: int = 0

    def routes(self) -> list[Route]:
        """Everything under ``/v2`` and ``/oauth``."""
        subscriptions = "/v2/resource_subscriptions"
        return [
            Route("/v2/sales", self._guard(self.sales, SALES_SCOPES)),
            Route("/v2/sales/summary", self._guard(self.summary, SALES_SCOPES)),
            Route("/v2/sales/{id:path}", self._guard(self.sale, SALES_SCOPES)),
            Route("/v2/payouts", self._known_to(("2025", "2026"), self._guard(self.payouts, PAYOUT_SCOPES))),
            Route("/v2/payouts/{id:path}", self._known_to(("2025", "2026"), self._guard(self.payout, PAYOUT_SCOPES))),
            Route("/v2/earnings", self._known_to(("2026",), self._guard(self.earnings, TAX_SCOPES))),
            *tables_api.routes(self, self._guard),
            Route("/v2/products", self._guard(self.products, PUBLIC_SCOPES)),
            Route("/v2/products/{id:path}", self._guard(self.product, PUBLIC_SCOPES)),
            Route("/v2/user", self._guard(self.user, PUBLIC_SCOPES)),
            Route(subscriptions, self._guard(self.list_hooks, SALES_SCOPES), methods=["GET"]),
            Route(subscriptions, self._with_form(self.add_hook), methods=["PUT"]),
            Route(subscriptions + "/{id:path}", self._guard(self.remove_hook, SALES_SCOPES), methods=["DELETE"]),
            *self.oauth.routes(),
        ]

    def _seller(self, request: Request, scopes: frozenset[str]) -> tuple[GumroadSeller, set[str]] | Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.query_params.get("access_token", "")
        found = self.part.bearer(token)
        if found is None:
            return _unauthorized("is invalid")
        seller, grant = found
        if grant.revoked:
            return _unauthorized("was revoked")
        if not grant.scopes & scopes:
            return Response(b"", 403, NO_STORE)
        return seller, grant.scopes

    def _guard(self, handler: Handler, scopes: frozenset[str]) -> Answering:
        async def guarded(request: Request) -> Response:
            owner = self._seller(request, scopes)
            if isinstance(owner, Response):
                return owner
            try:
                with self.part.lock:
                    owner[0].books.run.until(owner[0].clock())
                    return handler(request, *owner)
            except BadParameterError as error:
                return bad_parameter(str(error))

        return guarded

    def sales(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """A page of ten sales, newest first."""
        fault = request.scope.get("sandbox_fault")
        if fault == "arrivals" and "page_key" in request.query_params:
            self.part.add_sale(seller.profile)
        slow = self.faults.slow_window_days
        body = sales_page(seller, request.query_params, fault, slow, cursor_by_id=self.cursor_by_id)
        return Response(body, 200, media_type=JSON)

    def sale(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """One sale, also such as the list leaves out."""
        sale = seller.sales.get(request.path_params["id"])
        if sale is None:
            return failure("The sale was not found.")
        row = sale_json(sale, seller.seller_id, seller.zone, seller.clock())
        return Response(b'{"success":true,"sale":' + row + b"}", 200, media_type=JSON)

    def summary(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """The platform's totals; ``from`` and ``to`` inclusive, in the seller's zone, by default the last 30 days.

        Raises:
            BadParameterError: ``group_by`` is unknown, a date is malformed, ``from`` is after ``to``, or the range is
                too long; the service answers with 400.
        """
        if not self.has_summary:
            return self._unknown("sale")
        asked = request.query_params
        group_by = asked.get("group_by") or None
        if group_by and group_by not in GROUPS:
            raise BadParameterError(f"Invalid group_by. Valid values are: {', '.join(GROUPS)}.")
        local_today = datetime.fromtimestamp(seller.clock(), seller.zone).date()
        start = parse_day(asked["from"], "from") if asked.get("from") else None
        end = parse_day(asked["to"], "to") if asked.get("to") else local_today
        start = start or end - timedelta(days=29)
        if start > end:
            raise BadParameterError("'from' must be on or before 'to'.")
        if (end - start).days > SUMMARY_MAX_DAYS:
            raise BadParameterError(f"Date range cannot exceed {SUMMARY_MAX_DAYS} days.")
        return answer(**summary(seller, start, end, group_by))

    def _known_to(self, servers: tuple[PayoutsServer, ...], route: Answering) -> Answering:
        async def known(request: Request) -> Response:
            return await route(request) if self.payouts_server in servers else self._unknown("payout")

        return known

    def _unknown(self, object_name: str) -> Response:
        return not_found() if self.unknown_route == "page" else failure(f"The {object_name} was not found.")

    def payouts(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """A page of ten payouts, newest first, planned ones before them."""
        return answer(**payouts_page(seller, request.query_params, self.payouts_server))

    def payout(self, request: Request, seller: GumroadSeller, scopes: set[str]) -> Response:
        """One payout whole, or as ``upcoming`` those to come, earliest first."""
        asked, old, wanted = request.query_params, self.payouts_server == "2025", request.path_params["id"]
        lists = bool(scopes & SALES_SCOPES) and (old or asked.get("include_sales") != "false")
        lines = not old and asked.get("include_transactions") == "true"
        if wanted == "upcoming" and not old:
            planned = seller.books.run.upcoming(seller.clock())
            return answer(payouts=[payout_json(seller, one, lists=lists, transactions=lines) for one in planned])
        found = next((one for one in seller.books.run.payouts if one.id == wanted), None)
        if found is None:
            return failure("The payout was not found.")
        return answer(payout=payout_json(seller, found, lists=lists, transactions=lines))

    def earnings(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """A year's figures, as the tax centre shows them."""
        if not seller.tax_center:
            return failure("Tax center is not enabled for this account.", 403)
        year = request.query_params.get("year", "")
        told = earnings(seller, int(year)) if year.isdigit() else None
        return failure(f"Earnings are not available for {year}.", 404) if told is None else answer(**told)

    def products(self, request: Request, seller: GumroadSeller, scopes: set[str]) -> Response:
        """Products, newest first, ten a page; drafts too."""
        products, further = product_page(seller, request.query_params, legacy=self.legacy)
        totals = bool(scopes & SALES_SCOPES)
        rows = [product_fields(product, seller.profile, with_totals=totals) for product in products]
        return answer(products=rows, **further)

    def product(self, request: Request, seller: GumroadSeller, scopes: set[str]) -> Response:
        """One product by id or permalink."""
        product = seller.product(request.path_params["id"])
        if product is None:
            return failure("The product was not found.")
        return answer(product=product_fields(product, seller.profile, with_totals=bool(scopes & SALES_SCOPES)))

    def user(self, _request: Request, seller: GumroadSeller, scopes: set[str]) -> Response:
        """Who the token belongs to."""
        url = f"https://{seller.profile}.gumroad.com"
        user = {"bio": None, "name": seller.name, "twitter_handle": None, "user_id": seller.user_id, "url": url}
        if scopes & SALES_SCOPES:
            user["email"] = seller.email
        return answer(user=user)

    def list_hooks(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """The webhooks of one ``resource_name``."""
        name = request.query_params.get("resource_name")
        if name not in EVENTS:
            return failure("Valid resource_name parameter required")
        return answer(resource_subscriptions=[h for h in seller.subscriptions if h["resource_name"] == name])

    def _with_form(
        self, handler: Callable[[GumroadSeller, dict[str, str]], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            owner = self._seller(request, SALES_SCOPES)
            if isinstance(owner, Response):
                return owner
            form = {key: str(value) for key, value in (await request.form()).items()}
            with self.part.lock:
                return handler(owner[0], {**request.query_params, **form})

        return guarded

    def add_hook(self, seller: GumroadSeller, form: dict[str, str]) -> Response:
        """One more webhook; asking twice makes two."""
        name, post_url = form.get("resource_name", ""), form.get("post_url", "")
        if name not in EVENTS:
            return failure(f"Unable to subscribe to '{name}'.")
        if not self._is_public(post_url):
            return failure(f"Invalid post URL '{post_url}'")
        self.hooks_made += 1
        hook = {"id": opaque_id(seller.seller_id, "hook", self.hooks_made), "resource_name": name, "post_url": post_url}
        seller.subscriptions.append(hook)
        return answer(resource_subscription=hook)

    def _is_public(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.hostname == "localhost":
            return False
        try:
            return ip_address(parts.hostname).is_global or not self.strict_post_urls
        except ValueError:
            return True

    def remove_hook(self, request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        """Takes a webhook away."""
        hook = next((h for h in seller.subscriptions if h["id"] == request.path_params["id"]), None)
        if hook is None:
            return failure("The resource_subscription was not found.")
        seller.subscriptions.remove(hook)
        return answer(message="The resource_subscription was deleted successfully.")
