"""The columns that the ledger's rows of Gumroad are made of, each with those of the ledger that change with it.

``creator_pipeline_tests/runtime/test_links.py`` finds them by changing one column after the other of what makes
the rows, and fails where they are others.
"""

from __future__ import annotations

from creator_pipeline.runtime.links import Lineage

LINEAGE: Lineage = {
    "gumroad/sales": {
        "profile_id": ("id", "profile_id", "source"),
        "id": ("id", "external_id"),
        "created_at": ("occurred_at", "occurred_on", "source", "settled_on"),
        "product_id": ("product_id",),
        "product_name": ("product_name",),
        "quantity": ("quantity",),
        "price_micros": ("event_type", "gross_micros", "fee_micros", "net_micros"),
        "fee_micros": ("fee_micros", "net_micros"),
        "refunded_micros": ("event_type", "gross_micros", "fee_micros", "net_micros"),
        "chargedback": ("event_type", "gross_micros", "fee_micros", "net_micros"),
        "dispute_won": ("event_type", "gross_micros", "fee_micros", "net_micros"),
        "kind": ("event_type", "gross_micros", "fee_micros", "net_micros"),
        "affiliate_micros": ("event_type", "gross_micros", "net_micros"),
        "processor": ("fee_micros", "net_micros", "past_balance"),
    }
}
