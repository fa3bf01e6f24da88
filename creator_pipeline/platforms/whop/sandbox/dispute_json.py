"""Whop's disputes and their alerts, key for key; the values are invented."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from creator_pipeline.platforms.whop.sandbox.object_json import Json, amount_of, money, stamp


def alert_json(alert_id: str, payment: Json, fee: Json | None, created: datetime, kind: str) -> Json:
    """A warning of the buyer's bank before a dispute; its amount is a JSON number, its fee is null where it is free.

    Args:
        fee: a Money object.
        kind: ``dispute_alert``, ``rapid_dispute_resolution`` or ``early_fraud_warning``.
    """
    return {
        "id": alert_id,
        "account_id": payment["account_id"],
        "amount": float(payment["total"]["amount"]),
        "auto_refunded": kind != "early_fraud_warning",
        "created_at": stamp(created),
        "currency": payment["currency"],
        "fee": fee,
        "fee_charged": fee is not None,
        "payment_id": payment["id"],
        "reported_at": stamp(created),
        "transaction_at": payment["paid_at"],
        "type": kind,
    }


def dispute_json(dispute_id: str, payment: Json, fee: Decimal, created: datetime) -> Json:
    """A formal dispute that awaits a response; its amount is a JSON number.

    Args:
        fee: in US dollars.
    """
    evidence = (
        "access_activity_log billing_address cancellation_policy_attachment cancellation_policy_disclosure "
        "customer_communication_attachment customer_email_address customer_name notes product_description "
        "refund_policy_attachment refund_policy_disclosure refund_refusal_explanation service_date "
        "uncategorized_attachment"
    )
    total = amount_of(payment["total"])
    nulls = "evidence_due_at evidence_locked_reason evidence_submitted_at reason_code"
    return dict.fromkeys(nulls.split()) | {
        "id": dispute_id,
        "acceptable": True,
        "account_id": payment["account_id"],
        "amount": float(total),
        "buyer": {
            "email": payment["customer_email"],
            "member_id": payment["member_id"],
            "name": None,
            "user_id": None,
            "username": None,
        },
        "created_at": stamp(created),
        "currency": payment["currency"],
        "evidence": dict.fromkeys(evidence.split()) | {"documents": []},
        "evidence_editable": True,
        "fee": money(fee, "usd"),
        "inquiry": False,
        "issuer_comments": [],
        "line_items": [],
        "payment": {
            "id": payment["id"],
            "amount": float(total),
            "card_brand": "visa",
            "card_last4": "4242",
            "created_at": payment["created_at"],
            "currency": payment["currency"],
            "payment_instrument": None,
            "payment_method_type": "card",
            "payment_processor": None,
        },
        "plan_id": payment["plan_id"],
        "product_id": payment["product_id"],
        "reason": "fraudulent",
        "status": "needs_response",
        "updated_at": stamp(created),
    }
