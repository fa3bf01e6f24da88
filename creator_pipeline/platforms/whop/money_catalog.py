"""Facts of Whop's calls about money, as data, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

State = Literal["paid", "on_the_way", "released"]

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        # With an underscore: older documentation writes a hyphen.
        "financial_activity": "/financial_activity",
        "ledger_accounts": "/ledger_accounts",
        "financial_reports": "/financial_reports",
        "payouts": "/payouts",
    }
)
"""What isn't needed for payments: without one of them the others, and the payments, go on."""
PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        "financial_activity": "company:balance:read",
        "ledger_accounts": "company:balance:read and payout:account:read",
        "financial_reports": "company:balance:read",
        "payouts": "payout:withdrawal:read",
    }
)
"""What a 403 most likely means; of the feed and the reports Whop doesn't say it."""

LINES_A_PAGE = 100
"""Asked for. The largest limit isn't stated; a walk ends by ``has_next_page`` only."""
PAYOUT_PREFIX = "wdrl_"
BALANCE_PARTS: Mapping[str, str] = MappingProxyType(
    {"available": "balance", "pending": "pending_balance", "reserve": "reserve_balance"}
)

STATES: Mapping[str, State] = MappingProxyType(
    {
        "completed": "paid",
        "requested": "on_the_way",
        "in_review": "on_the_way",
        "processing": "on_the_way",
        "reversed": "released",
        "canceled": "released",
        "failed": "released",
        "denied": "released",
    }
)
"""Of a status. One that isn't here is on its way: never counted as paid, and told."""

LINE_KEPT = frozenset(
    {
        "object",
        "id",
        "line_type",
        "amount",
        "currency",
        "usd_amount",
        "posted_at",
        "available_at",
        "payment_id",
        "product_id",
        "product_name",
        "plan_id",
        "plan_name",
        "source",
        "ledger_account_id",
    }
)
LINE_DROPPED = frozenset({"user_id", "user_name", "user_email", "resource", "payment", "account"})
"""Personal, or holds what is: names, addresses, card digits, bank names."""
SOURCE_KEPT = ("object", "id", "status", "payout_amount", "fee_amount", "fee_type", "reason")
LINE_KEYS = LINE_KEPT | LINE_DROPPED

PAYOUT_KEPT = frozenset(
    {
        "object",
        "id",
        "amount",
        "currency",
        "fee_amount",
        "markup_fee",
        "net_amount",
        "fee_paid_by",
        "status",
        "status_detail",
        "created_at",
        "estimated_arrival",
        "destination_amount",
        "destination_currency",
        "exchange_rate",
        "cancelable",
        "payout_request_id",
        "source",
        "speed",
    }
)
PAYOUT_DROPPED = frozenset(
    {
        "delayed",
        "estimated_arrival_end",
        "failure",
        "metadata",
        "notes",
        "payer_name",
        "payout_method",
        "payout_method_id",
        "recipient_name",
        "sender_name",
        "statement_descriptor",
        "timeline",
        "trace_code",
    }
)
"""Names, notes, bank details, and what only the retrieval of one payout has. Of a failure its code and day are kept."""
PAYOUT_KEYS = PAYOUT_KEPT | PAYOUT_DROPPED
