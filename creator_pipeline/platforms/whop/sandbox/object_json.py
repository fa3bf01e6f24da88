"""Whop's objects of the dialect 2026-10-15-1, key for key; the values are invented."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

DECIMALS: Mapping[str, int] = {"jpy": 0, "kwd": 3}


def ident(prefix: str, *parts: object) -> str:
    """An opaque id, the same for the same parts."""
    return prefix + hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:14]


def stamp(moment: datetime) -> str:
    """ISO with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def money(amount: Decimal, currency: str) -> Json:
    """Exact decimal text in units of the currency."""
    places = DECIMALS.get(currency, 2)
    text = f"{amount.quantize(Decimal(1).scaleb(-places)):f}"
    return {"amount": text, "currency": currency, "decimals": places, "display_decimals": places}


def amount_of(value: Json | None) -> Decimal:
    """The amount of a Money object, nothing for null."""
    return Decimal(value["amount"]) if value else Decimal(0)


def plan_json(plan_id: str, title: str, product: Json, currency: str, price: Decimal, days: int | None) -> Json:
    """A plan; its two prices are JSON numbers.

    Args:
        product: holds ``id``, ``title`` and ``account_id``.
        currency, price: lower case; in units of ``currency``.
        days: of a billing period; None for a plan that is paid once.
    """
    nulls = (
        "attributes cancel_discount_intervals cancel_discount_percentage checkout_styling description "
        "effective_payment_method_configuration expiration_days image internal_notes invoice "
        "payment_method_configuration sku split_pay_required_payments stock strike_through_initial_price "
        "strike_through_renewal_price three_ds_level trial_period_days"
    )
    return dict.fromkeys(nulls.split()) | {
        "id": plan_id,
        "title": title,
        "account": {"id": product["account_id"], "title": "Sandbox"},
        "adaptive_pricing_enabled": False,
        "billing_period": days,
        "collect_tax": False,
        "created_at": "2024-01-01T00:00:00.000Z",
        "currency": currency,
        "custom_fields": [],
        "deletable": False,
        "formatted_price": f"{price} {currency}",
        "initial_price": 0 if days else float(price),
        "initial_price_due": money(price, currency),
        "member_count": 0,
        "metadata": {},
        "offer_cancel_discount": False,
        "plan_type": "renewal" if days else "one_time",
        "product": {"id": product["id"], "title": product["title"]},
        "purchase_url": f"https://example.com/checkout/{plan_id}",
        "release_method": "buy_now",
        "renewal_price": float(price) if days else 0,
        "tax_type": "unspecified",
        "unlimited_stock": True,
        "updated_at": "2026-01-01T00:00:00.000Z",
        "visibility": "visible",
    }


def member_json(member_id: str, account_id: str, user: Json | None, email: str | None, created: datetime) -> Json:
    """A buyer of the account.

    Args:
        member_id, account_id: ``mber_…`` and ``biz_…``.
        user, email: null in the object where None.
    """
    return {
        "access_level": "customer",
        "account_id": account_id,
        "created_at": stamp(created),
        "display_name": user["name"] if user else "Example Ltd",
        "email": email,
        "id": member_id,
        "joined_at": stamp(created),
        "last_accessed_at": None,
        "most_recent_action": "paid_subscriber",
        "most_recent_action_at": stamp(created),
        "phone_number": "+15550100",
        "status": "joined",
        "token_balance": 0,
        "usd_total_spent": money(Decimal(0), "usd"),
        "user": user,
    }


def membership_json(
    membership_id: str, plan: Json, member: Json | None, status: str, created: datetime, ends: datetime | None
) -> Json:
    """A membership of a plan; ``member`` is None while it is unclaimed.

    Args:
        created: also the start of the current period.
        ends: end of the current period; None for a membership without periods.
    """
    price = plan["initial_price_due"]
    renewing = plan["plan_type"] == "renewal"
    user = member["user"] if member else None
    nulls = (
        "affiliate cancel_option canceled_at cancellation_reason expires_at feedback_option license_key member "
        "most_recent_action most_recent_action_at promo_code_id split_pay_current_payments split_pay_required_payments"
    )
    return dict.fromkeys(nulls.split()) | {
        "id": membership_id,
        "status": status,
        "account": {"id": plan["account"]["id"], "logo_url": None, "route": "sandbox", "title": "Sandbox"},
        "billing_period_days": plan["billing_period"],
        "cancel_at_period_end": False,
        "collection_method": "charge_automatically",
        "created_at": stamp(created),
        "current_period_end": stamp(ends) if ends else None,
        "current_period_start": stamp(created) if ends else None,
        "initial_price": money(Decimal(0), plan["currency"]) if renewing else price,
        "manage_url": f"https://example.com/manage/{membership_id}",
        "member_id": member["id"] if member else None,
        "metadata": {"note": "told by the seller"},
        "phone_number": "+15550100",
        "plan_id": plan["id"],
        "product": {"id": plan["product"]["id"], "logo_url": None, "title": plan["product"]["title"]},
        "product_id": plan["product"]["id"],
        "renewal_price": price if renewing else None,
        "updated_at": stamp(created),
        "user_id": user["id"] if user else None,
    }


