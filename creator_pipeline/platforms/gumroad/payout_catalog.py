"""Facts of Gumroad's payouts, as data, each with its reason."""

from __future__ import annotations

PAYOUT_KEYS = frozenset(
    {
        "id",
        "amount",
        "currency",
        "status",
        "created_at",
        "processed_at",
        "payment_processor",
        "bank_account_visual",
        "paypal_email",
        "sales",
        "refunded_sales",
        "disputed_sales",
        "transactions",
    }
)
"""Keys of a payout seen so far."""
PAYOUT_PERSONAL = frozenset({"bank_account_visual", "paypal_email"})
"""Keys of a payout that are dropped on receipt."""
LINE_KEYS = frozenset(
    {
        "type",
        "date",
        "purchase_id",
        "item_name",
        "buyer_name",
        "buyer_email",
        "taxes",
        "shipping",
        "sale_price",
        "gumroad_fees",
        "net_total",
    }
)
"""Keys of a line of a payout seen so far."""

PAYOUT_STATES = {
    "creating": "on_the_way",
    "processing": "on_the_way",
    "unclaimed": "on_the_way",
    "pending": "on_the_way",
    "completed": "paid",
    "failed": "released",
    "cancelled": "released",
    "canceled": "released",
    "returned": "released",
    "reversed": "released",
}
"""What a status means for the balance."""
UPCOMING_STATUSES = frozenset({"payable", "paused"})
"""Of payouts that are only planned."""

SALE = "Sale"
CHARGEBACK = "Chargeback"
CREDIT = "Credit"
REFUNDS = frozenset({"Full Refund", "Partial Refund"})
CONNECT_REFUNDS = frozenset({"PayPal Refund", "Stripe Connect Refund"})
"""Their fee is written with the other sign."""
FAILED_REFUND = "Failed Refund"
FAILED_REFUND_REVERSAL = "Failed Refund Reversal"
FAILED_REFUND_TYPES = frozenset(
    {FAILED_REFUND, FAILED_REFUND_REVERSAL, "Failed Refund Fee Retained", "Failed Refund Fee Returned"}
)
"""Their columns were never seen; of their nets it is known that each pair adds up to nothing."""
AFFILIATE_CREDIT = "Affiliate Credit"
CONNECT_SHARES = {"PayPal Connect Affiliate Fees": "paypal", "Stripe Connect Affiliate Fees": "stripe"}
CONNECT_GROUPS = {"PayPal Payouts": "paypal", "Stripe Connect Payouts": "stripe"}
"""Lines that take out what a processor paid by itself, by the processor."""
PAYOUT_FEE = "Payout Fee"
TECHNICAL_ADJUSTMENT = "Technical Adjustment"
PERIOD_END_TYPES = frozenset({PAYOUT_FEE, TECHNICAL_ADJUSTMENT, *CONNECT_GROUPS})
"""Lines dated with the last day of the payout's period, which is told nowhere else."""
PIECED_TYPES = frozenset({AFFILIATE_CREDIT, TECHNICAL_ADJUSTMENT, *CONNECT_SHARES})
"""Lines that sum up what several sales did: they are stored in pieces, which name the sales."""
WRITTEN_OFF = "written off"
"""In the word of a line by which a kept fee comes back that couldn't be collected; the word itself was never seen."""
UNSOLD = frozenset({AFFILIATE_CREDIT, CREDIT}) | FAILED_REFUND_TYPES
"""Lines whose money the list of sales doesn't tell: until it is paid, only the plan of a payout shows it."""
LINE_TYPES = (
    frozenset({SALE, CHARGEBACK, CREDIT, AFFILIATE_CREDIT})
    | REFUNDS
    | CONNECT_REFUNDS
    | FAILED_REFUND_TYPES
    | PERIOD_END_TYPES
    | frozenset(CONNECT_SHARES)
)
"""Types of lines whose meaning is known."""

USUAL_RATES = {
    "BHD": "0.377",
    "CLP": "950",
    "ISK": "130",
    "JOD": "0.709",
    "JPY": "150",
    "KRW": "1400",
    "KWD": "0.307",
    "OMR": "0.385",
    "PYG": "7500",
    "TND": "3.1",
    "UGX": "3700",
    "VND": "25000",
    "XAF": "600",
    "XOF": "600",
}
"""About how many units a dollar is: enough to see whether an amount was read a hundred times too small."""
AS_WRITTEN = frozenset({"KRW"})
"""Currencies without minor units whose amounts read right all the same."""
