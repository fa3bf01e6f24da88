"""Facts of Gumroad's API v2, as data, each with its reason."""

from __future__ import annotations

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

CURRENCY_OF_SYMBOL = {
    "$": "USD",
    "£": "GBP",
    "€": "EUR",
    "¥": "JPY",
    "₹": "INR",
    "A$": "AUD",
    "CAD$": "CAD",
    "HK$": "HKD",
    "S$": "SGD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "R$": "BRL",
    "R": "ZAR",
    "CHF": "CHF",
    "zł": "PLN",
    "kr": "SEK",
}
"""Used only where neither the sale nor the catalogue names the currency."""

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
        "ip_address",
    }
)
"""Keys of a sale that tell who bought: neither the ledger nor support needs them."""

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
