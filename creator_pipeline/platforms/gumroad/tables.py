"""Gumroad's plain tables, by declaration. ``docs/tables.md`` is made from this."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, and_, select

from creator_pipeline.core.money import MICROS
from creator_pipeline.platforms.gumroad.catalog import decimals
from creator_pipeline.store.table_streams import (
    Json,
    ParentRow,
    Parents,
    Single,
    TableStream,
    address,
    flag,
    of_parent,
    text,
    time,
    told,
    whole,
)
from creator_pipeline.store.tables import gumroad_products

_NAME, _PRODUCTS = "gumroad", gumroad_products.c
_ACTIVE = frozenset({"alive", "pending_cancellation", "pending_failure"})
_MEMBERSHIP = ("subscription_duration", "is_tiered_membership", "recurrences")


def _here(profile_id: str) -> Any:
    return and_(_PRODUCTS.profile_id == profile_id, _PRODUCTS.removed_at.is_(None))


def _hint(product: Row[Any], keys: Sequence[str]) -> str:
    raw = json.loads(product.raw) | {"sales_count": product.sales_count}
    found = json.dumps([raw.get(key) for key in keys], sort_keys=True)
    return hashlib.sha256(found.encode()).hexdigest()[:16] if keys else ""


def _products(*hint: str, having: Sequence[str] = ()) -> Callable[[Connection, str], Sequence[ParentRow]]:
    """Products of the catalogue whose JSON has something at one of ``having``; the hint is what it has at others."""

    def rows(connection: Connection, profile_id: str) -> Sequence[ParentRow]:
        found = connection.execute(select(gumroad_products).where(_here(profile_id)).order_by(_PRODUCTS.id)).all()
        return [
            ParentRow({"product_id": one.id, "currency": one.currency}, _hint(one, hint))
            for one in found
            if not having or any(json.loads(one.raw).get(key) for key in having)
        ]

    return rows


def _categories(connection: Connection, profile_id: str) -> Sequence[ParentRow]:
    """Categories of variants, each with the currency of its product; the hint is what the product has of variants."""
    table = CATEGORIES.table.c
    both = and_(table.product_id == _PRODUCTS.id, table.profile_id == _PRODUCTS.profile_id)
    asked = select(table.id.label("category_id"), gumroad_products).join_from(gumroad_products, CATEGORIES.table, both)
    found = connection.execute(asked.where(_here(profile_id), table.removed_at.is_(None)).order_by(table.id)).all()
    return [
        ParentRow(
            {"product_id": one.id, "category_id": one.category_id, "currency": one.currency}, _hint(one, ("variants",))
        )
        for one in found
    ]


def _money(key: str) -> Callable[[Json, Mapping[str, str]], int | None]:
    """Reads an amount that is written in the smallest unit of the product's currency."""

    def read(item: Json, parent: Mapping[str, str]) -> int | None:
        value = item.get(key)
        return value * MICROS // 10 ** decimals(parent["currency"]) if isinstance(value, int) else None

    return read


def _joined(key: str) -> Callable[[Json, Mapping[str, str]], str | None]:
    """Reads a list of ids as text, with spaces between."""

    def read(item: Json, _parent: Mapping[str, str]) -> str | None:
        value = item.get(key)
        return " ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) and value else None

    return read


