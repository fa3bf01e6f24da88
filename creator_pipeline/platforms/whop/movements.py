"""What a seller put into the balance, moved, exchanged or spent, out of the stored feed."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select

from creator_pipeline.platforms.whop import PLATFORM
from creator_pipeline.platforms.whop.ledger_store import stored_families
from creator_pipeline.platforms.whop.line_types import meaning_of
from creator_pipeline.store.load import replace
from creator_pipeline.store.tables import balance_movements, whop_financial_activity


def store_movements(connection: Connection, profile_id: str) -> None:
    """Make the movements of an account equal to what the stored lines say.

    Args:
        connection: of the transaction that stored the lines.
        profile_id: whose account.
    """
    feed, families = whop_financial_activity.c, stored_families(connection, profile_id)
    words = connection.execute(select(feed.line_type).where(feed.profile_id == profile_id).distinct()).scalars()
    moved = sorted(word for word in words if meaning_of(word, families) in {"moved", "spent"})
    lines = connection.execute(
        select(feed.id, feed.line_type, feed.amount_micros, feed.currency, feed.posted_on).where(
            feed.profile_id == profile_id, feed.line_type.in_(moved)
        )
    )
    rows = [(PLATFORM.in_ledger, profile_id, *line) for line in lines]
    columns = balance_movements.c
    mine = and_(columns.provider == PLATFORM.in_ledger, columns.profile_id == profile_id)
    replace(connection, balance_movements, rows, mine, what=f"movements of {profile_id}", allow_shrink=True)
