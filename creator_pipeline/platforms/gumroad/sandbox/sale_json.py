"""The JSON of API v2, written from the truth: sales and products."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson

from creator_pipeline.platforms.gumroad.sandbox.shapes import (
    PERIODS,
    SYMBOLS,
    Product,
    Sale,
    ago_text,
    major_text,
    money_text,
    opaque_id,
    to_listed,
    utc_text,
)


def _refundable_text(sale: Sale) -> str:
    if not sale.charged or sale.dead_processor or sale.refunded:
        return "0"
    return major_text(to_listed(sale.price - sale.refunded_cents, sale.product.currency), sale.product.currency)


def sale_fields(sale: Sale, seller_id: str, zone: ZoneInfo) -> dict[str, object]:
    """The sale's JSON without ``timestamp``; keys whose value is nil are absent from the first block."""
    product, buyer = sale.product, sale.buyer
    currency = product.currency
    local = datetime.fromtimestamp(sale.created, UTC).astimezone(zone)
    period = PERIODS.get(product.subscription_duration or "", "")
    before_extras = sale.price - sale.shipping_cents - sale.tip_cents - (sale.tax_cents if product.physical else 0)
    words = [*sale.variants.values(), *([f"Qty: {sale.quantity}"] if sale.quantity > 1 else [])]
    first: dict[str, object | None] = {
        "id": sale.id,
        "email": buyer.email,
        "seller_id": seller_id,
        "daystamp": f"{local.day:>2} {local:%b %Y} {local.hour % 12 or 12:>2}:{local:%M %p}",
        "created_at": utc_text(sale.created),
        "product_name": product.name,
        "product_has_variants": bool(product.variants),
        "price": sale.price,
        "gumroad_fee": sale.fee,
        "is_bundle_purchase": sale.bundle == "whole",
        "is_bundle_product_purchase": sale.bundle == "part",
        "formatted_display_price": money_text(to_listed(before_extras, currency), currency) + period,
        "formatted_total_price": money_text(to_listed(sale.price, currency), currency) + period,
        "currency_symbol": SYMBOLS[currency],
        "currency": currency,
        "amount_refundable_in_currency": _refundable_text(sale),
        "product_id": product.id,
        "product_permalink": product.permalink,
        "refunded": sale.refunded if sale.charged and sale.price else None,
        "partially_refunded": sale.partially_refunded,
        "chargedback": sale.chargedback,
        "purchase_email": buyer.email,
        "giftee_email": sale.gift_partner if sale.gift == "sender" else None,
        "gifter_email": sale.gift_partner if sale.gift == "receiver" else None,
        "full_name": buyer.full_name,
        "zip_code": buyer.zip_code,
        "state": buyer.state,
        "country": buyer.country,
        "country_iso2": buyer.country_iso2,
        "paid": sale.price != 0,
        "has_variants": bool(sale.variants),
        "variants": sale.variants or None,
        "variants_and_quantity": f"({', '.join(words)})" if words else "",
        "has_custom_fields": bool(sale.custom_fields),
        "custom_fields": sale.custom_fields,
        "order_id": sale.order_id,
        "is_product_physical": product.physical,
        "purchaser_id": buyer.purchaser_id,
        "is_recurring_billing": product.subscription_duration is not None,
        "subscription_duration": product.subscription_duration,
        "can_contact": True,
        "is_following": False,
        "disputed": sale.disputed,
        "dispute_won": sale.dispute_won,
        "is_additional_contribution": False,
        "discover_fee_charged": sale.discover,
        "discover_fee_percentage": 30 if sale.discover else None,
        "is_upgrade_purchase": False,
        "is_more_like_this_recommended": False,
        "is_gift_sender_purchase": sale.gift == "sender",
        "is_gift_receiver_purchase": sale.gift == "receiver",
        "referrer": sale.referrer,
        "paypal_refund_expired": False,
        "tip_cents": sale.tip_cents or None,
        "tax_cents": sale.tax_cents,
        "shipping_cents": sale.shipping_cents,
        "tax_label": "Sales tax" if sale.tax_cents else None,
        "tax_included_in_price": False if sale.tax_cents else None,
        "access_revoked": False,
        "variants_price_cents": sum(product.variants.get(k, {}).get(v, 0) for k, v in sale.variants.items()),
        "sent_abandoned_cart_email": False,
    }
    return {key: value for key, value in first.items() if value is not None} | _later_fields(sale)


