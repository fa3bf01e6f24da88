"""What a materialization shows of Whop's rows: figures, and previews without personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import dagster as dg
import orjson

from creator_pipeline.core.money import to_text
from creator_pipeline.platforms.whop.models import PaymentRow
from creator_pipeline.platforms.whop.sync_memberships import LoadedMemberships
from creator_pipeline.runtime.describe import PREVIEW_ROWS, preview


def memberships(loaded: LoadedMemberships) -> dict[str, Any]:
    """Figures of an account's memberships, and its newest ones."""
    rows = loaded.memberships
    newest = sorted(rows, key=lambda row: row.created_at, reverse=True)[:PREVIEW_ROWS]
    table = [
        (
            f"{row.created_at:%Y-%m-%d}",
            row.product_name,
            row.plan_name,
            row.status,
            "yes" if row.has_access else "no",
            row.tier,
            row.matched_by or "nobody",
            f"{row.current_period_end:%Y-%m-%d}" if row.current_period_end else None,
            "ends" if row.cancel_at_period_end else "",
        )
        for row in newest
    ]
    header = ("bought", "product", "plan", "status", "access", "tier", "matched by", "period ends", "then")
    return {
        **loaded.change.metadata(),
        "with_access": sum(row.has_access for row in rows),
        "matched_to_nobody": sum(row.profile_id is None for row in rows),
        "tiers_changed": len(loaded.tiers_changed),
        "members_without_address": loaded.without_address,
        "by_status": dg.MetadataValue.json(dict(sorted(Counter(row.status for row in rows).items()))),
        "preview": preview(header, table),
    }


def payments(rows: Sequence[PaymentRow]) -> dict[str, Any]:
    """Money of a day's payments by currency, and the first of them."""
    paid, refunded = Counter[str](), Counter[str]()
    for row in rows:
        paid[row.currency] += row.total_micros if row.status == "paid" else 0
        refunded[row.currency] += row.refunded_micros
    table = [
        (
            row.created_at.astimezone(UTC).strftime("%H:%M"),
            row.product_name,
            row.status,
            row.substatus,
            to_text(row.total_micros, row.currency),
            to_text(row.refunded_micros, row.currency),
            row.currency,
            len(orjson.loads(row.disputes)),
        )
        for row in rows[:PREVIEW_ROWS]
    ]
    header = ("time", "product", "status", "substatus", "total", "refunded", "currency", "disputes")
    return {
        **{f"paid_{currency}": to_text(amount, currency) for currency, amount in sorted(paid.items())},
        **{f"refunded_{currency}": to_text(amount, currency) for currency, amount in sorted(refunded.items())},
        "not_final": sum(not row.final for row in rows),
        "newest_payment": dg.MetadataValue.timestamp(max(row.created_at for row in rows)),
        "preview": preview(header, table),
    }
