"""The lists beside products, sales and payouts: subscribers, offer codes, reviews, variants, questions, UTM links.

What sales and products tell is taken from them; what happens to a row besides is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from creator_pipeline.platforms.gumroad.sandbox.shapes import Product, Sale, opaque_id, utc_text

if TYPE_CHECKING:
    from creator_pipeline.platforms.gumroad.sandbox.account import GumroadSeller

Item = dict[str, Any]
ACTIVE = frozenset({"alive", "pending_cancellation", "pending_failure"})
WORDS = ("Lovely.", "Prints well, ask me at buyer@example.com", "Too short")


@dataclass
class Overlay:
    """What happened to rows that isn't in sales and products.

    Attributes:
        removed: (table, id) of rows that were deleted.
        edits: fields that differ now, by (table, id).
        added: rows by (table, product's or category's id).
        page: rows of a page of the lists that have pages.
        has_utm: false answers for UTM links as servers do that don't know them.
    """

    removed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    edits: dict[tuple[str, str], Item] = field(default_factory=dict[tuple[str, str], Item])
    added: dict[tuple[str, str], list[Item]] = field(default_factory=dict[tuple[str, str], "list[Item]"])
    page: int = 100
    has_utm: bool = True


def rows(seller: GumroadSeller, table: str, parent: str = "") -> list[Item]:
    """A list as the service shows it, without what was deleted.

    Args:
        seller: whose.
        table: its key in the answer.
        parent: id of the product, or of the category.
    """
    overlay = seller.overlay
    made = [*_INVENTED[table](seller, parent), *overlay.added.get((table, parent), ())]
    shown = [item | overlay.edits.get((table, item["id"]), {}) for item in made]
    return [item for item in shown if (table, item["id"]) not in overlay.removed]


def subscriber(seller: GumroadSeller, name: str) -> Item | None:
    """One subscriber in any state; None where there is none."""
    found = (rows(seller, "subscribers", product.id) for product in seller.products)
    return next((item for items in found for item in items if item["id"] == name), None)


def _subscribers(seller: GumroadSeller, product_id: str) -> Iterator[Item]:
    by_id: dict[str, list[Sale]] = {}
    for sale in seller.sales.values():
        if sale.subscription_id and sale.product.id == product_id:
            by_id.setdefault(sale.subscription_id, []).append(sale)
    for name, sales in by_id.items():
        first = min(sales, key=lambda sale: sale.key)
        yield {
            "id": name,
            "email": first.buyer.email,
            "product_id": product_id,
            "product_name": first.product.name,
            "user_id": first.buyer.purchaser_id,
            "user_email": first.buyer.email if first.buyer.purchaser_id else None,
            "purchase_ids": [sale.id for sale in sorted(sales, key=lambda sale: sale.key)],
            "created_at": utc_text(first.created),
            "user_requested_cancellation_at": None,
            "charge_occurrence_count": None,
            "recurrence": first.product.subscription_duration,
            "cancelled_at": None,
            "ended_at": None,
            "failed_at": None,
            "free_trial_ends_at": None,
            "status": "alive",
        }


def _offer_codes(seller: GumroadSeller, product_id: str) -> Iterator[Item]:
    used = sum(sale.offer_code == "SAVE10" for sale in seller.sales.values())
    everywhere = {"id": opaque_id(seller.profile, "code", "SAVE10"), "name": "SAVE10", "max_purchase_count": None}
    yield {**everywhere, "universal": True, "times_used": used, "percent_off": 10}
    if product_id == seller.products[0].id:
        own = {"id": opaque_id(product_id, "code", "friends"), "name": "friends", "max_purchase_count": 50}
        yield {**own, "universal": False, "times_used": 7, "amount_cents": 300}


def _reviews(seller: GumroadSeller, product_id: str) -> Iterator[Item]:
    sold = [sale for sale in seller.rows if sale.product.id == product_id and sale.charged and sale.price][:3]
    for number, sale in enumerate(sold):
        said = WORDS[number % len(WORDS)]
        answer = {"message": "Thank you!", "created_at": utc_text(sale.created + 90_000)} if number == 0 else None
        yield {
            "id": opaque_id(sale.id, "review"),
            "rating": 5 - number,
            "message": said,
            "created_at": utc_text(sale.created + 3_600),
            "purchase_id": sale.id,
            "rater_name": sale.buyer.full_name or "Somebody",
            "response": answer,
        }


def category_id(product: Product, title: str) -> str:
    """The id of what a product's variants differ in."""
    return opaque_id(product.id, "category", title)


def _categories(seller: GumroadSeller, product_id: str) -> Iterator[Item]:
    product = seller.product(product_id)
    if product:
        yield from ({"id": category_id(product, title), "title": title} for title in product.variants)


def _variants(seller: GumroadSeller, parent: str) -> Iterator[Item]:
    for product in seller.products:
        for title, choices in product.variants.items():
            for name, difference in choices.items() if category_id(product, title) == parent else ():
                yield {
                    "id": opaque_id(parent, "variant", name),
                    "name": name,
                    "description": None,
                    "price_difference_cents": difference,
                    "max_purchase_count": None,
                }


def _custom_fields(seller: GumroadSeller, product_id: str) -> Iterator[Item]:
    product = seller.product(product_id)
    for name in product.custom_fields if product else ():
        yield {
            "id": opaque_id("field", product_id, name),
            "type": "text",
            "name": name,
            "required": False,
            "global": False,
            "collect_per_product": False,
            "products": [product_id],
        }


def _utm_links(seller: GumroadSeller, _parent: str) -> Iterator[Item]:
    for name in ("newsletter", "book fair"):
        yield {
            "id": opaque_id(seller.profile, "utm", name),
            "title": name.title(),
            "permalink": name[:4],
            "target_resource_type": "profile_page",
            "target_resource_id": None,
            "utm_source": name.split()[0],
            "utm_medium": "email",
            "utm_campaign": "autumn",
            "utm_term": None,
            "utm_content": None,
        }


_INVENTED: Mapping[str, Callable[[GumroadSeller, str], Iterator[Item]]] = {
    "subscribers": _subscribers,
    "offer_codes": _offer_codes,
    "product_reviews": _reviews,
    "variant_categories": _categories,
    "variants": _variants,
    "custom_fields": _custom_fields,
    "utm_links": _utm_links,
}


def page(
    seller: GumroadSeller, table: str, items: Iterable[Item], asked: Mapping[str, str], *, cursor_by_id: bool
) -> Item:
    """A page, newest first.

    Args:
        seller: whose.
        table: its key in the answer.
        items: every row.
        asked: parameters of the query.
        cursor_by_id: of rows of one second, those behind a page key are left out: the service compares the second and
            the id, and a row of the same second can have the higher id.
    """
    ordered = sorted(items, key=lambda item: (item["created_at"], item["id"]), reverse=True)
    if key := asked.get("page_key"):
        moment, _, name = key.partition("|")
        ordered = [
            item
            for item in ordered
            if (item["created_at"], item["id"]) < (moment, name) and not (cursor_by_id and item["created_at"] == moment)
        ]
    shown, more = ordered[: seller.overlay.page], ordered[seller.overlay.page :]
    return {table: shown, **({"next_page_key": f"{shown[-1]['created_at']}|{shown[-1]['id']}"} if more else {})}
