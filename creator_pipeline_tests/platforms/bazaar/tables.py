"""The table of orders, and what is personal in it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, MetaData, String, Table

from creator_pipeline.store.personal import Buyers, Personal
from creator_pipeline.store.types import UtcDateTime

metadata = MetaData()
bazaar_orders = Table(
    "bazaar_orders",
    metadata,
    Column("profile_id", String, primary_key=True, comment="Whose shop"),
    Column("id", String, primary_key=True, comment="Bazaar's id of the order"),
    Column("partition_day", Date, nullable=False, comment="UTC day of the order"),
    Column("created_at", UtcDateTime, nullable=False, comment="When it was made"),
    Column("item", String, nullable=False, comment="What was sold"),
    Column("paid_micros", BigInteger, nullable=False, comment="What the buyer paid, in millionths of the currency"),
    Column("refunded_micros", BigInteger, nullable=False, comment="What went back"),
    Column("currency", String, nullable=False, comment="Upper-case code"),
    Column("buyer_hash", String, comment="Keyed hash of the buyer's address"),
    Column("ingested_at", UtcDateTime, nullable=False, comment="When this row changed last"),
)
ORDER_KEYS = frozenset({"id", "created_at", "item", "paid", "refunded", "currency", "buyer_email"})

PERSONAL = Personal(
    deleted=(bazaar_orders,),
    buyers=(
        Buyers(
            bazaar_orders,
            bazaar_orders.c.buyer_hash,
            {"buyer_hash": None},
            known=bazaar_orders.c.buyer_hash.is_not(None),
            last_used=bazaar_orders.c.created_at,
        ),
    ),
)