SUBSCRIBERS = TableStream(
    platform=_NAME,
    name="subscribers",
    about="A person who has, or had, a membership of a product.",
    path="/v2/products/{product_id}/subscribers",
    in_pages={"paginated": "true"},
    list_key="subscribers",
    parents=Parents(_products(having=_MEMBERSHIP), ("product_id",), "gumroad/products"),
    single=Single("/v2/subscribers/{id}", "subscriber", lambda item: item.get("status") in _ACTIVE),
    scope="view_sales",
    webhooks=("cancellation", "subscription_updated", "subscription_ended", "subscription_restarted"),
    personal=("user_email", "user_id", "license_key"),
    last_used="created_at",
    fields=(
        text("id", "Gumroad's id of the subscription"),
        text("product_id", "Gumroad's id of the product"),
        text("product_name", "Name of the product", null=True),
        address("buyer_hash", "Keyed hash of the subscriber's e-mail", "email"),
        text("status", "As Gumroad says it: alive, pending_cancellation, cancelled…"),
        text("recurrence", "monthly, quarterly, biannually, yearly or every_two_years", null=True),
        whole("charges", "Charges until it ends, where it is of a fixed length", "charge_occurrence_count", null=True),
        told("purchase_ids", "text", "Ids of its sales, with spaces between", _joined("purchase_ids")),
        time("created_at", "When it began"),
        time("cancel_asked_at", "When the subscriber cancelled", "user_requested_cancellation_at", null=True),
        time("cancelled_at", "When it is over because of that; may lie ahead", null=True),
        time("ended_at", "When it reached its fixed end", null=True),
        time("failed_at", "When a charge failed for good", null=True),
        time("trial_ends_at", "End of the free trial", "free_trial_ends_at", null=True),
    ),
)
OFFER_CODES = TableStream(
    platform=_NAME,
    name="offer_codes",
    about="An offer code of a product. A universal one stands under each product, each time with all its uses.",
    path="/v2/products/{product_id}/offer_codes",
    list_key="offer_codes",
    parents=Parents(_products("sales_count"), ("product_id",), "gumroad/products", timedelta(days=7)),
    key=("product_id", "id"),
    fields=(
        of_parent("product_id", "Gumroad's id of the product"),
        text("id", "Gumroad's id of the code"),
        text("code", "What the buyer types", "name"),
        flag("universal", "It is of all products"),
        whole("percent_off", "Per cent; null where it is an amount", null=True),
        told(
            "amount_off_micros", "micros", "Amount; null where it is per cent", _money("amount_cents"), "amount_cents"
        ),
        of_parent("currency", "Of the amount: the product's"),
        whole("max_uses", "Uses at most; null for no limit", "max_purchase_count", null=True),
        whole("times_used", "Uses so far", null=True),
    ),
)
REVIEWS = TableStream(
    platform=_NAME,
    name="reviews",
    about="A review of a product that has words or a video. The name of who wrote it is not kept.",
    path="/v2/products/{product_id}/product_reviews",
    list_key="product_reviews",
    parents=Parents(_products("sales_count"), ("product_id",), "gumroad/products", timedelta(days=7)),
    personal=("rater_name",),
    fields=(
        text("id", "Gumroad's id of the review"),
        of_parent("product_id", "Gumroad's id of the product"),
        text("sale_id", "Sale that it is of", "purchase_id", null=True),
        whole("rating", "Stars, 1 to 5"),
        text("message", "What was written, without addresses", null=True),
        text("response", "The seller's answer, without addresses", "response.message", null=True),
        time("responded_at", "When the seller answered", "response.created_at", null=True),
        time("created_at", "When it was written"),
    ),
)
CATEGORIES = TableStream(
    platform=_NAME,
    name="variant_categories",
    about="What a product's variants differ in, as its licence or its format.",
    path="/v2/products/{product_id}/variant_categories",
    list_key="variant_categories",
    parents=Parents(
        _products("variants", having=("variants",)), ("product_id",), "gumroad/products", timedelta(days=28)
    ),
    fields=(
        text("id", "Gumroad's id of the category"),
        of_parent("product_id", "Gumroad's id of the product"),
        text("title", "Its name"),
    ),
)
VARIANTS = TableStream(
    platform=_NAME,
    name="variants",
    about="A variant of a product, or a tier of a membership.",
    path="/v2/products/{product_id}/variant_categories/{category_id}/variants",
    list_key="variants",
    parents=Parents(_categories, ("product_id", "category_id"), "gumroad/variant_categories", timedelta(days=28)),
    fields=(
        text("id", "Gumroad's id of the variant"),
        of_parent("product_id", "Gumroad's id of the product"),
        of_parent("category_id", "Id of its category"),
        text("name", "Its name"),
        text("description", "Its description", null=True),
        told(
            "price_difference_micros",
            "micros",
            "What it costs beyond the product's price",
            _money("price_difference_cents"),
            "price_difference_cents",
        ),
        of_parent("currency", "The product's"),
        whole("max_sales", "Sales at most; null for no limit", "max_purchase_count", null=True),
    ),
)
CUSTOM_FIELDS = TableStream(
    platform=_NAME,
    name="custom_fields",
    about="A question that buyers of a product are asked. Their answers are not kept.",
    path="/v2/products/{product_id}/custom_fields",
    list_key="custom_fields",
    parents=Parents(_products("custom_fields"), ("product_id",), "gumroad/products", timedelta(days=28)),
    key=("product_id", "id"),
    left_out=("products",),
    fields=(
        of_parent("product_id", "Gumroad's id of the product"),
        text("id", "Gumroad's id of the question"),
        text("type", "As Gumroad says it: text, checkbox, terms", null=True),
        text("name", "The question"),
        flag("required", "It must be answered"),
        flag("everywhere", "It is asked for all products", "global"),
        flag("for_each_product", "It is asked once for each product of a cart", "collect_per_product"),
    ),
)
UTM_LINKS = TableStream(
    platform=_NAME,
    name="utm_links",
    about="A link with UTM parameters that the seller made, on servers that have them.",
    path="/v2/utm_links",
    list_key="utm_links",
    fields=(
        text("id", "Gumroad's id of the link"),
        text("title", "Its name", null=True),
        text("permalink", "End of its short address", null=True),
        text("target_type", "What it leads to", "target_resource_type", null=True),
        text("target_id", "Id of what it leads to", "target_resource_id", null=True),
        text("utm_source", "UTM parameter", null=True),
        text("utm_medium", "UTM parameter", null=True),
        text("utm_campaign", "UTM parameter", null=True),
        text("utm_term", "UTM parameter", null=True),
        text("utm_content", "UTM parameter", null=True),
    ),
)
STREAMS = (SUBSCRIBERS, OFFER_CODES, REVIEWS, CATEGORIES, VARIANTS, CUSTOM_FIELDS, UTM_LINKS)
