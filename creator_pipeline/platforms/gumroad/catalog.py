"""Facts of Gumroad's API v2, as data, each with its reason."""

from __future__ import annotations

import re
from functools import lru_cache

_CODE = re.compile(r"[A-Z]{3}")
_DOLLARS = frozenset({"AUD", "CAD", "HKD", "SGD", "TWD", "NZD", "BRL", "MXN", "COP"})

PAGE_SIZE = 10
"""Fixed by the server, for sales and (on newer servers) products."""

SLOW_QUERY_PREFIX = "Query timed out"
"""A query over 15 s is answered with 400 and this text: not a caller's mistake, the window is too long."""

NOT_FOUND_SUFFIX = "was not found."
"""A missing object is HTTP 200 with ``success: false`` and a message that ends so."""

SALES_SCOPES = ("view_profile", "view_sales")
"""Without these nothing can be read."""
PAYOUTS_SCOPE = "view_payouts"
"""Without it the sales go on, and payouts aren't known."""
SCOPES = (*SALES_SCOPES, PAYOUTS_SCOPE)
"""What we ask for. ``account`` would be full access: never."""
TAX_SCOPE = "view_tax_data"
"""Of a year's earnings. It shows tax forms too, so it isn't asked for; a token may have it all the same."""

OWN_PROCESSORS = frozenset({"paypal", "stripe"})
"""A sale that names one of these was paid into the seller's own account there, past Gumroad's balance."""

SUMMARY_SURE_DAYS = 92
"""``/v2/sales/summary`` answers 400 past an upper bound of days it doesn't tell; so few are surely allowed."""

RESOURCES = (
    "sale",
    "refund",
    "dispute",
    "dispute_won",
    "cancellation",
    "subscription_updated",
    "subscription_ended",
    "subscription_restarted",
)
"""Events a resource subscription can be registered for."""

CURRENCIES_OF_SYMBOL = {
    "$": ("USD",),
    "£": ("GBP",),
    "€": ("EUR",),
    "¥": ("JPY",),
    "₹": ("INR",),
    "A$": ("AUD",),
    "CAD$": ("CAD",),
    "HK$": ("HKD",),
    "S$": ("SGD",),
    "SGD$": ("SGD",),
    "NT$": ("TWD",),
    "NZ$": ("NZD",),
    "R$": ("BRL",),
    "R": ("ZAR",),
    "zł": ("PLN",),
    "Kč": ("CZK",),
    "kr": ("SEK", "NOK", "DKK"),
    "₪": ("ILS",),
    "₱": ("PHP",),
    "₩": ("KRW",),
    "MX$": ("MXN",),
    "₺": ("TRY",),
    "COL$": ("COP",),
    "lei": ("RON",),
    "฿": ("THB",),
    "RM": ("MYR",),
    "₫": ("VND",),
    "Rp": ("IDR",),
}
"""Older servers tell the currency of a sale by its symbol only. That of the sale goes before the product's: a product
can change its currency, and its old sales keep theirs."""

SINGLE_UNIT = frozenset({"JPY", "VND"})
"""Currencies whose amounts Gumroad writes in whole units; all others, the won too, in hundredths."""


def decimals(currency: str) -> int:
    """Decimal places of Gumroad's amounts in a currency, which aren't those of ISO 4217."""
    return 0 if currency in SINGLE_UNIT else 2


@lru_cache(maxsize=1024)
def currency_of(told: str, candidates: str | None = None) -> str | None:
    """The code of a currency told by its code or its symbol; None where several share the symbol.

    Args:
        told: by a sale or a product.
        candidates: a code that decides between those that share the symbol.
    """
    if told == "$" and candidates in _DOLLARS:
        # Where it is short for another dollar, its refunds would be wrong and called exact; the other way round they
        # come out the same and are called estimates.
        return candidates
    codes = CURRENCIES_OF_SYMBOL.get(told)
    if codes is None:
        code = told.strip().upper()
        return code if _CODE.fullmatch(code) else None
    if len(codes) == 1:
        return codes[0]
    return candidates if candidates in codes else None


VOLATILE = frozenset(
    {
        "timestamp",  # "about 2 months ago"
        "daystamp",  # kept as local_day
        "can_contact",
        "is_following",
        "product_rating",
        "reviews_count",
        "average_rating",
        "paypal_refund_expired",
        "license_uses",
        "sent_abandoned_cart_email",
    }
)
"""Keys of a sale that differ on every read: they would make every row look changed."""

