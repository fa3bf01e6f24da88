"""Routes of the lists beside products, sales and payouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from creator_pipeline.platforms.gumroad.sandbox import tables
from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller
from creator_pipeline.platforms.gumroad.sandbox.lists import TIMED_OUT, BadParameterError
from creator_pipeline.platforms.gumroad.sandbox.replies import PUBLIC_SCOPES, SALES_SCOPES, answer, failure
from creator_pipeline.sandbox.responses import not_found

if TYPE_CHECKING:
    from creator_pipeline.platforms.gumroad.sandbox.api import GumroadApi, Handler

Guard = Callable[["Handler", frozenset[str]], Any]
_PAGED = frozenset({"subscribers", "product_reviews"})
_OF_PRODUCT = ("subscribers", "offer_codes", "product_reviews", "variant_categories", "custom_fields")
_SCOPES: Mapping[str, frozenset[str]] = {"subscribers": SALES_SCOPES}


def _check_in_time(fault: str | None) -> None:
    if fault == "timeout_400":
        raise BadParameterError(TIMED_OUT)


def routes(api: GumroadApi, guard: Guard) -> list[Route]:
    """Of one list each, before those that take the rest of a path for a product's id."""

    def of_product(name: str) -> Handler:
        def handle(request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
            product = seller.product(request.path_params["id"])
            if product is None:
                return failure("The product was not found.")
            fault, key = request.scope.get("sandbox_fault"), request.query_params.get("page_key")
            _check_in_time(fault)
            if fault == "arrivals" and key and name == "subscribers":
                api.part.add_sale(seller.profile, product=product.id, subscription_id=f"new{len(seller.sales)}==")
            items = tables.rows(seller, name, product.id)
            if name == "subscribers":
                items = [item for item in items if item["status"] in tables.ACTIVE]
            if name not in _PAGED or (name == "subscribers" and not request.query_params.get("paginated")):
                return answer(**{name: items})
            if fault == "skip_rows":
                # As where rows of one second fall between two pages: the next reading shows them.
                items = items[1:]
            return answer(**tables.page(seller, name, items, request.query_params, cursor_by_id=api.cursor_by_id))

        return handle

    def variants(request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        return answer(variants=tables.rows(seller, "variants", request.path_params["category"]))

    def subscriber(request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        found = tables.subscriber(seller, request.path_params["id"])
        return answer(subscriber=found) if found else failure("The subscriber was not found.")

    def utm_links(_request: Request, seller: GumroadSeller, _scopes: set[str]) -> Response:
        return answer(utm_links=tables.rows(seller, "utm_links")) if seller.overlay.has_utm else not_found()

    return [
        Route(
            "/v2/products/{id}/variant_categories/{category}/variants",
            guard(variants, PUBLIC_SCOPES),
        ),
        *(
            Route(f"/v2/products/{{id}}/{name}", guard(of_product(name), _SCOPES.get(name, PUBLIC_SCOPES)))
            for name in _OF_PRODUCT
        ),
        Route("/v2/subscribers/{id:path}", guard(subscriber, SALES_SCOPES)),
        Route("/v2/utm_links", guard(utm_links, PUBLIC_SCOPES)),
    ]
