"""What an erasure and retention do with the tables of Gumroad."""

from __future__ import annotations

from sqlalchemy import or_

from creator_pipeline.platforms.gumroad.tables import STREAMS
from creator_pipeline.store.declared_personal import buyers_of, tables_of
from creator_pipeline.store.personal import Buyers, Personal
from creator_pipeline.store.tables import gumroad_earnings, gumroad_products, gumroad_sales

_SALES = gumroad_sales.c
BUYER = {"buyer_hash": None, "country": None, "raw": "{}"}
"""What a sale says of a forgotten buyer. The amounts are in columns of their own."""

PERSONAL = Personal(
    deleted=(gumroad_products, gumroad_sales, gumroad_earnings, *tables_of(STREAMS)),
    buyers=(
        Buyers(
            gumroad_sales,
            _SALES.buyer_hash,
            BUYER,
            known=or_(_SALES.buyer_hash.is_not(None), _SALES.country.is_not(None)),
            last_used=_SALES.created_at,
        ),
        *buyers_of(STREAMS),
    ),
)
