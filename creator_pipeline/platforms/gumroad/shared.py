"""Tables that are handed out to others: frames and exported files."""

from sqlalchemy import literal, select

from creator_pipeline.platforms.contract import Shared
from creator_pipeline.store.tables import gumroad_products as table

PRODUCTS = Shared(
    select(
        literal("gumroad").label("platform"),
        table.c.profile_id,
        table.c.id.label("product_id"),
        table.c.name,
        table.c.currency,
        table.c.price_micros,
        table.c.published,
        table.c.url,
        table.c.first_seen_at,
        table.c.ingested_at,
        table.c.removed_at,
    ),
    follows="gumroad/products",
)
