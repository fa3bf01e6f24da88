"""Facts of Whop's API v1, as data, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

API_VERSION_DATE = "2026-10-15-1"
"""Sent with every request: without it the shape depends on when the key was made. An opaque word, not a date."""

PAGE_SIZE = 100
"""Asked for. Whop states no bound: a server that serves fewer decides, and the walk ends by ``has_next_page`` only."""
SMALL_PAGE_SIZE = 50
"""Asked for where a server refuses :data:`PAGE_SIZE`; public code uses it often."""

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        "memberships": "/memberships",
        "members": "/members",
        "payments": "/payments",
        "refunds": "/refunds",
        "disputes": "/disputes",
        "dispute_alerts": "/dispute_alerts",
        # Also known as variants; the ids stay plan_… and both paths answer.
        "plans": "/plans",
    }
)
"""Lists by name. One object is the operation ``<name>.one`` under ``<path>/<id>``; each has a budget of its own."""

PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        "memberships": "member:basic:read",
        "members": "member:basic:read and member:email:read",
        "payments": "payment:basic:read, plan:basic:read, access_pass:basic:read, member:basic:read",
        "refunds": "payment:basic:read",
        "disputes": "payment:dispute:read",
        "dispute_alerts": "payment:dispute:read",
        "plans": "plan:basic:read",
    }
)
"""What a 403 of the list means; Whop's own text doesn't say. A missing permission for one field is null, not 403."""

KEPT_LISTS = frozenset({"members", "plans", "refunds", "disputes", "dispute_alerts"})
"""Lists that the nightly jobs read anyway and that are tables too."""

ACCESS: Mapping[str, bool] = MappingProxyType(
    {
        "active": True,
        "trialing": True,
        "completed": True,  # paid for good
        "canceling": True,  # ends with the period, which is still paid
        "past_due": True,  # Whop's days of grace; WHOP_PAST_DUE_ACCESS can say no
        "canceled": False,
        "expired": False,
        "unresolved": False,  # payment disputed or under review: Whop says nothing, so no
        "drafted": False,  # not bought yet
    }
)
"""Whether a membership of this status gives access."""

LIVING = ("active", "trialing", "past_due", "canceling")
"""Statuses that change by themselves and that the list can be asked for. ``canceling`` is named because the first
three leave out memberships that end with their period."""
UNLISTABLE = frozenset({"unresolved", "drafted"})
"""Statuses that change but are no legal filter: such memberships are read by their id."""

OPEN_PAYMENTS = ("open", "pending", "authorized", "unresolved")
"""Payments that can still become paid. ``draft`` is no legal filter."""
DEAD_PAYMENTS = frozenset({"void", "uncollectible"})
"""Ended without collecting."""
PAYMENT_STATUSES = frozenset({*OPEN_PAYMENTS, *DEAD_PAYMENTS, "draft", "paid"})
"""A payment with another one is told: nobody knows whether its money counts."""

OTHER_DIALECT = frozenset({"company", "company_id"})
"""Keys of the undated dialect, whose amounts are numbers and whose names are others."""

INQUIRY_PREFIX = "warning_"
"""A dispute whose status begins so is an inquiry, which moves no money."""
DISPUTE_CLOSED = frozenset({"won", "lost", "prevented", "warning_closed"})
"""Nothing follows. ``prevented``: the buyer was refunded before a ruling; it settles like ``lost``."""
DISPUTE_SIGNS = ("dispute", "resolution")
"""Parts of a payment's substatus behind which there can be a dispute."""

WHOLE_BACK = frozenset({"refunded", "auto_refunded"})
"""A payment's substatus once all of it went back, at whatever rate of whatever day."""
PART_BACK = "partially_refunded"

REFUND_SUCCEEDED = "succeeded"
"""The only status in which money went back; a refund can fail after it was announced."""

MEMBERSHIP_KEPT = frozenset(
    {
        "id",
        "status",
        "product_id",
        "plan_id",
        "user_id",
        "member_id",
        "created_at",
        "updated_at",
        "current_period_start",
        "current_period_end",
        "expires_at",
        "cancel_at_period_end",
        "canceled_at",
        "cancel_option",
        "billing_period_days",
        "collection_method",
        "initial_price",
        "renewal_price",
        "promo_code_id",
        "split_pay_current_payments",
        "split_pay_required_payments",
    }
)
"""Keys kept in ``raw``."""
MEMBERSHIP_DROPPED = frozenset(
    {
        "account",
        "affiliate",
        "cancellation_reason",
        "feedback_option",
        "license_key",
        "manage_url",
        "member",
        "metadata",
        "most_recent_action",
        "most_recent_action_at",
        "phone_number",
        "product",
    }
)
"""Keys left out of ``raw``: ``most_recent_action`` can lie in the future and moves without a change; ``manage_url``,
``license_key``, ``metadata`` and what a buyer wrote belong to the buyer."""

PAYMENT_KEPT = frozenset(
    {
        "id",
        "membership_id",
        "member_id",
        "plan_id",
        "product_id",
        "promo_code_id",
        "status",
        "substatus",
        "billing_reason",
        "currency",
        "total",
        "subtotal",
        "amount_after_fees",
        "tax_amount",
        "tax_behavior",
        "tax_refunded_amount",
        "refunded_amount",
        "presentment_total",
        "usd_total",
        "created_at",
        "updated_at",
        "paid_at",
        "refunded_at",
        "last_payment_attempt_at",
        "next_payment_attempt_at",
        "payments_failed",
        "decline_code",
        "auto_refunded",
        "refundable",
        "retryable",
        "voidable",
        "dispute_alerted_at",
        "payment_method_type",
    }
)
"""Keys kept in ``raw``."""
PAYMENT_DROPPED = frozenset(
    {
        "account_id",
        "billing_address",
        "checkout_configuration_id",
        "client_secret",
        "customer_email",
        "customer_phone",
        "failure_message",
        "financing_installments_count",
        "holds",
        "ip_address",
        "line_items",
        "metadata",
        "needs_tracking",
        "payment_instrument",
        "payment_method_id",
        "payment_rule_matches",
        "quote_id",
        "recovery_url",
        "risk_score",
        "risk_signals",
        "settlement_time_at",
        "shipment_id",
        "shipping_address",
        "three_ds_verified",
        "user",
        "verification_checks",
    }
)
"""Keys left out of ``raw``: what is personal, and what a list leaves empty (``settlement_time_at``), which would make
the row depend on the way it was read."""
MEMBERSHIP_KEYS, PAYMENT_KEYS = MEMBERSHIP_KEPT | MEMBERSHIP_DROPPED, PAYMENT_KEPT | PAYMENT_DROPPED
"""Every key of this dialect. A new one is kept in ``raw``, without addresses, and warned about."""