PERSONAL = frozenset(
    {
        "email",
        "purchase_email",
        "giftee_email",
        "gifter_email",
        "full_name",
        "street_address",
        "city",
        "state",
        "zip_code",
        "card",
        "custom_fields",
        "license_key",
        "license_id",
        "purchaser_id",
        "tracking_url",
        "shipping_information",
        "review",
        "invoice_url",
        "referrer",
        "affiliate",
        "processor_transaction_id",
        "transaction_url_for_seller",  # it ends in the processor's id of the charge
        "receipt_url",  # it holds the buyer's address
        "paypal_email",
        "ip_address",
    }
)
"""Keys of a sale that tell who bought: neither the ledger nor support needs them."""
PROCESSOR_KEY = re.compile(
    r"transaction|charge_|processor|card|stripe|paypal|fingerprint|receipt|invoice", re.IGNORECASE
)
"""Names of unknown keys that are dropped whole: of the buyer's card, or of the charge at a payment processor."""
PROCESSOR_ID = re.compile(
    r"\b(?:card|ch|cs|cus|pi|pm|py|re|seti|src|tok|txn)_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{6,}"
    r"|https?://[^\s\"'<>\\]*(?:stripe|paypal|braintree)[^\s\"'<>\\]*",
    re.IGNORECASE,
)
"""What a payment processor calls a charge, a card or a customer, or an address there; cleaned out of unknown keys only:
a product's name may read alike."""

SALE_KEYS = frozenset(
    [
        "id",
        "order_id",
        "created_at",
        "daystamp",
        "timestamp",
        "seller_id",
        "product_id",
        "product_permalink",
        "product_name",
        "email",
        "purchase_email",
        "price",
        "gumroad_fee",
        "currency",
        "currency_symbol",
        "formatted_display_price",
        "formatted_total_price",
        "amount_refundable_in_currency",
        "refunded",
        "partially_refunded",
        "chargedback",
        "disputed",
        "dispute_won",
        "paid",
        "quantity",
        "subscription_duration",
        "tip_cents",
        "tax_cents",
        "shipping_cents",
        "tax_label",
        "tax_included_in_price",
        "variants_price_cents",
        "payment_processor",
        "processor_transaction_id",
        "transaction_url_for_seller",
        "receipt_url",
        "paypal_email",
        "processor_fee_cents",
        "processor_fee_currency",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "access_revoked",
        "sent_abandoned_cart_email",
        "review",
        "cancellation_date",
        "subscription_end_date",
        "preorder_authorization_time",
        "invoice_url",
        "buyer_presentment",
        "has_variants",
        "variants",
        "variants_and_quantity",
        "has_custom_fields",
        "custom_fields",
        "full_name",
        "street_address",
        "city",
        "state",
        "zip_code",
        "country",
        "country_iso2",
        "purchaser_id",
        "can_contact",
        "is_following",
        "is_product_physical",
        "is_recurring_billing",
        "is_additional_contribution",
        "is_upgrade_purchase",
        "is_more_like_this_recommended",
        "product_has_variants",
        "is_bundle_purchase",
        "is_bundle_product_purchase",
        "is_gift_sender_purchase",
        "giftee_email",
        "is_gift_receiver_purchase",
        "gifter_email",
        "discover_fee_charged",
        "discover_fee_percentage",
        "ppp",
        "upsell",
        "referrer",
        "paypal_refund_expired",
        "card",
        "product_rating",
        "reviews_count",
        "average_rating",
        "subscription_id",
        "cancelled",
        "dead",
        "ended",
        "free_trial_ended",
        "free_trial_ends_on",
        "recurring_charge",
        "preorder_cancelled",
        "is_preorder_authorization",
        "is_in_preorder_state",
        "shipped",
        "tracking_url",
        "offer_code",
        "affiliate",
        "license_key",
        "license_id",
        "license_disabled",
        "is_multiseat_license",
        "license_uses",
        "sku_id",
        "sku_external_id",
        "formatted_shipping_amount",
    ]
)
"""Keys of a sale seen so far; a new one is kept in ``raw``, without addresses, and warned about."""