def payment_json(payment_id: str, membership: Json, plan: Json, member: Json | None, created: datetime) -> Json:
    """A payment that is still open.

    Args:
        plan: tells currency, total and product.
        member: None while the membership is unclaimed.
    """
    total = plan["initial_price_due"]
    nulls = (
        "billing_address checkout_configuration_id client_secret customer_phone decline_code dispute_alerted_at "
        "failure_message financing_installments_count last_payment_attempt_at metadata needs_tracking "
        "next_payment_attempt_at paid_at payment_instrument payment_method_id promo_code_id quote_id recovery_url "
        "refunded_amount refunded_at risk_score risk_signals settlement_time_at shipment_id shipping_address "
        "tax_amount usd_total verification_checks"
    )
    line = {
        "id": ident("li_", payment_id),
        "label": plan["product"]["title"],
        "plan_id": plan["id"],
        "plan_title": plan["title"],
        "product_id": plan["product"]["id"],
        "product_title": plan["product"]["title"],
        "quantity": 1,
        "sku": None,
        "subtotal": total,
    }
    return dict.fromkeys(nulls.split()) | {
        "id": payment_id,
        "account_id": plan["account"]["id"],
        "amount_after_fees": total,
        "auto_refunded": False,
        "billing_reason": "subscription_create" if plan["plan_type"] == "renewal" else "one_time",
        "created_at": stamp(created),
        "currency": plan["currency"],
        "customer_email": member["email"] if member else None,
        "holds": [],
        "ip_address": "192.0.2.7",
        "line_items": [line],
        "member_id": membership["member_id"],
        "membership_id": membership["id"],
        "payment_method_type": "card",
        "payment_rule_matches": [],
        "payments_failed": 0,
        "plan_id": plan["id"],
        "presentment_total": total,
        "product_id": plan["product"]["id"],
        "refundable": False,
        "retryable": False,
        "status": "open",
        "substatus": "pending",
        "subtotal": total,
        "tax_behavior": "unspecified",
        "tax_refunded_amount": money(Decimal(0), plan["currency"]),
        "three_ds_verified": False,
        "total": total,
        "updated_at": stamp(created),
        "user": member["user"] if member else None,
        "voidable": False,
    }


def multiply(payment: Json, quantity: int) -> None:
    """Make a new payment one of several units at its price."""
    if quantity == 1:
        return
    total = money(amount_of(payment["total"]) * quantity, payment["currency"])
    payment.update(dict.fromkeys(("total", "subtotal", "presentment_total", "amount_after_fees"), total))
    payment["line_items"][0].update(quantity=quantity, subtotal=total)


def refund_json(refund_id: str, payment: Json, amount: Decimal, status: str, created: datetime) -> Json:
    """A refund of a payment.

    Args:
        amount: in units of the payment's currency.
    """
    value = money(amount, payment["currency"])
    nulls = "failure_message failure_reason metadata reason reference_status reference_type reference_value"
    return dict.fromkeys(nulls.split()) | {
        "id": refund_id,
        "account_id": payment["account_id"],
        "amount": value,
        "created_at": stamp(created),
        "original_amount": value,
        "payment_id": payment["id"],
        "provider": "multi_psp",
        "provider_created_at": stamp(created),
        "status": status,
        "updated_at": stamp(created),
        "visa_rdr": False,
    }


def undated_refund_json(refund: Json, payment: Json) -> Json:
    """The shape in which webhooks tell a refund, whatever dialect they are pinned to."""
    return {
        "id": refund["id"],
        "amount": float(refund["amount"]["amount"]),
        "created_at": refund["created_at"],
        "currency": payment["currency"],
        "metadata": None,
        "payment": {"id": payment["id"], "currency": payment["currency"], "total": float(payment["total"]["amount"])},
        "provider": refund["provider"],
        "provider_created_at": refund["provider_created_at"],
        "reference_status": None,
        "reference_type": None,
        "reference_value": None,
        "status": refund["status"],
    }
