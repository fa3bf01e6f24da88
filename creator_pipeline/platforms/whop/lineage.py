"""The columns that the ledger's rows of Whop are made of, each with those of the ledger that change with it.

``creator_pipeline_tests/runtime/test_links.py`` finds them by changing one column after the other of what makes
the rows, and fails where they are others.
"""

from __future__ import annotations

from creator_pipeline.runtime.links import Lineage

LINEAGE: Lineage = {
    "whop/payments": {
        "profile_id": ("id", "profile_id", "source"),
        "id": ("id", "external_id"),
        "created_at": ("source",),
        "paid_at": ("occurred_at", "occurred_on"),
        "product_id": ("product_id",),
        "product_name": ("product_name",),
        "status": ("event_type", "gross_micros", "fee_micros", "net_micros"),
        "currency": ("currency",),
        "total_micros": ("gross_micros", "net_micros"),
        "fee_micros": ("fee_micros", "net_micros"),
        "units": ("quantity",),
    },
    "whop/financial_activity": {
        "line_type": ("event_type", "gross_micros", "fee_micros", "net_micros", "fee_exact"),
        "posted_at": ("occurred_at", "occurred_on"),
        "amount_micros": ("gross_micros", "net_micros"),
        "currency": ("currency",),
    },
}
