"""Tables that are handed out to others: frames and exported files. Nothing tells who holds a membership."""

from sqlalchemy import literal, select

from creator_pipeline.platforms.contract import Shared
from creator_pipeline.store.tables import whop_subscriptions as table

SUBSCRIPTIONS = Shared(
    select(
        literal("whop").label("platform"),
        table.c.account_profile_id.label("profile_id"),
        table.c.id.label("subscription_id"),
        table.c.status,
        table.c.has_access,
        table.c.plan_id,
        table.c.plan_name,
        table.c.tier,
        table.c.product_id,
        table.c.product_name,
        table.c.created_at,
        table.c.updated_at,
        table.c.current_period_start,
        table.c.current_period_end,
        table.c.cancel_at_period_end,
        table.c.canceled_at,
        table.c.price_micros,
        table.c.currency,
        table.c.first_seen_at,
        table.c.ingested_at,
    ),
    follows="whop/memberships",
)
