"""The columns that the ledger's rows of KDP are made of, each with those of the ledger that change with it.

``creator_pipeline_tests/runtime/test_links.py`` finds them by changing one column after the other of what makes
the rows, and fails where they are others.
"""

from __future__ import annotations

from creator_pipeline.runtime.links import Lineage

LINEAGE: Lineage = {
    "kdp/royalties": {
        "upload_id": ("source",),
        "slice": ("id",),
        "event_key": ("id", "external_id", "product_id"),
        "kind": ("event_type", "quantity"),
        "occurred_on": ("occurred_at", "occurred_on"),
        "title": ("product_name",),
        "units_sold": ("quantity",),
        "units_refunded": ("quantity",),
        "pages_read": ("quantity",),
        "royalty_micros": ("gross_micros", "net_micros"),
        "currency": ("currency",),
    }
}