def _later_fields(sale: Sale) -> dict[str, object]:
    paid_by_card = sale.price > 0
    later: dict[str, object] = {
        "card": {
            "visual": "**** **** **** 4242" if paid_by_card else None,
            "type": "visa" if paid_by_card else None,
            "bin": None,
            "expiry_month": None,
            "expiry_year": None,
        },
        "product_rating": None,
        "reviews_count": 4,
        "average_rating": 4.5,
        "quantity": sale.quantity,
    }
    if sale.subscription_id:
        later |= {
            "subscription_id": sale.subscription_id,
            "cancelled": sale.cancelled,
            "dead": sale.cancelled,
            "ended": False,
            "free_trial_ended": False if sale.trial_ends else None,
            "free_trial_ends_on": sale.trial_ends,
            "recurring_charge": sale.recurring_charge,
        }
    if sale.preorder_authorized is not None:
        later |= {"preorder_cancelled": False, "is_preorder_authorization": False, "is_in_preorder_state": False}
        later["preorder_authorization_time"] = utc_text(sale.preorder_authorized)
    if sale.product.physical:
        later |= {"shipped": True, "tracking_url": None}
    if sale.offer_code:
        later["offer_code"] = {
            "code": sale.offer_code,
            "displayed_amount_off": sale.offer_text,
            "name": sale.offer_code,
        }
    if sale.affiliate:
        later["affiliate"] = {"email": sale.affiliate, "amount": money_text(sale.affiliate_cents, "usd")}
    if sale.processor:
        later |= {
            "payment_processor": sale.processor,
            "processor_transaction_id": opaque_id("processor", sale.id)[:17].upper(),
            "transaction_url_for_seller": f"https://dashboard.stripe.com/payments/ch_{opaque_id(sale.id)[:16]}",
            "processor_fee_cents": sale.processor_fee_cents,
            "processor_fee_currency": "usd",
        }
    if sale.license_key:
        later |= {"license_key": sale.license_key, "license_id": opaque_id("license", sale.id)}
        later |= {"license_disabled": False, "license_uses": 1, "is_multiseat_license": False}
    return later | sale.extra


def sale_json(sale: Sale, seller_id: str, zone: ZoneInfo, now: int) -> bytes:
    """The sale as the API writes it; everything but ``timestamp`` is rendered once and kept.

    Args:
        sale: what is written; it keeps what is rendered once.
        seller_id: Gumroad's id of the seller.
        zone: the seller's time zone.
        now: seconds since 1970, for ``timestamp``.
    """
    if sale.head is None:
        sale.head = orjson.dumps(sale_fields(sale, seller_id, zone))[:-1] + b',"timestamp":"'
    return sale.head + ago_text(now - sale.created).encode() + b'"}'


def product_fields(product: Product, subdomain: str, *, with_totals: bool) -> Mapping[str, object]:
    """The product's JSON; ``sales_count`` and ``sales_usd_cents`` (a float) only with the scope ``view_sales``."""
    period = PERIODS.get(product.subscription_duration or "", "")
    plus = "+" if product.price == 0 else ""
    options = {
        title: [
            {
                "name": name,
                "price_difference": difference,
                "is_pay_what_you_want": False,
                "recurrence_prices": {
                    product.subscription_duration: {"price_cents": difference, "suggested_price_cents": None}
                }
                if product.subscription_duration
                else None,
                "url": None,
            }
            for name, difference in choices.items()
        ]
        for title, choices in product.variants.items()
    }
    fields: dict[str, object] = {
        "name": product.name,
        "description": product.description or f"<p>{product.name}</p>",
        "require_shipping": product.physical,
        "preview_url": None,
        "custom_receipt": None,
        "customizable_price": True if product.price == 0 else None,
        "custom_permalink": None,
        "subscription_duration": product.subscription_duration,
        "id": product.id,
        "url": None,
        "price": product.price,
        "currency": product.currency,
        "short_url": f"https://{subdomain}.gumroad.com/l/{product.permalink}",
        "thumbnail_url": None,
        "covers": [],
        "main_cover_id": None,
        "tags": list(product.tags),
        "formatted_price": money_text(product.price, product.currency) + plus + period,
        "published": product.published,
        "file_info": {},
        "max_purchase_count": None,
        "deleted": False,
        "custom_fields": [
            {"id": opaque_id("field", product.id, name), "type": "text", "name": name, "required": False}
            for name in product.custom_fields
        ],
        "custom_summary": None,
        "bundle_products": [
            {"product_id": part, "variant_id": None, "quantity": 1, "position": position}
            for position, part in enumerate(product.bundle)
        ],
        "is_tiered_membership": product.subscription_duration is not None,
        "recurrences": [product.subscription_duration] if product.subscription_duration else None,
        "variants": [{"title": title, "options": choices} for title, choices in options.items()],
        "custom_delivery_url": None,
    }
    if with_totals:
        fields |= {"sales_count": product.sales_count, "sales_usd_cents": float(product.sales_usd_cents)}
    return fields
