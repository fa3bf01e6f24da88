"""Whop's declared tables about money that moved, or may: refunds, disputes and their alerts, transfers."""

from __future__ import annotations

from sqlalchemy import Connection

from creator_pipeline.platforms.whop.catalog import PERMISSIONS
from creator_pipeline.platforms.whop.table_fields import CHANGES, MINE, NAME, TURNS, currency, micros, times, upper
from creator_pipeline.store.table_streams import (
    ParentRow,
    Parents,
    Single,
    TableStream,
    flag,
    of_parent,
    text,
    time,
    told,
)


def _sides(_connection: Connection, _profile_id: str) -> list[ParentRow]:
    return [ParentRow({"side": "origin"}), ParentRow({"side": "destination"})]


REFUNDS = TableStream(
    platform=NAME,
    name="refunds",
    about="A refund of a payment. Only one that succeeded moved money.",
    path="/refunds",
    list_key="data",
    asked=MINE,
    single=Single("/refunds/{id}", ""),
    turns=TURNS,
    newest_first="created_at",
    told_by=CHANGES,
    scope=PERMISSIONS["refunds"],
    webhooks=("refund.created", "refund.updated"),
    personal=("failure_message", "reference_value"),
    left_out=("account_id", "metadata", "provider_created_at", "reference_status", "reference_type"),
    fields=(
        text("id", "Whop's id of the refund"),
        text("payment_id", "Payment that it is of"),
        text("status", "pending, requires_action, succeeded, failed or canceled"),
        micros("amount_micros", "As it was settled, at the rate of its own day", "amount.amount"),
        currency("amount.currency", "Of the amount as settled"),
        micros("original_amount_micros", "As it was asked for", "original_amount.amount"),
        told("original_currency", "text", "Of that", upper("original_amount.currency"), "original_amount"),
        text("reason", "As Whop says it", null=True),
        text("failure_reason", "Why it failed", null=True),
        text("provider", "Who paid it", null=True),
        flag("visa_rdr", "The bank's own way before a dispute"),
        *times(),
    ),
)
DISPUTES = TableStream(
    platform=NAME,
    name="disputes",
    about="A dispute of a payment. What was said and shown for it is not kept.",
    path="/disputes",
    list_key="data",
    asked=MINE,
    single=Single("/disputes/{id}", ""),
    turns=TURNS,
    newest_first="created_at",
    told_by=CHANGES,
    scope=PERMISSIONS["disputes"],
    webhooks=("dispute.created", "dispute.updated"),
    personal=("buyer", "evidence", "issuer_comments"),
    left_out=("acceptable", "account_id", "evidence_editable", "evidence_locked_reason", "line_items"),
    fields=(
        text("id", "Whop's id of the dispute"),
        text("payment_id", "Payment that it is of", "payment.id", null=True),
        text("product_id", "Product of the payment", null=True),
        text("variant_id", "Variant of the payment", "plan_id", null=True),
        text("status", "As Whop says it; won, lost and prevented are ends"),
        flag("inquiry", "A question of the bank, which moves no money"),
        text("reason", "The bank's reason", null=True),
        text("reason_code", "Its code", null=True),
        micros("amount_micros", "Amount", "amount"),
        currency("currency", "Of the amount; may differ from the payment's"),
        micros("fee_micros", "What the dispute costs", "fee.amount"),
        told("fee_currency", "text", "Of that", upper("fee.currency"), "fee"),
        time("evidence_due_at", "Until when evidence counts", null=True),
        time("evidence_submitted_at", "When it was handed in", null=True),
        *times(),
    ),
)
ALERTS = TableStream(
    platform=NAME,
    name="dispute_alerts",
    about="A bank's word before a dispute.",
    path="/dispute_alerts",
    list_key="data",
    asked=MINE,
    single=Single("/dispute_alerts/{id}", ""),
    told_by=CHANGES,
    scope=PERMISSIONS["dispute_alerts"],
    webhooks=("dispute_alert.created",),
    personal=("issuer", "card_brand"),
    left_out=("account_id",),
    fields=(
        text("id", "Whop's id of the alert"),
        text("payment_id", "Payment that it is of", null=True),
        text("product_id", "Its product", null=True),
        text("type", "early_fraud_warning, dispute_alert or rapid_dispute_resolution"),
        micros("amount_micros", "Amount of the payment", "amount"),
        currency("currency"),
        micros("fee_micros", "What the alert costs; an early warning costs nothing", "fee.amount"),
        told("fee_currency", "text", "Of that", upper("fee.currency"), "fee"),
        flag("fee_charged", "The fee was taken"),
        flag("auto_refunded", "The payment was refunded"),
        time("transaction_at", "When was paid", null=True),
        time("reported_at", "When the bank told it"),
        *times(),
    ),
)
TRANSFERS = TableStream(
    platform=NAME,
    name="transfers",
    about="Money between two accounts of Whop: no revenue. One between own accounts stands on either side.",
    path="/transfers",
    list_key="data",
    asked={"{side}_id": "{account_id}"},
    parents=Parents(_sides, ("side",)),
    turns=TURNS,
    key=("side", "id"),
    left_out=("failed_at", "failure_reason", "metadata", "notes", "object", "succeeded_at", "tracking_url"),
    fields=(
        of_parent("side", "What this account is: origin or destination"),
        text("id", "Whop's id of the transfer"),
        text("status", "As Whop says it", null=True),
        micros("amount_micros", "Amount", "amount.amount"),
        currency("amount.currency"),
        micros("fee_micros", "What it cost", "fee.amount"),
        told("fee_currency", "text", "Of that", upper("fee.currency"), "fee"),
        text("origin_id", "Account that it left", "origin.id", null=True),
        text("destination_id", "Account that it came to", "destination.id", null=True),
        text("failure_code", "Why it failed", null=True),
        time("created_at", "When it was made"),
        time("status_changed_at", "Last change of its status", null=True),
    ),
)
