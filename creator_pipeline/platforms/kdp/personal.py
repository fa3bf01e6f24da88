"""What an erasure does with the tables of KDP."""

from __future__ import annotations

from creator_pipeline.store.personal import Personal
from creator_pipeline.store.tables import kdp_files, kdp_headers, kdp_payments, kdp_royalties, kdp_uploads

# The ledger's ids of a royalty name the book.
PERSONAL = Personal(
    deleted=(kdp_royalties, kdp_payments, kdp_uploads, kdp_files), kept=(kdp_headers,), ids_name_things=True
)
